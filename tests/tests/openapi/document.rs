//! The description says what types say, and no more.

use axum::response::{Html, IntoResponse, Redirect};
use integration::process::Workplace;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tenancy::http::{TenantUse, Verb};
use tenancy::openapi::{JsonSchema, OpenApi, RouteDescriptions};
use tenancy::prelude::*;
use tenancy::resolve::{JwtResolver, PathResolver, SubdomainResolver};
use tenancy::{HeaderResolver, Isolation, Strategy};

use super::{described, is_valid, operation, statuses};

/// In columns, with JSON of its own and no schema.
#[derive(Debug, Clone, Serialize, Deserialize, diesel::AsExpression, diesel::FromSqlRow)]
#[diesel(sql_type = diesel::sql_types::Text)]
pub struct Colour(String);

impl diesel::serialize::ToSql<diesel::sql_types::Text, diesel::pg::Pg> for Colour {
    fn to_sql<'b>(
        &'b self,
        out: &mut diesel::serialize::Output<'b, '_, diesel::pg::Pg>,
    ) -> diesel::serialize::Result {
        diesel::serialize::ToSql::<diesel::sql_types::Text, diesel::pg::Pg>::to_sql(&self.0, out)
    }
}

impl diesel::deserialize::FromSql<diesel::sql_types::Text, diesel::pg::Pg> for Colour {
    fn from_sql(bytes: diesel::pg::PgValue<'_>) -> diesel::deserialize::Result<Self> {
        diesel::deserialize::FromSql::<diesel::sql_types::Text, diesel::pg::Pg>::from_sql(bytes)
            .map(Self)
    }
}

fn in_capitals<S: serde::Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text.to_uppercase())
}

/// A thing to sell.
#[tenant_model]
#[serde(rename_all = "camelCase")]
pub struct Ware {
    /// The key.
    pub id: Uuid,
    /// What it is called.
    pub long_name: String,
    /// How it looks.
    #[column(sql_type = "text")]
    pub colour: Option<Colour>,
    /// When it came.
    #[column(default = "now()")]
    pub since: DateTime<Utc>,
    /// Written in another way than its type.
    #[serde(serialize_with = "in_capitals")]
    pub code: String,
    /// Of nobody outside.
    #[serde(skip)]
    pub price: i64,
}

/// No `JsonSchema` here.
#[derive(Serialize, Deserialize)]
struct Opaque {
    inside: u8,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "tenancy::openapi::schemars")]
#[allow(dead_code)]
struct Page {
    /// How many.
    limit: Option<u16>,
    after: Uuid,
}

/// Says what there is.
///
/// All of it,
/// in *Markdown*.
#[tenant_handler(get, "/wares", feature = "exports", rate_limit = "5/min")]
async fn list(Query(_): Query<Page>, _db: TenantConn) -> Result<Json<Vec<Ware>>> {
    Ok(Json(Vec::new()))
}

#[tenant_handler(post, "/wares", status = 201, tag = "goods")]
async fn create(_db: TenantConn, _: Json<NewWare>) -> Result<(StatusCode, Json<Ware>)> {
    Err(Error::NotFound)
}

#[tenant_handler(patch, "/wares/{id}/{at}")]
async fn change(
    Path(_): Path<(Uuid, i32)>,
    _db: TenantConn,
    _: Json<WareChanges>,
) -> Result<(StatusCode, Json<Ware>)> {
    Err(Error::NotFound)
}

#[tenant_handler(put, "/opaque")]
async fn opaque(_tenant: Tenant, Json(same): Json<Opaque>) -> Result<Json<Opaque>> {
    Ok(Json(same))
}

#[tenant_handler(get, "/refuses")]
async fn refuses() -> Result<Json<u64>, (StatusCode, String)> {
    Ok(Json(1))
}

#[tenant_handler(get, "/page", tenant = "optional")]
async fn page(_: Option<Tenant>) -> Html<&'static str> {
    Html("<p>")
}

#[tenant_handler(get, "/anything", tenant = "none")]
async fn anything() -> impl IntoResponse {
    "anything"
}

#[tenant_handler(get, "/away", tenant = "none")]
async fn away() -> Redirect {
    Redirect::to("/page")
}

fn app() -> App {
    App::new("warehouse", "2.1.0")
        .isolation(Isolation::single(Strategy::Rls))
        .membership(tenancy::admit::Gateway)
        .model::<Ware>()
        .route::<list>()
        .route::<create>()
        .route::<change>()
        .route::<opaque>()
        .route::<refuses>()
        .route::<page>()
        .route::<anything>()
        .route::<away>()
        .seed("acme-corp")
}

