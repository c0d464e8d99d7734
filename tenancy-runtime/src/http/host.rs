//! Host names, in the one form in which they are compared.

use std::fmt;
use std::str::FromStr;

use crate::problem::shown;

/// The name of a host as clients write it in `Host`, without its port: lower
/// case, no dot at the end. An internationalized name has its ASCII form
/// (`xn--…`, [RFC 5890]), as browsers send it; an IP address is no name.
///
/// [RFC 5890]: https://www.rfc-editor.org/rfc/rfc5890#section-2.3.2.1
///
/// ```
/// use tenancy_runtime::http::HostName;
///
/// let host: HostName = "ACME.MyApp.com.:443".parse()?;
/// assert_eq!(host.as_str(), "acme.myapp.com");
/// assert!("acme..myapp.com".parse::<HostName>().is_err());
/// assert!("127.0.0.1:8000".parse::<HostName>().is_err());
/// # Ok::<(), tenancy_runtime::http::InvalidHostName>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostName(Box<str>);

/// Why a value is not a [`HostName`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a host name has labels of 1 to 63 letters, digits and `-`, with dots between them and 253 \
     characters at most (an internationalized one in its form `xn--…`); got `{0}`"
)]
pub struct InvalidHostName(String);

impl HostName {
    /// The name, lower case and without a dot at the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before `.domain`; `None` for a host that is not below it.
    #[must_use]
    pub fn below(&self, domain: &HostName) -> Option<&str> {
        self.0.strip_suffix(&*domain.0)?.strip_suffix('.')
    }
}

impl FromStr for HostName {
    type Err = InvalidHostName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidHostName(shown(text));
        let name = match text.split_once(':') {
            Some((name, port)) if is_port(port) => name,
            Some(_) => return Err(invalid()),
            None => text,
        };
        let name = name.strip_suffix('.').unwrap_or(name);
        let labels = || name.split('.');
        // A name that ends in a number is an address, however it is written:
        // <https://url.spec.whatwg.org/#ends-in-a-number-checker>.
        let number = labels().next_back().is_some_and(is_number);
        if name.len() > 253 || number || !labels().all(is_label) {
            return Err(invalid());
        }
        Ok(Self(name.to_ascii_lowercase().into()))
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// [RFC 1123](https://www.rfc-editor.org/rfc/rfc1123#section-2.1): letters, digits
/// and inner hyphens.
fn is_label(label: &str) -> bool {
    let ends = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let bytes = || label.bytes();
    label.len() <= 63
        && ends(bytes().next())
        && ends(bytes().next_back())
        && bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn is_number(label: &str) -> bool {
    let hexadecimal = label.strip_prefix("0x").or(label.strip_prefix("0X"));
    label.bytes().all(|byte| byte.is_ascii_digit())
        || hexadecimal.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// A port may be empty: <https://www.rfc-editor.org/rfc/rfc3986#section-3.2.3>.
fn is_port(port: &str) -> bool {
    port.bytes().all(|byte| byte.is_ascii_digit())
        && (port.is_empty() || port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Option<String> {
        text.parse::<HostName>().ok().map(|host| host.to_string())
    }

    #[test]
    fn one_host_has_one_form() {
        for text in [
            "acme.myapp.com",
            "ACME.MyApp.COM",
            "acme.myapp.com.",
            "acme.myapp.com:443",
            "Acme.myapp.com.:8000",
            "acme.myapp.com:",
        ] {
            assert_eq!(parsed(text).as_deref(), Some("acme.myapp.com"), "{text}");
        }
        assert_eq!(
            parsed("XN--MNCHEN-3YA.de").as_deref(),
            Some("xn--mnchen-3ya.de")
        );
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = format!("{}.com", "a".repeat(64));
        let longer = format!("{}com", "a.".repeat(126));
        for text in [
            "",
            ".",
            ":",
            ":80",
            "a..b",
            ".a",
            "a.com..",
            "-a.com",
            "a-.com",
            "a_b.com",
            "a b",
            "a,b",
            "a.com:x",
            "a.com:99999",
            "a.com:1:2",
            "user@a.com",
            "a.com/b",
            "münchen.de",
            "a\0.com",
            "127.0.0.1",
            "127.1",
            "[::1]",
            "::1",
            "0x7f000001",
            "a.0x1",
            &long,
            &longer,
        ] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }

    #[test]
    fn only_what_is_below_a_domain_has_a_label_there() {
        let domain: HostName = "myapp.com".parse().unwrap();
        let below = |host: &str| {
            let host: HostName = host.parse().unwrap();
            host.below(&domain).map(ToOwned::to_owned)
        };
        assert_eq!(below("acme.myapp.com").as_deref(), Some("acme"));
        assert_eq!(below("a.b.myapp.com").as_deref(), Some("a.b"));
        for other in [
            "myapp.com",
            "evilmyapp.com",
            "acme.myapp.com.evil.org",
            "com",
        ] {
            assert_eq!(below(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_has_one_form(text in "\\PC*") {
            if let Ok(host) = text.parse::<HostName>() {
                prop_assert_eq!(host.to_string().parse::<HostName>().unwrap(), host);
            }
        }

        #[test]
        fn what_looks_like_a_host_is_refused_or_has_one_form(text in "[a-zA-Z0-9.:_-]{0,70}") {
            if let Ok(host) = text.parse::<HostName>() {
                prop_assert!(text.to_ascii_lowercase().starts_with(host.as_str()));
                prop_assert_eq!(host.to_string().parse::<HostName>().unwrap(), host);
            }
        }
    }
}
