//! What a tenant may use: its plan, and the features that it is granted or refused
//! whatever that says; and its metadata. In force in every process as any change of its entry is.

use chrono::{DateTime, Utc};

use super::Provisioner;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::problem::Problem;
use crate::tenant::{
    Metadata, Override, Slug, TenantRecord, TenantStatus, TenantUpdate, check_name,
};

impl Provisioner {
    /// Puts a tenant on another plan. Its data stays where it is, and so does what
    /// it was granted or refused. Where its quotas are smaller than what it has,
    /// that stays as well, and nothing is added until enough was removed. Can be
    /// repeated where it was interrupted.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use tenancy_runtime::provision::Provisioner;
    /// # use tenancy_runtime::registry::MemoryRegistry;
    /// # use tenancy_runtime::tenant::NewTenant;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> tenancy_runtime::error::Result<()> {
    /// # let provisioner = Provisioner::new(Arc::new(MemoryRegistry::new()), None);
    /// let acme = provisioner.provision(NewTenant::new("acme-corp")?).await?;
    /// let acme = provisioner.set_plan(&acme.slug, "pro").await?;
    /// assert_eq!(acme.plan.as_deref(), Some("pro"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::InvalidInput`] for a plan that is not declared, [`Error::NotFound`]
    /// when there is no such tenant, [`Error::Conflict`] when it is on its way in or
    /// out.
    pub async fn set_plan(&self, slug: &Slug, plan: &str) -> Result<TenantRecord> {
        check_name("plan", plan)?;
        if let Some(plans) = &self.plans {
            plans.check_plan(plan)?;
        }
        let change = |record: &mut TenantRecord| {
            record.plan = Some(plan.to_owned());
            Ok(())
        };
        let record = self.change_settled(slug, change).await?;
        self.limit_again(slug).await?;
        Ok(record)
    }

    /// Gives a tenant a feature that its plan may not have, until a time or for
    /// good.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use tenancy_runtime::provision::Provisioner;
    /// # use tenancy_runtime::registry::MemoryRegistry;
    /// # use tenancy_runtime::tenant::NewTenant;
    /// tenancy_runtime::features! { exports }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> tenancy_runtime::error::Result<()> {
    /// # let provisioner = Provisioner::new(Arc::new(MemoryRegistry::new()), None);
    /// let acme = provisioner.provision(NewTenant::new("acme-corp")?).await?;
    /// let acme = provisioner.grant(&acme.slug, features::exports, None).await?;
    /// assert!(acme.overrides["exports"].granted);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::InvalidInput`] for a feature that is not declared or a time that is
    /// over, and otherwise those of [`set_plan`](Self::set_plan).
    pub async fn grant(
        &self,
        slug: &Slug,
        feature: impl Into<String> + Send,
        until: Option<DateTime<Utc>>,
    ) -> Result<TenantRecord> {
        self.override_feature(slug, feature.into(), Override::new(true, until))
            .await
    }

    /// Takes from a tenant a feature that its plan may have, until a time or for
    /// good.
    ///
    /// # Errors
    ///
    /// Those of [`grant`](Self::grant).
    pub async fn revoke(
        &self,
        slug: &Slug,
        feature: impl Into<String> + Send,
        until: Option<DateTime<Utc>>,
    ) -> Result<TenantRecord> {
        self.override_feature(slug, feature.into(), Override::new(false, until))
            .await
    }

    /// Leaves a feature to a tenant's plan again: what was granted, refused or given
    /// when it was registered is undone. Also for one that is not declared any more.
    ///
    /// # Errors
    ///
    /// Those of [`set_plan`](Self::set_plan) but the first.
    pub async fn reset(
        &self,
        slug: &Slug,
        feature: impl Into<String> + Send,
    ) -> Result<TenantRecord> {
        let feature = feature.into();
        let change = |record: &mut TenantRecord| {
            record.overrides.remove(&feature);
            record.features.remove(&feature);
            Ok(())
        };
        self.change_settled(slug, change).await
    }

