//! What tenants may use, and how much: by their plan, by what they are granted beyond it, and
//! what becomes of a plan that nobody declares.

mod config;
mod features;
mod quotas;

use integration::database::Database;
use integration::http::Served;
use tenancy::prelude::*;
use tenancy::tenant::Slug;
use tenancy::{Isolation, Strategy};

use crate::shop;

pub(crate) const A: &str = "acme-corp";
pub(crate) const B: &str = "globex";

/// One plan without anything, one with something, one with everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Plans)]
pub(crate) enum Plan {
    #[plan(default)]
    Starter,
    #[plan(features(exports))]
    Pro,
    #[plan(name = "enterprise-2026", features(all), rate_limit = "3/h")]
    Enterprise,
}

#[tenant_handler(get, "/forecast", feature = "forecasts")]
async fn forecast() -> &'static str {
    "sun"
}

/// The plan by name.
#[tenant_handler(get, "/plan")]
async fn plan(tenant: Tenant) -> String {
    tenant.plan().unwrap_or("none").to_owned()
}

fn app() -> App {
    shop::app(Isolation::single(Strategy::Rls))
        .plans::<Plan>()
        .route::<forecast>()
        .route::<plan>()
        .seed(A)
        .seed_tenant(NewTenant::new(B).expect("a slug").plan("pro"))
}

async fn serve() -> (Database, Served) {
    let database = Database::empty().await;
    let served = Served::start(app(), &database, &[]).await;
    (database, served)
}

fn slug(text: &str) -> Slug {
    text.parse().expect("a slug")
}
