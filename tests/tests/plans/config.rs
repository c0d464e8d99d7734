use integration::database::Database;
use integration::http::{Login, Served, start};
use serde::Deserialize;
use serde_json::json;
use tenancy::prelude::*;

use super::{A, B, Plan, slug};
use crate::features;

/// What is kept with each tenant.
#[derive(Deserialize)]
struct Settings {
    theme: Theme,
    #[serde(default)]
    seats: u32,
}

#[derive(Deserialize)]
struct Theme {
    color: String,
}

#[tenant_handler(get, "/config")]
async fn config(config: TenantConfig<Settings>) -> Result<Json<Value>> {
    let plan: Plan = config.plan()?;
    let settings = config.settings();
    Ok(Json(json!({
        "tenant": config.tenant().slug(),
        "paid": plan != Plan::Starter,
        "exports": config.has(features::exports),
        "color": settings.theme.color,
        "seats": settings.seats,
    })))
}

/// Asks for nothing that is stored.
#[tenant_handler(get, "/bare")]
async fn bare(config: TenantConfig) -> String {
    config.has(features::exports).to_string()
}

/// Of these the application knows nothing.
#[derive(Clone, Copy, Plans)]
enum Others {
    #[plan(default)]
    Starter,
}

#[tenant_handler(get, "/others")]
async fn others(config: TenantConfig) -> Result<&'static str> {
    Ok(config.plan::<Others>()?.name())
}

fn tenant(slug: &str) -> NewTenant {
    let settings = json!({"theme": {"color": "red"}, "more": true});
    NewTenant::new(slug).expect("a slug").metadata(settings)
}

fn app() -> App {
    super::app()
        .settings::<Settings>()
        .route::<config>()
        .route::<bare>()
        .route::<others>()
        .seed_tenant(tenant("initech").plan("pro"))
}

async fn serve() -> (Database, Served) {
    let database = Database::empty().await;
    // Without settings, tenants without any are stored.
    Served::start(super::app(), &database, &[]).await;
    let served = Served::start(app(), &database, &[]).await;
    (database, served)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_gets_plan_features_and_settings_as_types() {
    let (_database, shop) = serve().await;
    let initech = shop.tenant("initech");
    let before = json!({
        "tenant": "initech", "paid": true, "exports": true, "color": "red", "seats": 0
    });
    assert_eq!(initech.get("/config").await.json(200), before);
    let provisioner = shop.tenancy.provisioner();
    let blue = json!({"theme": {"color": "blue"}, "seats": 5});
    let slug = slug("initech");
    provisioner.set_metadata(&slug, blue).await.unwrap();
    provisioner.set_plan(&slug, "starter").await.unwrap();
    let after = json!({
        "tenant": "initech", "paid": false, "exports": false, "color": "blue", "seats": 5
    });
    assert_eq!(initech.get("/config").await.json(200), after, "at once");
    // What is kept with a tenant is in no answer about it.
    let record = serde_json::to_string(&provisioner.list(None, 10).await.unwrap()).unwrap();
    assert!(!record.contains("blue"), "{record}");
    // Plans of others are nobody's here.
    assert_eq!(initech.get("/others").await.problem(500), "internal");
    // Without a request as well.
    let (admitted, _) = shop.tenancy.tenant(&slug).await.unwrap();
    let config = TenantConfig::<Settings>::of(&admitted).unwrap();
    assert_eq!(config.plan::<Plan>().unwrap(), Plan::Starter);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_that_is_none_of_the_settings_is_named_and_never_a_default() {
    let (database, shop) = serve().await;
    let provisioner = shop.tenancy.provisioner();
    for (metadata, words) in [
        (json!({}), "a tenant's metadata: missing field `theme`"),
        (
            json!({"theme": {"color": 5}}),
            "a tenant's metadata: `theme.color`: invalid type: integer `5`, expected a string",
        ),
        (json!(null), "a tenant's metadata is a JSON object"),
    ] {
        let new = NewTenant::new("hooli").unwrap().metadata(metadata.clone());
        for refused in [
            provisioner.provision(new).await,
            provisioner.set_metadata(&slug("initech"), metadata).await,
        ] {
            match refused {
                Err(Error::InvalidInput(said)) => assert_eq!(said, words),
                other => panic!("{words}: {other:?}"),
            }
        }
    }
    // What was stored before, and what somebody has written by hand.
    database
        .sabotage(
            "UPDATE tenancy.tenants SET metadata = '{\"theme\": {\"color\": \"red\"}, \
             \"seats\": -1}' WHERE slug = 'globex'",
        )
        .await;
    for (tenant, field) in [
        (A, "missing field `theme`"),
        (B, "`seats`: invalid value: integer `-1`, expected u32"),
    ] {
        let answer = shop.tenant(tenant).get("/config").await;
        assert_eq!(answer.problem(500), "internal");
        assert!(!answer.text().contains("theme"), "{}", answer.text());
        // Nothing else of the tenant suffers.
        assert_eq!(shop.tenant(tenant).get("/bare").await.status, 200);
        let (admitted, _) = shop.tenancy.tenant(&slug(tenant)).await.unwrap();
        let said = TenantConfig::<Settings>::of(&admitted).err().unwrap();
        let words = format!(
            "the tenant `{tenant}` as it is stored: has metadata that is none of the \
             application's settings: {field}"
        );
        assert!(said.to_string().contains(&words), "{said}");
        let problems = shop.tenancy.verify().await.unwrap();
        assert_eq!(problems.len(), 2, "{problems:?}");
        let named = problems
            .iter()
            .any(|problem| problem.to_string().starts_with(&words));
        assert!(named, "{problems:?}");
    }
    let red = json!({"theme": {"color": "red"}});
    provisioner.set_metadata(&slug(A), red).await.unwrap();
    assert_eq!(
        shop.tenant(A).get("/config").await.json(200)["color"],
        "red"
    );
    // A seed without settings does not start.
    let seeded = app().seed("hooli");
    let said = start(seeded, &database, Login::Both, &[]).await;
    let said = said.err().unwrap().to_string();
    assert!(said.contains("missing field `theme`"), "{said}");
}
