//! The steps of a tenant's life that change its entry and nothing else. Each is
//! taken with the entry locked, so that of two at once the second sees what the
//! first has done.

use super::Provisioner;
use crate::db::Transaction;
use crate::error::{Error, Result};
use crate::tenant::{Slug, TenantRecord};

impl Provisioner {
    /// Keeps a tenant out; its data stays. One that is suspended already stays
    /// so.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is no such tenant, [`Error::Conflict`] when
    /// it is neither active nor suspended.
    pub async fn suspend(&self, slug: &Slug) -> Result<TenantRecord> {
        self.change(slug, TenantRecord::suspend).await
    }

    /// Lets a suspended tenant in again.
    ///
    /// # Errors
    ///
    /// Those of [`suspend`](Self::suspend).
    pub async fn activate(&self, slug: &Slug) -> Result<TenantRecord> {
        self.change(slug, TenantRecord::activate).await
    }

    /// Suspends many tenants, each on its own: the result of every one, in their
    /// order.
    pub async fn suspend_all(&self, slugs: &[Slug]) -> Vec<(Slug, Result<TenantRecord>)> {
        self.change_all(slugs, TenantRecord::suspend).await
    }

    /// Activates many tenants, each on its own: the result of every one, in
    /// their order.
    pub async fn activate_all(&self, slugs: &[Slug]) -> Vec<(Slug, Result<TenantRecord>)> {
        self.change_all(slugs, TenantRecord::activate).await
    }

    /// Keeps a tenant out until it is restored or destroyed. Its data stays, and
    /// nobody else gets its slug.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is no such tenant, [`Error::Conflict`] when
    /// it is on its way in or out.
    pub async fn delete(&self, slug: &Slug) -> Result<TenantRecord> {
        self.change(slug, TenantRecord::delete).await
    }

    /// Makes a deleted tenant what it was before: active, or suspended.
    ///
    /// # Errors
    ///
    /// Those of [`delete`](Self::delete).
    pub async fn restore(&self, slug: &Slug) -> Result<TenantRecord> {
        self.change(slug, TenantRecord::restore).await
    }

    /// Gives a tenant another slug. No data moves, and the old slug is free.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is no such tenant, [`Error::Conflict`] when
    /// the new slug is taken or the tenant is on its way in or out.
    pub async fn rename(&self, slug: &Slug, to: &Slug) -> Result<TenantRecord> {
        self.change(slug, |record| record.rename(to)).await
    }

    /// Takes one step with the entry locked.
    pub(super) async fn change(
        &self,
        slug: &Slug,
        step: impl FnOnce(&mut TenantRecord) -> Result<()>,
    ) -> Result<TenantRecord> {
        let _alone = match &self.data {
            Some(_) => None,
            None => Some(self.alone.lock().await),
        };
        let mut transaction = self.transaction().await?;
        let locked = self.registry.lock(slug, transaction.as_mut()).await;
        let changed = match locked {
            Ok(Some(record)) if !self.is_for(record.id) => Err(Error::NotFound),
            Ok(Some(mut record)) => match step(&mut record) {
                Ok(()) => {
                    let saved = self.store(&record, transaction.as_mut()).await;
                    saved.map(|()| record)
                }
                Err(error) => Err(error),
            },
            Ok(None) => Err(Error::NotFound),
            Err(error) => Err(error),
        };
        let changed = match (transaction, changed) {
            (Some(transaction), Ok(record)) => {
                transaction.commit().await?;
                Ok(record)
            }
            (Some(transaction), Err(error)) => {
                transaction.rollback().await?;
                Err(error)
            }
            (None, changed) => changed,
        };
        if let Ok(record) = &changed {
            // By either name, if it was renamed.
            self.changed(slug).await;
            self.changed(&record.slug).await;
        }
        changed
    }

    async fn change_all(
        &self,
        slugs: &[Slug],
        step: fn(&mut TenantRecord) -> Result<()>,
    ) -> Vec<(Slug, Result<TenantRecord>)> {
        let mut results = Vec::with_capacity(slugs.len());
        for slug in slugs {
            results.push((slug.clone(), self.change(slug, step).await));
        }
        results
    }

    /// A transaction of the owner, where there is a database.
    pub(super) async fn transaction(&self) -> Result<Option<Transaction>> {
        match &self.data {
            Some((_, tables)) => Ok(Some(tables.owner()?.begin().await?)),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::registry::MemoryRegistry;
    use crate::tenant::NewTenant;

    #[tokio::test]
    async fn who_gets_the_name_of_a_destroyed_tenant_is_not_changed_for_it() {
        let all = Provisioner::new(Arc::new(MemoryRegistry::new()), None);
        let new = || NewTenant::new("acme-corp").unwrap();
        let before = all.provision(new()).await.unwrap();
        let (slug, for_it) = (before.slug.clone(), all.only(before.id));
        for_it.delete(&slug).await.unwrap();
        let receipt = for_it.destroy(&slug).await.unwrap();
        let after = all.provision(new()).await.unwrap();
        for changed in [
            for_it.suspend(&slug).await,
            for_it.delete(&slug).await,
            for_it.rename(&slug, &"globex".parse().unwrap()).await,
        ] {
            assert!(matches!(changed, Err(Error::NotFound)), "{changed:?}");
        }
        // Destroyed again, it is what it was.
        assert_eq!(for_it.destroy(&slug).await.unwrap().id, receipt.id);
        let there = all.find(&slug).await.unwrap().unwrap();
        assert_eq!((there.id, there.status), (after.id, after.status));
        // The twin: by its name alone it is whoever has it.
        assert_eq!(all.suspend(&slug).await.unwrap().id, after.id);
    }
}
