//! The twin: applications with a hole each, as they are made by mistake.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use axum::Extension;
use integration::database::Database;
use serde_json::json;
use tenancy::http::RoutedHandler;
use tenancy::prelude::*;
use tenancy::{Isolation, Strategy};
use tokio_postgres::NoTls;

use super::start;

#[tenant_model]
pub(crate) struct Memo {
    id: Uuid,
    title: String,
}

#[tenant_handler(get, "/memos")]
async fn list(mut db: TenantConn) -> Result<Json<Vec<Memo>>> {
    Ok(Json(Memo::query().order(memos::id).load(&mut db).await?))
}

#[tenant_handler(post, "/memos")]
async fn create(mut db: TenantConn, Json(new): Json<NewMemo>) -> Result<(StatusCode, Json<Memo>)> {
    Ok((StatusCode::CREATED, Json(new.insert(&mut db).await?)))
}

#[tenant_handler(get, "/memos/{id}")]
async fn sound(Path(id): Path<Uuid>, mut db: TenantConn) -> Result<Json<Memo>> {
    Ok(Json(Memo::query().find(id).first(&mut db).await?))
}

/// Remembers rows by their key, whoever asks.
#[tenant_handler(get, "/cached/{id}")]
async fn cached(Path(id): Path<Uuid>, mut db: TenantConn) -> Result<Json<Value>> {
    static CACHE: LazyLock<Mutex<HashMap<Uuid, Value>>> = LazyLock::new(Mutex::default);
    if let Some(known) = CACHE.lock().expect("no panic").get(&id) {
        return Ok(Json(known.clone()));
    }
    let memo: Memo = Memo::query().find(id).first(&mut db).await?;
    CACHE.lock().expect("no panic").insert(id, json!(memo));
    Ok(Json(json!(memo)))
}

/// A login that no policy holds, where a handler can reach it.
#[derive(Clone)]
struct Loose(String);

impl Loose {
    async fn rows(&self, sql: &str) -> Vec<(String, String)> {
        let (client, connection) = tokio_postgres::connect(&self.0, NoTls)
            .await
            .expect("the database");
        tokio::spawn(connection);
        let rows = client.query(sql, &[]).await.expect("the database");
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }
}

const ALL: &str = "SELECT id::text, title FROM shared.memos";

/// Counts, so it says, and says more.
#[tenant_handler(get, "/titles")]
async fn titles(Extension(loose): Extension<Loose>, _tenant: Tenant) -> Json<Vec<String>> {
    let rows = loose.rows(ALL).await;
    Json(rows.into_iter().map(|(_, title)| title).collect())
}

#[tenant_handler(get, "/keys")]
async fn keys(Extension(loose): Extension<Loose>, _tenant: Tenant) -> Json<Vec<String>> {
    let rows = loose.rows(ALL).await;
    Json(rows.into_iter().map(|(id, _)| id).collect())
}

/// Refuses, and says in a header what.
#[tenant_handler(get, "/refused/{id}")]
async fn refused(
    Path(id): Path<Uuid>,
    Extension(loose): Extension<Loose>,
    mut db: TenantConn,
) -> Result<axum::response::Response> {
    if let Ok(memo) = Memo::query().find(id).first::<Memo>(&mut db).await {
        return Ok(Json(memo).into_response());
    }
    let rows = loose.rows(&format!("{ALL} WHERE id = '{id}'")).await;
    let title = rows
        .into_iter()
        .next()
        .map_or_else(String::new, |(_, title)| title);
    Ok((StatusCode::NOT_FOUND, [("x-memo", title)]).into_response())
}

/// Tells whether there is such a row anywhere.
#[tenant_handler(get, "/taken/{id}")]
async fn taken(
    Path(id): Path<Uuid>,
    Extension(loose): Extension<Loose>,
    mut db: TenantConn,
) -> Result<Json<Memo>> {
    let memo = Memo::query().find(id).first::<Memo>(&mut db).await;
    let there = loose.rows(&format!("{ALL} WHERE id = '{id}'")).await;
    match memo {
        Err(_) if !there.is_empty() => Err(Error::Conflict("another tenant's".to_owned())),
        memo => Ok(Json(memo?)),
    }
}

/// Answers 404, and has changed the row.
#[tenant_handler(patch, "/changed/{id}")]
async fn changed(
    Path(id): Path<Uuid>,
    Extension(loose): Extension<Loose>,
    mut db: TenantConn,
) -> Result<Json<Memo>> {
    let update = format!(
        "UPDATE shared.memos SET title = title || '!' WHERE id = '{id}' RETURNING id::text, title"
    );
    loose.rows(&update).await;
    Ok(Json(Memo::query().find(id).first(&mut db).await?))
}

/// What the matrix says of an application with this route beside honest ones.
async fn wrong<H: RoutedHandler>() -> Vec<String> {
    let database = Database::empty().await;
    let app = App::new("holes", "1.0.0")
        .membership(tenancy::admit::Gateway)
        .isolation(Isolation::single(Strategy::Rls))
        .model::<Memo>()
        .route::<list>()
        .route::<create>()
        .route::<H>()
        .layer(Extension(Loose(database.system_url())));
    let app = start(app, &database).await;
    let grant = format!(
        "GRANT USAGE ON SCHEMA shared TO {role}; GRANT SELECT, UPDATE ON shared.memos TO {role}",
        role = database.system_role()
    );
    database.sabotage(&grant).await;
    let (a, b) = (
        app.tenant().await.expect("a tenant"),
        app.tenant().await.expect("a tenant"),
    );
    let memo = |canary: &str| json!({ "title": canary });
    let report = app.matrix(&a, &b).body("POST /memos", memo).run().await;
    app.stop().await;
    report.wrong().to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_hole_is_found_and_nothing_in_honest_routes() {
    assert_eq!(wrong::<sound>().await, Vec::<String>::new());
    for (wrong, said) in [
        (
            wrong::<cached>().await,
            "GET /cached/{id} lets A through with B's",
        ),
        (wrong::<titles>().await, "GET /titles shows A B's text"),
        (wrong::<keys>().await, "GET /keys shows A B's key"),
        (
            wrong::<refused>().await,
            "GET /refused/{id} shows A B's text",
        ),
        (
            wrong::<taken>().await,
            "GET /taken/{id} tells B's key (409) from nobody's (404)",
        ),
        (
            wrong::<changed>().await,
            "GET /memos answers B differently after A's calls",
        ),
    ] {
        assert!(
            wrong.iter().any(|wrong| wrong.starts_with(said)),
            "{said}: {wrong:?}"
        );
    }
}
