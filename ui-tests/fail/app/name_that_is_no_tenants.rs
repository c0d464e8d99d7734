use tenancy::prelude::*;

#[tenancy::app(
    isolation = "hybrid", premium = "schema", standard = "rls",
    premium_tenants("Acme Corp"), seed("ab", "-globex", "globex"),
)]
async fn main(_app: App) {}
