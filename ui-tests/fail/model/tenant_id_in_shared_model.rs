use tenancy::prelude::*;

#[shared_model]
pub struct Plan {
    pub id: Uuid,
    pub tenant_id: Uuid,
}

fn main() {}
