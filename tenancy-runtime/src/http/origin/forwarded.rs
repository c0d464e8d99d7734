//! What proxies write down of the requests that they pass on: `Forwarded`
//! ([RFC 7239]) and the older `X-Forwarded-For` and `X-Forwarded-Host`.
//!
//! [RFC 7239]: https://www.rfc-editor.org/rfc/rfc7239#section-4

use std::iter::Peekable;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::Chars;

/// One proxy's note on the request that it received.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Hop {
    /// Who sent it; `None` where the proxy does not say.
    pub(super) client: Option<IpAddr>,
    /// The host it was sent to.
    pub(super) host: Option<String>,
}

/// The hops of `Forwarded`, the last one nearest; `None` for what is malformed.
pub(super) fn forwarded(value: &str) -> Option<Vec<Hop>> {
    let mut rest = value.chars().peekable();
    let mut hops = Vec::new();
    loop {
        // A list may have empty elements: RFC 9110, section 5.6.1.
        if let Some(hop) = element(&mut rest)? {
            hops.push(hop);
        }
        match rest.next() {
            None => return Some(hops),
            Some(',') => {}
            Some(_) => return None,
        }
    }
}

type Rest<'a> = Peekable<Chars<'a>>;

/// Up to a comma or the end. `Some(None)` is an empty element.
fn element(rest: &mut Rest<'_>) -> Option<Option<Hop>> {
    let mut hop = Hop::default();
    let mut seen = Vec::new();
    loop {
        skip_space(rest);
        match rest.peek() {
            None | Some(',') => return Some((!seen.is_empty()).then_some(hop)),
            Some(';') => {
                rest.next();
                continue;
            }
            Some(_) => {}
        }
        let name = token(rest)?.to_ascii_lowercase();
        if rest.next() != Some('=') || seen.contains(&name) {
            return None;
        }
        let value = match rest.peek() {
            Some('"') => quoted(rest)?,
            _ => token(rest)?,
        };
        match &*name {
            "for" => hop.client = node(&value)?,
            "host" => hop.host = Some(value),
            _ => {}
        }
        seen.push(name);
        skip_space(rest);
        if !matches!(rest.peek(), None | Some(',' | ';')) {
            return None;
        }
    }
}

fn skip_space(rest: &mut Rest<'_>) {
    while rest.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
}

/// <https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2>. Proxies write hosts and
/// addresses with a colon without the quotes that it asks for.
fn token(rest: &mut Rest<'_>) -> Option<String> {
    let of_token = |c: &char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~:[]".contains(*c);
    let mut token = String::new();
    while let Some(c) = rest.next_if(of_token) {
        token.push(c);
    }
    (!token.is_empty()).then_some(token)
}

/// <https://www.rfc-editor.org/rfc/rfc9110#section-5.6.4>
fn quoted(rest: &mut Rest<'_>) -> Option<String> {
    rest.next();
    let mut text = String::new();
    loop {
        match rest.next()? {
            '"' => return Some(text),
            '\\' => text.push(rest.next()?),
            c => text.push(c),
        }
    }
}

/// The hops of `X-Forwarded-For` from the first one on that is not `ours`, seen
/// from the right: what stands before that anybody may have written, and it is not
/// looked at. `None` for what is malformed.
pub(super) fn x_forwarded_for(value: &str, ours: impl Fn(IpAddr) -> bool) -> Option<Vec<Hop>> {
    let mut hops = Vec::new();
    for entry in value.rsplit(',') {
        let client = node(entry.trim_matches([' ', '\t']))?;
        hops.push(Hop { client, host: None });
        if !client.is_some_and(&ours) {
            break;
        }
    }
    hops.reverse();
    Some(hops)
}

