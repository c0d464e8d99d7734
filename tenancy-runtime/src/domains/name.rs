use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::http::HostName;
use crate::problem::shown;

/// What stands before a domain in the name of its TXT record.
pub(super) const TXT_LABEL: &str = "_tenancy-challenge";

/// The longest name in DNS, and so the longest of a domain whose TXT record has one.
const LONGEST: usize = 253 - TXT_LABEL.len() - 1;

/// A domain that a tenant can bring: a [`HostName`] of two labels or more, without a
/// port.
///
/// A suffix that others register below (`co.uk`) is not told apart: whoever proves
/// one gets that host and none below it.
///
/// ```
/// use tenancy_runtime::domains::DomainName;
///
/// let domain: DomainName = "App.Customer.com.".parse()?;
/// assert_eq!(domain.as_str(), "app.customer.com");
/// for wrong in ["localhost", "10.0.0.1", "app.customer.com:443", "münchen.de"] {
///     assert!(wrong.parse::<DomainName>().is_err());
/// }
/// # Ok::<(), tenancy_runtime::domains::InvalidDomainName>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DomainName(HostName);

/// Why a value is not a [`DomainName`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a domain is the name of a host as `app.customer.com`: two labels or more of letters, digits \
     and `-`, {longest} characters at most (an internationalized one in its form `xn--…`); got `{0}`",
    longest = LONGEST
)]
pub struct InvalidDomainName(String);

impl DomainName {
    /// The name, lower case and without a dot at the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// As requests name it.
    #[must_use]
    pub fn host(&self) -> &HostName {
        &self.0
    }

    /// Whether it is this host or one below it.
    pub(super) fn is_within(&self, suffix: &HostName) -> bool {
        self.0 == *suffix || self.0.below(suffix).is_some()
    }
}

impl FromStr for DomainName {
    type Err = InvalidDomainName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidDomainName(shown(text));
        let host: HostName = text.parse().map_err(|_| invalid())?;
        let name = host.as_str();
        if text.contains(':') || !name.contains('.') || name.len() > LONGEST {
            return Err(invalid());
        }
        Ok(Self(host))
    }
}

impl From<InvalidDomainName> for Error {
    fn from(error: InvalidDomainName) -> Self {
        Self::InvalidInput(error.to_string())
    }
}

impl TryFrom<String> for DomainName {
    type Error = InvalidDomainName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<DomainName> for String {
    fn from(domain: DomainName) -> Self {
        domain.as_str().to_owned()
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_tenant_cannot_bring_is_refused() {
        let long = format!("{}.customer.com", ["a"; 115].join("."));
        assert!(long.parse::<HostName>().is_ok() && long.len() > LONGEST);
        for text in [
            "",
            "com",
            "localhost",
            "com.",
            "127.0.0.1",
            "[::1]",
            "0x7f.1",
            "app.customer.com:80",
            "app.customer.com:",
            "*.customer.com",
            "_x.customer.com",
            "app..customer.com",
            "app.customer.com..",
            "http://app.customer.com",
            "app.customer.com/x",
            "app.customer.com\n",
            "app.cu\u{455}tomer.com",
            &long,
        ] {
            assert!(text.parse::<DomainName>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_below_a_suffix_is_within_it() {
        let ours: HostName = "myapp.com".parse().unwrap();
        for (text, within) in [
            ("myapp.com", true),
            ("MYAPP.com.", true),
            ("acme-corp.myapp.com", true),
            ("a.b.myapp.com", true),
            ("notmyapp.com", false),
            ("myapp.com.evil.org", false),
        ] {
            let domain: DomainName = text.parse().unwrap();
            assert_eq!(domain.is_within(&ours), within, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_domain_has_one_form_which_is_the_host_s(
            text in "[a-zA-Z0-9_:.-]{0,40}|([a-zA-Z0-9-]{1,20}[.]){1,14}[a-z]{2,9}[.]?"
        ) {
            if let Ok(domain) = text.parse::<DomainName>() {
                prop_assert_eq!(&domain.to_string().parse::<DomainName>().unwrap(), &domain);
                prop_assert_eq!(&text.parse::<HostName>().unwrap(), domain.host());
                prop_assert!(domain.as_str().len() <= LONGEST && domain.as_str().contains('.'));
                prop_assert!(!domain.as_str().bytes().any(|byte| byte.is_ascii_uppercase()));
                // The TXT record's name is one.
                prop_assert!(TXT_LABEL.len() + 1 + domain.as_str().len() <= 253);
            }
        }
    }
}
