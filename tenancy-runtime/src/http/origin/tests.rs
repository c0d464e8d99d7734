use axum::http::Request;

use super::*;

/// What is made of headers that come from `peer`, where 10.0.0.0/8 is trusted:
/// the client and the host, `!` where it is unclear.
fn of(peer: &str, headers: &[(&str, &str)]) -> (Option<String>, String) {
    let mut request = Request::get("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    let peer: SocketAddr = format!("{peer}:1234").parse().unwrap();
    parts.extensions.insert(ConnectInfo(peer));
    let origin = Origin::of(&parts, &"10.0.0.0/8".parse().unwrap());
    let host = match origin.host() {
        Ok(host) => host.map(ToString::to_string).unwrap_or_default(),
        Err(_) => "!".to_owned(),
    };
    (origin.client().map(|client| client.to_string()), host)
}

const HOST: (&str, &str) = ("host", "acme.myapp.com");
const STRANGER: &str = "203.0.113.9";
const PROXY: &str = "10.0.0.1";

fn is(client: &str, host: &str) -> (Option<String>, String) {
    (Some(client.to_owned()), host.to_owned())
}

#[test]
fn a_stranger_is_not_believed() {
    for header in [
        ("x-forwarded-host", "globex.myapp.com"),
        ("x-forwarded-for", "198.51.100.1"),
        ("forwarded", "for=198.51.100.1;host=globex.myapp.com"),
        ("forwarded", "\"broken"),
    ] {
        assert_eq!(
            of(STRANGER, &[HOST, header]),
            is(STRANGER, "acme.myapp.com")
        );
    }
    // The twin: a proxy of ours is.
    let said = ("x-forwarded-host", "globex.myapp.com");
    assert_eq!(of(PROXY, &[HOST, said]), is(PROXY, "globex.myapp.com"));
}

#[test]
fn what_the_outermost_trusted_proxy_added_counts_and_nothing_before_it() {
    for (chain, client) in [
        ("198.51.100.1", "198.51.100.1"),
        ("198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("1.1.1.1, 198.51.100.1, 10.0.0.2, 10.0.0.3", "198.51.100.1"),
        // A client that pretends to be behind proxies of ours.
        ("10.0.0.9, 198.51.100.1", "198.51.100.1"),
        ("1.1.1.1, 10.0.0.9, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.2", "10.0.0.2"),
    ] {
        let older = ("x-forwarded-for", chain);
        assert_eq!(
            of(PROXY, &[HOST, older]),
            is(client, "acme.myapp.com"),
            "{chain}"
        );
        let elements: Vec<_> = chain
            .split(", ")
            .map(|node| format!("for={node}"))
            .collect();
        let elements = elements.join(", ");
        let standard = ("forwarded", &*elements);
        assert_eq!(
            of(PROXY, &[HOST, standard, older]),
            is(client, "acme.myapp.com")
        );
    }
    let forged = "for=1.1.1.1;host=evil.com, for=198.51.100.1;host=globex.myapp.com, for=10.0.0.2";
    let found = of(PROXY, &[HOST, ("forwarded", forged)]);
    assert_eq!(found, is("198.51.100.1", "globex.myapp.com"));
}

#[test]
fn what_the_client_wrote_before_hides_nothing() {
    for chain in ["junk, 198.51.100.1", ",, 198.51.100.1, 10.0.0.2"] {
        let older = ("x-forwarded-for", chain);
        let found = of(PROXY, &[HOST, older]);
        assert_eq!(found, is("198.51.100.1", "acme.myapp.com"), "{chain}");
    }
    // Where a proxy of ours wrote nonsense, the nearest one is all that is known.
    let nonsense = ("x-forwarded-for", "198.51.100.1, junk");
    assert_eq!(of(PROXY, &[HOST, nonsense]), is(PROXY, "!"));
}

#[test]
fn several_parts_of_a_header_are_one_list() {
    let parts = [
        HOST,
        ("x-forwarded-for", "1.1.1.1"),
        ("x-forwarded-for", "198.51.100.1, 10.0.0.2"),
    ];
    assert_eq!(of(PROXY, &parts), is("198.51.100.1", "acme.myapp.com"));
}

#[test]
fn headers_that_contradict_each_other_settle_nothing() {
    for headers in [
        &[("x-forwarded-host", "a.com"), ("x-forwarded-host", "b.com")][..],
        &[("x-forwarded-host", "a.com, b.com")],
        &[
            ("x-forwarded-host", "a.com"),
            ("forwarded", "for=1.1.1.1;host=b.com"),
        ],
        &[("x-forwarded-for", "1.1.1.1"), ("forwarded", "for=2.2.2.2")],
        &[("forwarded", "for=1.1.1.1;host=\"a b\"")],
        &[("forwarded", "for=")],
        &[("x-forwarded-for", "nonsense")],
    ] {
        let mut all = vec![HOST];
        all.extend(headers);
        assert_eq!(of(PROXY, &all).1, "!", "{headers:?}");
    }
    let agreed = [
        HOST,
        ("x-forwarded-host", "B.com:443"),
        ("forwarded", "for=1.1.1.1;host=b.com"),
    ];
    assert_eq!(of(PROXY, &agreed).1, "b.com");
}

#[test]
fn a_host_that_is_named_twice_is_unclear() {
    assert_eq!(of(STRANGER, &[HOST, HOST]).1, "!");
    assert_eq!(of(STRANGER, &[HOST, ("host", "globex.myapp.com")]).1, "!");
    assert_eq!(of(STRANGER, &[("host", "a b")]).1, "!");
    assert_eq!(of(STRANGER, &[("host", "")]).1, "!");
    for address in ["127.0.0.1:8000", "[::1]:8000", "[::1]", "127.0.0.1"] {
        assert_eq!(of(STRANGER, &[("host", address)]).1, "", "{address}");
    }
    assert_eq!(of(STRANGER, &[]).1, "");

    let request = Request::get("http://globex.myapp.com/").header(HOST.0, HOST.1);
    let (parts, ()) = request.body(()).unwrap().into_parts();
    assert!(
        Origin::of(&parts, &TrustedProxies::default())
            .host()
            .is_err()
    );
    let request = Request::get("http://acme.myapp.com:80/").header(HOST.0, HOST.1);
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let origin = Origin::of(&parts, &TrustedProxies::default());
    assert_eq!(origin.host().unwrap().unwrap().as_str(), "acme.myapp.com");
    assert_eq!(origin.client(), None);
}
