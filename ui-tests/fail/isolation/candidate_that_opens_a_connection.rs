//! A candidate is what a request says; only an admitted tenant has data.

use tenancy::db::TenantPool;
use tenancy::prelude::*;
use tenancy::resolve::Candidate;

fn open(pool: &TenantPool, candidate: &Candidate) -> Result<TenantDb> {
    pool.db(candidate)
}

fn main() {}
