//! Operators' routes: who comes in, what they do, and what is left of it.

mod doors;
mod lives;
mod pages;

use axum::http::Method;
use integration::database::Database;
use integration::http::{Answer, Served};
use serde_json::json;
use tenancy::admin::{OpenGuard, OperatorGuard};
use tenancy::admit::Gateway;
use tenancy::audit::DatabaseTrail;
use tenancy::prelude::*;
use tenancy::{Isolation, Strategy};

const A: &str = "acme-corp";
const B: &str = "globex";

/// One plan with a few users, and one with more of everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Plans)]
enum Plan {
    #[plan(default, quotas(users = 2))]
    Starter,
    #[plan(features(exports), quotas(users = unlimited))]
    Pro,
}

/// Somebody with a login.
#[tenant_model(quota = "users")]
struct User {
    id: Uuid,
    name: String,
}

#[tenant_handler(post, "/users", audit(action = "invite", resource = "user"))]
async fn invite(mut db: TenantConn, Json(new): Json<NewUser>) -> Result<(StatusCode, Json<Value>)> {
    let user = new.insert(&mut db).await?;
    Ok((StatusCode::CREATED, Json(json!({ "name": user.name }))))
}

#[tenant_handler(get, "/export", feature = "exports")]
async fn export() -> &'static str {
    "id,name"
}

fn app(guard: impl OperatorGuard) -> App {
    App::new("operated", "1.0.0")
        .membership(Gateway)
        .isolation(Isolation::hybrid(Strategy::Schema, Strategy::Rls).premium_plans(["pro"]))
        .plans::<Plan>()
        .model::<User>()
        .audit(DatabaseTrail)
        .route::<invite>()
        .route::<export>()
        .admin(guard)
        .seed(A)
}

async fn open(database: &Database) -> Served {
    Served::start(app(OpenGuard::default()), database, &[]).await
}

/// What is answered to a request of any kind.
async fn send(
    shop: &Served,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let url = format!("http://{}{path}", shop.site.address);
    let mut request = reqwest::Client::new().request(method, url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.body(body.to_owned()).send().await;
    let response = response.expect("an answer");
    Answer {
        status: response.status(),
        headers: response.headers().clone(),
        body: response.bytes().await.expect("its body").to_vec(),
    }
}

/// The system's trail: event, actor, reason and whose it is, in the order of time.
async fn trace(database: &Database) -> Vec<[String; 4]> {
    let sql = "SELECT a.event, a.actor, a.reason, coalesce(t.slug, '-') \
         FROM tenancy.system_access a LEFT JOIN tenancy.tenants t ON t.id = a.tenant_id \
         ORDER BY a.at";
    let rows = database.superuser.query(sql, &[]).await.expect("the trail");
    rows.iter()
        .map(|row| [row.get(0), row.get(1), row.get(2), row.get(3)])
        .collect()
}
