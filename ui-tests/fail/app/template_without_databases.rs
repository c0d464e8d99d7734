#[tenancy::app(
    isolation = "rls",
    database_url_template = "postgres://app@localhost/{database_name}",
)]
async fn main() {}
