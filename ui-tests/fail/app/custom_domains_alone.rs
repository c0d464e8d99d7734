//! A suffix says where all other tenants are.

#[tenancy::app(isolation = "rls", custom_domains)]
async fn main() {}
