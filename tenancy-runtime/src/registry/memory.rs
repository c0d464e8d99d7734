use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{TenantRegistry, taken};
use crate::db::Transaction;
use crate::error::{Error, Result};
use crate::tenant::{Slug, TenantRecord, TenantStatus};

/// Tenants in memory: for applications without a database. They are gone when
/// the process ends.
#[derive(Debug, Default)]
pub struct MemoryRegistry {
    tenants: Mutex<BTreeMap<Slug, TenantRecord>>,
}

impl MemoryRegistry {
    /// No tenants yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn tenants(&self) -> MutexGuard<'_, BTreeMap<Slug, TenantRecord>> {
        // Nothing under the lock can leave it half changed.
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl TenantRegistry for MemoryRegistry {
    async fn find(&self, slug: &Slug) -> Result<Option<TenantRecord>> {
        Ok(self.tenants().get(slug).cloned())
    }

    async fn list(&self, after: Option<&Slug>, limit: u32) -> Result<Vec<TenantRecord>> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let tenants = self.tenants();
        let page = tenants.range::<Slug, _>((from, Bound::Unbounded));
        Ok(page
            .take(limit as usize)
            .map(|(_, tenant)| tenant.clone())
            .collect())
    }

    async fn insert(&self, tenant: &TenantRecord, _: Option<&mut Transaction>) -> Result<()> {
        let mut tenants = self.tenants();
        if tenants.contains_key(&tenant.slug) {
            return Err(taken(&tenant.slug));
        }
        tenants.insert(tenant.slug.clone(), tenant.clone());
        Ok(())
    }

    async fn set_status(&self, slug: &Slug, status: TenantStatus) -> Result<TenantRecord> {
        let mut tenants = self.tenants();
        let tenant = tenants.get_mut(slug).ok_or(Error::NotFound)?;
        tenant.status = status;
        Ok(tenant.clone())
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
            registry.insert(&record, None).await.unwrap();
            let again = registry.insert(&record, None).await;
            assert!(matches!(again, Err(Error::Conflict(_))));
        }
        let first = registry.list(None, 2).await.unwrap();
        let slugs: Vec<_> = first.iter().map(|tenant| tenant.slug.as_str()).collect();
        assert_eq!(slugs, ["acme-corp", "globex"]);
        let rest = registry.list(Some(&first[1].slug), 2).await.unwrap();
        assert_eq!(rest.len(), 1);
        let gone = "gone".parse().unwrap();
        let missing = registry.set_status(&gone, TenantStatus::Suspended).await;
        assert!(matches!(missing, Err(Error::NotFound)));
    }
}
