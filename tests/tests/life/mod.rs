//! A tenant's whole life, on every ground: what each stage lets through, what is
//! kept and what is gone, and who gets a slug that is free again.

mod end;
mod stages;

use integration::http::Served;
use serde_json::json;
use tenancy::tenant::Slug;

use crate::shop;

const A: &str = shop::PREMIUM;
const B: &str = "globex";

fn slug(text: &str) -> Slug {
    text.parse().expect("a slug")
}

/// A project with so many todos.
async fn fill(shop: &Served, tenant: &str, count: usize) {
    let caller = shop.tenant(tenant);
    let project = caller.post("/projects", json!({"name": "house"})).await;
    let project = project.json(201)["id"].clone();
    for n in 0..count {
        let todo = json!({"title": format!("{tenant} {n}"), "project_id": project});
        caller.post("/todos", todo).await.json(201);
    }
}

/// How many todos a tenant finds.
async fn found(shop: &Served, tenant: &str) -> usize {
    let todos = shop.tenant(tenant).get("/todos").await.json(200);
    todos.as_array().expect("a list").len()
}
