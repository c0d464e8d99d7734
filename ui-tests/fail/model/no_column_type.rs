use tenancy::prelude::*;

#[tenant_model]
pub struct Todo {
    pub id: Uuid,
    pub a: &'static str,
    pub b: char,
    pub c: std::collections::HashMap<String, String>,
    pub d: Box<String>,
    pub e: (i32, i32),
    pub f: Vec<Vec<i32>>,
    pub g: i8,
}

fn main() {}
