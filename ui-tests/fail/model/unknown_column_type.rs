use tenancy::prelude::*;

#[tenant_model]
pub struct Visit {
    pub id: Uuid,
    pub from: std::net::IpAddr,
}

fn main() {}
