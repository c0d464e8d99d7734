//! Encrypted connections: to PostgreSQL and to the publisher of keys, and only to those
//! whose certificate is right. Applications are processes of their own here, since who
//! may certify is said by the environment.

use std::path::Path;
use std::sync::Arc;

use integration::database::Database;
use integration::http::raw;
use integration::process::Workplace;
use integration::servers::{Postgres, SERVER_CERTIFICATE, SERVER_KEY};
use jsonwebtoken::Algorithm;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::jwt::jwks::jwk;
use crate::jwt::token::{RSA, Token};
use crate::jwt::{AUDIENCE, ISSUER};

/// Who certifies `localhost`.
pub(crate) fn authority() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("keys/authority.pem");
    path.to_str().expect("a path").to_owned()
}

/// Answers every request with `body`, encrypted; its port.
async fn publisher(body: String) -> u16 {
    let chain = CertificateDer::from_pem_slice(SERVER_CERTIFICATE.as_bytes())
        .expect("what is needed to serve");
    let key =
        PrivateKeyDer::from_pem_slice(SERVER_KEY.as_bytes()).expect("what is needed to serve");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("what is needed to serve")
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .expect("what is needed to serve");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("what is needed to serve");
    let port = listener
        .local_addr()
        .expect("what is needed to serve")
        .port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, body) = (acceptor.clone(), body.clone());
            tokio::spawn(async move {
                let mut stream = acceptor.accept(stream).await?;
                let mut request = [0; 1024];
                let _ = stream.read(&mut request).await?;
                let length = body.len();
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
                stream.write_all(answer.as_bytes()).await?;
                stream.shutdown().await
            });
        }
    });
    port
}

/// What an application is told of the database, with `host` and what follows `?`.
fn logins(database: &Database, host: &str, options: &str) -> [(&'static str, String); 2] {
    let at = |url: String| {
        let url = url.replace("127.0.0.1", host);
        assert!(url.contains(host) && !url.contains('?'), "{url}");
        format!("{url}?{options}")
    };
    [
        ("TENANCY_DATABASE_URL", at(database.app_url())),
        ("TENANCY_OWNER_DATABASE_URL", at(database.owner_url())),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_asks_for_tls_is_encrypted_all_the_way() {
    let postgres = Postgres::start().await;
    postgres.encrypt().await;
    let database = Database::empty_on(&postgres.url()).await;
    let keys = json!({ "keys": [jwk("ours", RSA)] }).to_string();
    let jwks = format!("https://localhost:{}/keys", publisher(keys).await);
    let token = Token::pem(Algorithm::RS256, RSA).header("kid", json!("ours"));
    let token = format!("Bearer {}", token.mint());
    let place = Workplace::new();
    let authority = authority();
    for mode in ["require", "verify-full"] {
        let logins = logins(&database, "localhost", &format!("sslmode={mode}"));
        let mut vars: Vec<_> = logins.iter().map(|(name, url)| (*name, &**url)).collect();
        vars.extend([
            ("SSL_CERT_FILE", &*authority),
            ("TENANCY_JWKS", &jwks),
            ("TENANCY_JWT_ISSUER", ISSUER),
            ("TENANCY_JWT_AUDIENCE", AUDIENCE),
        ]);
        let app = place.serve("saas-starter", &vars).await;
        let request = format!(
            "GET /posts HTTP/1.1\r\nHost: localhost\r\nAuthorization: {token}\r\n\
             Connection: close\r\n\r\n"
        );
        let posts = raw(app.address, request.as_bytes()).await;
        assert!(
            posts.starts_with(b"HTTP/1.1 200 "),
            "{}",
            posts.escape_ascii()
        );
        let open = format!(
            "SELECT count(*) FILTER (WHERE NOT ssl) || ' of ' || count(*) FROM pg_stat_ssl \
             JOIN pg_stat_activity USING (pid) WHERE usename IN ('{}', '{}') \
             AND application_name LIKE 'tenancy%'",
            database.app_role(),
            database.owner_role()
        );
        let open: String = database.value(&open).await;
        assert!(open.starts_with("0 of ") && open != "0 of 0", "{open}");
        app.stop("TERM").await;
    }
    // The twin: who asks for none gets none, from the same server.
    let logins = logins(&database, "localhost", "sslmode=prefer");
    let vars: Vec<_> = logins.iter().map(|(name, url)| (*name, &**url)).collect();
    let app = place.serve("saas-starter", &vars).await;
    let open: i64 = database
        .value(
            "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                WHERE NOT ssl AND application_name LIKE 'tenancy%'",
        )
        .await;
    assert!(open > 0);
    app.stop("TERM").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_certified_is_not_connected_to() {
    let postgres = Postgres::start().await;
    let database = Database::empty_on(&postgres.url()).await;
    let place = Workplace::new();
    let authority = authority();
    let start = async |host: &str, trusted: Option<&str>| {
        let logins = logins(&database, host, "sslmode=require");
        let mut vars: Vec<_> = logins.iter().map(|(name, url)| (*name, &**url)).collect();
        vars.push(("TENANCY_POOL_TIMEOUT", "2"));
        vars.extend(trusted.map(|trusted| ("SSL_CERT_FILE", trusted)));
        let ended = place.run("saas-starter", &["migrate"], &vars).await;
        (ended.code, ended.err)
    };
    // A server that has none.
    let (code, said) = start("localhost", Some(&authority)).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("TENANCY_DATABASE_URL"), "{said}");
    postgres.encrypt().await;
    // One with another's name, and one that nobody here vouches for.
    for (host, trusted) in [("127.0.0.1", Some(&*authority)), ("localhost", None)] {
        let (code, said) = start(host, trusted).await;
        assert_eq!(code, Some(1), "{host}: {said}");
        assert!(said.contains("certificate"), "{host}: {said}");
    }
    // The twin: it is the certificate that they stumble on.
    let (code, said) = start("localhost", Some(&authority)).await;
    assert_eq!(code, Some(0), "{said}");
}
