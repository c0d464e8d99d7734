use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use tokio::net::TcpStream;

use super::address::is_public;
use super::challenge::{Challenge, DomainProof, PATH};
use super::dns::NameServers;
use crate::error::Source;
use crate::http;

/// The longest page that is read.
const LONGEST: usize = 16 * 1024;

/// How long one address may take, from the connection to the last byte, and how many
/// are tried.
const PATIENCE: Duration = Duration::from_secs(5);
const ADDRESSES: usize = 3;

/// Looks for the page on the domain's own web server, over HTTP on port 80.
///
/// Whoever claims a domain says where we connect to, so that the name is resolved
/// here, once, and only public addresses are connected to: not those of the machine,
/// of its network or of a cloud's own services. No redirect is followed, no more than
/// 16 KiB are read, and an address has five seconds.
#[derive(Debug, Clone)]
pub struct HttpProof {
    servers: NameServers,
    port: u16,
    private_addresses: bool,
}

impl Default for HttpProof {
    fn default() -> Self {
        Self::new(NameServers::default())
    }
}

impl HttpProof {
    /// Asks these servers for the addresses of hosts.
    #[must_use]
    pub fn new(servers: NameServers) -> Self {
        Self {
            servers,
            port: 80,
            private_addresses: false,
        }
    }

    /// Connects to another port. Whoever may open it on the customer's machine proves
    /// the domain: below 1024 that is who runs the machine.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Connects to addresses that are not public as well: where customers are in the
    /// same network as the application, and what else listens there may be asked for
    /// a page by anybody who claims a domain.
    #[must_use]
    pub fn allow_private_addresses(mut self) -> Self {
        self.private_addresses = true;
        self
    }

    /// Whether the page there has the value. Who cannot be reached has none: a name that
    /// leads to a closed port would else keep its domain for ever.
    async fn has(&self, address: IpAddr, challenge: &Challenge) -> bool {
        let fetched = tokio::time::timeout(PATIENCE, self.fetch(address, challenge)).await;
        match fetched {
            Ok(Ok(page)) => page
                .split(|byte| *byte == b'\n')
                .any(|line| line.trim_ascii() == challenge.value.as_bytes()),
            Ok(Err(error)) => {
                tracing::debug!(domain = %challenge.domain, %address, %error, "no challenge there");
                false
            }
            Err(_) => false,
        }
    }

    async fn fetch(&self, address: IpAddr, challenge: &Challenge) -> Result<Vec<u8>, Source> {
        let stream = TcpStream::connect(SocketAddr::new(address, self.port)).await?;
        let authority = match self.port {
            80 => challenge.domain.to_string(),
            port => format!("{}:{port}", challenge.domain),
        };
        http::get(stream, &authority, PATH, "text/plain", LONGEST).await
    }
}

#[async_trait]
impl DomainProof for HttpProof {
    async fn is_published(&self, challenge: &Challenge) -> Result<bool, Source> {
        let addresses = self.servers.addresses(&challenge.domain).await?;
        let allowed = |address: &IpAddr| self.private_addresses || is_public(*address);
        for address in addresses.into_iter().filter(allowed).take(ADDRESSES) {
            if self.has(address, challenge).await {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
