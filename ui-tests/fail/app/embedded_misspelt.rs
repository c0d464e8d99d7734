#[tenancy::app(isolation = "rls", embedded = "temporry")]
async fn main() {}
