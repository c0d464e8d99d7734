use integration::database::Database;
use integration::http::Served;
use serde_json::{Value, json};

use super::{A, open};

fn slugs(page: &Value) -> Vec<&str> {
    let tenants = page["tenants"].as_array().expect("a list");
    tenants
        .iter()
        .map(|tenant| tenant["identifier"].as_str().expect("a slug"))
        .collect()
}

async fn list(shop: &Served, query: &str) -> Value {
    let path = format!("/admin/tenants?{query}");
    shop.nobody().get(&path).await.json(200)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_are_listed_and_searched_page_by_page() {
    let database = Database::empty().await;
    let shop = open(&database).await;
    for (slug, name, plan) in [
        ("a-b", "100% Organic", "starter"),
        ("abc", "Under_score", "pro"),
        ("zeta", "Größe", "starter"),
    ] {
        let new = json!({"identifier": slug, "name": name, "plan": plan});
        shop.nobody().post("/admin/tenants", new).await.json(201);
    }
    shop.nobody()
        .post("/admin/tenants/abc/suspend", json!(null))
        .await
        .json(200);
    let first = list(&shop, "limit=2").await;
    assert_eq!(slugs(&first), ["a-b", "abc"]);
    assert_eq!(first["next"], "abc");
    let rest = list(&shop, "limit=2&after=abc").await;
    assert_eq!(
        (slugs(&rest), &rest["next"]),
        (vec![A, "zeta"], &json!(null))
    );
    for (query, found) in [
        ("search=ORGANIC", vec!["a-b"]),
        ("search=%25", vec!["a-b"]),
        ("search=_", vec!["abc"]),
        ("search=a-_", vec![]),
        ("search=gr%C3%B6", vec!["zeta"]),
        ("search=corp", vec![A]),
        ("search='%20OR%20true--", vec![]),
        ("search=%20", vec!["a-b", "abc", A, "zeta"]),
        ("status=suspended", vec!["abc"]),
        ("status=deleted", vec![]),
        ("plan=pro", vec!["abc"]),
        // The seed has no plan, and so is on the default one.
        ("plan=starter", vec!["a-b", A, "zeta"]),
        (
            "plan=starter&status=active&search=a&after=a-b",
            vec![A, "zeta"],
        ),
    ] {
        let page = list(&shop, query).await;
        assert_eq!(
            (slugs(&page), &page["next"]),
            (found, &json!(null)),
            "{query}"
        );
    }
    let one = list(&shop, "plan=starter&limit=1").await;
    assert_eq!((slugs(&one), &one["next"]), (vec!["a-b"], &json!("a-b")));
    let long = format!("search={}", "x".repeat(101));
    for wrong in [
        "limit=0",
        "limit=201",
        "limit=x",
        "status=gone",
        "plan=gold",
        "after=A",
        "offset=1",
        "search=%00",
        &long,
    ] {
        let refused = shop.nobody().get(&format!("/admin/tenants?{wrong}")).await;
        assert_eq!(refused.problem(422), "invalid_input", "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_among_many_looks_at_a_bounded_number_for_a_page() {
    let database = Database::empty().await;
    let shop = open(&database).await;
    database
        .sabotage(
            "INSERT INTO tenancy.tenants (id, slug, name, status, strategy, schema_name, created_at)
             SELECT gen_random_uuid()::text::uuid, format('m%s', lpad(n::text, 6, '0')),
                 CASE n WHEN 15000 THEN 'the needle' ELSE 'hay' END,
                 'active', 'rls', 'shared', now() FROM generate_series(1, 20000) n;
             UPDATE tenancy.tenants SET id = overlay(id::text placing '7' from 15)::uuid
                 WHERE slug LIKE 'm0%';
             ANALYZE tenancy.tenants",
        )
        .await;
    let nothing = list(&shop, "search=needle").await;
    assert_eq!(slugs(&nothing), [""; 0]);
    // `acme-corp` is the first that was looked at.
    assert_eq!(nothing["next"], "m009999");
    let found = list(&shop, "search=needle&after=m009999").await;
    assert_eq!(slugs(&found), ["m015000"]);
    assert_eq!(found["next"], "m019999");
    let rest = list(&shop, "search=needle&after=m019999").await;
    assert_eq!((slugs(&rest), &rest["next"]), (vec![], &json!(null)));
    // And a page of all of them is read off the index.
    let explain = "EXPLAIN SELECT * FROM tenancy.tenants WHERE slug > 'm01' COLLATE \"C\" \
         ORDER BY slug COLLATE \"C\" LIMIT 50";
    let rows = database
        .superuser
        .query(explain, &[])
        .await
        .expect("a plan");
    let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert!(plan.join("\n").contains("tenants_slug_order"), "{plan:?}");
}
