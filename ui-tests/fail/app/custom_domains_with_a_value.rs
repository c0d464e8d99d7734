//! What is chosen by its name alone.

#[tenancy::app(
    isolation = "rls",
    resolver = "subdomain",
    suffix = ".myapp.com",
    custom_domains = true,
    membership = "gateway"
)]
async fn main() {}
