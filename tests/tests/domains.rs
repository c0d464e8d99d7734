//! Domains that tenants bring: nobody's until they are proved, and nobody else's
//! afterwards, in every process.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Request;
use axum::response::Redirect;
use futures_util::future::join_all;
use integration::database::Database;
use integration::http::{Login, Served, raw, start};
use integration::process::Workplace;
use integration::servers::NameServer;
use integration::wire::Wire;
use serde_json::json;
use tenancy::admin::TokenGuard;
use tenancy::domains::{
    Challenge, DnsProof, DomainName, DomainProof as _, Finding, HttpProof, NameServers,
};
use tenancy::prelude::*;
use tenancy::resolve::SubdomainResolver;
use tenancy::tenant::Slug;
use tenancy::{HeaderResolver, Isolation, Strategy};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::shop;

const A: &str = "acme-corp";
const B: &str = "globex";

/// Of a test, and not anybody's outside.
const DOMAIN: &str = "app.customer.test";

/// What the machine may be late by, beyond the bound of a change.
const BOUND: Duration = Duration::from_millis(3_500);

/// A sign-up as an operator's own console would offer it.
#[tenant_handler(post, "/claims/{tenant}/{domain}", tenant = "none")]
async fn claim(
    Path((tenant, domain)): Path<(Slug, DomainName)>,
    domains: Domains,
) -> Result<Json<Challenge>> {
    Ok(Json(domains.claim(&tenant, &domain).await?))
}

fn app(isolation: Strategy, dns: &NameServer) -> App {
    shop::app(Isolation::single(isolation))
        .resolver(SubdomainResolver::new(".myapp.com").custom_domains())
        .domain_proof(DnsProof::new(NameServers::at([dns.address])))
        .route::<claim>()
        .seed(A)
        .seed(B)
}

fn slug(text: &str) -> Slug {
    text.parse().expect("a slug")
}

fn domain(text: &str) -> DomainName {
    text.parse().expect("a domain")
}

