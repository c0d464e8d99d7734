//! When an entry was written is for PostgreSQL to say: neither a process whose clock
//! is off nor one that means to can put an entry elsewhere.

use diesel::sql_types::Uuid as SqlUuid;
use integration::http::Login;
use uuid::{NoContext, Timestamp};

use super::*;

/// As a process writes an entry whose clock is so many seconds off.
async fn write_with_a_clock_off(db: &TenantDb, seconds: i64) -> Uuid {
    let now = u64::try_from(Utc::now().timestamp() + seconds).expect("after 1970");
    let id = Uuid::new_v7(Timestamp::from_unix(NoContext, now, 0));
    let mut conn = db.conn().await.expect("a connection");
    diesel::sql_query(
        "INSERT INTO \"tenant\".tenancy_audit (id, actor, action, resource, outcome, detail) \
         VALUES ($1, 'ada', 'list', 'todo', 'done', 'null')",
    )
    .bind::<SqlUuid, _>(id)
    .execute(&mut conn)
    .await
    .expect("an entry");
    id
}

/// All entries of a tenant, read in pages of `size`.
async fn paged(db: &TenantDb, size: u32) -> Vec<Uuid> {
    let mut conn = db.conn().await.expect("a connection");
    let mut all: Vec<Uuid> = Vec::new();
    loop {
        let before = all.last().copied();
        let page = AuditEntry::page(&mut conn, before, size).await;
        let page = page.expect("a page");
        if page.is_empty() {
            return all;
        }
        all.extend(page.iter().map(|entry| entry.id));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_stand_in_the_order_of_postgresql_whatever_the_clocks_of_processes_say() {
    for strategy in STRATEGIES {
        let database = Database::empty().await;
        let shop = Served::start(app(strategy, DatabaseTrail), &database, &[]).await;
        let (_, db) = shop.tenancy.tenant(&A.parse().unwrap()).await.unwrap();
        let mut written = Vec::new();
        for off in [0, 3_600, -3_600, 0, -60, 60] {
            written.push(write_with_a_clock_off(&db, off).await);
        }
        written.reverse();
        for size in [1, 2, 5, 100] {
            assert_eq!(paged(&db, size).await, written, "{strategy}, {size} a page");
        }
        // The twin: by what the processes say it would be another order.
        let mut by_id = written.clone();
        by_id.sort_unstable_by(|a, b| b.cmp(a));
        assert_ne!(by_id, written);
        // One that is no entry of the tenant's is followed by none.
        let mut conn = db.conn().await.unwrap();
        let unknown = Some(Uuid::now_v7());
        let page = AuditEntry::page(&mut conn, unknown, 100).await.unwrap();
        assert!(page.is_empty());
    }
}

/// Whatever the times of entries: few of them, so that many have the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_entry_is_on_one_page_and_no_other() {
    let database = Database::empty().await;
    let shop = Served::start(app(Strategy::Rls, DatabaseTrail), &database, &[]).await;
    let (tenant, db) = shop.tenancy.tenant(&A.parse().unwrap()).await.unwrap();
    let mut random = fastrand::Rng::with_seed(36);
    for round in 0..20 {
        let entries = random.u32(0..60);
        let times = random.u32(1..8);
        let fill = format!(
            "DELETE FROM shared.tenancy_audit; INSERT INTO shared.tenancy_audit \
             (tenant_id, id, at, actor, action, resource, outcome, detail) \
             SELECT '{}', gen_random_uuid(), now() - n % {times} * interval '1 hour', \
             'ada', 'list', 'todo', 'done', 'null' FROM generate_series(1, {entries}) n",
            tenant.id()
        );
        database.sabotage(&fill).await;
        let size = random.u32(1..12);
        let read = paged(&db, size).await;
        let distinct: std::collections::BTreeSet<_> = read.iter().collect();
        let case = format!("round {round}: {entries} entries of {times} times, {size} a page");
        assert_eq!(read.len(), entries as usize, "{case}");
        assert_eq!(distinct.len(), read.len(), "{case}");
        assert_eq!(paged(&db, 1_000).await, read, "{case}");
    }
}

const BACKDATED: &str = "INSERT INTO \"tenant\".tenancy_audit \
     (id, at, actor, action, resource, outcome, detail) \
     VALUES (gen_random_uuid(), '2001-01-01', 'ada', 'list', 'todo', 'done', 'null')";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_dates_an_entry_back() {
    for strategy in STRATEGIES {
        let database = Database::empty().await;
        let shop = Served::start(app(strategy, DatabaseTrail), &database, &[]).await;
        let (tenant, db) = shop.tenancy.tenant(&A.parse().unwrap()).await.unwrap();
        let backdate = async || {
            let mut conn = db.conn().await.unwrap();
            diesel::sql_query(BACKDATED).execute(&mut conn).await
        };
        let refused = backdate().await.unwrap_err().to_string();
        assert!(refused.contains("permission denied"), "{refused}");
        // The twin: with the right to, it can; that is found, and the remedy mends it.
        let superuser = database.superuser_at(tenant.record()).await;
        let schema = tenant.record().locator.as_ref().unwrap().schema();
        let role = database.app_role();
        let table = format!("{schema}.tenancy_audit");
        for sabotage in [
            format!("GRANT INSERT (at) ON {table} TO {role}"),
            format!("GRANT INSERT ON {table} TO {role}"),
        ] {
            superuser.batch_execute(&sabotage).await.unwrap();
            assert_eq!(backdate().await.unwrap(), 1, "{strategy}: {sabotage}");
            remedied(
                &shop,
                &superuser,
                "INSERT (\"at\") (PostgreSQL fills it in)",
            )
            .await;
            backdate().await.unwrap_err();
        }
        // Without the default there would be no time, and without the right no entry.
        for (sabotage, said) in [
            (
                format!("ALTER TABLE {table} ALTER COLUMN at SET DEFAULT '2001-01-01'"),
                "does not fill in \"at\" as it should".to_owned(),
            ),
            (
                format!("REVOKE INSERT (actor) ON {table} FROM {role}"),
                format!("is not granted to \"{role}\": INSERT (\"actor\")"),
            ),
        ] {
            superuser.batch_execute(&sabotage).await.unwrap();
            remedied(&shop, &superuser, &said).await;
        }
    }
}

/// Finds that one thing is wrong and nothing after its remedy.
async fn remedied(shop: &Served, superuser: &tokio_postgres::Client, said: &str) {
    let problems = shop.tenancy.verify().await.expect("an answer");
    let [problem] = problems.as_slice() else {
        panic!("{problems:?}");
    };
    let text = problem.to_string();
    assert!(text.contains(said), "{said}: {text}");
    let (_, remedy) = text.split_once("run: ").expect("a statement");
    superuser.batch_execute(remedy).await.expect("the remedy");
    let left = shop.tenancy.verify().await.expect("an answer");
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trail_of_an_older_version_is_brought_up_to_date() {
    for strategy in STRATEGIES {
        let database = Database::empty().await;
        let shop = Served::start(app(strategy, DatabaseTrail), &database, &[]).await;
        let (tenant, _) = shop.tenancy.tenant(&A.parse().unwrap()).await.unwrap();
        drop(shop);
        let superuser = database.superuser_at(tenant.record()).await;
        let schema = tenant.record().locator.as_ref().unwrap().schema();
        let role = database.app_role();
        let older = format!(
            "ALTER TABLE {schema}.tenancy_audit ALTER COLUMN at DROP DEFAULT; \
             DROP INDEX {schema}.tenancy_audit_at_id_idx; \
             GRANT INSERT ON {schema}.tenancy_audit TO {role}; \
             INSERT INTO {schema}.tenancy_audit \
             ({tenant_id} id, at, actor, action, resource, outcome, detail) \
             VALUES ({id} gen_random_uuid(), '2001-01-01', 'eve', 'seen', 'todo', 'done', 'null')",
            tenant_id = if strategy == Strategy::Rls {
                "tenant_id,"
            } else {
                ""
            },
            id = if strategy == Strategy::Rls {
                format!("'{}',", tenant.id())
            } else {
                String::new()
            },
        );
        superuser.batch_execute(&older).await.unwrap();
        // Without the owner's login it is named; a database of a tenant's own is
        // proved before that tenant is served.
        match start(app(strategy, DatabaseTrail), &database, Login::App, &[]).await {
            Err(error) => {
                let error = error.to_string();
                assert!(error.contains("does not fill in \"at\""), "{error}");
            }
            Ok(shop) => {
                assert_eq!(strategy, Strategy::Database);
                let refused = shop.tenant(A).get("/todos").await;
                assert_eq!(refused.problem(500), "internal");
            }
        }
        let shop = Served::start(app(strategy, DatabaseTrail), &database, &[]).await;
        assert!(shop.tenancy.verify().await.unwrap().is_empty());
        shop.tenant(A).get("/todos").await.json(200);
        let actors = entries(&shop, A).await;
        let actors: Vec<_> = actors.iter().map(|entry| &entry["actor"]).collect();
        assert_eq!(actors, ["ada", "eve"], "{strategy}");
        let there = format!("SELECT to_regclass('{schema}.tenancy_audit_at_id_idx') IS NOT NULL");
        let row = superuser.query_one(&there, &[]).await.unwrap();
        assert!(row.get::<_, bool>(0), "{strategy}");
    }
}

#[tenant_handler(post, "/details")]
async fn detailed(mut db: TenantConn, audit: Audit, Json(new): Json<NewTodo>) -> Result<()> {
    db.transaction(async |conn| {
        let todo = new.insert(conn).await?;
        let event = AuditEvent::new("create", "todo").detail(json!(todo.title));
        audit.record_in(conn, event).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_long_for_the_trail_is_not_done() {
    let database = Database::empty().await;
    let app = app(Strategy::Rls, DatabaseTrail).route::<detailed>();
    let shop = Served::start(app, &database, &[]).await;
    let count = "SELECT count(*) FROM shared.todos";
    // The index takes no row as long as that.
    database
        .sabotage("ALTER TABLE shared.todos DROP CONSTRAINT todos_title_key")
        .await;
    // In quotes.
    let most = 16 * 1024 - 2;
    let random: String = std::iter::repeat_with(fastrand::alphanumeric)
        .take(most + 1)
        .collect();
    let too_long = json!({ "title": random });
    let refused = shop.tenant(A).post("/details", too_long).await;
    assert_eq!(refused.problem(422), "invalid_input");
    assert!(
        refused.text().contains("at most 16384"),
        "{}",
        refused.text()
    );
    assert_eq!(database.value::<i64>(count).await, 0);
    // The twin: one that is not.
    let fits = json!({ "title": random[..most] });
    let taken = shop.tenant(A).post("/details", fits).await;
    assert_eq!(taken.status, 200, "{}", taken.text());
    assert_eq!(database.value::<i64>(count).await, 1);
}
