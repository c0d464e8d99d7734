//! Encrypted connections, with the feature `tls`: to PostgreSQL where its URL asks
//! for them, to a Redis of a `rediss://` URL, and to the `https://` URL of a set of
//! keys.
//!
//! The other side is always who its certificate says: a certificate is verified and
//! its name compared, in every `sslmode` that asks for TLS at all, since a connection
//! that is encrypted to anybody protects from nobody. Who may certify is said by the
//! system, or by the file or the folder that `SSL_CERT_FILE` and `SSL_CERT_DIR` name:
//! that is also how an authority of one's own is trusted.

use std::borrow::Cow;

use tokio_postgres::config::SslMode;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Connection, Error, Socket};

#[cfg(all(feature = "tls", feature = "redis"))]
pub(crate) use with::authorities_in_pem;
#[cfg(all(feature = "tls", feature = "jwt"))]
pub(crate) use with::wrapped;

/// What makes connections encrypted, or does not.
#[cfg(feature = "tls")]
pub(crate) type Connector = tokio_postgres_rustls::MakeRustlsConnect;
#[cfg(not(feature = "tls"))]
pub(crate) type Connector = tokio_postgres::NoTls;

type Stream = <Connector as MakeTlsConnect<Socket>>::Stream;

/// Whether connections can be encrypted in this build.
pub(crate) const BUILT_IN: bool = cfg!(feature = "tls");

/// Whether a URL says of TLS neither yes nor no.
pub(crate) fn is_left_open(url: &str) -> bool {
    !modes(url).any(|option| option.starts_with("sslmode="))
}

/// Whether it asks for that in a build that has none.
pub(crate) fn is_asked_for_in_vain(url: &str) -> bool {
    !BUILT_IN && is_asked_for(url)
}

/// What is wrong with a URL that does.
pub(crate) const NOT_BUILT_IN: &str = "asks for TLS (`sslmode`), which is not in this build";
/// What to do about it.
pub(crate) const WITHOUT: &str = "switch on the feature `tls` of `tenancy`, or reach the server \
    over a private network or a tunnel that encrypts and write sslmode=disable";

/// Whether a login asks for an encrypted connection. One that says nothing (`prefer`)
/// does not: it promises nothing against who can change what is sent, and would end at
/// every server with a certificate of its own making.
pub(crate) fn is_asked_by(login: &Config) -> bool {
    login.get_ssl_mode() == SslMode::Require
}

/// For connections to PostgreSQL, and for requests to cancel on them.
pub(crate) fn connector(encrypts: bool) -> Connector {
    #[cfg(feature = "tls")]
    return with::connector(encrypts).clone();
    #[cfg(not(feature = "tls"))]
    {
        let _ = encrypts;
        tokio_postgres::NoTls
    }
}

/// Connects to PostgreSQL, encrypted where the login asks for it.
pub(crate) async fn connect(login: &Config) -> Result<(Client, Connection<Socket, Stream>), Error> {
    if is_asked_by(login) {
        return login.connect(connector(true)).await;
    }
    let mut login = login.clone();
    login.ssl_mode(SslMode::Disable);
    login.connect(connector(false)).await
}

/// Reads a PostgreSQL URL. The driver knows of the modes that ask for TLS only
/// `require`, and here they are all the same.
pub(crate) fn parse(url: &str) -> Result<Config, Error> {
    let mut url = Cow::Borrowed(url);
    for mode in STRICTER {
        if modes(&url).any(|option| option == mode) {
            url = url.replace(mode, REQUIRE).into();
        }
    }
    url.parse()
}

/// Whether a URL asks for more than a connection without TLS.
pub(crate) fn is_asked_for(url: &str) -> bool {
    modes(url).any(|option| option == REQUIRE || STRICTER.contains(&option))
}

const REQUIRE: &str = "sslmode=require";
const STRICTER: [&str; 2] = ["sslmode=verify-ca", "sslmode=verify-full"];

fn modes(url: &str) -> impl Iterator<Item = &str> {
    let options = url.split_once('?').map_or("", |(_, options)| options);
    options
        .split('&')
        .filter(|option| option.starts_with("sslmode="))
}

