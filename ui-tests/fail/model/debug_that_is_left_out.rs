use tenancy::prelude::*;

#[tenant_model(no_derive(Debug))]
pub struct Account {
    pub id: Uuid,
    pub password: String,
}

fn main() {
    let password = String::new();
    let new = NewAccount { id: None, password };
    println!("{new:?}");
}
