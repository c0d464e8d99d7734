//! Scoped connections on real PostgreSQL, as the application role.

use std::time::Duration;

use diesel::QueryResult;
use diesel::upsert::on_constraint;
use integration::database::Database;
use integration::wire::Wire;
use tenancy::db::TenantDb;
use tenancy::model::{Model, ModelDef};
use tenancy::prelude::*;

/// A row of a tenant.
#[tenant_model]
pub struct Todo {
    /// The key.
    pub id: Uuid,
    /// Unique for the tenant.
    #[column(unique)]
    pub title: String,
    /// Whether it is done.
    #[column(default = "false")]
    pub done: bool,
}

fn models() -> &'static [&'static ModelDef] {
    Box::leak(Box::new([Todo::definition()]))
}

fn new(title: &str) -> NewTodo {
    NewTodo {
        id: None,
        title: title.to_owned(),
        done: None,
    }
}

async fn titles(db: &TenantDb) -> Vec<String> {
    let mut conn = db.conn().await.expect("a connection");
    todos::table
        .select(todos::title)
        .order(todos::title)
        .load(&mut conn)
        .await
        .expect("rows")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_of_every_layout_work_side_by_side_on_one_session() {
    let database = Database::create(models()).await;
    let pool = database.pool(1, None);
    let tenants = [
        database.in_shared_tables(&pool).await,
        database.in_shared_tables(&pool).await,
        database.in_own_schema(&pool).await,
        database.in_own_schema(&pool).await,
    ];
    for (index, db) in tenants.iter().enumerate() {
        let mut conn = db.conn().await.unwrap();
        // The same unique value in each: no key tells of another tenant.
        let todo = new("same").insert(&mut conn).await.unwrap();
        assert!(!todo.done);
        new(&format!("own {index}"))
            .insert(&mut conn)
            .await
            .unwrap();
        assert!(matches!(
            new("same").insert(&mut conn).await,
            Err(Error::Conflict(_))
        ));
        let changes = TodoChanges {
            done: Some(true),
            ..TodoChanges::default()
        };
        assert!(changes.update(todo.id, &mut conn).await.unwrap().done);
    }
    for (index, db) in tenants.iter().enumerate() {
        assert_eq!(
            titles(db).await,
            [format!("own {index}"), "same".to_owned()]
        );
    }
    let mut first = tenants[0].conn().await.unwrap();
    let foreign = Todo::query().first(&mut first).await.unwrap();
    drop(first);
    for db in &tenants[1..] {
        let mut conn = db.conn().await.unwrap();
        assert!(matches!(
            Todo::delete(foreign.id, &mut conn).await,
            Err(Error::NotFound)
        ));
    }
    assert_eq!(pool.connections(), 1, "one clean session served them all");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_policy_the_rows_of_others_would_show() {
    let database = Database::create(models()).await;
    let pool = database.pool(1, None);
    let (a, b) = (
        database.in_shared_tables(&pool).await,
        database.in_shared_tables(&pool).await,
    );
    new("of a")
        .insert(&mut a.conn().await.unwrap())
        .await
        .unwrap();
    assert!(titles(&b).await.is_empty());
    // The twin: with the defence sabotaged, the assertion above would go red.
    let sabotage = "ALTER TABLE shared.todos DISABLE ROW LEVEL SECURITY";
    database.owner.batch_execute(sabotage).await.unwrap();
    assert_eq!(titles(&b).await, ["of a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_added_permissive_policy_widens_nothing() {
    let database = Database::create(models()).await;
    let pool = database.pool(1, None);
    let (a, b) = (
        database.in_shared_tables(&pool).await,
        database.in_shared_tables(&pool).await,
    );
    new("of a")
        .insert(&mut a.conn().await.unwrap())
        .await
        .unwrap();
    let wide = "CREATE POLICY wide ON shared.todos USING (true) WITH CHECK (true)";
    database.owner.batch_execute(wide).await.unwrap();
    assert!(titles(&b).await.is_empty());
    // The twin: without the restrictive policy the wide one lets all through.
    database
        .owner
        .batch_execute("DROP POLICY tenancy_isolation ON shared.todos")
        .await
        .unwrap();
    assert_eq!(titles(&b).await, ["of a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_warm_statement_costs_one_round_trip() {
    let database = Database::create(models()).await;
    let server = format!("127.0.0.1:{}", database.app.get_ports()[0]);
    let wire = Wire::to(server).await;
    let pool = database.pool(1, Some(wire.port));
    let tenants = [
        database.in_shared_tables(&pool).await,
        database.in_own_schema(&pool).await,
    ];
    for db in &tenants {
        for round in 0..2 {
            let warm = round == 1;
            let mut conn = db.conn().await.unwrap();
            let mut counts = Vec::new();
            wire.take();
            let todo = new("one").insert(&mut conn).await.unwrap();
            counts.push(wire.take());
            Todo::query()
                .limit(5)
                .load::<Todo>(&mut conn)
                .await
                .unwrap();
            counts.push(wire.take());
            let changes = TodoChanges {
                done: Some(true),
                ..TodoChanges::default()
            };
            changes.update(todo.id, &mut conn).await.unwrap();
            counts.push(wire.take());
            diesel::insert_into(todos::table)
                .values(new("one"))
                .on_conflict(on_constraint(Todo::TITLE_KEY))
                .do_update()
                .set(todos::done.eq(false))
                .execute(&mut conn)
                .await
                .unwrap();
            counts.push(wire.take());
            conn.transaction(async |conn| {
                for _ in 0..3 {
                    Todo::query().limit(5).load::<Todo>(conn).await?;
                }
                QueryResult::Ok(())
            })
            .await
            .unwrap();
            counts.push(wire.take());
            Todo::delete(todo.id, &mut conn).await.unwrap();
            counts.push(wire.take());
            if warm {
                assert_eq!(counts, [1, 1, 1, 1, 4, 1]);
            } else {
                assert!(
                    counts[0] > 1,
                    "the wire counts: a cold statement takes more"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abandoned_use_never_reaches_the_next_tenant() {
    let database = Database::create(models()).await;
    let pool = database.pool(1, None);
    let (a, b) = (
        database.in_shared_tables(&pool).await,
        database.in_own_schema(&pool).await,
    );
    for delay in 0..60 {
        let work = async {
            let mut conn = a.conn().await?;
            conn.transaction(async |conn| {
                diesel::insert_into(todos::table)
                    .values(new("half"))
                    .execute(conn)
                    .await?;
                diesel::sql_query("SELECT pg_sleep(0.02)")
                    .execute(conn)
                    .await?;
                Err::<(), Error>(Error::NotFound)
            })
            .await
        };
        let _ = tokio::time::timeout(Duration::from_micros(delay * 250), work).await;
        assert!(titles(&b).await.is_empty());
        assert!(titles(&a).await.is_empty());
    }
    let open = "SELECT count(*) FROM pg_stat_activity \
                WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
    tokio::time::sleep(Duration::from_millis(200)).await;
    let open: i64 = database
        .superuser
        .query_one(open, &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(open, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_scope_nothing_shows_and_no_bare_name_is_found() {
    let database = Database::create(models()).await;
    let pool = database.pool(1, None);
    let db = database.in_own_schema(&pool).await;
    let shared = database.in_shared_tables(&pool).await;
    new("hidden")
        .insert(&mut shared.conn().await.unwrap())
        .await
        .unwrap();
    let mut conn = db.conn().await.unwrap();
    // A dedicated scope carries no tenant for the shared tables: no rows, not all.
    let seen = diesel::sql_query("DELETE FROM \"shared\".todos")
        .execute(&mut conn)
        .await
        .unwrap();
    assert_eq!(seen, 0);
    assert!(
        diesel::sql_query("SELECT * FROM todos")
            .execute(&mut conn)
            .await
            .is_err()
    );
    let raw = diesel::sql_query("SELECT * FROM \"tenant\".todos")
        .execute(&mut conn)
        .await;
    assert!(raw.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_statement_cannot_be_committed_over() {
    let database = Database::create(models()).await;
    let pool = database.pool(1, None);
    let db = database.in_shared_tables(&pool).await;
    let mut conn = db.conn().await.unwrap();
    let outcome = conn
        .transaction(async |conn| {
            new("lost").insert(conn).await?;
            // The error is swallowed: PostgreSQL will roll back all the same.
            let _ = diesel::sql_query("SELECT 1/0").execute(conn).await;
            Ok::<(), Error>(())
        })
        .await;
    assert!(
        outcome.is_err(),
        "a commit that did not happen is not reported as one"
    );
    drop(conn);
    assert!(titles(&db).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_at_the_end_of_its_budget_sends_everything_in_order() {
    // tokio makes a task that did much at once wait at its next lock or channel:
    // were that the statement's, its COMMIT would leave before it.
    const BUDGET: usize = 128;
    let database = Database::create(models()).await;
    let pool = database.pool(1, None);
    let db = database.in_shared_tables(&pool).await;
    let mut conn = db.conn().await.unwrap();
    new("here").insert(&mut conn).await.unwrap();
    for used in 0..=BUDGET {
        tokio::task::yield_now().await;
        for _ in 0..used {
            tokio::task::coop::consume_budget().await;
        }
        let seen = todos::table.count().get_result(&mut conn).await;
        assert_eq!(seen, Ok(1), "alone, after {used}");
        tokio::task::yield_now().await;
        for _ in 0..used {
            tokio::task::coop::consume_budget().await;
        }
        let seen: QueryResult<i64> = conn
            .transaction(async |conn| todos::table.count().get_result(conn).await)
            .await;
        assert_eq!(seen, Ok(1), "in a transaction, after {used}");
    }
}
