//! Tenants come into being all or nothing: by several processes at once, cut
//! off at any time, and when the database refuses halfway.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use integration::database::Database;
use integration::http::Served;
use serde_json::json;
use tenancy::prelude::*;
use tenancy::tenant::Locator;
use tenancy::{Isolation, Strategy};

use crate::grounds::single_grounds;
use crate::shop;

const SCHEMAS: &str = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 't\\_%'";
const RECORDS: &str = "SELECT count(*) FROM tenancy.tenants";
/// Schemas of tenants that do not have every table.
const HALF_MADE: &str = "SELECT count(*) FROM pg_namespace n WHERE nspname LIKE 't\\_%' \
     AND (SELECT count(*) FROM pg_class WHERE relnamespace = n.oid AND relkind = 'r') <> 2";

async fn serve(database: &Database, strategy: Strategy) -> Served {
    let app = shop::app(Isolation::single(strategy));
    Served::start(app, database, &[("TENANCY_POOL_SIZE", "4")]).await
}

fn new(slug: &str) -> NewTenant {
    NewTenant::new(slug).expect("a slug")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_want_a_slug_at_once_make_one_tenant() {
    for ground in single_grounds() {
        let strategy = ground.strategies[0];
        let stand = ground.serve(&[]).await;
        let mut processes = vec![&stand.shop];
        let second = match &stand.server {
            Some(database) => Some(serve(database, strategy).await),
            None => None,
        };
        processes.extend(&second);
        let attempts = (0..8).map(|n| {
            let provisioner = processes[n % processes.len()].tenancy.provisioner();
            provisioner.provision(new("acme-corp"))
        });
        let (won, lost): (Vec<_>, Vec<_>) = join_all(attempts)
            .await
            .into_iter()
            .partition(Result::is_ok);
        assert_eq!(won.len(), 1, "{ground}: {won:?}");
        for lost in lost {
            let error = lost.unwrap_err();
            assert!(matches!(error, Error::Conflict(_)), "{error}");
            assert!(error.to_string().contains("`acme-corp` exists already"));
        }
        let tenants = processes[0].tenancy.provisioner().list(None, 10).await;
        let tenants = tenants.unwrap();
        assert_eq!(tenants.len(), 1, "{ground}");
        for won in won {
            assert_eq!(won.unwrap(), tenants[0], "{ground}");
        }
        let schemas = i64::from(strategy == Strategy::Schema);
        assert_eq!(stand.count(SCHEMAS).await, schemas, "{ground}");
        assert_eq!(stand.count(HALF_MADE).await, 0, "{ground}");
        if let Some(database) = &stand.server {
            let own = match &tenants[0].locator {
                Some(Locator::Database(address, _)) => vec![address.name().to_string()],
                _ => Vec::new(),
            };
            assert_eq!(database.own_databases().await, own, "{ground}");
        }
        for shop in processes {
            assert_eq!(
                shop.tenant("acme-corp").get("/todos").await.json(200),
                json!([])
            );
            assert!(shop.tenancy.verify().await.unwrap().is_empty());
        }
    }
}

/// A database takes its time: who wants the slug meanwhile waits until it is made, and
/// has not made it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_while_another_makes_the_tenant_does_not_begin_its_onboarding_again() {
    const SLUGS: [&str; 3] = ["acme-corp", "globex", "initech"];
    let database = Database::empty().await;
    let begun = Arc::new(AtomicUsize::new(0));
    let app = || {
        let begun = Arc::clone(&begun);
        shop::app(Isolation::single(Strategy::Database)).onboarding(move |_| {
            begun.fetch_add(1, Ordering::SeqCst);
            std::future::ready(Ok(()))
        })
    };
    let one = Served::start(app(), &database, &[]).await;
    let other = Served::start(app(), &database, &[]).await;
    let processes = [&one, &other];
    for slug in SLUGS {
        let attempts = processes.iter().flat_map(|process| {
            let provisioner = process.tenancy.provisioner();
            [
                provisioner.provision(new(slug)),
                provisioner.provision(new(slug)),
            ]
        });
        let made = join_all(attempts).await;
        assert_eq!(
            made.iter().filter(|made| made.is_ok()).count(),
            1,
            "{made:?}"
        );
    }
    for process in processes {
        while process
            .tenancy
            .jobs()
            .is_some_and(|jobs| jobs.running + jobs.waiting > 0)
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    assert_eq!(AtomicUsize::load(&begun, Ordering::SeqCst), SLUGS.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn to_ensure_a_tenant_is_safe_to_repeat() {
    for ground in single_grounds() {
        let stand = ground.serve(&[]).await;
        let provisioner = stand.shop.tenancy.provisioner();
        let all = join_all((0..8).map(|_| provisioner.ensure(new("acme-corp")))).await;
        let ids: Vec<_> = all.into_iter().map(|tenant| tenant.unwrap().id).collect();
        let again = provisioner.ensure(new("acme-corp")).await.unwrap();
        assert!(ids.iter().all(|id| *id == again.id), "{ground}: {ids:?}");
        let schemas = i64::from(ground.strategies[0] == Strategy::Schema);
        assert_eq!(stand.count(SCHEMAS).await, schemas, "{ground}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_start_at_once_share_the_work() {
    for strategy in [Strategy::Rls, Strategy::Schema] {
        let database = Database::empty().await;
        let starts = (0..4).map(|_| {
            let app = shop::app(Isolation::single(strategy));
            let app = app.seed("acme-corp").seed("globex");
            Served::start(app, &database, &[("TENANCY_POOL_SIZE", "2")])
        });
        let processes = join_all(starts).await;
        for shop in &processes {
            assert!(shop.tenancy.verify().await.unwrap().is_empty());
            shop.tenant("acme-corp").get("/todos").await.json(200);
        }
        assert_eq!(database.value::<i64>(RECORDS).await, 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_was_cut_off_can_be_repeated() {
    let database = Database::empty().await;
    for delay in 0..40 {
        let app = shop::app(Isolation::single(Strategy::Schema)).seed("acme-corp");
        let start = Served::start(app, &database, &[("TENANCY_POOL_SIZE", "1")]);
        let _ = tokio::time::timeout(Duration::from_millis(delay * 4), start).await;
    }
    let shop = serve(&database, Strategy::Schema).await;
    shop.tenancy
        .provisioner()
        .ensure(new("acme-corp"))
        .await
        .unwrap();
    assert!(shop.tenancy.verify().await.unwrap().is_empty());
    assert_eq!(database.value::<i64>(SCHEMAS).await, 1);
    assert_eq!(database.value::<i64>(HALF_MADE).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_cut_off_leaves_nothing_half_made() {
    let grounds = single_grounds().into_iter();
    for ground in grounds.filter(|ground| ground.strategies[0] == Strategy::Schema) {
        let stand = ground.serve(&[]).await;
        let provisioner = stand.shop.tenancy.provisioner();
        let mut finished = 0;
        for n in 0..60u64 {
            let provisioner = provisioner.clone();
            let job =
                tokio::spawn(async move { provisioner.provision(new(&format!("t-{n}"))).await });
            tokio::time::sleep(Duration::from_micros(n * 700)).await;
            job.abort();
            finished += usize::from(matches!(job.await, Ok(Ok(_))));
        }
        // A COMMIT that was on its way may still arrive.
        if let Some(database) = &stand.server {
            database.idle().await;
        }
        let tenants = provisioner.list(None, 100).await.unwrap().len();
        assert!(
            (finished..60).contains(&tenants),
            "{ground}: {finished} of {tenants}"
        );
        let schemas = stand.count(SCHEMAS).await;
        assert_eq!(usize::try_from(schemas).unwrap(), tenants, "{ground}");
        assert_eq!(stand.count(HALF_MADE).await, 0, "{ground}");
        assert_eq!(stand.problems().await, Vec::<String>::new(), "{ground}");
        // Whoever was cut off may come back.
        for n in 0..60 {
            let slug = format!("t-{n}");
            provisioner.ensure(new(&slug)).await.unwrap();
            stand.shop.tenant(&slug).get("/todos").await.json(200);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_halfway_leaves_nothing_behind() {
    let database = Database::empty().await;
    let shop = serve(&database, Strategy::Schema).await;
    // The last thing that is made: a foreign key.
    let refuse = "CREATE FUNCTION public.refuse() RETURNS event_trigger LANGUAGE plpgsql AS \
         $$ BEGIN RAISE EXCEPTION 'refused by trigger'; END $$; \
         CREATE EVENT TRIGGER refuse ON ddl_command_end WHEN TAG IN ('ALTER TABLE') \
         EXECUTE FUNCTION public.refuse()";
    database.sabotage(refuse).await;
    let provisioner = shop.tenancy.provisioner();
    for _ in 0..3 {
        let error = provisioner.provision(new("acme-corp")).await.unwrap_err();
        assert!(error.to_string().contains("refused by trigger"), "{error}");
    }
    assert_eq!(database.value::<i64>(RECORDS).await, 0);
    assert_eq!(database.value::<i64>(SCHEMAS).await, 0);
    let refused = shop.tenant("acme-corp").get("/todos").await;
    assert_eq!(refused.problem(400), "tenant_unresolved");
    // The twin: it was the trigger.
    database.sabotage("DROP EVENT TRIGGER refuse").await;
    provisioner.provision(new("acme-corp")).await.unwrap();
    shop.tenant("acme-corp").get("/todos").await.json(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_freed_slug_inherits_nothing() {
    for strategy in [Strategy::Rls, Strategy::Schema, Strategy::Database] {
        let database = Database::empty().await;
        let shop = serve(&database, strategy).await;
        let provisioner = shop.tenancy.provisioner();
        let before = provisioner.provision(new("acme-corp")).await.unwrap();
        let acme = shop.tenant("acme-corp");
        acme.post("/todos", json!({"title": "old"})).await.json(201);
        let free = "CREATE TABLE public.freed AS TABLE tenancy.tenants; \
             DELETE FROM tenancy.tenants";
        database.sabotage(free).await;
        assert_eq!(acme.get("/todos").await.problem(400), "tenant_unresolved");

        let after = provisioner.provision(new("acme-corp")).await.unwrap();
        assert_ne!(before.id, after.id);
        assert_eq!(acme.get("/todos").await.json(200), json!([]));
        acme.post("/todos", json!({"title": "old"})).await.json(201);
        // The twin: who inherits the entry inherits the data.
        let inherit = "DELETE FROM tenancy.tenants; \
             INSERT INTO tenancy.tenants TABLE public.freed";
        database.sabotage(inherit).await;
        let mark = format!(
            "UPDATE {}.todos SET title = 'inherited' {}",
            before.locator.as_ref().unwrap().schema(),
            match strategy {
                Strategy::Rls => format!("WHERE tenant_id = '{}'", before.id),
                _ => String::new(),
            }
        );
        let superuser = database.superuser_at(&before).await;
        superuser.batch_execute(&mark).await.unwrap();
        let seen = acme.get("/todos").await.json(200);
        assert_eq!(seen[0]["title"], "inherited");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_longest_slugs_stay_apart() {
    // PostgreSQL cuts identifiers at 63 bytes: with any prefix these two
    // would name one schema.
    let slugs = ["a", "b"].map(|last| format!("{}{last}", "x".repeat(62)));
    for ground in single_grounds() {
        let stand = ground.serve(&[]).await;
        let shop = &stand.shop;
        for slug in &slugs {
            let provisioner = shop.tenancy.provisioner();
            provisioner.provision(new(slug)).await.unwrap();
            let todo = json!({ "title": slug });
            shop.tenant(slug).post("/todos", todo).await.json(201);
        }
        for slug in &slugs {
            let todos = shop.tenant(slug).get("/todos").await.json(200);
            assert_eq!(todos.as_array().map(Vec::len), Some(1));
            assert_eq!(todos[0]["title"], *slug, "{ground}");
        }
        let Some(database) = &stand.server else {
            continue;
        };
        // The twin: names made of the slug are cut to one, without an error.
        for slug in &slugs {
            let named = format!("CREATE SCHEMA IF NOT EXISTS s_{slug}");
            database.sabotage(&named.replace('-', "_")).await;
        }
        let merged = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 's\\_x%'";
        assert_eq!(database.value::<i64>(merged).await, 1);
    }
}
