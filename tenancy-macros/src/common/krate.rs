use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::Ident;

/// The path of the `tenancy` crate in the user's crate, also when renamed in
/// `Cargo.toml`. Prints as an absolute path (`::tenancy`).
pub(crate) struct Crate(Ident);

impl Crate {
    /// Looks the name up in the `Cargo.toml` of the crate being compiled.
    pub(crate) fn find() -> Self {
        let name = match crate_name("tenancy") {
            Ok(FoundCrate::Name(name)) => name,
            // Itself: doctests and examples of `tenancy`. Not found: the
            // compiler's own "unresolved import" says it best.
            Ok(FoundCrate::Itself) | Err(_) => "tenancy".to_owned(),
        };
        Self(Ident::new(&name, Span::call_site()))
    }

    /// A fixed name, for unit tests.
    #[cfg(test)]
    pub(crate) fn named(name: &str) -> Self {
        Self(Ident::new(name, Span::call_site()))
    }

    /// The path of a private name as text, as serde's attributes want it.
    pub(crate) fn private_path(&self, name: &str) -> String {
        format!("::{}::__private::{name}", self.0)
    }
}

impl ToTokens for Crate {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let name = &self.0;
        tokens.extend(quote!(::#name));
    }
}
