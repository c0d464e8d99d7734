//! `subdomain`: tenants by their host.

use integration::curl;
use integration::process::Workplace;

use super::{assert_success, follow_hints};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_leads_to_its_tenant_and_the_bare_domain_to_nobody() {
    let place = Workplace::new();
    let app = place.serve("subdomain", &[]).await;
    assert_eq!(app.nobody().get("/health").await.text(), "ok");
    assert_eq!(follow_hints(&app).await, [200, 200]);
    for (hint, name) in app.hints().iter().zip(["Acme Corp", "Globex"]) {
        let (_, body) = curl::run(hint).await;
        assert!(body.contains(&format!("Welcome to {name}!")), "{body}");
    }
    // The bare domain, an unknown tenant, and hosts of other domains.
    let url = app.hints()[0]
        .split(' ')
        .nth(1)
        .expect("an address")
        .to_owned();
    let mut refusals = Vec::new();
    for host in [
        "localhost.local",
        "nobody.localhost.local",
        "acme-corp.localhost",
        "a.acme-corp.localhost.local",
    ] {
        refusals.push(curl::run(&format!("curl {url} -H 'Host: {host}'")).await);
    }
    refusals.dedup();
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    assert_eq!(refusals[0].0, 400);
    // What the caller says of its host is nothing.
    let forged = format!("curl {url} -H 'X-Forwarded-Host: acme-corp.localhost.local'");
    assert_eq!(curl::run(&forged).await, refusals[0]);
    assert_success(&app.stop("TERM").await);
}
