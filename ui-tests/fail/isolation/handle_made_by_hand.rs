//! Nobody makes a handle but the door.

use tenancy::db::Pool;
use tenancy::isolation::Scope;
use tenancy::prelude::*;

fn handle(pool: Pool, scope: Scope) -> TenantDb {
    TenantDb { pool, scope }
}

fn main() {}
