use tenancy::prelude::*;

struct Employees;

#[tenancy::app(admin = Employees)]
async fn main(_app: App) {}
