use std::fmt;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Request};
use serde::Serialize;
use serde_json::Value;

use super::naming::Name;
use super::{Answer, Site};
use crate::error::{Error, Result};
use crate::http::Verb;

/// Somebody who sends requests, each of which names their tenant.
///
/// ```
/// use axum::http::HeaderValue;
/// use tenancy_runtime::testing::{Caller, Site};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// // Or `Site::at(address)`, where an application listens.
/// let site = Site::of(axum::Router::new().route("/", axum::routing::get(async || "hello")));
/// let acme = Caller::new("acme-corp", site, |request| {
///     request.headers.insert("x-api-key", HeaderValue::from_static("key-acme"));
/// });
/// assert_eq!(acme.get("/").await.text(), "hello");
/// # }
/// ```
#[derive(Clone)]
pub struct Caller {
    who: String,
    site: Site,
    name: Name,
}

impl Caller {
    /// Who calls, for reports; where; and how a request says which tenant it is for.
    #[must_use]
    pub fn new(
        who: impl Into<String>,
        site: Site,
        name: impl Fn(&mut Parts) + Send + Sync + 'static,
    ) -> Self {
        Self {
            who: who.into(),
            site,
            name: Arc::new(name),
        }
    }

    /// Who calls.
    #[must_use]
    pub fn who(&self) -> &str {
        &self.who
    }

    /// Sends a GET.
    ///
    /// # Panics
    ///
    /// As [`send`](Self::send).
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Verb::Get, path, None).await
    }

    /// Sends a POST with a JSON body.
    ///
    /// # Panics
    ///
    /// As [`send`](Self::send), and when the body is none.
    pub async fn post(&self, path: &str, body: impl Serialize) -> Answer {
        self.send(Verb::Post, path, Some(json(body))).await
    }

    /// Sends a PUT with a JSON body.
    ///
    /// # Panics
    ///
    /// As [`send`](Self::send), and when the body is none.
    pub async fn put(&self, path: &str, body: impl Serialize) -> Answer {
        self.send(Verb::Put, path, Some(json(body))).await
    }

    /// Sends a PATCH with a JSON body.
    ///
    /// # Panics
    ///
    /// As [`send`](Self::send), and when the body is none.
    pub async fn patch(&self, path: &str, body: impl Serialize) -> Answer {
        self.send(Verb::Patch, path, Some(json(body))).await
    }

    /// Sends a DELETE.
    ///
    /// # Panics
    ///
    /// As [`send`](Self::send).
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Verb::Delete, path, None).await
    }

    /// Sends a request.
    ///
    /// # Panics
    ///
    /// When nothing answers, not to the end or not in time ([`Site::patience`]), or
    /// `path` is none.
    pub async fn send(&self, method: Verb, path: &str, body: Option<Value>) -> Answer {
        let answer = self.try_send(method.as_str(), path, body.as_ref()).await;
        answer.unwrap_or_else(|error| {
            let why = std::error::Error::source(&error);
            let why = why.map_or_else(|| error.to_string(), ToString::to_string);
            panic!("{} {path} of {}: {why}", method.as_str(), self.who)
        })
    }

    pub(super) async fn try_send(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer> {
        let bytes = body.map(serde_json::to_vec).transpose();
        let bytes = bytes.map_err(Error::internal)?.unwrap_or_default();
        let request = Request::new(Bytes::from(bytes));
        let (mut parts, bytes) = request.into_parts();
        parts.method = Method::from_bytes(method.as_bytes()).map_err(Error::internal)?;
        parts.uri = path.parse().map_err(Error::internal)?;
        if body.is_some() {
            let json = HeaderValue::from_static("application/json");
            parts.headers.insert(CONTENT_TYPE, json);
        }
        (self.name)(&mut parts);
        self.site.send(Request::from_parts(parts, bytes)).await
    }
}

fn json(body: impl Serialize) -> Value {
    serde_json::to_value(body).unwrap_or_else(|error| panic!("no JSON: {error}"))
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:?}", self.who, self.site)
    }
}
