use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, PoisonError, RwLock};

use super::event::Event;
use super::held::Held;
use super::queue::Queue;
use crate::tenant::TenantId;

/// Who listens in this process, by tenant. What is published for one reaches the
/// queues that stand under its id, which is never reused and no name that anybody
/// could choose.
#[derive(Debug, Default)]
pub(super) struct Local {
    tenants: RwLock<HashMap<TenantId, Vec<Arc<Queue>>>>,
    pub(super) held: Held,
}

impl Local {
    pub(super) fn add(&self, tenant: TenantId, queue: &Arc<Queue>) {
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        tenants.entry(tenant).or_default().push(Arc::clone(queue));
    }

    pub(super) fn remove(&self, tenant: TenantId, queue: &Arc<Queue>) {
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut queues) = tenants.entry(tenant) {
            queues.get_mut().retain(|other| !Arc::ptr_eq(other, queue));
            if queues.get().is_empty() {
                queues.remove();
            }
        }
    }

    pub(super) fn listens(&self, tenant: TenantId) -> bool {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        tenants.contains_key(&tenant)
    }

    pub(super) fn deliver(&self, tenant: TenantId, event: &Event) {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        for queue in tenants.get(&tenant).into_iter().flatten() {
            queue.push(event, self.held.is_too_much());
        }
    }

    /// Events of this tenant were lost on the way here.
    pub(super) fn gap_of(&self, tenant: TenantId) {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        for queue in tenants.get(&tenant).into_iter().flatten() {
            queue.gap();
        }
    }

    /// Events of any tenant may have been lost on the way here.
    pub(super) fn gap(&self) {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        for queue in tenants.values().flatten() {
            queue.gap();
        }
    }
}
