use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};
use crate::tenant::TenantId;

/// How many sockets and streams each tenant may have open in this process: whatever
/// one of its clients does not read lies in memory that is everybody's.
#[derive(Debug, Clone)]
pub(super) struct Places {
    most: u32,
    /// Of those that have any.
    taken: Arc<Mutex<HashMap<TenantId, u32>>>,
}

/// The place of one socket or stream, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    tenant: TenantId,
    taken: Arc<Mutex<HashMap<TenantId, u32>>>,
}

impl Places {
    pub(super) fn new(most: u32) -> Self {
        let taken = Arc::default();
        Self { most, taken }
    }

    /// Refuses where the tenant has as many as it may.
    pub(super) fn take(&self, tenant: TenantId) -> Result<Place> {
        let mut taken = lock(&self.taken);
        let of_one = taken.entry(tenant).or_default();
        if *of_one >= self.most {
            return Err(Error::unavailable(format!(
                "the tenant {tenant} has {} WebSockets and streams open here \
                 (TENANCY_STREAMS_PER_TENANT)",
                self.most
            )));
        }
        *of_one += 1;
        Ok(Place {
            tenant,
            taken: Arc::clone(&self.taken),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Entry::Occupied(mut of_one) = lock(&self.taken).entry(self.tenant) {
            *of_one.get_mut() -= 1;
            if *of_one.get() == 0 {
                of_one.remove();
            }
        }
    }
}

fn lock(taken: &Mutex<HashMap<TenantId, u32>>) -> MutexGuard<'_, HashMap<TenantId, u32>> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tenant_has_its_own_places_and_gets_them_back() {
        let (places, a, b) = (Places::new(2), TenantId::generate(), TenantId::generate());
        let taken = [places.take(a).unwrap(), places.take(a).unwrap()];
        let refused = places.take(a).unwrap_err().to_string();
        assert!(refused.contains("TENANCY_STREAMS_PER_TENANT"), "{refused}");
        drop(places.take(b).unwrap());
        drop(taken);
        drop(places.take(a).unwrap());
        assert!(lock(&places.taken).is_empty(), "nothing is kept of either");
    }
}
