#[tenancy::app(resolver("path", "header"), prefix = "/t/")]
async fn main() {}
