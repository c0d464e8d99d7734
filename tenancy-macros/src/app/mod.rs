use proc_macro2::TokenStream;
pub(crate) fn app(_attribute: TokenStream, item: TokenStream) -> TokenStream {
    item
}
