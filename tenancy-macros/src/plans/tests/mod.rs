mod expansions;
mod mistakes;

use proc_macro2::TokenStream;

use crate::common::Crate;

fn plans(item: TokenStream) -> TokenStream {
    super::plans_in(&Crate::named("tenancy"), item)
}
