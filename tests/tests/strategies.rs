//! Breaks known from the field, in every strategy that they concern: a role that
//! no policy holds, SQL that names another tenant, an id that is none.

use integration::database::Database;
use integration::http::{Login, Served, start};
use serde_json::json;
use tenancy::prelude::*;
use tenancy::{Isolation, Strategy};

use crate::grounds::{Stand, single_grounds};
use crate::shop::{self, todos};

const A: &str = "acme-corp";
const B: &str = "globex";
const STRATEGIES: [Strategy; 3] = [Strategy::Rls, Strategy::Schema, Strategy::Database];

fn app(strategy: Strategy) -> App {
    shop::app(Isolation::single(strategy)).seed(A).seed(B)
}

async fn serve(strategy: Strategy) -> (Database, Served) {
    let database = Database::empty().await;
    let shop = Served::start(app(strategy), &database, &[]).await;
    name_todos(&shop).await;
    (database, shop)
}

/// Gives each tenant a todo that is called after it.
async fn name_todos(shop: &Served) {
    for slug in [A, B] {
        let todo = json!({ "title": slug });
        shop.tenant(slug).post("/todos", todo).await.json(201);
    }
}

/// The titles that a tenant finds.
async fn titles(shop: &Served, slug: &str) -> Vec<String> {
    let found = shop.tenant(slug).get("/todos").await.json(200);
    let found = found.as_array().into_iter().flatten();
    let mut titles: Vec<_> = found
        .map(|todo| todo["title"].as_str().expect("a title").to_owned())
        .collect();
    titles.sort_unstable();
    titles
}

/// What is found wrong, when another process starts or when it first opens a
/// tenant's own database.
async fn found_wrong(database: &Database, strategy: Strategy) -> String {
    match start(app(strategy), database, Login::App, &[]).await {
        Err(error) => error.to_string(),
        Ok(shop) => {
            let refused = shop.tenant(A).get("/todos").await;
            assert_eq!(refused.problem(500), "internal", "{strategy}");
            let problems = shop.tenancy.verify().await.expect("the catalog");
            problems.iter().map(ToString::to_string).collect()
        }
    }
}

