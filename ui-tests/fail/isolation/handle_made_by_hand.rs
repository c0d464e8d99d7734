//! Nobody makes a handle but the door.

use tenancy::db::Pool;
use tenancy::isolation::Scope;
use tenancy::prelude::*;

fn handle(source: Pool, scope: Scope) -> TenantDb {
    TenantDb { source, scope }
}

fn main() {}
