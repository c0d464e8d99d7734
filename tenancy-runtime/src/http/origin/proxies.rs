use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use crate::problem::shown;

/// The networks whose proxies are believed what they say of a request's sender
/// and host. Without any, nobody is.
///
/// ```
/// use tenancy_runtime::http::TrustedProxies;
///
/// let proxies: TrustedProxies = "10.0.0.0/8, 192.0.2.7, ::1".parse()?;
/// assert!(proxies.contains("10.1.2.3".parse().unwrap()));
/// assert!(!proxies.contains("11.1.2.3".parse().unwrap()));
/// # Ok::<(), tenancy_runtime::http::InvalidProxies>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

/// Why a value is not a list of [`TrustedProxies`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither an address nor a network, as 10.0.0.0/8")]
pub struct InvalidProxies(String);

impl TrustedProxies {
    /// Whether nobody is believed.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a proxy at this address is believed.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl FromStr for TrustedProxies {
    type Err = InvalidProxies;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let networks = text.split(',').map(|entry| {
            let entry = entry.trim();
            let address = || entry.parse::<IpAddr>().ok().map(IpNet::from);
            let network = entry.parse().ok().or_else(address);
            network.ok_or_else(|| InvalidProxies(shown(entry)))
        });
        networks.collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_networks_are_taken_and_nothing_else() {
        let proxies: TrustedProxies = "127.0.0.1,10.0.0.0/8 , fd00::/8".parse().unwrap();
        for (address, trusted) in [
            ("127.0.0.1", true),
            ("127.0.0.2", false),
            ("10.255.0.1", true),
            ("::ffff:10.0.0.1", true),
            ("fd12::1", true),
            ("fe80::1", false),
        ] {
            assert_eq!(
                proxies.contains(address.parse().unwrap()),
                trusted,
                "{address}"
            );
        }
        for text in [
            "",
            "10.0.0.0/33",
            "proxy.local",
            "10.0.0.1;10.0.0.2",
            "*",
            "10.0.0.1,",
        ] {
            assert!(text.parse::<TrustedProxies>().is_err(), "{text}");
        }
        assert!(!TrustedProxies::default().contains("127.0.0.1".parse().unwrap()));
    }
}
