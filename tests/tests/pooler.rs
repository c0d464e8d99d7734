//! Scoped connections through PgBouncer in transaction mode, where whatever
//! stays on a server connection reaches the next client.

use std::sync::Arc;
use std::time::Duration;

use diesel_async::SimpleAsyncConnection as _;
use integration::database::Database;
use integration::servers::PgBouncer;
use tenancy::db::TenantDb;
use tenancy::model::{Model, ModelDef};
use tenancy::prelude::*;
use tokio::sync::Barrier;
use tokio_postgres::{Client, NoTls};

/// A row of a tenant.
#[tenant_model]
pub struct Todo {
    /// The key.
    pub id: Uuid,
    /// Whose and which.
    pub title: String,
}

fn models() -> &'static [&'static ModelDef] {
    Box::leak(Box::new([Todo::definition()]))
}

fn new(title: String) -> NewTodo {
    NewTodo { id: None, title }
}

async fn bouncer(database: &Database, pool_size: u32) -> PgBouncer {
    let user = database.app.get_user().expect("a user");
    PgBouncer::start(&database.app, &[(user, "a")], pool_size).await
}

/// A client that knows nothing of tenants, logged in as the application role.
async fn plain(database: &Database, bouncer: &PgBouncer) -> Client {
    let mut config = tokio_postgres::Config::new();
    config
        .host("127.0.0.1")
        .port(bouncer.port)
        .user(database.app.get_user().expect("a user"))
        .password("a")
        .dbname(database.app.get_dbname().expect("a database"));
    let (client, connection) = config.connect(NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}

/// The first column of all rows. In one message, which a pooler cannot split.
async fn column(client: &Client, sql: &str) -> Vec<String> {
    let messages = client.simple_query(sql).await.expect("rows");
    let rows = messages.iter().filter_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    rows.collect()
}

async fn titles(conn: &mut TenantConn) -> Vec<String> {
    todos::table
        .select(todos::title)
        .order(todos::title)
        .load(conn)
        .await
        .expect("rows")
}

/// Writes and reads, and asserts after each step that it sees what it wrote.
async fn work(db: TenantDb, name: usize, all_connected: Arc<Barrier>) {
    let mut expected = Vec::new();
    let first = db.conn().await.expect("a connection");
    all_connected.wait().await;
    drop(first);
    for round in 0..100 {
        let title = |step: &str| format!("{name} {round:03} {step}");
        let mut conn = db.conn().await.expect("a connection");
        let todo = new(title("a")).insert(&mut conn).await.expect("a row");
        expected.push(todo.title);
        assert_eq!(titles(&mut conn).await, expected);

        let keep = round % 2 == 0;
        let seen = conn
            .transaction(async |conn| {
                new(title("b")).insert(conn).await?;
                let seen = titles(conn).await;
                if keep { Ok(seen) } else { Err(Error::NotFound) }
            })
            .await;
        if keep {
            expected.push(title("b"));
            assert_eq!(seen.expect("a commit"), expected);
        } else {
            assert!(matches!(seen, Err(Error::NotFound)), "{seen:?}");
        }
        assert_eq!(titles(&mut conn).await, expected);
    }
}

async fn many_clients_on(server_connections: u32) {
    let database = Database::create(models()).await;
    let bouncer = bouncer(&database, server_connections).await;
    let pool = database.pool_behind_pooler(4, bouncer.port);
    let tenants = [
        database.in_shared_tables(&pool).await,
        database.in_shared_tables(&pool).await,
        database.in_own_schema(&pool).await,
        database.in_own_schema(&pool).await,
    ];
    let all_connected = Arc::new(Barrier::new(tenants.len()));
    let tasks = tenants
        .into_iter()
        .enumerate()
        .map(|(name, db)| tokio::spawn(work(db, name, all_connected.clone())));
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("every tenant sees its own rows");
    }
    assert_eq!(pool.connections(), 4, "all clients are still in use");
    let sessions = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = '{}'",
        database.app.get_user().expect("a user")
    );
    assert_eq!(
        column(&database.superuser, &sessions).await,
        [server_connections.to_string()]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_clients_share_one_server_connection() {
    many_clients_on(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_clients_move_between_two_server_connections() {
    many_clients_on(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_left_behind_on_a_server_connection_reaches_nobody() {
    let database = Database::create(models()).await;
    let bouncer = bouncer(&database, 1).await;
    let pool = database.pool_behind_pooler(4, bouncer.port);
    let (a, b, own) = (
        database.in_shared_tables(&pool).await,
        database.in_shared_tables(&pool).await,
        database.in_own_schema(&pool).await,
    );
    new("of a".to_owned())
        .insert(&mut a.conn().await.unwrap())
        .await
        .unwrap();
    let id = "SELECT tenant_id FROM shared.todos";
    let id = column(&database.superuser, id).await.remove(0);

    // The twin: a client that sets its tenant for the session, and another
    // that gets the same server connection.
    let (careless, next) = (
        plain(&database, &bouncer).await,
        plain(&database, &bouncer).await,
    );
    let all = "SELECT title FROM shared.todos";
    assert!(column(&next, all).await.is_empty());
    let set = format!("SELECT set_config('tenancy.tenant_id', '{id}', false)");
    column(&careless, &set).await;
    assert_eq!(column(&next, all).await, ["of a"]);

    assert!(titles(&mut b.conn().await.unwrap()).await.is_empty());
    let seen = diesel::sql_query("DELETE FROM \"shared\".todos")
        .execute(&mut own.conn().await.unwrap())
        .await
        .unwrap();
    assert_eq!(seen, 0);
    own.conn()
        .await
        .unwrap()
        .batch_execute("DELETE FROM \"shared\".todos")
        .await
        .unwrap();
    assert_eq!(titles(&mut a.conn().await.unwrap()).await, ["of a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_bare_name_is_found() {
    let database = Database::create(models()).await;
    let bouncer = bouncer(&database, 1).await;
    let pool = database.pool_behind_pooler(4, bouncer.port);
    let bait = format!(
        "CREATE TABLE public.todos AS SELECT 'bait' AS title; \
         GRANT ALL ON public.todos TO {}",
        database.app.get_user().unwrap()
    );
    database.superuser.batch_execute(&bait).await.unwrap();
    for db in [
        database.in_shared_tables(&pool).await,
        database.in_own_schema(&pool).await,
    ] {
        // The twin, each time anew: others on this server connection find it,
        // so no session-level setting is what hides it.
        let next = plain(&database, &bouncer).await;
        next.batch_execute("SET search_path = public")
            .await
            .unwrap();
        assert_eq!(column(&next, "SELECT title FROM todos").await, ["bait"]);

        let mut conn = db.conn().await.unwrap();
        let bare = || diesel::sql_query("SELECT title FROM todos");
        let outcome = bare().execute(&mut conn).await;
        assert!(not_found(&outcome), "{outcome:?}");
        let outcome = conn
            .transaction(async |conn| bare().execute(conn).await)
            .await;
        assert!(not_found(&outcome), "{outcome:?}");
        let outcome = conn.batch_execute("DELETE FROM todos").await;
        assert!(not_found(&outcome), "{outcome:?}");
    }
}

fn not_found<T>(outcome: &diesel::QueryResult<T>) -> bool {
    let error = outcome.as_ref().err().map(ToString::to_string);
    error.is_some_and(|error| error.contains("relation \"todos\" does not exist"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_of_another_process_are_not_in_the_way() {
    let database = Database::create(models()).await;
    let bouncer = bouncer(&database, 1).await;
    let pool = database.pool_behind_pooler(1, bouncer.port);
    let tenants = [
        database.in_shared_tables(&pool).await,
        database.in_own_schema(&pool).await,
    ];
    // Every process names its statements alike, s0, s1 and so on, and closes
    // them after their transaction, on whichever server connection it gets.
    let other = plain(&database, &bouncer).await;
    let leave: Vec<_> = (0..2_000)
        .map(|number| format!("PREPARE s{number} AS SELECT 1"))
        .collect();
    for db in &tenants {
        let mut conn = db.conn().await.unwrap();
        let _ = other
            .batch_execute(&format!("DEALLOCATE ALL; {}", leave.join(";")))
            .await;
        new("one".to_owned()).insert(&mut conn).await.unwrap();
        assert_eq!(titles(&mut conn).await, ["one"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abandoned_use_never_reaches_the_next_client() {
    let database = Database::create(models()).await;
    let bouncer = bouncer(&database, 1).await;
    let pool = database.pool_behind_pooler(1, bouncer.port);
    let (a, b) = (
        database.in_shared_tables(&pool).await,
        database.in_own_schema(&pool).await,
    );
    for delay in 0..40 {
        let work = async {
            let mut conn = a.conn().await?;
            conn.transaction(async |conn| {
                new("half".to_owned()).insert(conn).await?;
                diesel::sql_query("SELECT pg_sleep(0.02)")
                    .execute(conn)
                    .await?;
                Err::<(), Error>(Error::NotFound)
            })
            .await
        };
        let _ = tokio::time::timeout(Duration::from_micros(delay * 500), work).await;
        for db in [&a, &b] {
            let mut conn = db.conn().await.unwrap();
            assert!(titles(&mut conn).await.is_empty());
        }
    }
}
