//! Nobody makes a connection or a tenant but the door.

use tenancy::db::PooledSession;
use tenancy::isolation::Scope;
use tenancy::prelude::*;

fn connection(session: PooledSession, scope: Scope) -> TenantConn {
    TenantConn::new(session, scope, None)
}

fn tenant(record: TenantRecord) -> Tenant {
    Tenant::admitted(record)
}

fn main() {}
