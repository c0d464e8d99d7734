//! A session's statement cache in the hands of the application.

use diesel::connection::CacheSize;
use diesel_async::AsyncConnection as _;
use integration::database::Database;
use tenancy::model::{Model, ModelDef};
use tenancy::prelude::*;

/// A row of a tenant.
#[tenant_model]
pub struct Note {
    /// The key.
    pub id: Uuid,
    /// What it says.
    pub text: String,
}

fn models() -> &'static [&'static ModelDef] {
    Box::leak(Box::new([Note::definition()]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_cache_size_changes_no_scope() {
    let database = Database::create(models()).await;
    let pool = database.pool(1, None);
    for size in [CacheSize::Disabled, CacheSize::Unbounded] {
        for db in [
            database.in_shared_tables(&pool).await,
            database.in_own_schema(&pool).await,
        ] {
            let mut conn = db.conn().await.unwrap();
            let new = NewNote {
                id: None,
                text: "kept".to_owned(),
            };
            new.insert(&mut conn).await.unwrap();
            let count = async |conn: &mut TenantConn| {
                let rows: Vec<Note> = Note::query().load(conn).await.unwrap();
                rows.len()
            };
            // Twice, so that the statement is sent in one turn from then on.
            assert_eq!([count(&mut conn).await, count(&mut conn).await], [1, 1]);
            conn.set_prepared_statement_cache_size(size);
            assert_eq!([count(&mut conn).await, count(&mut conn).await], [1, 1]);
        }
    }
}
