//! Nobody points a handle at another tenant.

use tenancy::prelude::*;

fn handle(of_a: TenantDb, b: Tenant) -> TenantDb {
    TenantDb { tenant: b, ..of_a }
}

fn main() {}
