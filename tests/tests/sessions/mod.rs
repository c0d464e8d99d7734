//! What one use of a pooled session may leave to the next: nothing, whatever was
//! run in it and wherever it was given up.

mod abandoned;
mod behind_pooler;
mod residue;
mod statements;
mod transactions;

use diesel::QueryResult;
use diesel::sql_types::Text;
use integration::database::Database;
use integration::wire::Wire;
use tenancy::db::{Pool, TenantDb};
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
}

/// A row with a number of its own.
#[tenant_model]
pub struct Count {
    /// The key.
    pub id: i64,
    /// Anything.
    pub text: String,
}

fn models() -> &'static [&'static ModelDef] {
    Box::leak(Box::new([Todo::definition(), Count::definition()]))
}

fn new(title: &str) -> NewTodo {
    NewTodo {
        id: None,
        title: title.to_owned(),
    }
}

/// Two tenants in shared tables and two with a schema of their own, on one session.
struct House {
    database: Database,
    a: TenantDb,
    b: TenantDb,
    own: TenantDb,
    other: TenantDb,
}

impl House {
    async fn new() -> Self {
        let database = Database::create(models()).await;
        let pool = database.pool(1, None);
        Self::with(database, pool).await
    }

    /// With every connection over a wire that counts.
    async fn wired() -> (Self, Wire) {
        let database = Database::create(models()).await;
        let server = format!("127.0.0.1:{}", database.app.get_ports()[0]);
        let wire = Wire::to(server).await;
        let pool = database.pool(1, Some(wire.port));
        (Self::with(database, pool).await, wire)
    }

    async fn with(database: Database, pool: Pool) -> Self {
        let house = Self {
            a: database.in_shared_tables(&pool).await,
            b: database.in_shared_tables(&pool).await,
            own: database.in_own_schema(&pool).await,
            other: database.in_own_schema(&pool).await,
            database,
        };
        for (db, title) in [(&house.a, "of a"), (&house.own, "of own")] {
            let mut conn = db.conn().await.expect("a connection");
            new(title).insert(&mut conn).await.expect("a row");
        }
        house
    }

    /// The id of the tenant `a`.
    async fn id_of_a(&self) -> String {
        let id = "SELECT tenant_id::text FROM shared.todos";
        self.database.value(id).await
    }

    /// The schema of the tenant `own`.
    async fn schema_of_own(&self) -> String {
        let rows = texts(
            &self.own,
            "SELECT tableoid::regclass::text AS text FROM \"tenant\".todos",
        );
        let table = rows.await.expect("one row").remove(0);
        table.split('.').next().expect("a schema").to_owned()
    }
}

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    text: String,
}

/// The column `text` of a statement's rows.
async fn texts(db: &TenantDb, sql: &str) -> QueryResult<Vec<String>> {
    let mut conn = db.conn().await.expect("a connection");
    texts_on(&mut conn, sql).await
}

async fn texts_on(conn: &mut TenantConn, sql: &str) -> QueryResult<Vec<String>> {
    let rows: Vec<Row> = diesel::sql_query(sql).load(conn).await?;
    Ok(rows.into_iter().map(|row| row.text).collect())
}

async fn execute(db: &TenantDb, sql: &str) -> QueryResult<usize> {
    let mut conn = db.conn().await.expect("a connection");
    diesel::sql_query(sql).execute(&mut conn).await
}

/// Which session a tenant gets.
async fn session(db: &TenantDb) -> String {
    let pid = texts(db, "SELECT pg_backend_pid()::text AS text").await;
    pid.expect("a session").remove(0)
}

async fn titles(db: &TenantDb) -> Vec<String> {
    let mut conn = db.conn().await.expect("a connection");
    let titles = todos::table.select(todos::title).order(todos::title);
    titles.load(&mut conn).await.expect("rows")
}

fn says<T: std::fmt::Debug>(outcome: &QueryResult<T>, text: &str) -> bool {
    let error = outcome.as_ref().err().map(ToString::to_string);
    error.is_some_and(|error| error.contains(text))
}