/// The titles in the shared table that a session of the application's role finds
/// which begins now and works for B. A warm statement keeps the policies that it
/// was planned with.
async fn seen_by_b(database: &Database) -> Vec<String> {
    let b: String = database
        .value("SELECT id::text FROM tenancy.tenants WHERE slug = 'globex'")
        .await;
    let plain = database.raw().await;
    let scope = format!("BEGIN; SELECT set_config('tenancy.tenant_id', '{b}', true)");
    plain.batch_execute(&scope).await.expect("a scope");
    let titles = "SELECT title FROM shared.todos ORDER BY title";
    let rows = plain.query(titles, &[]).await.expect("rows");
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_no_policy_holds_is_refused_in_every_strategy() {
    for strategy in STRATEGIES {
        let (database, shop) = serve(strategy).await;
        drop(shop);
        for power in ["BYPASSRLS", "SUPERUSER"] {
            let role = database.app_role();
            let raise = format!("ALTER ROLE {role} {power}");
            let lower = format!("ALTER ROLE {role} NO{power}");
            database.sabotage(&raise).await;
            let found = found_wrong(&database, strategy).await;
            let said = format!("has {power}");
            assert!(found.contains(&said), "{strategy}: {found}");
            if strategy == Strategy::Rls {
                // The twin: so it would be without the proof.
                assert_eq!(seen_by_b(&database).await, [A, B]);
                database.sabotage(&lower).await;
                assert_eq!(seen_by_b(&database).await, [B]);
            }
            database.sabotage(&lower).await;
        }
        drop(Served::start(app(strategy), &database, &[]).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_is_refused_in_every_strategy() {
    for strategy in STRATEGIES {
        let (database, shop) = serve(strategy).await;
        let (tenant, _) = shop.tenancy.tenant(&A.parse().unwrap()).await.unwrap();
        let superuser = database.superuser_at(tenant.record()).await;
        let schema = tenant.record().locator.as_ref().unwrap().schema();
        let take = format!(
            "ALTER TABLE {schema}.todos OWNER TO {}",
            database.app_role()
        );
        superuser.batch_execute(&take).await.unwrap();
        let found = found_wrong(&database, strategy).await;
        let said = format!("owns {schema}.todos");
        assert!(found.contains(&said), "{strategy}: {found}");
        if strategy == Strategy::Rls {
            // Held by force, even the owner sees its tenant's rows only.
            assert_eq!(titles(&shop, B).await, [B]);
            // The twin: the owner can lift that, and is not held then.
            let owner = database.raw().await;
            let lift = "ALTER TABLE shared.todos NO FORCE ROW LEVEL SECURITY";
            owner.batch_execute(lift).await.unwrap();
            assert_eq!(titles(&shop, B).await, [A, B]);
        }
    }
}

/// A known limit, not a defence: row-level security holds the application's
/// statements to the tenant that the transaction names, and whoever can run SQL
/// of their own in it can name another; or another tenant's schema, since one role
/// works in all of them. What is in another database is out of reach.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn known_limit_sql_that_is_injected_may_name_another_tenant() {
    for ground in single_grounds() {
        let Stand { shop, .. } = ground.serve(&[A, B]).await;
        name_todos(&shop).await;
        let (_, a) = shop.tenancy.tenant(&A.parse().unwrap()).await.unwrap();
        let (b, _) = shop.tenancy.tenant(&B.parse().unwrap()).await.unwrap();
        let id = b.id().as_uuid();
        let found = async |conn: &mut TenantConn| {
            let titles = todos::table.select(todos::title).load::<String>(conn);
            titles.await.expect("rows")
        };
        let mut conn = a.conn().await.unwrap();
        let inside = conn
            .transaction(async |conn| {
                let switch = format!("SELECT set_config('tenancy.tenant_id', '{id}', true)");
                diesel::sql_query(switch).execute(conn).await?;
                Ok::<_, Error>(found(conn).await)
            })
            .await;
        let [strategy, _] = ground.strategies;
        let seen = if strategy == Strategy::Rls { B } else { A };
        assert_eq!(inside.unwrap(), [seen], "{ground}");
        // Its own name leads to another tenant's schema, in the same database.
        #[derive(diesel::QueryableByName)]
        struct Title {
            #[diesel(sql_type = diesel::sql_types::Text)]
            title: String,
        }
        let schema = b.record().locator.as_ref().unwrap().schema();
        let by_name = format!("SELECT title FROM {schema}.todos");
        let by_name: Result<Vec<Title>, _> = diesel::sql_query(by_name).load(&mut conn).await;
        match strategy {
            Strategy::Schema => assert_eq!(by_name.unwrap()[0].title, B),
            Strategy::Rls => assert!(by_name.unwrap().iter().all(|row| row.title == A)),
            _ => assert!(by_name.is_err(), "another database is not reached"),
        }
        // It ends with the transaction, at least.
        assert_eq!(found(&mut conn).await, [A], "{ground}");
        drop(conn);
        assert_eq!(titles(&shop, A).await, [A], "{ground}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_that_is_none_is_not_admitted_in_any_strategy() {
    for strategy in STRATEGIES {
        let (database, shop) = serve(strategy).await;
        let id: String = database
            .value("SELECT id::text FROM tenancy.tenants WHERE slug = 'globex'")
            .await;
        for none in [Uuid::nil().to_string(), Uuid::max().to_string()] {
            let forge = format!("UPDATE tenancy.tenants SET id = '{none}' WHERE slug = 'globex'");
            database.sabotage(&forge).await;
            let refused = shop.tenant(B).get("/todos").await;
            assert_eq!(refused.problem(500), "internal", "{strategy}");
            assert_eq!(titles(&shop, A).await, [A]);
        }
        // The twin: it was the id.
        let back = format!("UPDATE tenancy.tenants SET id = '{id}' WHERE slug = 'globex'");
        database.sabotage(&back).await;
        assert_eq!(titles(&shop, B).await, [B]);
    }
}
