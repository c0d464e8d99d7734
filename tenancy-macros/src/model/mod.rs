use proc_macro2::TokenStream;
pub(crate) fn tenant_model(_attribute: TokenStream, item: TokenStream) -> TokenStream {
    item
}
pub(crate) fn shared_model(_attribute: TokenStream, item: TokenStream) -> TokenStream {
    item
}
