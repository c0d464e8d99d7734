//! What a new shop begins with. Whoever registers it does not wait for that.

use tenancy::prelude::*;

/// A page of a shop that says something.
#[tenant_model]
pub struct Page {
    /// Where it is found.
    #[column(primary_key)]
    pub path: String,
    /// What it says.
    pub text: String,
}

/// Writes the pages that every shop has, as a job of the new shop's.
pub(super) async fn welcome(db: TenantDb) -> Result<()> {
    let name = db.tenant().name().to_owned();
    let pages = [
        ("about", format!("{name} sells over the internet.")),
        ("terms", "What is bought is paid for.".to_owned()),
    ];
    let pages = pages.map(|(path, text)| NewPage {
        path: path.to_owned(),
        text,
    });
    let mut conn = db.conn().await?;
    diesel::insert_into(pages::table)
        .values(pages.to_vec())
        // Done again, it changes nothing.
        .on_conflict_do_nothing()
        .execute(&mut conn)
        .await?;
    Ok(())
}

/// The pages of a shop.
#[tenant_handler(get, "/pages")]
pub(super) async fn list_pages(mut db: TenantConn) -> Result<Json<Vec<Page>>> {
    Ok(Json(Page::query().order(pages::path).load(&mut db).await?))
}
