use proc_macro2::TokenStream;
use quote::ToTokens;

/// Every mistake found in one item, so that all are reported at once.
///
/// Dropping one that was never turned into tokens is a bug of ours, and says so.
pub(crate) struct Errors {
    found: Vec<syn::Error>,
    reported: bool,
}

impl Errors {
    pub(crate) fn new() -> Self {
        Self {
            found: Vec::new(),
            reported: false,
        }
    }

    /// Records a mistake at the tokens it is about.
    pub(crate) fn at(&mut self, tokens: impl ToTokens, message: impl std::fmt::Display) {
        self.found.push(syn::Error::new_spanned(tokens, message));
    }

    /// Records an error that has its span already, e.g. from parsing.
    pub(crate) fn push(&mut self, error: syn::Error) {
        self.found.push(error);
    }

    /// Unwraps a result, recording its error.
    pub(crate) fn ok<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All of them as `compile_error!`s; nothing when there are none.
    pub(crate) fn into_tokens(mut self) -> TokenStream {
        self.reported = true;
        std::mem::take(&mut self.found)
            .iter()
            .map(syn::Error::to_compile_error)
            .collect()
    }
}

impl Drop for Errors {
    fn drop(&mut self) {
        assert!(
            self.reported || self.found.is_empty() || std::thread::panicking(),
            "mistakes were collected and not reported; please report this as a bug of tenancy"
        );
    }
}
