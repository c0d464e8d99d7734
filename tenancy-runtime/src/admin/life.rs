//! The steps of tenants' lives, one by one and for many at once.

use std::collections::HashMap;

use axum::http::StatusCode;

use super::desk::Admin;
use super::messages::{BulkOutcome, BulkResult, DestroyTenant, TenantEntry};
use crate::error::{Error, Result};
use crate::http::{Json, Path};
use crate::provision::Provisioner;
use crate::tenant::{Receipt, Slug, TenantRecord, TenantStatus};

/// The most tenants that one request is about. They are seen to one after the other.
const MOST_AT_ONCE: usize = 500;

/// Keeps a tenant out; its data stays.
pub(super) async fn suspend(
    admin: Admin,
    Path(slug): Path<Slug>,
) -> Result<(StatusCode, Json<TenantEntry>)> {
    step(admin, slug, Step::Suspend).await
}

/// Lets a suspended tenant in again.
pub(super) async fn activate(
    admin: Admin,
    Path(slug): Path<Slug>,
) -> Result<(StatusCode, Json<TenantEntry>)> {
    step(admin, slug, Step::Activate).await
}

/// Keeps a tenant out until it is restored or destroyed; its data and its slug stay.
pub(super) async fn delete(
    admin: Admin,
    Path(slug): Path<Slug>,
) -> Result<(StatusCode, Json<TenantEntry>)> {
    step(admin, slug, Step::Delete).await
}

/// Makes a deleted tenant what it was before: active, or suspended.
pub(super) async fn restore(
    admin: Admin,
    Path(slug): Path<Slug>,
) -> Result<(StatusCode, Json<TenantEntry>)> {
    step(admin, slug, Step::Restore).await
}

/// Removes all data of a deleted tenant for good and frees its slug. The slug is sent
/// once more, as nobody does by mistake.
pub(super) async fn destroy(
    admin: Admin,
    Path(slug): Path<Slug>,
    Json(confirmation): Json<DestroyTenant>,
) -> Result<(StatusCode, Json<Receipt>)> {
    if confirmation.confirm != slug {
        return Err(Error::InvalidInput(format!(
            "`confirm` names another tenant: send {{\"confirm\": \"{slug}\"}} to remove the data \
             of `{slug}` for good"
        )));
    }
    let receipt = admin
        .on_tenant("destroy", slug, async move |provisioner, tenant| {
            provisioner.destroy(&tenant.slug).await
        })
        .await?;
    Ok((StatusCode::OK, Json(receipt)))
}

/// Keeps many tenants out; what becomes of one is nothing to the others.
pub(super) async fn bulk_suspend(
    admin: Admin,
    Json(slugs): Json<Vec<String>>,
) -> Result<(StatusCode, Json<BulkOutcome>)> {
    bulk(admin, slugs, Step::Suspend).await
}

/// Lets many suspended tenants in again.
pub(super) async fn bulk_activate(
    admin: Admin,
    Json(slugs): Json<Vec<String>>,
) -> Result<(StatusCode, Json<BulkOutcome>)> {
    bulk(admin, slugs, Step::Activate).await
}

#[derive(Clone, Copy)]
enum Step {
    Suspend,
    Activate,
    Delete,
    Restore,
}

impl Step {
    fn verb(self) -> &'static str {
        match self {
            Self::Suspend => "suspend",
            Self::Activate => "activate",
            Self::Delete => "delete",
            Self::Restore => "restore",
        }
    }

    async fn take(self, provisioner: &Provisioner, slug: &Slug) -> Result<TenantRecord> {
        match self {
            Self::Suspend => provisioner.suspend(slug).await,
            Self::Activate => provisioner.activate(slug).await,
            Self::Delete => provisioner.delete(slug).await,
            Self::Restore => provisioner.restore(slug).await,
        }
    }
}

async fn step(admin: Admin, slug: Slug, step: Step) -> Result<(StatusCode, Json<TenantEntry>)> {
    Ok((StatusCode::OK, Json(taken(admin, slug, step).await?.into())))
}

async fn taken(admin: Admin, slug: Slug, step: Step) -> Result<TenantRecord> {
    admin
        .on_tenant(step.verb(), slug, async move |provisioner, tenant| {
            step.take(&provisioner, &tenant.slug).await
        })
        .await
}

/// Takes a step with each tenant that is named, once; one that is named again has the
/// same outcome again.
async fn bulk(
    admin: Admin,
    slugs: Vec<String>,
    step: Step,
) -> Result<(StatusCode, Json<BulkOutcome>)> {
    if slugs.is_empty() || slugs.len() > MOST_AT_ONCE {
        return Err(Error::InvalidInput(format!(
            "send 1 to {MOST_AT_ONCE} identifiers at once; got {}",
            slugs.len()
        )));
    }
    admin.can_change()?;
    let works = admin.desk.works.clone();
    let outcome = works.detached(Box::pin(async move {
        let mut known: HashMap<String, BulkResult> = HashMap::new();
        let mut results = Vec::with_capacity(slugs.len());
        for slug in slugs {
            if !known.contains_key(&slug) {
                let outcome = one_of_many(&admin, &slug, step).await;
                known.insert(slug.clone(), result(slug.clone(), &outcome));
            }
            results.extend(known.get(&slug).cloned());
        }
        let failed = results.iter().filter(|one| one.code.is_some()).count();
        Ok(BulkOutcome {
            succeeded: results.len() - failed,
            failed,
            results,
        })
    }));
    Ok((StatusCode::OK, Json(outcome.await?)))
}

async fn one_of_many(admin: &Admin, slug: &str, step: Step) -> Result<TenantStatus> {
    Ok(taken(admin.clone(), slug.parse()?, step).await?.status)
}

fn result(identifier: String, outcome: &Result<TenantStatus>) -> BulkResult {
    let detail = match outcome {
        Err(Error::NotFound) => Some(format!("there is no tenant `{identifier}`")),
        Err(error) => {
            error.log();
            error.detail()
        }
        Ok(_) => None,
    };
    BulkResult {
        identifier,
        status: outcome.as_ref().ok().copied(),
        code: outcome.as_ref().err().map(Error::code),
        detail,
    }
}
