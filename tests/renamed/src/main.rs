//! An application that knows `tenancy` as `tenants`, with every macro and every
//! option of them: the names in what they write must lead there.

use tenants::prelude::*;

tenants::features! {
    /// The list of all titles.
    titles,
}

/// What all tenants read.
#[shared_model(table = "countries", unique(name, continent), index(continent))]
pub struct Country {
    /// Two letters.
    #[column(primary_key, sql_type = "varchar(2)")]
    pub code: String,
    /// In English.
    #[column(unique)]
    pub name: String,
    /// Where it lies.
    pub continent: String,
}

/// What books are by.
#[tenant_model]
pub struct Author {
    /// The key.
    pub id: Uuid,
    /// In full.
    pub name: String,
}

/// What a tenant has.
#[tenant_model(table = "library", unique(title, written), index(written, title))]
pub struct Book {
    /// The key.
    #[column(primary_key)]
    pub id: Uuid,
    /// On its back.
    #[column(unique, sql_type = "varchar(200)")]
    pub title: String,
    /// In which year.
    #[column(index, name = "year_written", default = "2026")]
    pub written: i32,
    /// By whom.
    #[column(references = Author)]
    pub author_id: Option<Uuid>,
    /// Who translated it.
    #[column(references = Author, no_join)]
    pub translator_id: Option<Uuid>,
}

#[tenant_handler(get, "/health", tenant = "none")]
async fn health() -> &'static str {
    "ok"
}

#[tenant_handler(get, "/whoami", tenant = "optional")]
async fn whoami(tenant: Option<Tenant>) -> Json<Option<String>> {
    Json(tenant.map(|tenant| tenant.slug().to_string()))
}

#[tenant_handler(post, "/books")]
async fn add(mut db: TenantConn, Json(new): Json<NewBook>) -> Result<(StatusCode, Json<Book>)> {
    Ok((StatusCode::CREATED, Json(new.insert(&mut db).await?)))
}

#[tenant_handler(patch, "/books/{id}")]
async fn change(
    Path(id): Path<Uuid>,
    mut db: TenantConn,
    Json(changes): Json<BookChanges>,
) -> Result<Json<Book>> {
    Ok(Json(changes.update(id, &mut db).await?))
}

#[tenant_handler(get, "/titles", feature = "titles")]
async fn titles(mut db: TenantConn) -> Result<Json<Vec<String>>> {
    let titles = library::table.select(library::title).order(library::title);
    Ok(Json(titles.load(&mut db).await?))
}

/// Does for so many seconds what nobody waits for.
#[tenant_handler(post, "/chores/{seconds}")]
async fn chore(Path(seconds): Path<u16>, db: TenantDb) -> Result<StatusCode> {
    db.spawn(async move |db: TenantDb| {
        let mut conn = db.conn().await?;
        let chore = diesel::sql_query("SELECT pg_sleep($1)");
        let seconds = f64::from(seconds);
        let chore = chore.bind::<diesel::sql_types::Double, _>(seconds);
        chore.execute(&mut conn).await?;
        println!("a chore is done");
        Ok(())
    })?;
    Ok(StatusCode::ACCEPTED)
}

#[tenants::app(
    isolation = "hybrid",
    premium = "schema",
    standard = "rls",
    premium_tenants("acme-corp"),
    premium_plans("enterprise"),
    resolver("header", "subdomain"),
    header = "X-Library",
    suffix = ".library.test",
    custom_domains,
    membership = "gateway",
    embedded = "temporary",
    models(Country, Author, crate::Book),
    routes(health, whoami, add, change, titles, chore),
    seed("globex")
)]
async fn main(app: App) -> Result<()> {
    app.seed_tenant(NewTenant::new("acme-corp")?.feature(features::titles.name()))
        .on_listen(|address| println!("curl http://{address}/whoami -H 'X-Library: acme-corp'"))
        .serve()
        .await
}
