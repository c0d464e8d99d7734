use tenancy::prelude::*;

#[tenant_model]
pub struct Todo {
    pub id: Uuid,
    pub a: &'static str,
    pub b: char,
    pub c: std::collections::HashMap<String, String>,
    pub d: Box<String>,
    pub e: (i32, i32),
    pub f: DateTime<chrono::Local>,
    pub g: Vec<Vec<i32>>,
    pub h: i8,
}

fn main() {}