    /// Puts other metadata in the place of a tenant's: a JSON object. Where it has
    /// `{"$secret": null}`, the secret that is stored there stays.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use tenancy_runtime::provision::Provisioner;
    /// # use tenancy_runtime::registry::MemoryRegistry;
    /// # use tenancy_runtime::tenant::NewTenant;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> tenancy_runtime::error::Result<()> {
    /// # let provisioner = Provisioner::new(Arc::new(MemoryRegistry::new()), None);
    /// let acme = provisioner.provision(NewTenant::new("acme-corp")?).await?;
    /// let dark = serde_json::json!({"theme": "dark"});
    /// let acme = provisioner.set_metadata(&acme.slug, dark).await?;
    /// assert_eq!(acme.metadata["theme"], "dark");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::InvalidInput`] for what is none of the application's settings, and
    /// otherwise those of [`set_plan`](Self::set_plan).
    pub async fn set_metadata(
        &self,
        slug: &Slug,
        metadata: impl Into<Metadata> + Send,
    ) -> Result<TenantRecord> {
        let metadata = metadata.into();
        self.change_settled(slug, |record| {
            record.metadata = self.settings.sealed(record.id, &metadata, Some(record))?;
            Ok(())
        })
        .await
    }

    /// Changes several things of a tenant at once: all of them or none.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use tenancy_runtime::provision::Provisioner;
    /// # use tenancy_runtime::registry::MemoryRegistry;
    /// # use tenancy_runtime::tenant::{NewTenant, TenantUpdate};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> tenancy_runtime::error::Result<()> {
    /// # let provisioner = Provisioner::new(Arc::new(MemoryRegistry::new()), None);
    /// let acme = provisioner.provision(NewTenant::new("acme-corp")?).await?;
    /// let mut update = TenantUpdate::default();
    /// update.name = Some("Acme Corp".to_owned());
    /// update.plan = Some("pro".to_owned());
    /// let acme = provisioner.update(&acme.slug, update).await?;
    /// assert_eq!((&*acme.name, acme.plan.as_deref()), ("Acme Corp", Some("pro")));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::InvalidInput`] for what is not declared, is none of the application's
    /// settings or changes nothing, and otherwise those of
    /// [`set_plan`](Self::set_plan).
    pub async fn update(&self, slug: &Slug, update: TenantUpdate) -> Result<TenantRecord> {
        update.check()?;
        if let Some(plans) = &self.plans {
            update
                .plan
                .iter()
                .try_for_each(|plan| plans.check_plan(plan))?;
            let mut set = update.overrides.iter().filter(|(_, set)| set.is_some());
            set.try_for_each(|(feature, _)| plans.check_feature(feature))?;
        }
        let plan_changes = update.plan.is_some();
        let change = |record: &mut TenantRecord| {
            let mut update = update;
            if let Some(metadata) = &mut update.metadata {
                *metadata = self.settings.sealed(record.id, metadata, Some(record))?;
            }
            update.apply(record);
            Ok(())
        };
        let record = self.change_settled(slug, change).await?;
        if plan_changes {
            self.limit_again(slug).await?;
        }
        Ok(record)
    }

    /// Seals the secrets in a tenant's metadata with the first key, as far as they
    /// open; returns how many those were, and what is wrong with the others.
    #[cfg(feature = "encryption")]
    pub(crate) async fn reseal(
        &self,
        tenant: &TenantRecord,
    ) -> Result<(TenantRecord, u64, Vec<Problem>)> {
        let (mut count, mut problems) = (0, Vec::new());
        let change = |record: &mut TenantRecord| {
            (record.metadata, count, problems) = self.settings.resealed(record);
            Ok(())
        };
        let record = self.only(tenant.id).change(&tenant.slug, change).await?;
        Ok((record, count, problems))
    }

    /// What is stored of a tenant and is not as the application declares.
    pub(crate) fn problems(&self, tenant: &TenantRecord) -> Vec<Problem> {
        let plans = self.plans.iter();
        let names = plans.flat_map(|plans| plans.problems(tenant));
        names.chain(self.settings.problems(tenant)).collect()
    }

    async fn override_feature(
        &self,
        slug: &Slug,
        feature: String,
        exception: Override,
    ) -> Result<TenantRecord> {
        let overrides = [(feature, Some(exception))].into();
        let update = TenantUpdate {
            overrides,
            ..TenantUpdate::default()
        };
        self.update(slug, update).await
    }

    /// Changes a tenant that is on its way neither in nor out.
    async fn change_settled(
        &self,
        slug: &Slug,
        change: impl FnOnce(&mut TenantRecord) -> Result<()>,
    ) -> Result<TenantRecord> {
        self.change(slug, |record| match record.status {
            TenantStatus::Active | TenantStatus::Suspended | TenantStatus::Deleted => {
                change(record)
            }
            TenantStatus::Provisioning | TenantStatus::Destroying => Err(record.refuse("changed")),
        })
        .await
    }
}
