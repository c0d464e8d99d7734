//! Tenants that log in to their databases by logins of their own
//! ([`TenantLogins`]). Which database it is does not change with them: where a
//! tenant lives is settled when it is provisioned.

use super::probe::{self, LedTo};
use super::{Provisioner, Tables, detached, patiently};
use crate::db::{TenantLogins, Transaction};
use crate::error::{Error, Result};
use crate::isolation::Strategy;
use crate::tenant::{
    DatabaseAddress, Locator, NewTenant, OwnLogins, SchemaName, Slug, TenantId, TenantRecord,
    TenantStatus,
};

impl Provisioner {
    /// Registers a tenant with a database of its own, on the server that `logins` lead
    /// to and by their roles, instead of the deployment's. The logins are kept
    /// encrypted with the tenant.
    ///
    /// Like [`provision`](Self::provision) it goes on when the caller is gone, and
    /// nothing stays of a tenant that could not be made or whose database is not as
    /// [`verify`](super::verify) demands.
    ///
    /// ```no_run
    /// use tenancy_runtime::app::Tenancy;
    /// use tenancy_runtime::db::TenantLogins;
    /// use tenancy_runtime::error::Result;
    /// use tenancy_runtime::tenant::NewTenant;
    ///
    /// async fn in_the_eu(tenancy: &Tenancy) -> Result<()> {
    ///     let logins = TenantLogins::new(
    ///         &"postgres://acme_app:s3cret@eu-1.example.com/{database_name}?sslmode=require".into(),
    ///         &"postgres://acme_owner:s3cret@eu-1.example.com/{database_name}?sslmode=require".into(),
    ///     )?;
    ///     let acme = NewTenant::new("acme-corp")?;
    ///     tenancy.provisioner().provision_with_logins(acme, logins).await?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`provision`](Self::provision), [`Error::InvalidInput`] where the
    /// tenant shall be kept apart in another way than by a database,
    /// [`Error::Unavailable`] where the server does not take the logins, and
    /// [`Error::CannotStart`] where the application's role may do more than it should,
    /// or without `TENANCY_ENCRYPTION_KEY`.
    pub async fn provision_with_logins(
        &self,
        new: NewTenant,
        logins: TenantLogins,
    ) -> Result<TenantRecord> {
        self.register(new, Some(logins)).await
    }

    pub(super) async fn provision_by(
        &self,
        tables: &Tables,
        id: TenantId,
        new: NewTenant,
        logins: TenantLogins,
    ) -> Result<TenantRecord> {
        if new
            .strategy
            .is_some_and(|strategy| strategy != Strategy::Database)
        {
            return Err(Error::InvalidInput(
                "logins of its own are for a tenant with a database of its own".to_owned(),
            ));
        }
        tables.databases()?.pools().own_logins()?;
        let by = tables.by(logins.clone())?;
        let databases = by.databases()?;
        let Locator::Database(address, schema) = databases.place_for(id)? else {
            return Err(Error::internal("a login leads to a database"));
        };
        databases.reach_by_own(&address, true).await?;
        stay_apart(tables, &by, &address).await?;
        let own = OwnLogins {
            tenant: id,
            version: 1,
        };
        let locator = Locator::Database(address.with_own_logins(own), schema);
        let record = self.entry(id, new, Some(locator))?;
        self.provision_database(record, Some(logins)).await
    }

    /// Has a tenant log in by other logins of its own: with a new password, or for the
    /// application as another role, which has been granted everything before; the role
    /// of before is let in no more. They are tried first.
    ///
    /// Requests connect by them as soon as their process hears of it. Who holds a handle
    /// of before, in a job or a WebSocket, follows them, or else goes on with the
    /// connections that are open, and with the new logins after a failure.
    ///
    /// A tenant that is half-made or half-destroyed gets a login of its owner's by which
    /// that is finished.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is no such tenant, [`Error::InvalidInput`] when it
    /// was provisioned without logins of its own or these lead to another database,
    /// [`Error::PlaceTaken`] where the database belongs to another owner,
    /// [`Error::Unavailable`] where the server does not take them, and
    /// [`Error::CannotStart`] where its database is not as it must be for these roles.
    pub async fn set_logins(&self, slug: &Slug, logins: TenantLogins) -> Result<TenantRecord> {
        let (this, slug) = (self.clone(), slug.clone());
        detached(async move { this.change_logins(&slug, &logins).await }).await
    }

