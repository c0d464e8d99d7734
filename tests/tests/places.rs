//! Places that a new tenant would get and that are somebody else's: named in the
//! log, left alone, and nothing that a client reads.

use integration::database::Database;
use integration::http::Served;
use serde_json::json;
use tenancy::db::{Pool, PoolSettings};
use tenancy::prelude::*;
use tenancy::registry::{PostgresRegistry, TenantRegistry};
use tenancy::tenant::TenantId;
use tenancy::{Isolation, Strategy};

use crate::shop;

#[tenant_handler(post, "/operators/tenants", tenant = "none")]
async fn register(
    provisioner: Provisioner,
    Json(new): Json<NewTenant>,
) -> Result<Json<TenantRecord>> {
    Ok(Json(provisioner.provision(new).await?))
}

async fn serve(strategy: Strategy) -> (Database, Served) {
    let database = Database::empty().await;
    let app = shop::app(Isolation::single(strategy)).route::<register>();
    let shop = Served::start(app, &database, &[]).await;
    (database, shop)
}

fn new(slug: &str) -> NewTenant {
    NewTenant::new(slug).expect("a slug")
}

/// Has something happen to each new entry, with the rights of a superuser.
async fn meddle(database: &Database, when: &str, statement: &str) {
    let trigger = format!(
        "CREATE FUNCTION public.meddle() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS \
         $$ BEGIN {statement}; RETURN NEW; END $$; \
         CREATE TRIGGER meddle {when} INSERT ON tenancy.tenants \
         FOR EACH ROW EXECUTE FUNCTION public.meddle()"
    );
    database.sabotage(&trigger).await;
}

/// Expects that nobody becomes a tenant, because what `named` begins with
/// belongs to somebody else: in these words for the caller in the process, and
/// in none for the one who sends a request. Without the meddling it works.
async fn refused(database: &Database, shop: &Served, named: &str) {
    let provisioner = shop.tenancy.provisioner();
    let outcome = provisioner.provision(new("acme-corp")).await;
    let Err(Error::PlaceTaken(problem)) = outcome else {
        panic!("{outcome:?}");
    };
    assert!(problem.about().starts_with(named), "{problem}");
    assert!(problem.to_string().contains("is left alone"), "{problem}");
    let request = json!({"identifier": "acme-corp", "name": "Acme"});
    let answer = shop.nobody().post("/operators/tenants", request).await;
    assert_eq!(answer.problem(500), "internal");
    assert_eq!(answer.json(500)["detail"], json!(null), "{}", answer.text());
    let entries = "SELECT count(*) FROM tenancy.tenants";
    assert_eq!(database.value::<i64>(entries).await, 0);
    // The twin: it was the place.
    database
        .sabotage("DROP TRIGGER meddle ON tenancy.tenants")
        .await;
    let tenant = provisioner.provision(new("acme-corp")).await;
    tenant.expect("a place");
    shop.tenant("acme-corp").get("/todos").await.json(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_that_is_there_already_is_named_and_left_alone() {
    let (database, shop) = serve(Strategy::Schema).await;
    let create = "EXECUTE format('CREATE SCHEMA %I', NEW.schema_name)";
    meddle(&database, "AFTER", create).await;
    refused(&database, &shop, "the schema \"t_").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_another_role_is_named_and_left_alone() {
    let (database, shop) = serve(Strategy::Database).await;
    let theirs = format!("theirs_{}", Uuid::now_v7().simple());
    database
        .sabotage(&format!("CREATE DATABASE {theirs}"))
        .await;
    let name = format!("NEW.database_name := '{theirs}'");
    meddle(&database, "BEFORE", &name).await;
    refused(&database, &shop, "the database ").await;
    let owner = format!(
        "SELECT pg_get_userbyid(datdba) = current_user FROM pg_database WHERE datname = '{theirs}'"
    );
    assert!(database.value::<bool>(&owner).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_tenants_never_share_a_place_of_one_s_own() {
    for strategy in [Strategy::Schema, Strategy::Database] {
        let (database, shop) = serve(strategy).await;
        let provisioner = shop.tenancy.provisioner();
        let first = provisioner.provision(new("acme-corp")).await.unwrap();
        let owner = Pool::new(PoolSettings {
            login: database.owner_url().parse().unwrap(),
            size: 1,
            wait: std::time::Duration::from_secs(5),
            prepared_statements: true,
        });
        let registry = PostgresRegistry::new(owner.clone(), Some(owner));
        let second =
            || TenantRecord::new(TenantId::generate(), new("globex"), first.locator.clone());
        let error = registry.insert(&second(), None, None).await.unwrap_err();
        let Error::PlaceTaken(problem) = &error else {
            panic!("{strategy}: {error}");
        };
        let schema = first.locator.as_ref().unwrap().schema().to_string();
        assert!(problem.about().contains(&schema), "{problem}");
        assert!(problem.remedy().contains("`globex`"), "{problem}");
        assert_eq!(registry.list(None, 10).await.unwrap().len(), 1);
        // The twin: nothing but these keys keeps them apart.
        let keys = "DROP INDEX tenancy.tenants_own_schema, tenancy.tenants_own_database";
        database.sabotage(keys).await;
        registry.insert(&second(), None, None).await.unwrap();
        let todo = json!({"title": "secret"});
        shop.tenant("acme-corp")
            .post("/todos", todo)
            .await
            .json(201);
        let seen = shop.tenant("globex").get("/todos").await.json(200);
        assert_eq!(seen[0]["title"], "secret");
    }
}
