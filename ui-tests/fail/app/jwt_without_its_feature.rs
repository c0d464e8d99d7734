#[tenancy::app(resolver = "jwt", audience = "my-app", issuer = "any")]
async fn main() {}
