use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;

use super::challenge::{Challenge, DomainProof};
use super::name::DomainName;
use crate::error::Source;

/// How long one server may take for one answer, and all of it.
const ANSWER: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(8);

/// Who is asked about names: the name servers of the system unless others are given.
/// Their word is taken, so let them be your own and near.
///
/// Nothing is remembered from one question to the next, a hosts file is not looked
/// at, and no name is searched for below another.
#[derive(Debug, Clone, Default)]
pub struct NameServers(Vec<SocketAddr>);

impl NameServers {
    /// Those at these addresses.
    ///
    /// ```
    /// use tenancy_runtime::domains::{DnsProof, NameServers};
    ///
    /// let proof = DnsProof::new(NameServers::at(["192.0.2.53:53".parse()?]));
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    pub fn at(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        Self(addresses.into_iter().collect())
    }

    /// A new one, which has nothing to remember.
    fn resolver(&self) -> Result<TokioResolver, NetError> {
        let mut builder = if self.0.is_empty() {
            TokioResolver::builder_tokio()?
        } else {
            let servers = self.0.iter().map(|address| {
                let mut server = NameServerConfig::udp_and_tcp(address.ip());
                for connection in &mut server.connections {
                    connection.port = address.port();
                }
                server
            });
            let config = ResolverConfig::from_name_servers(servers.collect());
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        };
        let options = builder.options_mut();
        options.use_hosts_file = ResolveHosts::Never;
        options.timeout = ANSWER;
        options.attempts = 1;
        builder.build()
    }

    /// The TXT records of a name; none where there is no such name.
    async fn txt(&self, name: &str) -> Result<Vec<Vec<u8>>, Source> {
        let resolver = self.resolver()?;
        // With the dot at the end it is the whole name.
        let found = resolver.txt_lookup(format!("{name}."));
        let Some(found) = answer(tokio::time::timeout(PATIENCE, found).await?)? else {
            return Ok(Vec::new());
        };
        let texts = found.answers().iter().filter_map(|record| {
            let RData::TXT(text) = &record.data else {
                return None;
            };
            Some(text.txt_data.concat())
        });
        Ok(texts.collect())
    }

    /// The addresses of a host; none where there is no such host.
    pub(super) async fn addresses(&self, domain: &DomainName) -> Result<Vec<IpAddr>, Source> {
        let resolver = self.resolver()?;
        let found = resolver.lookup_ip(format!("{domain}."));
        let found = answer(tokio::time::timeout(PATIENCE, found).await?)?;
        Ok(found.map_or_else(Vec::new, |found| found.iter().collect()))
    }
}

/// That there is nothing is an answer as well.
fn answer<T>(outcome: Result<T, NetError>) -> Result<Option<T>, NetError> {
    match outcome {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_no_records_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Looks for the TXT record. A `CNAME` there is followed, so that a customer can
/// hand the record to somebody else.
#[derive(Debug, Clone, Default)]
pub struct DnsProof {
    servers: NameServers,
}

impl DnsProof {
    /// Asks these servers.
    #[must_use]
    pub fn new(servers: NameServers) -> Self {
        Self { servers }
    }
}

#[async_trait]
impl DomainProof for DnsProof {
    async fn is_published(&self, challenge: &Challenge) -> Result<bool, Source> {
        let texts = self.servers.txt(&challenge.txt_name).await?;
        let value = challenge.value.as_bytes();
        Ok(texts.iter().any(|text| text == value))
    }
}
