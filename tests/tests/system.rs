//! Work across tenants: who may do it, what it leaves behind, and that nothing
//! else reaches that far.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use diesel_async::{SimpleAsyncConnection as _, TransactionManager};
use integration::database::Database;
use integration::http::{Login, Served, start};
use integration::polls::polled;
use serde_json::json;
use tenancy::prelude::*;
use tenancy::system::Progress;
use tenancy::{App, Isolation, Strategy};

use crate::shop::{self, NewTodo, Todo, todos};

const A: &str = "acme-corp";
const B: &str = "globex";
const OWN: &str = "own-schema";
const WHO: &str = "ada@example.com";
const WHY: &str = "ticket 4711";

/// Counts what all tenants have in the shared tables, for an operator.
#[tenant_handler(get, "/operators/count", tenant = "none")]
async fn count(system: SystemAccess) -> Result<Json<i64>> {
    let count = system.run(WHO, WHY, async |conn| {
        Ok(todos::table.count().get_result(conn).await?)
    });
    Ok(Json(count.await?))
}

/// The titles of each tenant, for an operator.
#[tenant_handler(get, "/operators/titles", tenant = "none")]
async fn all_titles(system: SystemAccess) -> Result<Json<Vec<(String, Vec<String>)>>> {
    let mut all = Vec::new();
    let results = system.for_each_tenant(WHO, WHY, 2, async |_, conn| {
        let titles = todos::table.select(todos::title).order(todos::title);
        Ok(titles.load::<String>(conn).await?)
    });
    for (slug, titles) in results.await? {
        all.push((slug.to_string(), titles?));
    }
    Ok(Json(all))
}

/// By this name the macro does not know it.
type Tenants = Provisioner;

/// A mistake: tenants come here, too.
#[tenant_handler(get, "/anyone", tenant = "optional")]
async fn anyone(_: Tenants) -> &'static str {
    "reached"
}

fn app() -> App {
    let hybrid = Isolation::hybrid(Strategy::Schema, Strategy::Rls).premium_tenants([OWN]);
    let app = shop::app(hybrid).route::<count>().route::<all_titles>();
    [A, B, OWN].into_iter().fold(app, App::seed)
}

/// The shop with system access, and one todo of each tenant.
async fn serve() -> (Database, Served) {
    let database = Database::empty().await;
    let shop = serve_on(&database, Login::Both).await.expect("a start");
    for slug in [A, B, OWN] {
        let todo = json!({ "title": format!("of {slug}") });
        shop.tenant(slug).post("/todos", todo).await.json(201);
    }
    (database, shop)
}

async fn serve_on(database: &Database, login: Login) -> Result<Served> {
    let system = database.system_url();
    let vars = [
        ("TENANCY_SYSTEM_DATABASE_URL", &*system),
        ("TENANCY_POOL_SIZE", "8"),
    ];
    start(app(), database, login, &vars).await
}

async fn refusal(database: &Database, login: Login) -> Vec<String> {
    match serve_on(database, login).await {
        Err(Error::CannotStart(problems)) => problems.iter().map(ToString::to_string).collect(),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("the application has started"),
    }
}

fn system(shop: &Served) -> SystemAccess {
    shop.tenancy.system().expect("system access")
}

/// `begun, done`: what happened, in order.
async fn trail(database: &Database) -> String {
    let sql = "SELECT coalesce(string_agg(event, ', ' ORDER BY at), '') FROM tenancy.system_access";
    database.value(sql).await
}

async fn done(database: &Database) -> i64 {
    database
        .value("SELECT count(*) FROM shared.todos WHERE done")
        .await
}