#[test]
fn handlers_say_what_they_take_and_answer() {
    let document = described(&app(), &[]);
    assert_eq!(
        document["info"],
        json!({"title": "warehouse", "version": "2.1.0"})
    );

    let list = operation(&document, "get", "/wares");
    assert_eq!(list["operationId"], "openapi_document_list");
    assert_eq!(list["tags"], json!(["document"]));
    assert_eq!(list["summary"], "Says what there is");
    let said = list["description"].as_str().expect("a description");
    assert!(said.starts_with("All of it,\nin *Markdown*."), "{said}");
    assert!(
        said.contains("For tenants with the feature `exports`."),
        "{said}"
    );
    assert!(
        said.contains("5 per minute") || said.contains("5/min"),
        "{said}"
    );
    let expected = [
        "200", "400", "403", "404", "409", "422", "429", "503", "default",
    ];
    assert_eq!(statuses(list), expected);
    let forbidden = &list["responses"]["403"]["description"];
    let codes = "Forbidden: `feature_unavailable` or `not_a_member` or `tenant_inactive`";
    assert_eq!(forbidden, codes);
    let items = &list["responses"]["200"]["content"]["application/json"]["schema"]["items"];
    assert_eq!(items["$ref"], "#/components/schemas/Ware");
    let limited = &list["responses"]["429"]["headers"]["Retry-After"];
    assert_eq!(limited["required"], true);

    let parameters = list["parameters"].as_array().expect("parameters");
    let named = |name: &str| {
        let found = parameters.iter().find(|one| one["name"] == name);
        found.unwrap_or_else(|| panic!("{name} in {parameters:#?}"))
    };
    let limit = named("limit");
    assert_eq!(
        (&limit["in"], &limit["required"]),
        (&json!("query"), &Value::Null)
    );
    assert_eq!(limit["description"], "How many.");
    assert_eq!(limit["schema"]["type"], "integer");
    assert_eq!(named("after")["required"], true);
    let tenant = named("x-tenant-id");
    assert_eq!(
        (&tenant["in"], &tenant["required"]),
        (&json!("header"), &json!(true))
    );
    assert_eq!(tenant["example"], "acme-corp");
}

#[test]
fn a_status_is_claimed_where_it_is_known() {
    let document = described(&app(), &[]);
    let create = operation(&document, "post", "/wares");
    assert_eq!(create["tags"], json!(["goods"]));
    let expected = [
        "201", "400", "403", "404", "409", "413", "415", "422", "503", "default",
    ];
    assert_eq!(statuses(create), expected);
    let other = &create["responses"]["default"]["content"];
    assert!(other["application/problem+json"].is_object(), "{other}");

    // Whoever picks the status may pick any, and answer it in any way.
    let change = operation(&document, "patch", "/wares/{id}/{at}");
    assert!(statuses(change).contains(&"2XX"), "{change:#}");
    assert_eq!(change["responses"]["default"]["content"], Value::Null);
    assert!(change["responses"]["404"]["content"]["*/*"].is_object());
    let kinds: Vec<_> = change["parameters"]
        .as_array()
        .expect("parameters")
        .iter()
        .filter(|one| one["in"] == "path")
        .map(|one| (one["name"].as_str(), one["schema"]["format"].as_str()))
        .collect();
    assert_eq!(
        kinds,
        [(Some("id"), Some("uuid")), (Some("at"), Some("int32"))]
    );
}

#[test]
fn what_is_not_known_is_not_claimed() {
    let document = described(&app(), &[]);
    let opaque = operation(&document, "put", "/opaque");
    // It is JSON, and nobody says which.
    let any = json!({"application/json": {}});
    assert_eq!(opaque["requestBody"]["content"], any);
    assert_eq!(opaque["responses"]["200"]["content"], any);
    assert_eq!(opaque["responses"]["415"]["content"]["*/*"], Value::Null);

    // Its refusals are strings, which are no problems of ours.
    let refuses = operation(&document, "get", "/refuses");
    assert_eq!(refuses["responses"]["default"]["content"], Value::Null);
    let number = &refuses["responses"]["200"]["content"]["application/json"]["schema"];
    assert_eq!(number["type"], "integer");

    let anything = operation(&document, "get", "/anything");
    assert_eq!(statuses(anything), ["default"]);
    let away = operation(&document, "get", "/away");
    assert_eq!(statuses(away), ["3XX", "default"]);
    let page = operation(&document, "get", "/page");
    assert_eq!(
        page["responses"]["200"]["content"],
        json!({"text/html": {}})
    );
    assert_eq!(page["parameters"][0]["required"], Value::Null);
}

#[test]
fn models_and_their_input_are_what_serde_makes_of_them() {
    let document = described(&app(), &[]);
    let schemas = &document["components"]["schemas"];
    let fields = |name: &str| -> Vec<&str> {
        let fields = schemas[name]["properties"].as_object();
        let fields = fields.unwrap_or_else(|| panic!("{name} in {schemas:#}"));
        fields.keys().map(String::as_str).collect()
    };
    assert_eq!(
        fields("Ware"),
        ["code", "colour", "id", "longName", "since"]
    );
    assert_eq!(
        schemas["Ware"]["required"],
        json!(["id", "longName", "colour", "since", "code"])
    );
    assert_eq!(fields("NewWare"), ["code", "colour", "longName", "since"]);
    assert_eq!(schemas["NewWare"]["required"], json!(["longName", "code"]));
    assert_eq!(
        fields("WareChanges"),
        ["code", "colour", "longName", "since"]
    );
    assert_eq!(schemas["WareChanges"]["required"], Value::Null);
    let ware = &schemas["Ware"]["properties"];
    assert_eq!(ware["since"]["format"], "date-time");
    for free in ["colour", "code"] {
        assert_eq!(ware[free]["type"], Value::Null, "{free}");
    }
    assert_eq!(schemas["NewWare"]["properties"]["code"]["type"], "string");
}

