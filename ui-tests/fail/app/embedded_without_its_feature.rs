#[tenancy::app(isolation = "rls", embedded = "temporary")]
async fn main() {}
