#[tenancy::app(openapi = "public")]
async fn main() {}
