//! What the tests of scoped connections need and no application may have: a
//! handle to any tenant's data, without a registry and without the door.

use crate::db::{Pool, TenantDb, TenantPool};
use crate::error::Result;
use crate::tenant::{Locator, NewTenant, SchemaName, Tenant, TenantId, TenantRecord};

/// A handle to the data of `id` at `locator`, whoever that is.
///
/// # Errors
///
/// As [`TenantPool::db`].
pub fn forge(pool: &Pool, shared: &SchemaName, id: TenantId, locator: Locator) -> Result<TenantDb> {
    let record = TenantRecord::new(id, NewTenant::new("some-tenant")?, Some(locator));
    TenantPool::new(pool.clone(), shared.clone()).db(&Tenant::admitted(record))
}
