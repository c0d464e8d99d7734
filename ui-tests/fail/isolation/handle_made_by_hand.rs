//! Nobody makes a handle, a connection or a tenant but the door.

use tenancy::db::{Pool, PooledSession};
use tenancy::isolation::Scope;
use tenancy::prelude::*;

fn handle(pool: Pool, scope: Scope) -> TenantDb {
    TenantDb { pool, scope }
}

fn connection(session: PooledSession, scope: Scope) -> TenantConn {
    TenantConn::new(session, scope)
}

fn tenant(record: TenantRecord) -> Tenant {
    Tenant::admitted(record)
}

fn main() {}
