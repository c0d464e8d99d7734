//! The check of domains is no part of every build.

#[tenancy::app(
    isolation = "rls",
    resolver = "subdomain",
    suffix = ".myapp.com",
    custom_domains,
    membership = "gateway"
)]
async fn main() {}
