//! Nothing leads from one tenant to all of them, and nobody makes the access
//! but the application.

use tenancy::db::{Pool, TenantPool};
use tenancy::prelude::*;

fn from_its_handle(db: &TenantDb) -> SystemAccess {
    db.system()
}

fn from_its_connection(db: &mut TenantConn) -> &mut SystemConn {
    db
}

fn by_hand(pool: Pool, tenants: TenantPool, provisioner: Provisioner) -> SystemAccess {
    SystemAccess::new(pool, tenants, provisioner)
}

async fn for_one(id: Uuid, conn: &mut SystemConn) -> Result<()> {
    Todo::delete(id, conn).await
}

#[tenant_model]
struct Todo {
    id: Uuid,
    title: String,
}

fn main() {}
