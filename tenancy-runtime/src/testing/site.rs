use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::header::HOST;
use axum::http::{HeaderValue, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use super::Answer;
use crate::error::{Error, Result};

/// How long an answer may take, all of it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where an application is called: in this process, or at an address.
#[derive(Clone)]
pub struct Site {
    place: Where,
    patience: Duration,
}

#[derive(Clone)]
enum Where {
    /// The router, and the runtime on which its connections live.
    Here(Router, Handle),
    There(SocketAddr),
}

impl Site {
    /// A router in this process, which is called without a network.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    #[must_use]
    pub fn of(router: Router) -> Self {
        Self::on(router, Handle::current())
    }

    pub(super) fn on(router: Router, runtime: Handle) -> Self {
        Self {
            place: Where::Here(router, runtime),
            patience: PATIENCE,
        }
    }

    /// An application that serves HTTP at this address.
    #[must_use]
    pub fn at(address: SocketAddr) -> Self {
        Self {
            place: Where::There(address),
            patience: PATIENCE,
        }
    }

    /// Fails calls whose answer is not there, down to its last byte, within this time:
    /// 30 seconds unless it is said. What streams, such as server-sent events, never is.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    pub(super) async fn send(&self, request: Request<Bytes>) -> Result<Answer> {
        let answered = async {
            match &self.place {
                Where::Here(router, runtime) => call(router.clone(), runtime, request).await,
                Where::There(address) => fetch(*address, request).await,
            }
        };
        let answered = tokio::time::timeout(self.patience, answered).await;
        answered.unwrap_or_else(|_| {
            Err(Error::unavailable(format!(
                "no end of the answer after {:?}: a route that streams is tried by other means, \
                 and left out of a matrix (`skip`); one that is slow gets more `patience`",
                self.patience
            )))
        })
    }
}

/// On the application's runtime, and given up with the caller, as a request is
/// whose client leaves.
async fn call(router: Router, runtime: &Handle, request: Request<Bytes>) -> Result<Answer> {
    let mut request = request.map(Body::from);
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    request.extensions_mut().insert(ConnectInfo(peer));
    let mut call = JoinSet::new();
    let answer = async move {
        let response = router.oneshot(request).await;
        let response = response.unwrap_or_else(|never| match never {});
        answer(response).await
    };
    call.spawn_on(answer, runtime);
    let stopped = || Error::internal("the application was stopped");
    let outcome = call.join_next().await.ok_or_else(stopped)?;
    outcome.map_err(Error::internal)?
}

/// On a connection of its own: a kept one may be closed at any moment, and would
/// then fail a test that is right.
async fn fetch(address: SocketAddr, mut request: Request<Bytes>) -> Result<Answer> {
    if !request.headers().contains_key(HOST) {
        let host = HeaderValue::from_str(&address.to_string()).map_err(Error::internal)?;
        request.headers_mut().insert(HOST, host);
    }
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(Error::internal)?;
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let response = sender.send_request(request.map(Full::new)).await;
    answer(response.map_err(Error::internal)?).await
}

async fn answer<B>(response: axum::http::Response<B>) -> Result<Answer>
where
    B: http_body::Body,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(Error::internal)?;
    Ok(Answer {
        status: parts.status,
        headers: parts.headers,
        body: body.to_bytes().to_vec(),
    })
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Where::Here(..) => f.write_str("this process"),
            Where::There(address) => write!(f, "http://{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use futures_util::stream;

    use super::*;

    #[tokio::test]
    async fn an_answer_without_end_is_no_test_without_end() {
        let router = Router::new()
            .route("/whole", get(async || "whole"))
            .route("/never", get(std::future::pending::<&'static str>))
            .route(
                "/stream",
                get(async || Body::from_stream(stream::pending::<Result<Bytes>>())),
            );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut served = JoinSet::new();
        let server = axum::serve(listener, router.clone());
        served.spawn(async move { server.await.unwrap() });
        for site in [Site::of(router), Site::at(address)] {
            let send = async |path: &str| {
                let request = Request::get(path).body(Bytes::new()).unwrap();
                let site = site.clone().patience(Duration::from_secs(1));
                site.send(request).await
            };
            assert_eq!(send("/whole").await.unwrap().text(), "whole");
            for path in ["/never", "/stream"] {
                let error = send(path).await.unwrap_err();
                let why = std::error::Error::source(&error).unwrap().to_string();
                assert!(why.contains("`skip`"), "{why}");
            }
        }
    }
}