/// A build without TLS reads no URL that would lead here.
#[cfg(all(feature = "jwt", not(feature = "tls")))]
pub(crate) async fn wrapped(
    _: tokio::net::TcpStream,
    _: &str,
) -> Result<tokio::net::TcpStream, crate::error::Source> {
    Err("TLS is not in this build".into())
}

#[cfg(feature = "tls")]
mod with {
    use std::sync::{Arc, LazyLock};

    #[cfg(feature = "jwt")]
    use tokio::net::TcpStream;
    #[cfg(feature = "jwt")]
    use tokio_rustls::client::TlsStream;
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::pki_types::CertificateDer;
    #[cfg(feature = "jwt")]
    use tokio_rustls::rustls::pki_types::ServerName;
    use tokio_rustls::rustls::{ClientConfig, RootCertStore};

    use super::Connector;
    #[cfg(feature = "jwt")]
    use crate::error::Source;

    /// Who may certify: read once in the life of a process, when that is needed. Of
    /// what a system has, some may be of no use.
    static AUTHORITIES: LazyLock<Vec<CertificateDer<'static>>> = LazyLock::new(|| {
        let mut found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!(%error, "certificates of authorities could not be read");
        }
        let usable = |one: &CertificateDer<'_>| RootCertStore::empty().add(one.clone()).is_ok();
        found.certs.retain(usable);
        if found.certs.is_empty() {
            tracing::warn!(
                "no authority is trusted, so that no encrypted connection can be made: install \
                 the system's certificates (ca-certificates), or name a file in SSL_CERT_FILE"
            );
        }
        found.certs
    });

    static CONFIG: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(AUTHORITIES.iter().cloned());
        Arc::new(trusting(roots))
    });

    static ENCRYPTS: LazyLock<Connector> = LazyLock::new(|| Connector::new((**CONFIG).clone()));
    static PLAIN: LazyLock<Connector> =
        LazyLock::new(|| Connector::new(trusting(RootCertStore::empty())));

    pub(super) fn connector(encrypts: bool) -> &'static Connector {
        if encrypts { &ENCRYPTS } else { &PLAIN }
    }

    fn trusting(roots: RootCertStore) -> ClientConfig {
        let provider = Arc::new(ring::default_provider());
        ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has the default versions of TLS")
            .with_root_certificates(roots)
            .with_no_client_auth()
    }

    /// The same authorities for the client of Redis, which makes its connections
    /// itself and takes the provider of the process for them: ours, unless the
    /// application has chosen one. With two in a build rustls would choose none.
    #[cfg(feature = "redis")]
    pub(crate) fn authorities_in_pem() -> Vec<u8> {
        use base64::Engine as _;
        use base64::engine::general_purpose::STANDARD;

        // Refused where there is one already.
        let _ = ring::default_provider().install_default();
        let label = |word| format!("-----{word} CERTIFICATE-----\n");
        let authorities = AUTHORITIES.iter();
        let pem = authorities.map(|one| {
            let one = STANDARD.encode(one);
            format!("{}{one}\n{}", label("BEGIN"), label("END"))
        });
        pem.collect::<String>().into_bytes()
    }

    /// A connection to `host`, encrypted from here on.
    #[cfg(feature = "jwt")]
    pub(crate) async fn wrapped(
        stream: TcpStream,
        host: &str,
    ) -> Result<TlsStream<TcpStream>, Source> {
        let name = ServerName::try_from(host.to_owned())?;
        let connector = tokio_rustls::TlsConnector::from(Arc::clone(&CONFIG));
        Ok(connector.connect(name, stream).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_that_asks_for_tls_is_the_strictest() {
        for (options, asked) in [
            ("?sslmode=require", true),
            ("?connect_timeout=3&sslmode=verify-full", true),
            ("?sslmode=verify-ca", true),
            ("?sslmode=prefer", false),
            ("?sslmode=disable", false),
            ("", false),
        ] {
            let url = format!("postgres://app:sslmode=require@db/app{options}");
            assert_eq!(is_asked_for(&url), asked, "{options}");
            let mode = parse(&url).unwrap().get_ssl_mode();
            assert_eq!(mode == SslMode::Require, asked, "{options}");
        }
        assert!(parse("postgres://app@db/app?sslmode=verify").is_err());
    }
}
