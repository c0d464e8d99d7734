//! Where a set of keys is fetched from.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use axum::http::Uri;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::super::key::InvalidKey;
use crate::error::Source;
use crate::http;
use crate::tls;

/// The longest set that is read.
const LONGEST: usize = 256 * 1024;

/// How long one answer may take, from the connection to its last byte.
const PATIENCE: Duration = Duration::from_secs(5);

/// Fetches the keys that tokens are checked with, as a JSON Web Key Set. A file and
/// an `http://` URL are built in, and an `https://` URL with the feature `tls`; this is
/// for others, with the HTTP client that the application has anyway:
///
/// ```
/// use async_trait::async_trait;
/// use tenancy_runtime::error::Source;
/// use tenancy_runtime::resolve::{FetchKeys, JwtKeys, JwtResolver};
///
/// struct OfOurIssuer; // holds a `reqwest::Client`, for example
///
/// #[async_trait]
/// impl FetchKeys for OfOurIssuer {
///     async fn fetch(&self) -> Result<Vec<u8>, Source> {
///         // self.client.get(URL).send().await?.error_for_status()?.bytes().await
///         # Ok(b"{\"keys\": []}".to_vec())
///     }
/// }
///
/// let resolver = JwtResolver::new()
///     .issuer("https://login.myapp.com/")
///     .audience("api")
///     .keys(JwtKeys::fetched(OfOurIssuer));
/// ```
///
/// It is asked seldom, by one request at a time, and given up after six seconds.
#[async_trait]
pub trait FetchKeys: Send + Sync + 'static {
    /// The set as it is now.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from being fetched: the keys from before are kept for a
    /// while.
    async fn fetch(&self) -> Result<Vec<u8>, Source>;
}

/// A file, which is read again as a URL is.
pub(super) struct File(pub(super) PathBuf);

#[async_trait]
impl FetchKeys for File {
    async fn fetch(&self) -> Result<Vec<u8>, Source> {
        let file = tokio::fs::File::open(&self.0).await?;
        let mut text = Vec::new();
        let limit = u64::try_from(LONGEST)? + 1;
        file.take(limit).read_to_end(&mut text).await?;
        if text.len() > LONGEST {
            return Err("the file is too long for a set of keys".into());
        }
        Ok(text)
    }
}

/// An `http://` or `https://` URL.
#[derive(Debug)]
pub(super) struct Url {
    encrypted: bool,
    host: String,
    port: u16,
    authority: String,
    path: String,
}

impl Url {
    pub(super) fn parse(url: &str) -> Result<Self, InvalidKey> {
        let wrong = || InvalidKey::new("is no URL as https://host:port/path");
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let encrypted = match uri.scheme_str() {
            Some("http") => false,
            Some("https") if tls::BUILT_IN => true,
            Some("https") => {
                return Err(InvalidKey::new(
                    "is an https URL, and TLS is not in this build: switch on the feature `tls` \
                     of `tenancy`, name a file that is kept up to date, or fetch the keys with \
                     the application's own client (`JwtKeys::fetched`)",
                ));
            }
            _ => return Err(wrong()),
        };
        let authority = uri.authority().ok_or_else(wrong)?;
        let host = authority.host();
        if host.is_empty() || authority.as_str().contains('@') {
            return Err(wrong());
        }
        // What is after the host is a port, or nothing: a wrong one would be the usual.
        let port = match authority.as_str().strip_prefix(host) {
            Some("") if encrypted => 443,
            Some("") => 80,
            Some(port) => port
                .strip_prefix(':')
                .and_then(|port| port.parse().ok())
                .ok_or_else(wrong)?,
            None => return Err(wrong()),
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self {
            encrypted,
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            authority: authority.to_string(),
            path: path.to_owned(),
        })
    }

    /// One GET on a connection of its own. A redirect is not followed: who may
    /// answer for the issuer is said by the configuration and nobody else.
    async fn get(&self) -> Result<Vec<u8>, Source> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        let accept = "application/json";
        if self.encrypted {
            let stream = tls::wrapped(stream, &self.host).await?;
            return http::get(stream, &self.authority, &self.path, accept, LONGEST).await;
        }
        http::get(stream, &self.authority, &self.path, accept, LONGEST).await
    }
}

#[async_trait]
impl FetchKeys for Url {
    async fn fetch(&self) -> Result<Vec<u8>, Source> {
        match tokio::time::timeout(PATIENCE, self.get()).await {
            Ok(answer) => answer,
            Err(_) => Err("there was no whole answer in time".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_whole_or_refused() {
        let url = Url::parse("http://[::1]:8080/jwks?x=1").unwrap();
        assert_eq!(
            (&*url.host, url.port, &*url.path),
            ("::1", 8080, "/jwks?x=1")
        );
        assert_eq!(Url::parse("http://login/").unwrap().port, 80);
        let encrypted = Url::parse("https://login.myapp.com/jwks.json");
        assert_eq!(encrypted.is_ok(), tls::BUILT_IN);
        assert!(encrypted.is_ok_and(|url| url.encrypted && url.port == 443) == tls::BUILT_IN);
        for wrong in [
            "http://",
            "http:///keys",
            "ftp://host/keys",
            "http://user:hunter2@host/keys",
            "https://user:hunter2@host/keys",
            "http://host:99999/",
        ] {
            let said = Url::parse(wrong).unwrap_err().to_string();
            assert!(!said.contains("hunter2"), "{wrong}: {said}");
        }
    }
}