/// An address with or without a port; `Some(None)` for `unknown` and the like,
/// which the proxy keeps to itself. `None` for what is malformed.
fn node(text: &str) -> Option<Option<IpAddr>> {
    if text.eq_ignore_ascii_case("unknown") || (text.starts_with('_') && text.len() > 1) {
        return Some(None);
    }
    let bare = || text.parse::<IpAddr>().ok();
    let bracketed = || {
        let inner = text.strip_prefix('[')?.strip_suffix(']')?;
        inner.parse::<Ipv6Addr>().ok().map(IpAddr::from)
    };
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let address = bare().or_else(bracketed).or_else(with_port)?;
    Some(Some(address.to_canonical()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hop(client: Option<&str>, host: Option<&str>) -> Hop {
        Hop {
            client: client.map(|client| client.parse().unwrap()),
            host: host.map(ToOwned::to_owned),
        }
    }

    /// The examples of RFC 7239, section 4 and 7.
    #[test]
    fn the_standard_s_own_examples_are_read() {
        for (value, hops) in [
            ("for=\"_gazonk\"", vec![hop(None, None)]),
            (
                "For=\"[2001:db8:cafe::17]:4711\"",
                vec![hop(Some("2001:db8:cafe::17"), None)],
            ),
            (
                "for=192.0.2.60;proto=http;by=203.0.113.43",
                vec![hop(Some("192.0.2.60"), None)],
            ),
            (
                "for=192.0.2.43, for=198.51.100.17",
                vec![
                    hop(Some("192.0.2.43"), None),
                    hop(Some("198.51.100.17"), None),
                ],
            ),
            (
                "for=192.0.2.43,for=\"[2001:db8:cafe::17]\";host=\"a.com:80\",for=unknown",
                vec![
                    hop(Some("192.0.2.43"), None),
                    hop(Some("2001:db8:cafe::17"), Some("a.com:80")),
                    hop(None, None),
                ],
            ),
            ("for=\"\\1.2.3.4\"", vec![hop(Some("1.2.3.4"), None)]),
            ("", vec![]),
            (" , for=1.2.3.4;", vec![hop(Some("1.2.3.4"), None)]),
        ] {
            assert_eq!(forwarded(value), Some(hops), "{value}");
        }
    }

    #[test]
    fn what_is_malformed_is_nothing() {
        for value in [
            "for",
            "for=",
            "=a",
            "for=1.2.3.4;for=4.3.2.1",
            "for=\"1.2.3.4",
            "for=1.2.3",
            "for=_",
            "for=a.com",
            "for=1.2.3.4 host=a",
            "for =1.2.3.4",
            "for=1.2.3.4;;=",
            "host=a b",
            "for=\"\\",
        ] {
            assert_eq!(forwarded(value), None, "{value}");
        }
        for value in [
            "",
            "1.2.3",
            "1.2.3.4,",
            ",",
            "a.com",
            "1.2.3.4 5.6.7.8",
            "[::1",
        ] {
            assert_eq!(x_forwarded_for(value, |_| true), None, "{value}");
        }
    }

    #[test]
    fn addresses_are_read_however_they_are_written() {
        let value = "unknown, 1.2.3.4, 1.2.3.4:80 ,::1,[::1]:80,[::1],::ffff:1.2.3.4";
        let clients: Vec<_> = x_forwarded_for(value, |_| true).unwrap();
        let clients: Vec<_> = clients.into_iter().map(|hop| hop.client).collect();
        let ip = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        let (four, six) = (ip("1.2.3.4"), ip("::1"));
        assert_eq!(clients, [None, four, four, six, six, six, four]);
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(value in "\\PC*") {
            let _ = (forwarded(&value), x_forwarded_for(&value, |_| true));
        }

        #[test]
        fn what_looks_like_it_is_not_too_much_either(
            value in "((for|host|by|=|\"|\\\\|;|,|\\[|\\]|:|1\\.2\\.3\\.4| )){0,30}",
        ) {
            let _ = (forwarded(&value), x_forwarded_for(&value, |_| true));
        }

        #[test]
        fn what_was_written_is_read(client: IpAddr, host in "[a-z.]{1,20}", comma in "[, ]*,") {
            let one = format!("for=\"{}\";host={host}", match client {
                IpAddr::V4(v4) => v4.to_string(),
                IpAddr::V6(v6) => format!("[{v6}]"),
            });
            let hops = forwarded(&format!("{one}{comma}{one}")).unwrap();
            let hop = Hop { client: Some(client.to_canonical()), host: Some(host) };
            prop_assert_eq!(hops.len(), 2);
            prop_assert!(hops.iter().all(|read| *read == hop));
        }
    }
}
