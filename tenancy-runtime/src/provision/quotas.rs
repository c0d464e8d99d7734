//! The limits of tenants, in the place where their rows are counted.
//!
//! A plan is stored with the registry and its limits are declared in the program,
//! while the rows are counted in the tenant's place, where neither is to be seen.
//! So the limit is written there when a tenant is registered and when its plan
//! changes, and for all tenants whenever tables are brought up to date.

use diesel_async::SimpleAsyncConnection as _;

use super::{Provisioner, Tables, detached, patiently};
use crate::db::Transaction;
use crate::error::{Error, Result};
use crate::model::{Layout, ModelDef};
use crate::plan::{Catalog, PlanDef};
use crate::tenant::{Locator, Slug, TenantRecord, TenantStatus};

impl Provisioner {
    /// The declared plans and the tables with quotas, if there are any.
    fn quotas(&self) -> Option<(&Catalog, &Tables, Vec<&'static ModelDef>)> {
        let (_, tables) = self.data.as_ref()?;
        let counted = tables.counted();
        (!counted.is_empty()).then_some((self.plans.as_deref()?, tables, counted))
    }

    /// Whether anything is counted for tenants.
    pub(crate) fn counts(&self) -> bool {
        self.quotas().is_some()
    }

    /// Gives a tenant its limits in the transaction that makes it, where its tables
    /// are in the same database.
    pub(super) async fn limit_new(
        &self,
        transaction: &mut Transaction,
        record: &TenantRecord,
    ) -> Result<()> {
        let Some((plans, tables, counted)) = self.quotas() else {
            return Ok(());
        };
        let plan = plans.plan_of(record)?.definition;
        let sql = match &record.locator {
            // Nobody has rows yet, and the others are not held up.
            Some(Locator::Shared(_)) => tables.new_limits(record.id, plan),
            Some(Locator::Schema(own)) => {
                let (layout, _) = tables.in_own_schema(own);
                limits(&counted, layout, &[(record, plan)], true)
            }
            Some(Locator::Database(address, own)) => {
                let (layout, _) = tables.in_own_schema(own);
                let sql = limits(&counted, layout, &[(record, plan)], true);
                let there = tables.at(address).await?.databases()?.open(address)?;
                let limited = async {
                    let mut there = there.begin().await?;
                    there.conn().batch_execute(&sql).await?;
                    there.commit().await
                };
                return patiently(address, limited).await;
            }
            None => return Ok(()),
        };
        transaction.conn().batch_execute(&sql).await?;
        Ok(())
    }

    /// Gives a tenant the limits of the plan that it is on by now. Goes on when the
    /// caller is gone.
    pub(crate) async fn limit_again(&self, slug: &Slug) -> Result<()> {
        if self.quotas().is_none() {
            return Ok(());
        }
        let (this, slug) = (self.clone(), slug.clone());
        detached(async move {
            let Some(mut transaction) = this.transaction().await? else {
                return Ok(());
            };
            // Locked, so that of two changes the limits of the second stay.
            let locked = this.registry.lock(&slug, Some(&mut transaction)).await?;
            let record = locked.ok_or(Error::NotFound)?;
            match &record.locator {
                Some(Locator::Shared(_)) => {
                    this.limit_shared(&mut transaction, &[record], false)
                        .await?;
                }
                _ => this.limit_new(&mut transaction, &record).await?,
            }
            transaction.commit().await
        })
        .await
    }

    async fn limit_shared(
        &self,
        transaction: &mut Transaction,
        tenants: &[TenantRecord],
        all: bool,
    ) -> Result<()> {
        let Some((plans, tables, counted)) = self.quotas() else {
            return Ok(());
        };
        // Who is on a plan that is none is not served, and named elsewhere.
        let on = tenants.iter().filter_map(|tenant| {
            let plan = plans.plan_of(tenant).ok()?;
            Some((tenant, plan.definition))
        });
        let (layout, _) = tables.in_shared_schema(true);
        let sql = limits(&counted, layout, &on.collect::<Vec<_>>(), all);
        transaction.conn().batch_execute(&sql).await?;
        Ok(())
    }

    /// Gives every tenant, or one of them, the limits of its plan as they are declared
    /// now, and has counted what was not: in the application's own database.
    pub(crate) async fn limit_all(&self, only: Option<&Slug>, shared: bool) -> Result<()> {
        if self.quotas().is_none() {
            return Ok(());
        }
        let all = self.all().await?;
        let settled = |tenant: &TenantRecord| {
            let elsewhere = matches!(tenant.locator, Some(Locator::Database(..)));
            let passing = matches!(
                tenant.status,
                TenantStatus::Provisioning | TenantStatus::Destroying
            );
            !elsewhere && !passing && only.is_none_or(|only| *only == tenant.slug)
        };
        let all = all.into_iter().filter(settled);
        let (in_shared, own): (Vec<_>, Vec<_>) =
            all.partition(|tenant| matches!(tenant.locator, Some(Locator::Shared(_))));
        if shared && let Some(mut transaction) = self.transaction().await? {
            self.limit_shared(&mut transaction, &in_shared, only.is_none())
                .await?;
            transaction.commit().await?;
        }
        for tenant in own {
            self.limit_again(&tenant.slug).await?;
        }
        Ok(())
    }
}

fn limits(
    counted: &[&'static ModelDef],
    layout: Layout<'_>,
    tenants: &[(&TenantRecord, &PlanDef)],
    all: bool,
) -> String {
    let statements = counted.iter().map(|model| {
        let limits = tenants.iter().map(|(tenant, plan)| {
            let most = model.quota.and_then(|quota| plan.limit(quota)?.most());
            (tenant.id.as_uuid(), most)
        });
        model.limit(layout, &limits.collect::<Vec<_>>(), all)
    });
    statements.collect::<Vec<_>>().join(";\n")
}