#[test]
fn no_tenant_is_named() {
    let app = || {
        App::new("wares", "1.0.0")
            .seed("secret-customer")
            .route::<list>()
    };
    for vars in [
        &[][..],
        &[
            ("TENANCY_RESOLUTION_STRATEGY", "subdomain"),
            ("TENANCY_DOMAIN_SUFFIX", ".myapp.com"),
        ],
    ] {
        let document = described(&app(), vars).to_string();
        assert!(!document.contains("secret-customer"), "{document}");
        assert!(document.contains("acme-corp"), "{document}");
    }
}

#[test]
fn what_names_the_tenant_is_described_as_it_is_configured() {
    let jwt = || JwtResolver::new().any_audience().any_issuer();
    let key = (
        "TENANCY_JWT_SECRET",
        "a secret that is as long as it has to be",
    );
    let document = described(&app().resolver(jwt()), &[key]);
    let list = operation(&document, "get", "/wares");
    assert_eq!(list["security"], json!([{"token": []}]));
    assert_eq!(
        document["components"]["securitySchemes"]["token"]["scheme"],
        "bearer"
    );
    assert!(list["responses"]["401"]["headers"]["WWW-Authenticate"].is_object());
    let page = operation(&document, "get", "/page");
    assert_eq!(page["security"], json!([{"token": []}, {}]));

    let either = app().resolver(jwt()).resolver(HeaderResolver::default());
    let document = described(&either, &[key]);
    let list = operation(&document, "get", "/wares");
    assert_eq!(list["security"], json!([{"token": []}, {}]));

    let document = described(&app().resolver(PathResolver::default()), &[]);
    let list = operation(&document, "get", "/t/{tenant}/wares");
    assert_eq!(list["parameters"][0]["name"], "tenant");
    operation(&document, "get", "/anything");

    let document = described(&app().resolver(SubdomainResolver::new(".myapp.com")), &[]);
    let list = operation(&document, "get", "/wares");
    assert_eq!(list["servers"][0]["url"], "//{tenant}.myapp.com");
    assert_eq!(
        list["servers"][0]["variables"]["tenant"]["default"],
        "acme-corp"
    );
    assert_eq!(
        operation(&document, "get", "/anything")["servers"],
        Value::Null
    );
}

#[tokio::test]
async fn others_take_it_for_an_openapi_document() {
    let place = Workplace::new();
    let extra = RouteDescriptions::new().route(Verb::Get, "/health/{{x}}/{*rest}", |operation| {
        operation.name("health").answer::<&'static str>();
    });
    let ways: [fn(App) -> App; 3] = [
        |app| app.resolver(HeaderResolver::default()),
        |app| app.resolver(PathResolver::default()),
        |app| app.resolver(SubdomainResolver::new(".myapp.com")),
    ];
    let mut document = Value::Null;
    for way in ways {
        let extra = RouteDescriptions::new().route(Verb::Get, "/health/{*rest}", |operation| {
            operation.name("health").answer::<&'static str>();
        });
        let app = way(app())
            .openapi(
                OpenApi::public()
                    .description("All of it.")
                    .bearer("Who is asking."),
            )
            .describe(TenantUse::None, extra);
        document = described(&app, &[]);
        operation(&document, "get", "/health/{rest}");
        let (valid, said) = is_valid(&document, &place).await;
        assert!(valid, "{said}");
    }
    let braces = described(&app().describe(TenantUse::None, extra), &[]);
    operation(&braces, "get", "/health/%7Bx%7D/{rest}");

    // The twin: one that lacks what it must have is refused.
    document["paths"]["/wares"]["get"]["responses"]["200"]["description"] = Value::Null;
    let (valid, said) = is_valid(&document, &place).await;
    assert!(!valid, "{said}");
}

#[tenant_handler(get, "/fixed", status = 201)]
async fn fixed() -> Json<u8> {
    Json(1)
}

#[tokio::test]
async fn what_cannot_be_is_said_at_the_start() {
    let twice = RouteDescriptions::new().route(Verb::Get, "/fixed", |operation| {
        operation.name("twice");
    });
    let app = App::new("wrong", "1.0.0")
        .membership(tenancy::admit::Gateway)
        .route::<fixed>()
        .describe(TenantUse::None, twice)
        .openapi(OpenApi::public().at("docs", "/openapi.json"));
    let config = tenancy::config::Config::from_vars(app.defaults(), []).expect("nothing set");
    let error = app.start(config).await.map(|_| ()).expect_err("mistakes");
    let said = error.to_string();
    for part in [
        "the description of `GET /fixed`: says `status = 201`, and its answer is always 200",
        "the description of `GET /fixed`: is there twice",
        "the path `docs` of the OpenAPI description",
    ] {
        assert!(said.contains(part), "`{part}` is not in {said}");
    }
}
