use std::convert::Infallible;

use axum::Router;
use axum::extract::Request;
use axum::response::IntoResponse;
use axum::routing::Route;
use tower::{Layer, Service};

type Guard = Box<dyn FnOnce(Router) -> Router + Send>;

/// What a document says beside the routes, and who gets it.
///
/// It tells which routes there are, operators' among them, and nothing of tenants or
/// their data. [`public`](Self::public) says by name that everybody may know.
///
/// ```
/// use tenancy_runtime::app::App;
/// use tenancy_runtime::openapi::OpenApi;
///
/// let app = App::new("shop", "1.0.0")
///     .openapi(OpenApi::public().title("The shop").description("Todos, for teams."));
/// ```
#[must_use = "it describes nothing until an application has it"]
pub struct OpenApi {
    pub(crate) title: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) document: String,
    pub(crate) page: String,
    pub(crate) key_header: Option<(String, String)>,
    pub(crate) bearer: Option<String>,
    pub(super) guard: Option<Guard>,
}

impl OpenApi {
    /// For everybody, at `/openapi.json` and `/docs`.
    pub fn public() -> Self {
        Self {
            title: None,
            version: None,
            description: None,
            document: "/openapi.json".to_owned(),
            page: "/docs".to_owned(),
            key_header: None,
            bearer: None,
            guard: None,
        }
    }

    /// For those whom `layer` lets through, the page and the document alike.
    ///
    /// ```
    /// use axum::extract::Request;
    /// use axum::middleware::{self, Next};
    /// use axum::response::Response;
    /// use tenancy_runtime::error::Error;
    /// use tenancy_runtime::openapi::OpenApi;
    ///
    /// async fn operators(request: Request, next: Next) -> Result<Response, Error> {
    ///     if request.headers().contains_key("x-operator") {
    ///         return Ok(next.run(request).await);
    ///     }
    ///     Err(Error::NotFound)
    /// }
    /// let openapi = OpenApi::behind(middleware::from_fn(operators));
    /// ```
    pub fn behind<L>(layer: L) -> Self
    where
        L: Layer<Route> + Clone + Send + Sync + 'static,
        L::Service: Service<Request> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoResponse + 'static,
        <L::Service as Service<Request>>::Error: Into<Infallible> + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        Self {
            guard: Some(Box::new(move |router| router.layer(layer))),
            ..Self::public()
        }
    }

    /// The title; the application's name unless said.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// The version of what is described; the application's unless said.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// What it is for, in Markdown.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// The header in which a resolver of the application's own looks for what names
    /// the tenant, such as an API key, and what to say of it.
    pub fn key_header(mut self, header: &str, description: &str) -> Self {
        self.key_header = Some((header.to_owned(), description.to_owned()));
        self
    }

    /// Says that requests of tenants carry a token (`Authorization: Bearer …`) beside
    /// what names the tenant: for a [`Membership`](crate::admit::Membership) that
    /// reads it. A resolver that reads tokens says so itself.
    pub fn bearer(mut self, description: &str) -> Self {
        self.bearer = Some(description.to_owned());
        self
    }

    /// Serves the page and the document at other paths, such as `/api` and
    /// `/api/openapi.json`.
    pub fn at(mut self, page: &str, document: &str) -> Self {
        page.clone_into(&mut self.page);
        document.clone_into(&mut self.document);
        self
    }
}

impl std::fmt::Debug for OpenApi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenApi")
            .field("page", &self.page)
            .field("document", &self.document)
            .field("public", &self.guard.is_none())
            .finish_non_exhaustive()
    }
}
