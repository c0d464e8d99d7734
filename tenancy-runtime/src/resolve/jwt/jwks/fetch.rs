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

/// The longest set that is read.
const LONGEST: usize = 256 * 1024;

/// How long one answer may take, from the connection to its last byte.
const PATIENCE: Duration = Duration::from_secs(5);

/// Fetches the keys that tokens are checked with, as a JSON Web Key Set. A file
/// and an `http://` URL are built in; this is for others, an `https://` URL above
/// all, with the HTTP client that the application has anyway:
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

/// An `http://` URL.
#[derive(Debug)]
pub(super) struct Url {
    host: String,
    port: u16,
    authority: String,
    path: String,
}

impl Url {
    pub(super) fn parse(url: &str) -> Result<Self, InvalidKey> {
        if url.starts_with("https:") {
            return Err(InvalidKey::new(
                "is an https URL, and no TLS is built in: name a file that is kept up to date, an \
                 http URL of a proxy on the same machine, or fetch the keys with the application's \
                 own client (`JwtKeys::fetched`)",
            ));
        }
        let wrong = || InvalidKey::new("is no URL as http://host:port/path");
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let authority = uri.authority().ok_or_else(wrong)?;
        let host = authority.host();
        if uri.scheme_str() != Some("http") || host.is_empty() || authority.as_str().contains('@') {
            return Err(wrong());
        }
        // What is after the host is a port, or nothing: a wrong one would be 80.
        let port = match authority.as_str().strip_prefix(host) {
            Some("") => 80,
            Some(port) => port
                .strip_prefix(':')
                .and_then(|port| port.parse().ok())
                .ok_or_else(wrong)?,
            None => return Err(wrong()),
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self {
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
        for wrong in [
            "http://",
            "http:///keys",
            "ftp://host/keys",
            "http://user:hunter2@host/keys",
            "https://login.myapp.com/jwks.json",
            "http://host:99999/",
        ] {
            let said = Url::parse(wrong).unwrap_err().to_string();
            assert!(!said.contains("hunter2"), "{wrong}: {said}");
        }
    }
}
