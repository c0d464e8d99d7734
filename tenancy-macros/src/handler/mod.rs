use proc_macro2::TokenStream;
pub(crate) fn tenant_handler(_attribute: TokenStream, item: TokenStream) -> TokenStream {
    item
}
