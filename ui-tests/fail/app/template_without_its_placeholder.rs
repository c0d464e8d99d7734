#[tenancy::app(
    isolation = "database",
    database_url_template = "postgres://app@localhost/shop",
)]
async fn main() {}
