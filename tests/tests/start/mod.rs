//! What is wrong in the database is named at start, with the statement that
//! mends it, and the application does not serve.

mod relations;
mod roles;
mod tables;

use integration::database::Database;
use integration::http::{Login, Served, start};
use tenancy::prelude::*;
use tenancy::problem::Problem;
use tenancy::{App, Isolation, Strategy};

use crate::shop;

/// One tenant with a schema of its own and one in the shared tables.
fn app() -> App {
    let hybrid = Isolation::hybrid(Strategy::Schema, Strategy::Rls).premium_tenants(["own"]);
    shop::app(hybrid).seed("own").seed("rls")
}

/// Why the application does not start, one line for each problem.
async fn refusal(database: &Database, login: Login) -> Vec<String> {
    match start(app(), database, login, &[]).await {
        Ok(_) => panic!("the application has started"),
        Err(Error::CannotStart(problems)) => lines(&problems),
        Err(error) => panic!("{error}"),
    }
}

fn lines(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

/// The statements after `run: `.
fn remedy(problem: &str) -> &str {
    let (_, remedy) = problem.split_once("run: ").unwrap_or_default();
    remedy
}

async fn verified(shop: &Served) -> Vec<String> {
    lines(&shop.tenancy.verify().await.expect("the catalog"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_as_it_should_be_starts_again_and_again() {
    let database = Database::empty().await;
    for login in [Login::Both, Login::Both, Login::App] {
        let shop = start(app(), &database, login, &[]).await.unwrap();
        assert!(verified(&shop).await.is_empty());
        for slug in ["own", "rls"] {
            shop.tenant(slug).get("/todos").await.json(200);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_owner_s_login_an_empty_database_is_named_and_left_alone() {
    let database = Database::empty().await;
    let problems = refusal(&database, Login::App).await;
    assert_eq!(problems.len(), 2, "{problems:#?}");
    assert!(problems[0].contains("temporary tables"), "{problems:?}");
    assert!(problems[1].contains("subcommand `migrate`"), "{problems:?}");
    assert!(problems[1].contains("TENANCY_OWNER_DATABASE_URL"));
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname IN ('tenancy', 'shared')";
    assert_eq!(database.value::<i64>(schemas).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_of_models_that_came_later_are_made_for_every_tenant() {
    let database = Database::empty().await;
    let few = App::new("shop", "1.0.0")
        .membership(tenancy::admit::Gateway)
        .isolation(Isolation::hybrid(Strategy::Schema, Strategy::Rls).premium_tenants(["own"]))
        .model::<shop::Project>()
        .seed("own")
        .seed("rls");
    drop(Served::start(few, &database, &[]).await);
    let missing = refusal(&database, Login::App).await;
    // Todos in both layouts, and the countries.
    assert_eq!(missing.len(), 3, "{missing:#?}");
    assert!(missing.iter().all(|line| line.contains("is missing")));

    let shop = start(app(), &database, Login::Both, &[]).await.unwrap();
    assert!(verified(&shop).await.is_empty());
    for slug in ["own", "rls"] {
        let todo = serde_json::json!({"title": "later"});
        shop.tenant(slug).post("/todos", todo).await.json(201);
    }
    drop(shop);
    let shop = start(app(), &database, Login::App, &[]).await.unwrap();
    let refused = shop.tenancy.migrate().await.unwrap_err().to_string();
    assert!(refused.contains("TENANCY_OWNER_DATABASE_URL"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_leads_nowhere_is_named_without_its_password() {
    let database = Database::empty().await;
    let wrong = database.app_url().replace(":a@", ":hunter2@");
    let closed = "postgres://app:hunter2@127.0.0.1:1/shop";
    for (url, cause) in [
        (&*wrong, "password authentication failed"),
        (closed, "Connection refused"),
    ] {
        let vars = [("TENANCY_DATABASE_URL", url)];
        let refused = start(app(), &database, Login::Both, &vars).await;
        let refused = refused.err().expect("a refusal").to_string();
        assert!(refused.contains("TENANCY_DATABASE_URL"), "{refused}");
        assert!(refused.contains(cause), "{refused}");
        assert!(!refused.contains("hunter2"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_owner_s_login_missing_seeds_are_named_and_tenants_stay_as_they_are() {
    let database = Database::empty().await;
    drop(start(app(), &database, Login::Both, &[]).await.unwrap());
    let more = || app().seed("late").seed("later");
    let refused = start(more(), &database, Login::App, &[]).await;
    let Some(Error::CannotStart(problems)) = refused.err() else {
        panic!("a refusal");
    };
    let named = ["late", "later"].map(|slug| {
        format!(
            "the seed `{slug}`: is not registered; run the subcommand `migrate` with \
             TENANCY_OWNER_DATABASE_URL set"
        )
    });
    assert_eq!(lines(&problems), named);

    let shop = start(app(), &database, Login::App, &[]).await.unwrap();
    let (provisioner, own) = (shop.tenancy.provisioner(), "own".parse().unwrap());
    for refused in [
        provisioner.provision(NewTenant::new("late").unwrap()).await,
        provisioner.suspend(&own).await,
        provisioner.receipt(&own).await.map(|_| unreachable!()),
    ] {
        let refused = refused.unwrap_err();
        let said = refused.to_string();
        assert!(said.contains("TENANCY_OWNER_DATABASE_URL"), "{said}");
        assert_eq!(refused.code(), "unavailable");
        assert_eq!(refused.into_response().status(), 503);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_that_two_routers_have_is_named() {
    let database = Database::empty().await;
    let again = axum::Router::new().route("/todos", axum::routing::get(async || "mine"));
    let refused = start(app().merge(again), &database, Login::Both, &[]).await;
    let refused = refused.err().expect("a refusal").to_string();
    assert!(refused.contains("the application's routes: "), "{refused}");
    assert!(refused.contains("`GET /todos`"), "{refused}");
}