    async fn change_logins(&self, slug: &Slug, logins: &TenantLogins) -> Result<TenantRecord> {
        let there = self.registry.find(slug).await?.ok_or(Error::NotFound)?;
        let (address, schema) = own_database(&there)?;
        let leads_there = match logins.app.place_for(there.id) {
            Some(Locator::Database(place, _)) => place == address.place(),
            _ => false,
        };
        if !leads_there {
            return Err(Error::InvalidInput(format!(
                "the database of `{slug}` is {address}, where it stays, and the login of the \
                 application's role leads to another one"
            )));
        }
        let Some((_, tables)) = &self.data else {
            return Err(Error::internal("a tenant with a database has no tables"));
        };
        let by = tables.by(logins.clone())?;
        patiently(address, try_logins(tables, &by, &there, (address, schema))).await?;
        // Unless it cannot be read, which may be why there are others.
        let before = tables.at(address).await.ok();
        let mut transaction = tables.owner()?.begin().await?;
        let locked = self.registry.lock(slug, Some(&mut transaction)).await?;
        let locked = locked.filter(|locked| locked.id == there.id && self.is_for(locked.id));
        let Some(mut record) = locked else {
            transaction.rollback().await?;
            return Err(Error::NotFound);
        };
        let (address, schema) = own_database(&record)?;
        let own = address.own_logins().map(OwnLogins::next);
        let own = own.ok_or_else(|| Error::internal("its logins are not its own"))?;
        let locator = Locator::Database(address.clone().with_own_logins(own), schema.clone());
        let address = address.clone();
        record.locator = Some(locator);
        self.keep_logins(record.id, logins, &mut transaction)
            .await?;
        self.store(&record, Some(&mut transaction)).await?;
        transaction.commit().await?;
        self.changed(slug).await;
        tracing::info!(tenant = %slug, "has other logins to its database");
        if let Some(before) = before.filter(|before| before.app_role() != by.app_role()) {
            let dismissed = async {
                let role = before.app_role();
                by.databases()?.dismiss(&address, role).await?;
                before.databases()?.end_sessions(&address).await
            };
            if let Err(error) = patiently(&address, dismissed).await {
                let role = before.app_role();
                tracing::warn!(tenant = %slug, role, %error, "may still be let in");
            }
        }
        Ok(record)
    }

    /// Keeps a tenant's logins in the transaction that enters it.
    pub(super) async fn keep_logins(
        &self,
        tenant: TenantId,
        logins: &TenantLogins,
        transaction: &mut Transaction,
    ) -> Result<()> {
        let Some((_, tables)) = &self.data else {
            return Err(Error::internal("a tenant with a database has no tables"));
        };
        let kept = tables.databases()?.pools().own_logins()?;
        kept.keep(transaction, tenant, logins).await
    }
}

/// Fails where a tenant cannot be served by these logins; or where what is half done of
/// it cannot be finished by the owner's.
async fn try_logins(
    tables: &Tables,
    by: &Tables,
    tenant: &TenantRecord,
    (address, schema): (&DatabaseAddress, &SchemaName),
) -> Result<()> {
    let databases = by.databases()?;
    if let TenantStatus::Provisioning | TenantStatus::Destroying = tenant.status {
        return databases.reach_by_own(address, false).await;
    }
    databases.reach_by_own(address, true).await?;
    stay_apart(tables, by, address).await?;
    // Fails where the owner is another.
    databases.state(address).await?;
    databases.prove(address, schema).await
}

/// Refuses a tenant's own roles that are let into the application's own database, where
/// that is on the same server.
async fn stay_apart(tables: &Tables, by: &Tables, address: &DatabaseAddress) -> Result<()> {
    let (home, own) = (tables.owner()?, by.databases()?);
    if LedTo::by(home).await?.server != own.beside_it(address).await?.server {
        return Ok(());
    }
    match probe::let_in_at_home(home, &own.roles()).await? {
        apart if apart.is_empty() => Ok(()),
        problems => Err(Error::CannotStart(problems)),
    }
}

/// Where a tenant is that logs in there by logins of its own.
fn own_database(tenant: &TenantRecord) -> Result<(&DatabaseAddress, &SchemaName)> {
    match &tenant.locator {
        Some(Locator::Database(address, schema)) if address.own_logins().is_some() => {
            Ok((address, schema))
        }
        _ => Err(Error::InvalidInput(format!(
            "the tenant `{}` was provisioned without logins of its own, and shares those of the \
             deployment",
            tenant.slug
        ))),
    }
}
