//! Domains of tenants' own belong to the resolver by host, and to a database.

#[tenancy::app(resolver = "header", custom_domains, membership = "gateway")]
async fn main() {}
