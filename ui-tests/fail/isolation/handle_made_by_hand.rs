//! Nobody makes a handle but the door.

use tenancy::db::Pool;
use tenancy::isolation::Scope;
use tenancy::prelude::*;

fn handle(source: Pool, scope: Scope, tenant: Tenant) -> TenantDb {
    TenantDb { source, scope, tenant }
}

fn main() {}
