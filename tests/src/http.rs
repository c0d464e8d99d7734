//! An application that serves on a free port, and those who call it.

use std::net::SocketAddr;

use axum::http::Method;
use serde_json::Value;
use tenancy::config::Config;
pub use tenancy::testing::Answer;
use tenancy::{App, Error, Result, Tenancy};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::database::Database;

/// An application that serves until it is dropped.
pub struct Served {
    /// Its inside: to provision, to suspend, to look at the pool.
    pub tenancy: Tenancy,
    /// Where it is called.
    pub site: Site,
    server: tokio::task::JoinHandle<()>,
}

impl Served {
    /// Starts `app` on `database`, with the owner's login.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn start(app: App, database: &Database, vars: &[(&str, &str)]) -> Self {
        let outcome = start(app, database, Login::Both, vars).await;
        outcome.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Starts `app` on an embedded database of its own, which ends with it.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn embedded(app: App, vars: &[(&str, &str)]) -> Self {
        let place = ("TENANCY_EMBEDDED", "temporary");
        let vars = vars.iter().copied().chain([place]);
        let vars = vars.map(|(n, v)| (n.to_owned(), v.to_owned()));
        let outcome = listen(app, vars.collect()).await;
        outcome.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Starts `app`, which keeps its tenants in memory.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn in_memory(app: App, vars: &[(&str, &str)]) -> Self {
        let vars = vars.iter().map(|&(n, v)| (n.to_owned(), v.to_owned()));
        let outcome = listen(app, vars.collect()).await;
        outcome.unwrap_or_else(|error| panic!("{error}"))
    }

    /// A caller that names this tenant.
    pub fn tenant<'a>(&'a self, slug: &'a str) -> Caller<'a> {
        self.site.tenant(slug)
    }

    /// A caller that names no tenant.
    pub fn nobody(&self) -> Caller<'_> {
        self.site.nobody()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Which of the database's logins an application is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// The application's and the owner's.
    Both,
    /// The application's only.
    App,
}

/// Starts `app` on `database`.
///
/// # Errors
///
/// Why it does not start.
///
/// # Panics
///
/// When no port can be had.
pub async fn start(
    app: App,
    database: &Database,
    login: Login,
    vars: &[(&str, &str)],
) -> Result<Served> {
    let mut all = vec![("TENANCY_DATABASE_URL".to_owned(), database.app_url())];
    if login == Login::Both {
        let owner = (
            "TENANCY_OWNER_DATABASE_URL".to_owned(),
            database.owner_url(),
        );
        all.push(owner);
    }
    let vars = vars.iter().map(|&(n, v)| (n.to_owned(), v.to_owned()));
    all.extend(vars);
    listen(app, all).await
}

async fn listen(app: App, vars: Vec<(String, String)>) -> Result<Served> {
    let config = Config::from_vars(app.defaults(), vars).map_err(Error::CannotStart)?;
    let (tenancy, router) = app.start(config).await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let server = tokio::spawn(async move {
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(listener, service).await.expect("a server");
    });
    Ok(Served {
        tenancy,
        site: Site::new(address),
        server,
    })
}

/// An address that is served, by this process or by another.
pub struct Site {
    /// Where it listens.
    pub address: SocketAddr,
    client: reqwest::Client,
}

impl Site {
    /// One at which somebody listens.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            client: reqwest::Client::new(),
        }
    }

    /// A caller that names this tenant.
    pub fn tenant<'a>(&'a self, slug: &'a str) -> Caller<'a> {
        Caller {
            site: self,
            slug: Some(slug),
        }
    }

    /// A caller that names no tenant.
    pub fn nobody(&self) -> Caller<'_> {
        Caller {
            site: self,
            slug: None,
        }
    }
}

/// What a server answers to these bytes, down to the last one; but for the
/// date, which is nobody's secret.
///
/// # Panics
///
/// When there is nobody at the address.
pub async fn raw(address: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(request).await.expect("a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    let lines = answer.split_inclusive(|&byte| byte == b'\n');
    lines
        .filter(|line| !line.starts_with(b"date:"))
        .flatten()
        .copied()
        .collect()
}

/// Somebody who sends requests.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    site: &'a Site,
    slug: Option<&'a str>,
}

impl Caller<'_> {
    /// Sends a GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    /// Sends a POST with a JSON body.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    /// Sends a PATCH with a JSON body.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, Some(body)).await
    }

    /// Sends a DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let url = format!("http://{}{path}", self.site.address);
        let mut request = self.site.client.request(method, url);
        if let Some(slug) = self.slug {
            request = request.header("X-Tenant-ID", slug);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.expect("an answer");
        Answer {
            status: response.status(),
            headers: response.headers().clone(),
            body: response.bytes().await.expect("its body").to_vec(),
        }
    }
}
