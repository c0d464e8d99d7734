use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{TenantRegistry, full, taken};
use crate::db::Transaction;
use crate::error::{Error, Result};
use crate::tenant::{Receipt, Slug, TenantId, TenantRecord};

/// Tenants in memory: for applications without a database. They are gone when
/// the process ends.
#[derive(Debug, Default)]
pub struct MemoryRegistry {
    stored: Mutex<Stored>,
}

#[derive(Debug, Default)]
struct Stored {
    tenants: BTreeMap<Slug, TenantRecord>,
    receipts: BTreeMap<Slug, Receipt>,
}

impl Stored {
    fn slug_of(&self, id: TenantId) -> Result<Slug> {
        let mut all = self.tenants.values();
        let tenant = all.find(|tenant| tenant.id == id).ok_or(Error::NotFound)?;
        Ok(tenant.slug.clone())
    }
}

impl MemoryRegistry {
    /// No tenants yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn stored(&self) -> MutexGuard<'_, Stored> {
        // Nothing under the lock can leave it half changed.
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl TenantRegistry for MemoryRegistry {
    fn is_lasting(&self) -> bool {
        false
    }

    async fn find(&self, slug: &Slug) -> Result<Option<TenantRecord>> {
        Ok(self.stored().tenants.get(slug).cloned())
    }

    async fn list(&self, after: Option<&Slug>, limit: u32) -> Result<Vec<TenantRecord>> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let stored = self.stored();
        let page = stored.tenants.range::<Slug, _>((from, Bound::Unbounded));
        Ok(page
            .take(limit as usize)
            .map(|(_, tenant)| tenant.clone())
            .collect())
    }

    async fn insert(
        &self,
        tenant: &TenantRecord,
        max_tenants: Option<u32>,
        _: Option<&mut Transaction>,
    ) -> Result<()> {
        let tenants = &mut self.stored().tenants;
        if tenants.contains_key(&tenant.slug) {
            return Err(taken(&tenant.slug));
        }
        if let Some(max) = max_tenants.filter(|max| tenants.len() >= *max as usize) {
            return Err(full(max));
        }
        tenants.insert(tenant.slug.clone(), tenant.clone());
        Ok(())
    }

    /// Locks nothing: whoever changes tenants in memory does so one at a time.
    async fn lock(&self, slug: &Slug, _: Option<&mut Transaction>) -> Result<Option<TenantRecord>> {
        self.find(slug).await
    }

    async fn save(&self, tenant: &TenantRecord, _: Option<&mut Transaction>) -> Result<()> {
        let mut stored = self.stored();
        let before = stored.slug_of(tenant.id)?;
        if before != tenant.slug && stored.tenants.contains_key(&tenant.slug) {
            return Err(taken(&tenant.slug));
        }
        stored.tenants.remove(&before);
        stored.tenants.insert(tenant.slug.clone(), tenant.clone());
        Ok(())
    }

    /// Keeps nothing: in memory nothing is removed step by step.
    async fn draft(&self, _: &Receipt, _: Option<&mut Transaction>) -> Result<()> {
        Ok(())
    }

    async fn remove(
        &self,
        id: TenantId,
        receipt: Option<&Receipt>,
        _: Option<&mut Transaction>,
    ) -> Result<()> {
        let mut stored = self.stored();
        let slug = stored.slug_of(id)?;
        stored.tenants.remove(&slug);
        stored
            .receipts
            .extend(receipt.map(|receipt| (slug, receipt.clone())));
        Ok(())
    }

    async fn receipt(&self, slug: &Slug) -> Result<Option<Receipt>> {
        Ok(self.stored().receipts.get(slug).cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant::{NewTenant, TenantId};

    #[tokio::test]
    async fn a_slug_is_taken_once_and_pages_follow_each_other() {
        let registry = MemoryRegistry::new();
        for slug in ["globex", "acme-corp", "initech"] {
            let new = NewTenant::new(slug).unwrap();
            let record = TenantRecord::new(TenantId::generate(), new, None);
            registry.insert(&record, None, None).await.unwrap();
            let again = registry.insert(&record, None, None).await;
            assert!(matches!(again, Err(Error::Conflict(_))));
        }
        let first = registry.list(None, 2).await.unwrap();
        let slugs: Vec<_> = first.iter().map(|tenant| tenant.slug.as_str()).collect();
        assert_eq!(slugs, ["acme-corp", "globex"]);
        let rest = registry.list(Some(&first[1].slug), 2).await.unwrap();
        assert_eq!(rest.len(), 1);
        let mut renamed = first[1].clone();
        renamed.slug = first[0].slug.clone();
        let onto_another = registry.save(&renamed, None).await;
        assert!(matches!(onto_another, Err(Error::Conflict(_))));
        registry.remove(renamed.id, None, None).await.unwrap();
        let gone = registry.save(&renamed, None).await;
        assert!(matches!(gone, Err(Error::NotFound)));
    }
}
