use std::fmt;

use async_trait::async_trait;
use serde::Serialize;

use super::name::{DomainName, TXT_LABEL};
use crate::error::Source;

/// Where a page with the value is looked for. The path says nothing of the value:
/// a server that answers with what it is asked for proves nothing.
pub(super) const PATH: &str = "/.well-known/tenancy-challenge";

/// What a tenant publishes to prove that a domain is its own: a TXT record or a page
/// with the value. The value is this tenant's and this domain's, 244 random bits, so
/// that what somebody else publishes proves nothing for it.
///
/// Publishing is all that there is to a challenge, so that it may be shown to whoever
/// runs the domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Challenge {
    /// The domain to prove.
    pub domain: DomainName,
    /// The name of the TXT record.
    pub txt_name: String,
    /// The address of the page, on the domain's own web server.
    pub http_url: String,
    /// What the record or the page holds. Others may stand beside it: more records,
    /// more lines.
    pub value: String,
}

impl Challenge {
    pub(super) fn new(domain: DomainName, token: &str) -> Self {
        Self {
            txt_name: format!("{TXT_LABEL}.{domain}"),
            http_url: format!("http://{domain}{PATH}"),
            value: format!("tenancy-challenge={token}"),
            domain,
        }
    }
}

/// What to publish, in words.
impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            txt_name,
            http_url,
            value,
            ..
        } = self;
        write!(
            f,
            "publish `{value}` in a TXT record of {txt_name}, or as a line of {http_url}"
        )
    }
}

/// Looks whether a challenge is published. By DNS ([`DnsProof`](super::DnsProof)) and
/// HTTP ([`HttpProof`](super::HttpProof)) is built in; one of your own can ask
/// whoever sells domains for you, for example.
#[async_trait]
pub trait DomainProof: Send + Sync + 'static {
    /// Whether the value is there now. It is not to be remembered, nor is an answer
    /// from before to be believed.
    ///
    /// # Errors
    ///
    /// Whatever keeps us from telling: a domain that is verified stays so.
    async fn is_published(&self, challenge: &Challenge) -> Result<bool, Source>;
}