/// Says that all todos in the shared tables are done.
async fn finish_all(conn: &mut SystemConn) -> Result<usize> {
    let all = diesel::update(todos::table).set(todos::done.eq(true));
    Ok(all.execute(conn).await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_system_role_sees_and_changes_the_rows_of_all_tenants() {
    let (database, shop) = serve().await;
    let system = system(&shop);
    let seen = system.run(WHO, WHY, async |conn| {
        let titles = todos::table.select(todos::title).order(todos::title);
        let seen: Vec<String> = titles.load(conn).await?;
        assert_eq!(finish_all(conn).await?, 2);
        Ok(seen)
    });
    assert_eq!(seen.await.unwrap(), ["of acme-corp", "of globex"]);
    assert_eq!(done(&database).await, 2);
    assert_eq!(trail(&database).await, "begun, done");
    let role = database.system_role();
    let as_given = format!(
        "SELECT bool_and(actor = '{WHO}' AND reason = '{WHY}' AND role = '{role}' \
         AND tenant_id IS NULL AND at > now() - interval '1 minute') FROM tenancy.system_access"
    );
    assert!(database.value::<bool>(&as_given).await);
    // Shared tables are read and, as for everybody, not written.
    let write = system.run(WHO, WHY, async |conn| {
        let sql = diesel::sql_query("DELETE FROM \"shared\".countries");
        Ok(sql.execute(conn).await?)
    });
    assert!(write.await.unwrap_err().to_string().contains("denied"));
    // The twin: without BYPASSRLS it finds no row.
    let hold = format!("ALTER ROLE {role} NOBYPASSRLS");
    database.sabotage(&hold).await;
    let held = database.raw_system().await;
    let all = held.query_one("SELECT count(*) FROM shared.todos", &[]);
    assert_eq!(all.await.unwrap().get::<_, i64>(0), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_row_comes_first_in_the_same_transaction() {
    let (database, shop) = serve().await;
    let system = system(&shop);
    let work = system.run(WHO, WHY, async |conn| {
        // Nothing but the audit row can have given the transaction its id.
        let id = diesel::select(diesel::dsl::sql::<
            diesel::sql_types::Nullable<diesel::sql_types::Text>,
        >("pg_current_xact_id_if_assigned()::text"));
        let id: Option<String> = id.get_result(conn).await?;
        assert_eq!(trail(&database).await, "", "not committed yet");
        finish_all(conn).await?;
        Ok(id.expect("an id"))
    });
    let id = work.await.unwrap();
    let wrote = "SELECT xmin::text FROM tenancy.system_access WHERE event = 'begun'";
    assert_eq!(database.value::<String>(wrote).await, id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_fails_leaves_its_trace_and_nothing_else() {
    let (database, shop) = serve().await;
    let system = system(&shop);
    let refused = system.run(WHO, WHY, async |conn| {
        finish_all(conn).await?;
        Err::<(), _>(Error::Conflict("as planned".to_owned()))
    });
    assert!(matches!(refused.await, Err(Error::Conflict(_))));
    let failed = system.run(WHO, WHY, async |conn| {
        finish_all(conn).await?;
        // The error is swallowed; what PostgreSQL undoes is not called a success.
        let _ = diesel::sql_query("SELECT 1/0").execute(conn).await;
        Ok(())
    });
    assert!(failed.await.is_err());
    let unfinished = system.run(WHO, WHY, async |conn| {
        <SystemConn as AsyncConnection>::TransactionManager::begin_transaction(conn).await?;
        finish_all(conn).await.map(drop)
    });
    assert!(unfinished.await.is_err());
    assert_eq!(done(&database).await, 0);
    assert_eq!(trail(&database).await, ["begun, failed"; 3].join(", "));
    // A part may fail without the whole.
    let partly = system.run(WHO, WHY, async |conn| {
        let part = conn.transaction(async |conn| {
            finish_all(conn).await?;
            diesel::sql_query("SELECT 1/0").execute(conn).await?;
            Ok::<_, Error>(())
        });
        assert!(part.await.is_err());
        let first = todos::table.filter(todos::title.eq("of globex"));
        let update = diesel::update(first).set(todos::done.eq(true));
        Ok(update.execute(conn).await?)
    });
    assert_eq!(partly.await.unwrap(), 1);
    assert_eq!(done(&database).await, 1);
    database.idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_statement_leaves_the_audit_row_behind() {
    let (database, shop) = serve().await;
    let system = system(&shop);
    for escape in [
        "ROLLBACK",
        "/* */ commit and chain",
        "; ABORT",
        "RELEASE SAVEPOINT tenancy_1",
    ] {
        let escaped = system.run(WHO, WHY, async |conn| {
            let one = diesel::sql_query(escape).execute(conn).await;
            let batch = conn.batch_execute(&format!("SELECT 1; {escape}")).await;
            assert!(one.is_err() && batch.is_err(), "{escape}");
            finish_all(conn).await
        });
        // Nothing was sent, so the work goes on.
        assert_eq!(escaped.await.unwrap(), 2);
    }
    let escaped = system.run(WHO, WHY, async |conn| {
        type Manager = <SystemConn as AsyncConnection>::TransactionManager;
        assert!(Manager::commit_transaction(conn).await.is_err());
        assert!(Manager::rollback_transaction(conn).await.is_err());
        finish_all(conn).await
    });
    escaped.await.unwrap();
    assert_eq!(trail(&database).await, ["begun, done"; 5].join(", "));
    // The twin: on a plain connection the row is gone and the work stays.
    let plain = database.raw_system().await;
    let escape = format!(
        "BEGIN; INSERT INTO tenancy.system_access (id, event, actor, reason) \
         VALUES ('{}', 'begun', 'x', 'y')",
        Uuid::now_v7()
    );
    plain.batch_execute(&escape).await.unwrap();
    plain.batch_execute("ROLLBACK").await.unwrap();
    let work = "UPDATE shared.todos SET done = false";
    plain.batch_execute(work).await.unwrap();
    assert_eq!(done(&database).await, 0);
    assert_eq!(trail(&database).await, ["begun, done"; 5].join(", "));
}

// On one thread no answer comes within a poll, so there are as many polls as waits.
#[tokio::test]
async fn an_access_abandoned_at_any_poll_leaves_trace_and_change_or_neither() {
    let (database, shop) = serve().await;
    let system = system(&shop);
    for times in 0.. {
        let before = (trail(&database).await, done(&database).await);
        let outcome = polled(times, system.run(WHO, WHY, finish_all)).await;
        database.idle().await;
        let after = (trail(&database).await, done(&database).await);
        let kept = after.1 == 2;
        assert_eq!(after.0.len() > before.0.len(), kept, "after {times} polls");
        if let Some(outcome) = outcome {
            outcome.unwrap();
            assert!(times > 5, "it was abandoned several times before");
            break;
        }
        let again = "UPDATE shared.todos SET done = false";
        database.sabotage(again).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_added_to_the_trail_and_never_changed() {
    let (database, shop) = serve().await;
    system(&shop).run(WHO, WHY, finish_all).await.unwrap();
    let (app, system) = (database.raw().await, database.raw_system().await);
    let insert = |columns: &str, values: &str| {
        format!(
            "INSERT INTO tenancy.system_access (id, event, actor, reason{columns}) \
             VALUES ('{}', 'begun', 'a', 'b'{values})",
            Uuid::now_v7()
        )
    };
    for (statement, of_system) in [
        ("SELECT * FROM tenancy.system_access".to_owned(), false),
        ("SELECT id FROM tenancy.system_access".to_owned(), false),
        (
            "UPDATE tenancy.system_access SET actor = 'b'".to_owned(),
            false,
        ),
        ("DELETE FROM tenancy.system_access".to_owned(), false),
        ("TRUNCATE tenancy.system_access".to_owned(), false),
        (insert(", role", ", 'somebody'"), false),
        (insert(", at", ", '2000-01-01'"), false),
        (insert("", ""), true),
    ] {
        let denied = |outcome: std::result::Result<(), tokio_postgres::Error>| {
            outcome
                .err()
                .and_then(|error| error.code().map(|code| code.code().to_owned()))
                .is_some_and(|code| code == "42501")
        };
        assert!(denied(app.batch_execute(&statement).await), "{statement}");
        let outcome = system.batch_execute(&statement).await;
        assert_eq!(denied(outcome), !of_system, "{statement}");
    }
    assert_eq!(trail(&database).await, "begun, done, begun");
    // Nor can the application become the system role.
    let role = database.system_role();
    let become_it = format!("SET ROLE {role}");
    assert!(app.batch_execute(&become_it).await.is_err());
    // The twin: as a member it could, and would see everything.
    let member = format!("GRANT {role} TO {}", database.app_role());
    database.sabotage(&member).await;
    app.batch_execute(&become_it).await.unwrap();
    let count = "SELECT count(*) FROM shared.todos";
    let seen: i64 = app.query_one(count, &[]).await.unwrap().get(0);
    assert_eq!(seen, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_does_not_go_on_where_the_trail_is_swallowed() {
    let (database, shop) = serve().await;
    let system = system(&shop);
    let purge = async |conn: &mut SystemConn| {
        let all = diesel::sql_query("DELETE FROM \"tenant\".todos");
        Ok(all.execute(conn).await?)
    };
    let left = "SELECT count(*) FROM shared.todos";
    // A rule that makes an INSERT succeed without a row.
    let swallow = "CREATE RULE swallow AS ON INSERT TO tenancy.system_access DO INSTEAD NOTHING";
    // Row-level security over the trail, and a role that it holds.
    let hide = format!(
        "DROP RULE swallow ON tenancy.system_access; \
         ALTER TABLE tenancy.system_access ENABLE ROW LEVEL SECURITY; \
         ALTER ROLE {} NOBYPASSRLS",
        database.system_role()
    );
    for sabotage in [swallow, &hide] {
        database.sabotage(sabotage).await;
        assert!(system.run(WHO, WHY, purge).await.is_err(), "{sabotage}");
        let each = system.for_each_tenant(WHO, WHY, 1, async |_, conn| {
            let all = diesel::sql_query("DELETE FROM \"tenant\".todos");
            Ok(all.execute(conn).await?)
        });
        for (slug, result) in each.await.unwrap() {
            assert!(result.is_err(), "{slug}: {sabotage}");
        }
        assert_eq!(trail(&database).await, "");
        assert_eq!(database.value::<i64>(left).await, 2);
    }
    // The twin: a row that nobody waits for is lost, and the work is done.
    let back = format!(
        "ALTER ROLE {} BYPASSRLS; ALTER TABLE tenancy.system_access DISABLE ROW LEVEL SECURITY; \
         {swallow}",
        database.system_role()
    );
    database.sabotage(&back).await;
    let plain = database.raw_system().await;
    let row = format!(
        "INSERT INTO tenancy.system_access (id, event, actor, reason) \
         VALUES ('{}', 'begun', 'a', 'b')",
        Uuid::now_v7()
    );
    plain.batch_execute(&row).await.unwrap();
    plain
        .batch_execute("DELETE FROM shared.todos")
        .await
        .unwrap();
    assert_eq!(trail(&database).await, "");
    assert_eq!(database.value::<i64>(left).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_and_why_are_asked_before_anything_happens() {
    let (database, shop) = serve().await;
    let system = system(&shop);
    let long = "x".repeat(1_001);
    for (actor, reason) in [("", WHY), (" ", WHY), (WHO, ""), (WHO, "\n"), (WHO, &*long)] {
        let refused = system.run(actor, reason, finish_all).await;
        assert!(matches!(refused, Err(Error::InvalidInput(_))), "{reason}");
        let nothing = async |_, _: &mut TenantConn| Ok(());
        let refused = system.for_each_tenant(actor, reason, 1, nothing).await;
        assert!(matches!(refused, Err(Error::InvalidInput(_))), "{reason}");
    }
    let nothing = async |_, _: &mut TenantConn| Ok(());
    let refused = system.for_each_tenant(WHO, WHY, 0, nothing).await;
    assert!(matches!(refused, Err(Error::InvalidInput(_))));
    assert_eq!(trail(&database).await, "");
    assert_eq!(done(&database).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_tenant_s_work_stays_with_it_in_every_layout() {
    let (database, shop) = serve().await;
    let own = B.parse().unwrap();
    shop.tenancy.provisioner().suspend(&own).await.unwrap();
    let system = system(&shop);
    // Without a condition, as it is easily forgotten.
    let rename = || "UPDATE \"tenant\".todos SET title = title || ', renamed'";
    let results = system
        .for_each_tenant(WHO, WHY, 3, async |tenant, conn| {
            let changed = diesel::sql_query(rename()).execute(conn).await?;
            let title: String = todos::table.select(todos::title).first(conn).await?;
            assert_eq!(title, format!("of {}, renamed", tenant.slug));
            Ok(changed)
        })
        .await
        .unwrap();
    let results: Vec<_> = results
        .into_iter()
        .map(|(slug, result)| (slug.to_string(), result.unwrap()))
        .collect();
    // The suspended one too.
    assert_eq!(results, [A, B, OWN].map(|slug| (slug.to_owned(), 1)));
    let traces = "SELECT count(*) FROM tenancy.system_access a JOIN tenancy.tenants t \
                  ON t.id = a.tenant_id AND a.event IN ('begun', 'done')";
    assert_eq!(database.value::<i64>(traces).await, 6);
    // The twin: on the system role's own connection it changes everybody's rows.
    let everybody = system.run(WHO, WHY, async |conn| {
        Ok(diesel::sql_query(rename()).execute(conn).await?)
    });
    assert_eq!(everybody.await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_tenant_s_failure_neither_stops_nor_hides_the_others() {
    let (database, shop) = serve().await;
    let mut told = Vec::new();
    let progress = |progress: Progress<'_, usize>| {
        let Progress {
            slug, done, all, ..
        } = progress;
        told.push((slug.to_string(), progress.result.is_ok(), done, all));
    };
    let results = system(&shop)
        .for_each_tenant_with_progress(WHO, WHY, 1, progress, async |tenant, conn| {
            let new = NewTodo {
                id: None,
                title: "added".to_owned(),
                done: None,
                project_id: None,
            };
            new.insert(conn).await?;
            match tenant.slug.as_str() {
                A => Err(Error::Conflict("as planned".to_owned())),
                B => panic!("a mistake of the work's"),
                _ => Ok(Todo::query().load::<Todo>(conn).await?.len()),
            }
        })
        .await
        .unwrap();
    assert!(matches!(results[0].1, Err(Error::Conflict(_))));
    assert!(matches!(results[1].1, Err(Error::Internal(_))));
    assert!(matches!(results[2].1, Ok(2)));
    let expected = [(A, false, 1, 3), (B, false, 2, 3), (OWN, true, 3, 3)];
    let told: Vec<_> = told
        .iter()
        .map(|(slug, ok, done, all)| (&**slug, *ok, *done, *all))
        .collect();
    assert_eq!(told, expected);
    for (slug, titles) in [(A, 1), (B, 1), (OWN, 2)] {
        let listed = shop.tenant(slug).get("/todos").await.json(200);
        assert_eq!(listed.as_array().unwrap().len(), titles, "{slug}");
    }
    let events = [["begun, failed"; 2].as_slice(), &["begun, done"]].concat();
    assert_eq!(trail(&database).await, events.join(", "));
    database.idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_many_tenants_at_once_and_no_more() {
    let (_database, shop) = serve().await;
    for number in 0..9 {
        let new = NewTenant::new(&format!("tenant-{number}")).unwrap();
        shop.tenancy.provisioner().provision(new).await.unwrap();
    }
    let system = system(&shop);
    // The pool has room for eight.
    for (concurrency, most) in [(1, 1), (3, 3), (100, 8)] {
        let (now, seen) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let results = system.for_each_tenant(WHO, WHY, concurrency, async |_, conn| {
            let running = now.fetch_add(1, Ordering::SeqCst) + 1;
            seen.fetch_max(running, Ordering::SeqCst);
            let wait = diesel::sql_query("SELECT pg_sleep(0.05)");
            wait.execute(conn).await?;
            now.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        });
        let results = results.await.unwrap();
        assert_eq!(results.len(), 12);
        assert!(results.iter().all(|(_, result)| result.is_ok()));
        assert_eq!(seen.into_inner(), most, "of {concurrency}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_round_that_is_abandoned_leaves_no_tenant_half_changed() {
    let (database, shop) = serve().await;
    let system = system(&shop);
    for times in 0.. {
        let round = system.for_each_tenant(WHO, WHY, 2, async |_, conn| {
            for title in ["first", "second"] {
                let new = NewTodo {
                    id: None,
                    title: format!("{title} {times:03}"),
                    done: None,
                    project_id: None,
                };
                new.insert(conn).await?;
            }
            Ok(())
        });
        let outcome = polled(times, round).await;
        for slug in [A, B, OWN] {
            let listed = shop.tenant(slug).get("/todos").await.json(200);
            let count = listed.as_array().unwrap().len();
            assert_eq!(count % 2, 1, "{slug} after {times} polls");
        }
        if let Some(outcome) = outcome {
            assert!(outcome.unwrap().iter().all(|(_, result)| result.is_ok()));
            break;
        }
    }
    // None was changed without a trace of it.
    let unseen = "SELECT count(*) FROM shared.todos t WHERE title LIKE 'first%' AND NOT EXISTS \
         (SELECT FROM tenancy.system_access a WHERE a.tenant_id = t.tenant_id)";
    assert_eq!(database.value::<i64>(unseen).await, 0);
    database.idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_reaches_all_tenants_is_an_operator_s_route_s_and_no_tenant_s() {
    let database = Database::empty().await;
    let by_hand = |under| {
        let access = get(async |_: SystemAccess| "reached");
        let provisioner = get(async |_: Provisioner| "reached");
        let routes = Router::new().route("/access", access);
        Router::new().nest(under, routes.route("/provisioner", provisioner))
    };
    let system = database.system_url();
    let app = app()
        .route::<anyone>()
        .merge(by_hand("/tenants"))
        .merge_public(by_hand("/public"));
    let vars = [("TENANCY_SYSTEM_DATABASE_URL", &*system)];
    let shop = Served::start(app, &database, &vars).await;
    let todo = json!({ "title": "of a" });
    shop.tenant(A).post("/todos", todo).await.json(201);
    for caller in [shop.nobody(), shop.tenant(A)] {
        assert_eq!(caller.get("/operators/count").await.json(200), 1);
        let titles = caller.get("/operators/titles").await.json(200);
        assert_eq!(titles, json!([[A, ["of a"]], [B, []], [OWN, []]]));
        // It is the route that decides, and not whether the request names a tenant.
        assert_eq!(caller.get("/anyone").await.problem(500), "internal");
        for extractor in ["access", "provisioner"] {
            let reached = caller.get(&format!("/public/{extractor}")).await;
            assert_eq!(reached.text(), "reached", "{extractor}");
        }
    }
    for extractor in ["access", "provisioner"] {
        let refused = shop.tenant(A).get(&format!("/tenants/{extractor}")).await;
        assert_eq!(refused.problem(500), "internal", "{extractor}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_login_there_is_no_system_access() {
    let database = Database::empty().await;
    let shop = Served::start(app(), &database, &[]).await;
    let refused = shop.tenancy.system().unwrap_err().to_string();
    assert!(
        refused.contains("TENANCY_SYSTEM_DATABASE_URL: is not set"),
        "{refused}"
    );
    let refused = shop.nobody().get("/operators/count").await;
    assert_eq!(refused.problem(500), "internal");
    assert!(shop.tenancy.verify().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_system_role_that_comes_later_is_let_in_by_the_owner() {
    let database = Database::empty().await;
    drop(Served::start(app(), &database, &[]).await);
    let problems = refusal(&database, Login::App).await;
    // Two models of tenants in two layouts and a shared one; two schemas; the trail.
    assert_eq!(problems.len(), 8, "{problems:#?}");
    assert!(
        problems
            .iter()
            .all(|line| line.contains("is not granted to"))
    );
    drop(serve_on(&database, Login::Both).await.unwrap());
    let shop = serve_on(&database, Login::App).await.unwrap();
    system(&shop).run(WHO, WHY, finish_all).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_grants_the_system_role_what_it_lacks_and_nothing_again() {
    // A row of the catalog is another one once it has been written.
    const WRITTEN: &str = "SELECT array_agg(concat(c.oid::regclass, ' ', c.xmin) ORDER BY c.oid) \
         FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace \
         WHERE relname IN ('todos', 'projects', 'countries')";
    let (database, shop) = serve().await;
    drop(shop);
    let before: Vec<String> = database.value(WRITTEN).await;
    drop(serve_on(&database, Login::Both).await.expect("a start"));
    assert_eq!(database.value::<Vec<String>>(WRITTEN).await, before);

    // The twin: what was taken away is granted, and only that.
    let system = database.system_role();
    let revoke = format!("REVOKE UPDATE ON shared.todos FROM {system}");
    database.sabotage(&revoke).await;
    let before: Vec<String> = database.value(WRITTEN).await;
    drop(serve_on(&database, Login::Both).await.expect("a start"));
    let after: Vec<String> = database.value(WRITTEN).await;
    let changed = after.iter().filter(|row| !before.contains(row));
    let changed: Vec<_> = changed.map(|row| row.split(' ').next()).collect();
    assert_eq!(changed, [Some("shared.todos")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unsafe_system_role_is_refused_until_the_remedy_has_run() {
    let (database, shop) = serve().await;
    drop(shop);
    for (sabotage, said) in [
        ("ALTER ROLE {system} NOBYPASSRLS", "has no BYPASSRLS"),
        ("ALTER ROLE {system} SUPERUSER", "has SUPERUSER"),
        ("ALTER ROLE {system} CREATEROLE", "has CREATEROLE"),
        ("ALTER ROLE {system} REPLICATION", "has REPLICATION"),
        ("GRANT {owner} TO {system}", "is a member of `{owner}`"),
        ("GRANT {app} TO {system}", "is a member of `{app}`"),
        ("GRANT pg_read_all_data TO {system}", "`pg_read_all_data`"),
        ("GRANT {system} TO {app}", "has `{app}` as a member"),
        ("GRANT {system} TO {owner}", "has `{owner}` as a member"),
        (
            "GRANT TRUNCATE ON shared.todos TO {system}",
            "grants \"{system}\" more than it should: TRUNCATE",
        ),
        (
            "GRANT SELECT, DELETE ON tenancy.system_access TO {system}",
            "grants \"{system}\" more than it should: SELECT, DELETE",
        ),
        (
            "GRANT INSERT ON tenancy.system_access TO {system}",
            "grants \"{system}\" more than it should: INSERT",
        ),
        (
            "GRANT SELECT (actor) ON tenancy.system_access TO {app}",
            "grants the application's role \"{app}\" SELECT",
        ),
        (
            "REVOKE INSERT (actor) ON tenancy.system_access FROM {system}",
            "is not granted to \"{system}\": INSERT",
        ),
        (
            "REVOKE USAGE ON SCHEMA shared FROM {system}",
            "is not granted to \"{system}\": USAGE",
        ),
    ] {
        let named = |text: &str| {
            text.replace("{app}", database.app_role())
                .replace("{owner}", database.owner_role())
                .replace("{system}", database.system_role())
        };
        database.sabotage(&named(sabotage)).await;
        let problems = refusal(&database, Login::App).await;
        let said = named(said);
        let problem = problems.iter().find(|line| line.contains(&said));
        let problem = problem.unwrap_or_else(|| panic!("{sabotage}: {problems:#?}"));
        let (_, remedy) = problem.split_once("run: ").expect("a remedy");
        database.sabotage(remedy).await;
        drop(serve_on(&database, Login::App).await.expect(sabotage));
    }
    let owned = format!(
        "CREATE TABLE public.mine (); ALTER TABLE public.mine OWNER TO {}",
        database.system_role()
    );
    database.sabotage(&owned).await;
    let problems = refusal(&database, Login::App).await;
    assert!(problems[0].contains("owns public.mine"), "{problems:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn system_access_does_not_wait_for_connections_of_the_application() {
    let (_database, shop) = serve().await;
    let mut held = Vec::new();
    let (_, db) = shop.tenancy.tenant(&A.parse().unwrap()).await.unwrap();
    for _ in 0..8 {
        held.push(db.conn().await.unwrap());
    }
    let work = system(&shop);
    let work = work.run(WHO, WHY, finish_all);
    let done = tokio::time::timeout(Duration::from_secs(4), work).await;
    assert_eq!(done.expect("at once").unwrap(), 2);
}
