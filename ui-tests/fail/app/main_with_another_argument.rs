use tenancy::prelude::*;

#[tenancy::app(isolation = "rls")]
async fn main(listen: Tenant) {
    drop(listen);
}
