//! Tenants one by one and in pages: registered, listed, shown and changed.

use axum::http::StatusCode;

use super::desk::Admin;
use super::messages::{CreateTenant, ListQuery, TenantEntry, TenantList, page_size};
use super::{BULK_ACTIVATE, BULK_SUSPEND};
use crate::error::{Error, Result};
use crate::http::{Json, Path, Query};
use crate::problem::shown;
use crate::registry::{TenantFilter, TenantPage};
use crate::tenant::{NewTenant, Slug, TenantRecord, TenantUpdate};

/// Registers a tenant and makes its tables. Answers when all of it is there; a
/// second time the slug is taken (409).
pub(super) async fn create(
    admin: Admin,
    Json(new): Json<CreateTenant>,
) -> Result<(StatusCode, Json<TenantEntry>)> {
    let new = NewTenant::from(new);
    let slug = new.slug.clone();
    if [BULK_SUSPEND, BULK_ACTIVATE].contains(&slug.as_str()) {
        return Err(Error::InvalidInput(format!(
            "`{slug}` is the name of a route here: choose another identifier"
        )));
    }
    if let Some(wanted) = new.strategy {
        let possible = admin.provisioner().strategies();
        if !possible.contains(&wanted) {
            let possible: Vec<_> = possible.iter().map(|one| format!("`{one}`")).collect();
            return Err(Error::InvalidInput(format!(
                "`isolation_strategy` is `{wanted}`, and this application has {}",
                match possible.as_slice() {
                    [] => "no database".to_owned(),
                    possible => format!("only {}", possible.join(" and ")),
                }
            )));
        }
    }
    let provisioner = admin.provisioner().clone();
    let made = admin
        .registering(
            slug,
            Box::pin(async move { provisioner.provision(new).await }),
        )
        .await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}

/// Lists tenants in the order of their slugs, page by page.
pub(super) async fn list(
    admin: Admin,
    Query(query): Query<ListQuery>,
) -> Result<(StatusCode, Json<TenantList>)> {
    let limit = page_size(query.limit)?;
    let filter = filter(&admin, &query)?;
    let after = query.after.as_ref();
    let page = if filter.is_empty() {
        let more = admin.provisioner().list(after, limit + 1).await?;
        first(more, limit)
    } else {
        admin.provisioner().search(&filter, after, limit).await?
    };
    let tenants = page.tenants.into_iter().map(TenantEntry::from).collect();
    let next = page.next;
    Ok((StatusCode::OK, Json(TenantList { tenants, next })))
}

/// The page of which one more than it takes is here.
fn first(mut tenants: Vec<TenantRecord>, limit: u32) -> TenantPage {
    let more = tenants.len() > limit as usize;
    tenants.truncate(limit as usize);
    let last = tenants.last().filter(|_| more);
    TenantPage {
        next: last.map(|last| last.slug.clone()),
        tenants,
    }
}

fn filter(admin: &Admin, query: &ListQuery) -> Result<TenantFilter> {
    const LONGEST: usize = 100;
    let search = query.search.as_deref().map(str::trim);
    let search = search.filter(|search| !search.is_empty());
    if let Some(search) = search
        && (search.chars().count() > LONGEST || search.chars().any(char::is_control))
    {
        return Err(Error::InvalidInput(format!(
            "`search` has at most {LONGEST} characters, none of them a control character; got `{}`",
            shown(search)
        )));
    }
    let plans = admin.provisioner().catalog();
    if let (Some(plans), Some(plan)) = (plans, &query.plan) {
        plans.check_plan(plan)?;
    }
    let default = plans.map(|plans| plans.default_plan().name);
    Ok(TenantFilter {
        search: search.map(str::to_owned),
        status: query.status,
        or_no_plan: query.plan.is_some() && query.plan.as_deref() == default,
        plan: query.plan.clone(),
    })
}

/// Shows a tenant.
pub(super) async fn show(
    admin: Admin,
    Path(slug): Path<Slug>,
) -> Result<(StatusCode, Json<TenantEntry>)> {
    let tenant = admin.tenant(&slug).await?;
    Ok((StatusCode::OK, Json(tenant.into())))
}

/// Changes a tenant's name, plan, metadata or what it is granted and refused.
pub(super) async fn update(
    admin: Admin,
    Path(slug): Path<Slug>,
    Json(update): Json<TenantUpdate>,
) -> Result<(StatusCode, Json<TenantEntry>)> {
    update.check()?;
    let changed = admin
        .on_tenant("update", slug, async move |provisioner, tenant| {
            provisioner.update(&tenant.slug, update).await
        })
        .await?;
    Ok((StatusCode::OK, Json(changed.into())))
}
