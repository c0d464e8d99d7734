use tenancy::prelude::*;

#[tenant_model(tabel = "boxes")]
pub struct Box<T> {
    pub id: Uuid,
    #[column(uniqe)]
    pub item: T,
}

fn main() {}
