//! Operators' routes are described where there are any, and answer as is said.

use integration::database::Database;
use integration::http::Served;
use integration::process::Workplace;
use serde_json::{Value, json};
use tenancy::admin::{OpenGuard, OperatorGuard, TokenGuard};
use tenancy::admit::Gateway;
use tenancy::audit::DatabaseTrail;
use tenancy::openapi::OpenApi;
use tenancy::prelude::*;
use tenancy::{Isolation, Strategy};

use super::fuzz::fuzzed;
use super::{described, is_valid, operation, statuses};

/// Something that tenants keep.
#[tenant_model]
struct Note {
    id: Uuid,
    text: String,
}

fn app() -> App {
    App::new("operated", "1.0.0")
        .isolation(Isolation::single(Strategy::Rls))
        .membership(Gateway)
        .model::<Note>()
        .seed("acme-corp")
        .openapi(OpenApi::public())
}

fn operated(guard: impl OperatorGuard) -> App {
    app().audit(DatabaseTrail).admin(guard)
}

/// The routes of operators that a document holds.
fn routes(document: &Value) -> Vec<String> {
    let paths = document["paths"].as_object().expect("paths");
    let ours = paths.iter().filter(|(path, _)| path.starts_with("/admin/"));
    let each = ours.flat_map(|(path, item)| {
        let methods = item.as_object().expect("methods").keys();
        methods.map(move |method| format!("{method} {path}"))
    });
    each.collect()
}

#[tokio::test]
async fn they_are_described_where_they_are() {
    assert_eq!(routes(&described(&app(), &[])), [""; 0]);
    // Without a trail in the database there is no route that reads it.
    let without = described(&app().admin(OpenGuard::default()), &[]);
    assert_eq!(routes(&without).len(), 12);

    let document = described(&operated(TokenGuard::default()), &[]);
    assert_eq!(
        routes(&document),
        [
            "get /admin/tenants",
            "post /admin/tenants",
            "post /admin/tenants/bulk-activate",
            "post /admin/tenants/bulk-suspend",
            "delete /admin/tenants/{slug}",
            "get /admin/tenants/{slug}",
            "patch /admin/tenants/{slug}",
            "post /admin/tenants/{slug}/activate",
            "get /admin/tenants/{slug}/audit",
            "post /admin/tenants/{slug}/destroy",
            "post /admin/tenants/{slug}/restore",
            "post /admin/tenants/{slug}/suspend",
            "get /admin/tenants/{slug}/usage",
        ]
    );
    let create = operation(&document, "post", "/admin/tenants");
    assert_eq!(create["operationId"], "admin_create");
    assert_eq!(create["tags"], json!(["admin"]));
    let expected = [
        "201", "401", "403", "404", "409", "413", "415", "422", "501", "503", "default",
    ];
    assert_eq!(statuses(create), expected);
    let sent = &create["requestBody"]["content"]["application/json"]["schema"]["$ref"];
    assert_eq!(sent, "#/components/schemas/CreateTenant");
    let schemas = &document["components"]["schemas"];
    let new = &schemas["CreateTenant"];
    assert_eq!(new["required"], json!(["identifier"]));
    assert_eq!(new["additionalProperties"], false);
    assert_eq!(new["properties"]["identifier"]["maxLength"], 63);
    // What is `null` changes nothing, and is refused.
    let update = &schemas["TenantUpdate"];
    assert_eq!(update["required"], Value::Null);
    let plan = &update["properties"]["plan"];
    assert_eq!(
        (&plan["type"], plan.get("default")),
        (&json!("string"), None)
    );
    let search = operation(&document, "get", "/admin/tenants");
    let parameters = search["parameters"].as_array().expect("parameters");
    let names: Vec<_> = parameters.iter().map(|one| one["name"].as_str()).collect();
    let expected = ["after", "limit", "plan", "search", "status"];
    assert_eq!(names, expected.map(Some));

    // Who has the token, and nobody's tenant.
    assert_eq!(create["security"], json!([{"operator": []}]));
    let scheme = &document["components"]["securitySchemes"]["operator"];
    assert_eq!(scheme["scheme"], "bearer");
    let place = Workplace::new();
    for document in [&document, &without] {
        let (valid, said) = is_valid(document, &place).await;
        assert!(valid, "{said}");
    }
    // A guard that reads none asks for none.
    let create = operation(&without, "post", "/admin/tenants");
    assert_eq!(create["security"], Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_answer_as_they_say() {
    let database = Database::empty().await;
    let shop = Served::start(operated(OpenGuard::default()), &database, &[]).await;
    let place = Workplace::new();
    // Who is deleted is shown, until it is destroyed.
    let (content, said) = fuzzed(shop.site.address, &place, "20", &["use_after_free"]).await;
    assert!(content, "{said}");
    assert!(said.contains("Tested: 13"), "{said}");
}