/// The whole answer to a request for `/me` of this host.
async fn me(shop: &Served, host: &str) -> String {
    let request = format!("GET /me HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let answer = raw(shop.site.address, request.as_bytes()).await;
    String::from_utf8(answer).expect("text")
}

fn is_of(answer: &str, tenant: &str) -> bool {
    answer.starts_with("HTTP/1.1 200 ") && answer.contains(&format!("\"tenant\":\"{tenant}\""))
}

/// Waits until the answer to this host is as it should be; how long that took.
async fn until(shop: &Served, host: &str, right: impl Fn(&str) -> bool) -> Duration {
    let start = Instant::now();
    loop {
        let answer = me(shop, host).await;
        if right(&answer) {
            return start.elapsed();
        }
        assert!(start.elapsed() < BOUND * 2, "{host}: {answer}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Claims a domain, publishes its value and has it verified.
async fn verified(shop: &Served, dns: &NameServer, tenant: &str, name: &str) -> Challenge {
    let domains = shop.tenancy.domains().expect("declared");
    let challenge = domains
        .claim(&slug(tenant), &domain(name))
        .await
        .expect("a claim");
    dns.txt(&challenge.txt_name, &challenge.value);
    let verified = domains
        .verify(&slug(tenant), &domain(name))
        .await
        .expect("a proof");
    assert!(verified.is_verified());
    challenge
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_a_tenant_s_own_domain_there_are_no_operators() {
    const TOKEN: &str = "0123456789abcdef0123456789abcdef";
    let dns = NameServer::start().await;
    let database = Database::empty().await;
    let operated = || app(Strategy::Rls, &dns).admin(TokenGuard::new(TOKEN));
    let shop = Served::start(operated(), &database, &[]).await;
    verified(&shop, &dns, A, DOMAIN).await;
    let status = async |shop: &Served, host: &str| {
        let request = format!(
            "GET /admin/tenants HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {TOKEN}\r\n\
             Connection: close\r\n\r\n"
        );
        let answer = raw(shop.site.address, request.as_bytes()).await;
        String::from_utf8_lossy(&answer["HTTP/1.1 ".len()..][..3]).into_owned()
    };
    assert!(is_of(&me(&shop, DOMAIN).await, A));
    // What is nobody's hears the same: it tells nobody whose customers there are.
    for host in [DOMAIN, "unknown.customer.test", "acme-corp.myapp.com"] {
        assert_eq!(status(&shop, host).await, "404", "{host}");
    }
    for host in ["myapp.com", "127.0.0.1:8000", "localhost"] {
        assert_eq!(status(&shop, host).await, "200", "{host}");
    }
    // The twin: where hosts are nobody's but ours, they are there.
    let plain = shop::app(Isolation::single(Strategy::Rls)).admin(TokenGuard::new(TOKEN));
    let plain = Served::start(plain, &database, &[]).await;
    assert_eq!(status(&plain, DOMAIN).await, "200");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domain_is_nobody_s_until_it_is_proved_and_then_its_tenant_s_in_every_process() {
    let dns = NameServer::start().await;
    let database = Database::empty().await;
    let one = Served::start(app(Strategy::Rls, &dns), &database, &[]).await;
    let port = database.app.get_ports()[0];
    let wire = Wire::to(format!("127.0.0.1:{port}")).await;
    let through = database
        .app_url()
        .replace(&format!(":{port}/"), &format!(":{}/", wire.port));
    let vars = [("TENANCY_DATABASE_URL", &*through)];
    let other = Served::start(app(Strategy::Rls, &dns), &database, &vars).await;
    database.listening(2).await;

    let unknown = me(&one, "unknown.myapp.com").await;
    assert!(unknown.contains("tenant_unresolved"), "{unknown}");
    let nobodys = async || {
        for shop in [&one, &other] {
            assert_eq!(me(shop, DOMAIN).await, unknown);
        }
    };
    nobodys().await;
    let path = format!("/claims/{A}/App.Customer.test.");
    let challenge = one.nobody().post(&path, json!({})).await.json(200);
    let txt_name = challenge["txt_name"].as_str().unwrap().to_owned();
    let value = challenge["value"].as_str().unwrap().to_owned();
    assert_eq!(challenge["domain"], DOMAIN);
    assert_eq!(txt_name, format!("_tenancy-challenge.{DOMAIN}"));
    // Claimed, and again: one challenge, and nobody is served.
    assert_eq!(
        one.nobody().post(&path, json!({})).await.json(200),
        challenge
    );
    nobodys().await;

    let domains = one.tenancy.domains().unwrap();
    let verify = async || domains.verify(&slug(A), &domain(DOMAIN)).await;
    let of_another = domains.claim(&slug(B), &domain(DOMAIN)).await.unwrap();
    assert_ne!(of_another.value, value);
    for wrong in [
        "",
        "v=spf1 -all",
        &of_another.value,
        &value[1..],
        &format!("{value}0"),
        &value.to_uppercase(),
    ] {
        dns.forget(&txt_name);
        if !wrong.is_empty() {
            dns.txt(&txt_name, wrong);
        }
        let refused = verify().await.unwrap_err();
        assert_eq!(refused.code(), "invalid_input", "{wrong}: {refused}");
        assert!(refused.to_string().contains(&txt_name), "{refused}");
    }
    // Nor is one above it, or the domain itself, the place for the record.
    dns.forget(&txt_name);
    dns.txt(DOMAIN, &value);
    dns.txt("_tenancy-challenge.customer.test", &value);
    assert_eq!(verify().await.unwrap_err().code(), "invalid_input");
    nobodys().await;

    dns.txt(&txt_name, "v=spf1 -all");
    dns.txt(&txt_name, &value);
    verify().await.unwrap();
    assert!(is_of(&me(&one, DOMAIN).await, A), "at once");
    let took = until(&other, DOMAIN, |answer| is_of(answer, A)).await;
    // Half of what it takes where nobody tells.
    assert!(took < Duration::from_millis(500), "{took:?}");
    eprintln!("a verified domain was served elsewhere after {took:?}");
    for same in ["APP.Customer.Test.", "app.customer.test:443"] {
        assert!(is_of(&me(&other, same).await, A), "{same}");
    }
    for elsewhere in [
        "x.app.customer.test",
        "customer.test",
        "app.customer.test.evil.org",
    ] {
        assert_eq!(me(&other, elsewhere).await, unknown, "{elsewhere}");
    }
    let mut least = usize::MAX;
    for _ in 0..10 {
        wire.take();
        assert!(is_of(&me(&other, DOMAIN).await, A));
        least = least.min(wire.take());
    }
    assert_eq!(least, 0, "from memory");

    let provisioner = one.tenancy.provisioner();
    provisioner.suspend(&slug(A)).await.unwrap();
    for shop in [&one, &other] {
        until(shop, DOMAIN, |answer| {
            answer.starts_with("HTTP/1.1 403 ") && answer.contains("tenant_inactive")
        })
        .await;
    }
    provisioner.activate(&slug(A)).await.unwrap();
    until(&other, DOMAIN, |answer| is_of(answer, A)).await;
    domains.remove(&slug(A), &domain(DOMAIN)).await.unwrap();
    assert_eq!(me(&one, DOMAIN).await, unknown, "at once");
    let took = until(&other, DOMAIN, |answer| answer == unknown).await;
    assert!(took < Duration::from_millis(500), "{took:?}");

    // The twin: it is this column that keeps what is claimed from being served.
    database
        .sabotage("UPDATE tenancy.domains SET verified_at = now(), proven_at = now()")
        .await;
    for shop in [&one, &other] {
        until(shop, DOMAIN, |answer| is_of(answer, B)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_a_domain_keeps_it_and_who_gets_its_name_gets_none() {
    let dns = NameServer::start().await;
    let database = Database::empty().await;
    let shop = Served::start(app(Strategy::Rls, &dns), &database, &[]).await;
    let (domains, provisioner) = (shop.tenancy.domains().unwrap(), shop.tenancy.provisioner());
    let (a, b, name) = (slug(A), slug(B), domain(DOMAIN));
    let unknown = me(&shop, "unknown.myapp.com").await;
    let of_a = verified(&shop, &dns, A, DOMAIN).await;

    // What A has published proves nothing for B; what B publishes takes nothing.
    let of_b = domains.claim(&b, &name).await.unwrap();
    let refused = domains.verify(&b, &name).await.unwrap_err();
    assert_eq!(refused.code(), "invalid_input", "{refused}");
    dns.txt(&of_b.txt_name, &of_b.value);
    let refused = domains.verify(&b, &name).await.unwrap_err();
    assert_eq!(refused.code(), "conflict", "{refused}");
    assert!(!refused.to_string().contains(A), "{refused}");
    assert!(is_of(&me(&shop, DOMAIN).await, A));

    // Given up, it is for whoever proves it; an old value is worth nothing.
    domains.remove(&a, &name).await.unwrap();
    let again = domains.claim(&a, &name).await.unwrap();
    assert_ne!(again.value, of_a.value);
    let refused = domains.verify(&a, &name).await.unwrap_err();
    assert_eq!(refused.code(), "invalid_input", "{refused}");
    domains.verify(&b, &name).await.unwrap();
    assert!(is_of(&me(&shop, DOMAIN).await, B));
    assert_eq!(domains.list(&a).await.unwrap()[0].verified_at, None);

    // A new name keeps it, and who gets the old name has nothing of it.
    let renamed = slug("globex-two");
    provisioner.rename(&b, &renamed).await.unwrap();
    provisioner
        .provision(NewTenant::new(B).unwrap())
        .await
        .unwrap();
    until(&shop, DOMAIN, |answer| is_of(answer, "globex-two")).await;
    assert!(domains.list(&b).await.unwrap().is_empty());
    provisioner.delete(&renamed).await.unwrap();
    assert!(me(&shop, DOMAIN).await.contains("tenant_inactive"));
    provisioner.destroy(&renamed).await.unwrap();
    until(&shop, DOMAIN, |answer| answer == unknown).await;
    provisioner
        .provision(NewTenant::new("globex-two").unwrap())
        .await
        .unwrap();
    assert_eq!(me(&shop, DOMAIN).await, unknown);
    let claims = "SELECT count(*) FROM tenancy.domains";
    assert_eq!(database.value::<i64>(claims).await, 1, "A's claim");

    for (tenant, name, code) in [
        (A, "globex.myapp.com", "invalid_input"),
        (A, "myapp.com", "invalid_input"),
        (A, "a.b.MyApp.com", "invalid_input"),
        ("nobody", DOMAIN, "not_found"),
    ] {
        let refused = domains.claim(&slug(tenant), &domain(name)).await;
        assert_eq!(refused.unwrap_err().code(), code, "{name}");
    }
    let unclaimed = domain("other.customer.test");
    let refused = domains.verify(&a, &unclaimed).await.unwrap_err();
    assert_eq!(refused.code(), "not_found");
    let refused = domains.remove(&a, &unclaimed).await.unwrap_err();
    assert_eq!(refused.code(), "not_found");
    // Who cannot be asked proves nothing and disproves nothing.
    let broken = domain("app.broken");
    domains.claim(&a, &broken).await.unwrap();
    let refused = domains.verify(&a, &broken).await.unwrap_err();
    assert_eq!(refused.code(), "unavailable", "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_remembered_of_a_domain_leads_to_nobody_who_has_the_name_by_now() {
    let dns = NameServer::start().await;
    let database = Database::empty().await;
    let shop = Served::start(app(Strategy::Rls, &dns), &database, &[]).await;
    verified(&shop, &dns, A, DOMAIN).await;
    database.listening(1).await;
    until(&shop, DOMAIN, |answer| is_of(answer, A)).await;
    // Nobody tells that its name has changed.
    database
        .sabotage("ALTER TABLE tenancy.tenants DISABLE TRIGGER announce_domains")
        .await;
    let provisioner = shop.tenancy.provisioner();
    provisioner
        .rename(&slug(A), &slug("initech"))
        .await
        .unwrap();
    provisioner
        .provision(NewTenant::new(A).unwrap())
        .await
        .unwrap();
    let answer = me(&shop, DOMAIN).await;
    assert!(answer.contains("tenant_unresolved"), "{answer}");
    // The twin: by its name alone somebody else would be served.
    assert!(is_of(&me(&shop, "acme-corp.myapp.com").await, A));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domain_whose_proof_is_gone_for_long_is_nobody_s() {
    let dns = NameServer::start().await;
    let database = Database::empty().await;
    let one = Served::start(app(Strategy::Rls, &dns), &database, &[]).await;
    // As behind a pooler, where nobody tells it of changes.
    let vars = [("TENANCY_PREPARED_STATEMENTS", "false")];
    let other = Served::start(app(Strategy::Rls, &dns), &database, &vars).await;
    database.listening(1).await;
    let unknown = me(&one, "unknown.myapp.com").await;
    let kept = "kept.customer.test";
    let left = verified(&one, &dns, A, DOMAIN).await;
    verified(&one, &dns, B, kept).await;
    database
        .sabotage(
            "INSERT INTO tenancy.domains (tenant_id, domain, verified_at, proven_at) \
             SELECT id, 'app.broken', now(), now() FROM tenancy.tenants WHERE slug = 'globex'; \
             UPDATE tenancy.domains SET proven_at = now() - interval '2 hours'",
        )
        .await;
    let domains = one.tenancy.domains().unwrap();
    let recheck = async |grace: Duration| {
        let found = domains.recheck(grace).await.unwrap();
        let mut found: Vec<_> = found
            .iter()
            .map(|one| (one.domain.to_string(), one.finding))
            .collect();
        found.sort_by(|one, other| one.0.cmp(&other.0));
        found
            .into_iter()
            .map(|(_, finding)| finding)
            .collect::<Vec<_>>()
    };
    let hour = Duration::from_secs(3_600);
    dns.forget(&left.txt_name);
    // In the order of their names: the one that cannot be told of, the one whose
    // proof is gone, the one whose proof is there.
    let missing = [Finding::Unknown, Finding::Missing, Finding::Proven];
    // Nobody has looked for longer than that, which says nothing against it.
    assert_eq!(recheck(hour).await, missing);
    assert!(is_of(&me(&other, DOMAIN).await, A), "the twin: until then");
    let missed = async |hours: u32| {
        let sql = format!(
            "UPDATE tenancy.domains SET missing_since = now() - interval '{hours} hours' \
             WHERE missing_since IS NOT NULL"
        );
        database.sabotage(&sql).await;
    };
    // Seen in between, it is missed anew.
    missed(2).await;
    dns.txt(&left.txt_name, &left.value);
    assert_eq!(recheck(hour).await[1], Finding::Proven);
    dns.forget(&left.txt_name);
    assert_eq!(recheck(hour).await, missing);
    missed(2).await;
    assert_eq!(recheck(hour * 3).await, missing);
    let lapsed = [Finding::Unknown, Finding::Lapsed, Finding::Proven];
    assert_eq!(recheck(hour).await, lapsed);
    until(&one, DOMAIN, |answer| answer == unknown).await;
    let took = until(&other, DOMAIN, |answer| answer == unknown).await;
    assert!(took < BOUND, "{took:?}");
    eprintln!("untold, a domain that lapsed was nobody's after {took:?}");
    for shop in [&one, &other] {
        assert!(is_of(&me(shop, kept).await, B));
        assert!(is_of(&me(shop, "app.broken").await, B));
    }
    // Now another can prove it; and so can the one that had it.
    let of_b = domains.claim(&slug(B), &domain(DOMAIN)).await.unwrap();
    dns.txt(&of_b.txt_name, &of_b.value);
    domains.verify(&slug(B), &domain(DOMAIN)).await.unwrap();
    assert!(is_of(&me(&one, DOMAIN).await, B));
}

/// A web server of a customer's: what it answers to which path, and how often it was
/// connected to.
async fn website(router: Router) -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let serving = tokio::spawn(async move {
        axum::serve(listener, router).await.expect("a server");
    });
    (address, serving)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_the_domain_s_own_server_proves_it_and_nothing_like_it_does() {
    let dns = NameServer::start().await;
    let database = Database::empty().await;
    let servers = || NameServers::at([dns.address]);
    let shop = Served::start(app(Strategy::Rls, &dns), &database, &[]).await;
    let domains = shop.tenancy.domains().unwrap();
    let challenge = domains.claim(&slug(A), &domain(DOMAIN)).await.unwrap();
    let path = challenge.http_url.split_once(DOMAIN).unwrap().1.to_owned();
    assert!(!path.contains(challenge.value.split_once('=').unwrap().1));
    dns.address("web.customer.test", [127, 0, 0, 1].into());
    dns.alias(DOMAIN, "web.customer.test");
    let proof = |address: SocketAddr| {
        let proof = HttpProof::new(servers()).port(address.port());
        proof.allow_private_addresses()
    };
    let page =
        |body: String| Router::new().route(&path, axum::routing::get(move || async move { body }));
    let value = challenge.value.clone();
    for (router, proves) in [
        (page(value.clone()), true),
        (
            page(format!("tenancy-challenge=other\r\n  {value}\r\n")),
            true,
        ),
        (page(format!("<p>{value}</p>")), false),
        (page(format!("{}{value}", "x".repeat(20_000))), false),
        (page(format!("{value}\n{}", "x".repeat(20_000))), false),
        (page(value.to_uppercase()), false),
        (Router::new(), false),
        // It leads to the page, where it may be anybody's.
        (
            page(value.clone())
                .route("/x", axum::routing::get(|| async { "" }))
                .layer(axum::middleware::from_fn(
                    async |_: Request, _: axum::middleware::Next| {
                        Redirect::temporary("http://elsewhere.test/")
                    },
                )),
            false,
        ),
        // It says what it is asked for.
        (
            Router::new().fallback(async |request: Request| format!("{request:?}")),
            false,
        ),
    ] {
        let (address, serving) = website(router).await;
        let published = proof(address).is_published(&challenge).await.unwrap();
        assert_eq!(published, proves);
        serving.abort();
    }
    // A name that leads here proves nothing, whoever claims it.
    let here = proof(shop.site.address).is_published(&challenge).await;
    assert!(!here.unwrap());
    // Nor one without an address; one that cannot be resolved is no answer.
    dns.forget(DOMAIN);
    let (address, serving) = website(page(value.clone())).await;
    assert!(!proof(address).is_published(&challenge).await.unwrap());
    let broken = domains
        .claim(&slug(A), &domain("app.broken"))
        .await
        .unwrap();
    assert!(proof(address).is_published(&broken).await.is_err());
    serving.abort();

    // In an application: the page verifies, by HTTP alone.
    let (address, _serving) = website(page(value)).await;
    dns.address(DOMAIN, [127, 0, 0, 1].into());
    let by_page = shop::app(Isolation::single(Strategy::Rls))
        .resolver(SubdomainResolver::new(".myapp.com").custom_domains())
        .domain_proof(DnsProof::new(servers()))
        .domain_proof(proof(address));
    let by_page = Served::start(by_page, &database, &[]).await;
    let domains = by_page.tenancy.domains().unwrap();
    domains.verify(&slug(A), &domain(DOMAIN)).await.unwrap();
    assert!(is_of(&me(&by_page, DOMAIN).await, A));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_makes_us_ask_nobody_inside() {
    let dns = NameServer::start().await;
    let database = Database::empty().await;
    let shop = Served::start(app(Strategy::Rls, &dns), &database, &[]).await;
    let domains = shop.tenancy.domains().unwrap();
    // Who listens says nothing: only who asks is counted.
    let inside = TcpListener::bind("[::]:0").await.unwrap();
    let port = inside.local_addr().unwrap().port();
    let asked = async || {
        let patience = Duration::from_millis(300);
        tokio::time::timeout(patience, inside.accept())
            .await
            .is_ok()
    };
    let strict = HttpProof::new(NameServers::at([dns.address])).port(port);
    let mut last = None;
    for (number, address) in [
        "127.0.0.1",
        "127.1.2.3",
        "::1",
        "::ffff:127.0.0.1",
        "0.0.0.0",
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("inside-{number}.customer.test");
        dns.address(&name, address.parse().unwrap());
        let challenge = domains.claim(&slug(A), &domain(&name)).await.unwrap();
        assert!(!strict.is_published(&challenge).await.unwrap(), "{address}");
        assert!(!asked().await, "{address}");
        last = Some(challenge);
    }
    // The twin: it is the setting that keeps them away, and nothing else.
    let open = strict.clone().allow_private_addresses();
    let challenge = last.unwrap();
    let (accepted, published) = tokio::join!(asked(), async {
        open.is_published(&challenge).await.unwrap()
    });
    assert!(accepted && !published);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_names_two_of_them_is_refused() {
    let dns = NameServer::start().await;
    let database = Database::empty().await;
    let vars = [("TENANCY_TRUSTED_PROXIES", "127.0.0.1")];
    let shop = Served::start(app(Strategy::Rls, &dns), &database, &vars).await;
    let plain = Served::start(app(Strategy::Rls, &dns), &database, &[]).await;
    let (of_a, of_b) = ("a.customer.test", "b.customer.test");
    verified(&shop, &dns, A, of_a).await;
    verified(&shop, &dns, B, of_b).await;
    let forwarded = |host: &str, named: &str| format!("{host}\r\nX-Forwarded-Host: {named}");
    for (host, named, tenant) in [
        ("upstream:80", of_a, Some(A)),
        ("10.0.0.1", of_a, Some(A)),
        (of_a, of_a, Some(A)),
        ("acme-corp.myapp.com", of_a, Some(A)),
        ("unclaimed.customer.test", of_a, Some(A)),
        (of_b, of_a, None),
        ("globex.myapp.com", of_a, None),
        ("myapp.com", of_a, None),
        (of_b, "acme-corp.myapp.com", None),
        (of_a, "unclaimed.customer.test", None),
    ] {
        let answer = me(&shop, &forwarded(host, named)).await;
        match tenant {
            Some(tenant) => assert!(is_of(&answer, tenant), "{host} {named}: {answer}"),
            None => assert!(
                answer.contains("tenant_unresolved"),
                "{host} {named}: {answer}"
            ),
        }
    }
    // The twin: from strangers such a header counts for nothing.
    until(&plain, of_b, |answer| is_of(answer, B)).await;
    assert!(is_of(&me(&plain, &forwarded(of_b, of_a)).await, B));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domain_and_what_else_names_a_tenant_must_agree() {
    let dns = NameServer::start().await;
    let database = Database::empty().await;
    let both = app(Strategy::Rls, &dns).resolver(HeaderResolver::default());
    let shop = Served::start(both, &database, &[]).await;
    verified(&shop, &dns, A, DOMAIN).await;
    for (host, header, tenant) in [
        (DOMAIN, A, Some(A)),
        (DOMAIN, B, None),
        (DOMAIN, "unknown", None),
        ("unclaimed.customer.test", B, Some(B)),
    ] {
        let answer = me(&shop, &format!("{host}\r\nX-Tenant-ID: {header}")).await;
        match tenant {
            Some(tenant) => assert!(is_of(&answer, tenant), "{host} {header}: {answer}"),
            None => assert!(
                answer.contains("tenant_unresolved"),
                "{host} {header}: {answer}"
            ),
        }
    }
}

/// Sends so many requests of hosts that nobody has, over one connection.
async fn flood(address: SocketAddr, hosts: std::ops::Range<u32>) {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let mut answer = vec![0; 4_096];
    for host in hosts {
        let request = format!("GET /me HTTP/1.1\r\nHost: host-{host}.evil.test\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut read = 0;
        // A problem's body ends its answer.
        while read == 0 || answer[read - 1] != b'}' {
            read += stream.read(&mut answer[read..]).await.expect("an answer");
        }
        assert!(answer.starts_with(b"HTTP/1.1 400 "));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_hosts_of_nobody_s_open_no_pool_and_are_not_remembered() {
    const SIZE: u64 = 500;
    let dns = NameServer::start().await;
    let database = Database::empty().await;
    let size = SIZE.to_string();
    let vars = [("TENANCY_CACHE_SIZE", &*size), ("TENANCY_POOL_SIZE", "4")];
    let shop = Served::start(app(Strategy::Database, &dns), &database, &vars).await;
    verified(&shop, &dns, A, DOMAIN).await;
    let begun = Instant::now();
    let floods = (0..4).map(|part| flood(shop.site.address, part * 2_500..(part + 1) * 2_500));
    join_all(floods).await;
    eprintln!("10000 hosts were refused in {:?}", begun.elapsed());
    assert!(
        shop.tenancy.remembered() <= SIZE,
        "{:?}",
        shop.tenancy.remembered()
    );
    let databases = shop.tenancy.databases().unwrap();
    assert_eq!((databases.pools(), databases.connections()), (0, 0));
    let pool = shop.tenancy.pool().unwrap();
    assert!(pool.connections <= 4, "{pool:?}");
    // Those who are somebody's are served as before; the twin: with a pool.
    let todos = format!("GET /todos HTTP/1.1\r\nHost: {DOMAIN}\r\nConnection: close\r\n\r\n");
    let answer = raw(shop.site.address, todos.as_bytes()).await;
    assert!(answer.starts_with(b"HTTP/1.1 200 "));
    assert_eq!(databases.pools(), 1);
    // And without a bound each host would be remembered.
    let vars = [("TENANCY_CACHE_SIZE", "1000000")];
    let boundless = Served::start(app(Strategy::Database, &dns), &database, &vars).await;
    // What is read before a process listens is forgotten when it does.
    database.listening(2).await;
    flood(boundless.site.address, 0..SIZE as u32 * 2).await;
    let remembered = boundless.tenancy.remembered();
    assert!(remembered >= SIZE * 2, "{remembered}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_application_s_role_gives_nobody_a_domain() {
    let dns = NameServer::start().await;
    let database = Database::empty().await;
    let shop = Served::start(app(Strategy::Rls, &dns), &database, &[]).await;
    let domains = shop.tenancy.domains().unwrap();
    domains.claim(&slug(B), &domain(DOMAIN)).await.unwrap();
    let role = database.raw().await;
    let give = "UPDATE tenancy.domains SET verified_at = now(), proven_at = now()";
    for refused in [
        give,
        "SELECT token FROM tenancy.domains",
        "DELETE FROM tenancy.domains",
    ] {
        let error = role.batch_execute(refused).await.unwrap_err();
        let said = error.as_db_error().expect("an answer").message().to_owned();
        assert!(said.starts_with("permission denied"), "{refused}: {said}");
    }
    // The twin: with the right it could, and then nothing starts.
    let grant = format!(
        "GRANT UPDATE (verified_at, proven_at) ON tenancy.domains TO {}",
        database.app_role()
    );
    database.sabotage(&grant).await;
    role.batch_execute(give).await.unwrap();
    until(&shop, DOMAIN, |answer| is_of(answer, B)).await;
    let without_owner = start(app(Strategy::Rls, &dns), &database, Login::App, &[]).await;
    let said = without_owner.map(drop).unwrap_err().to_string();
    assert!(said.contains("\"tenancy\".\"domains\""), "{said}");
    assert!(said.contains("REVOKE UPDATE"), "{said}");
    // Without the owner's login domains are served, and none is given.
    database
        .sabotage(&grant.replace("GRANT", "REVOKE").replace(" TO ", " FROM "))
        .await;
    let served = start(app(Strategy::Rls, &dns), &database, Login::App, &[])
        .await
        .unwrap();
    assert!(is_of(&me(&served, DOMAIN).await, B));
    let refused = served.tenancy.domains().unwrap().list(&slug(B)).await;
    let said = refused.unwrap_err().to_string();
    assert!(said.contains("TENANCY_OWNER_DATABASE_URL"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_place_to_keep_them_or_the_word_for_it_there_are_none() {
    let dns = NameServer::start().await;
    let in_memory = App::new("shop", "1.0.0")
        .membership(tenancy::admit::Gateway)
        .resolver(SubdomainResolver::new(".myapp.com").custom_domains());
    let config = tenancy::config::Config::from_vars(in_memory.defaults(), []).unwrap();
    let said = in_memory
        .start(config)
        .await
        .map(drop)
        .unwrap_err()
        .to_string();
    assert!(said.contains("takes domains of tenants' own"), "{said}");

    let database = Database::empty().await;
    let with = Served::start(app(Strategy::Rls, &dns), &database, &[]).await;
    verified(&with, &dns, A, DOMAIN).await;
    let plain =
        shop::app(Isolation::single(Strategy::Rls)).resolver(SubdomainResolver::new(".myapp.com"));
    let plain = Served::start(plain, &database, &[]).await;
    let refused = plain.tenancy.domains().map(drop).unwrap_err().to_string();
    assert!(refused.contains("`custom_domains`"), "{refused}");
    assert!(me(&plain, DOMAIN).await.contains("tenant_unresolved"));
    // A deployment with another suffix keeps what is declared.
    let vars = [("TENANCY_DOMAIN_SUFFIX", ".other.test")];
    let elsewhere = Served::start(app(Strategy::Rls, &dns), &database, &vars).await;
    assert!(is_of(&me(&elsewhere, DOMAIN).await, A));
    assert!(is_of(&me(&elsewhere, "globex.other.test").await, B));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn domains_are_claimed_listed_and_removed_by_commands() {
    let database = Database::empty().await;
    let place = Workplace::on(&database);
    let run = async |line: &str| {
        let args: Vec<_> = line.split(' ').collect();
        place.run("renamed", &args, &[]).await
    };
    assert_eq!(run("migrate").await.code, Some(0));
    let claimed = run("domains claim globex Books.Customer.test").await;
    assert_eq!(claimed.code, Some(0), "{claimed:?}");
    let value = claimed.out.lines().last().unwrap();
    let value = value.split_whitespace().nth(1).unwrap();
    for part in [
        "_tenancy-challenge.books.customer.test",
        "http://books.customer.test/.well-known/tenancy-challenge",
        "tenancy-challenge=",
    ] {
        assert!(claimed.out.contains(part), "{}", claimed.out);
    }
    let row = async |state: &str| {
        let list = run("domains list globex").await;
        let line = list.out.lines().nth(1).unwrap_or_default().to_owned();
        let cells: Vec<_> = line.split_whitespace().collect();
        assert_eq!((cells[0], cells[1]), ("books.customer.test", state));
        assert_eq!(cells[3], value);
    };
    row("claimed").await;
    for (line, said) in [
        (
            "domains verify acme-corp books.customer.test",
            "has not claimed",
        ),
        (
            "domains remove globex other.customer.test",
            "has not claimed",
        ),
        (
            "domains claim nobody books.customer.test",
            "no tenant `nobody`",
        ),
        ("domains claim globex a.library.test", "`library.test`"),
        ("domains claim globex localhost", "a domain is the name"),
    ] {
        let refused = run(line).await;
        assert_ne!(refused.code, Some(0), "{line}");
        assert!(refused.err.contains(said), "{line}: {}", refused.err);
    }
    database
        .sabotage("UPDATE tenancy.domains SET verified_at = now(), proven_at = now()")
        .await;
    row("verified").await;
    let app = place.serve("renamed", &[]).await;
    let request = b"GET /whoami HTTP/1.1\r\nHost: books.customer.test\r\nConnection: close\r\n\r\n";
    let answer = raw(app.address, request).await;
    assert!(answer.ends_with(b"\"globex\""), "{}", answer.escape_ascii());
    let removed = run("domains remove globex books.customer.test").await;
    assert_eq!(removed.code, Some(0), "{removed:?}");
    let start = Instant::now();
    while !raw(app.address, request).await.ends_with(b"null") {
        assert!(start.elapsed() < BOUND);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(app.stop("TERM").await.code, Some(0));
}
