use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Signature, Visibility};

/// A free function whose body stays as it was written.
///
/// No macro here rewrites a body, and a body that is only half typed must not
/// keep the rest of the function from being understood.
#[derive(Clone)]
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    pub(crate) body: TokenStream,
}

impl Function {
    /// Reads `item`. If it is no function it comes back as it was, with
    /// `advice` at the attribute.
    pub(crate) fn read(item: TokenStream, advice: &str) -> Result<Self, TokenStream> {
        syn::parse2(item.clone()).map_err(|_| {
            let error = syn::Error::new(Span::call_site(), advice).to_compile_error();
            item.into_iter().chain(error).collect()
        })
    }

    /// The `#[cfg(…)]`s, which everything made for this function must carry too.
    pub(crate) fn conditions(&self) -> Vec<&Attribute> {
        self.attributes
            .iter()
            .filter(|attribute| attribute.path().is_ident("cfg"))
            .collect()
    }
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        Ok(Self {
            attributes: input.call(Attribute::parse_outer)?,
            visibility: input.parse()?,
            signature: input.parse()?,
            body: input.parse()?,
        })
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        for attribute in &self.attributes {
            attribute.to_tokens(tokens);
        }
        self.visibility.to_tokens(tokens);
        self.signature.to_tokens(tokens);
        self.body.to_tokens(tokens);
    }
}
