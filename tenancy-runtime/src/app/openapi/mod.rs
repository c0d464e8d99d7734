//! The description of an application's routes: what their handlers say of
//! themselves, and what tenants add to it.

mod document;
mod extractors;
mod routes;

use axum::body::Bytes;
use serde_json::Value;

pub use routes::RouteDescriptions;

use super::builder::App;
use super::declared::Declared;
use crate::config::Config;
use crate::http::TenantUse;
use crate::openapi::{self, OpenApi};
use crate::problem::Problem;
use crate::resolve::Resolution;

/// What an application says of its description.
#[derive(Default)]
pub(super) struct Declaration {
    pub(super) options: Option<OpenApi>,
    pub(super) described: Vec<(TenantUse, RouteDescriptions)>,
}

impl App {
    /// Describes the routes in OpenAPI, at `/openapi.json`, and shows the description
    /// at `/docs`. It covers the handlers that are listed
    /// ([`route`](Self::route)) and what [`describe`](Self::describe) adds.
    ///
    /// ```
    /// use tenancy_runtime::app::App;
    /// use tenancy_runtime::openapi::OpenApi;
    ///
    /// let app = App::new("shop", "1.0.0").openapi(OpenApi::public());
    /// ```
    pub fn openapi(mut self, options: OpenApi) -> Self {
        self.declared.openapi.options = Some(options);
        self
    }

    /// Adds the description of routes that are merged, which nothing else tells:
    /// with [`TenantUse::Required`] those of [`merge`](Self::merge), with
    /// [`TenantUse::None`] those of [`merge_public`](Self::merge_public).
    pub fn describe(mut self, tenant: TenantUse, routes: RouteDescriptions) -> Self {
        self.declared.openapi.described.push((tenant, routes));
        self
    }

    /// The description of the routes, without a start: for a file that clients are
    /// generated from.
    ///
    /// ```
    /// use tenancy_runtime::app::App;
    /// use tenancy_runtime::config::Config;
    /// use tenancy_runtime::error::Error;
    ///
    /// let app = App::new("shop", "1.0.0");
    /// let config = Config::from_vars(app.defaults(), []).map_err(Error::CannotStart)?;
    /// assert_eq!(app.openapi_document(&config)["info"]["title"], "shop");
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn openapi_document(&self, config: &Config) -> Value {
        document::of(&self.declared, self.version, config).0
    }
}

/// The description, made before anything is connected, and what is wrong with it.
pub(super) fn described(
    declared: &Declared,
    version: &str,
    config: &Config,
) -> (Option<Bytes>, Vec<Problem>) {
    let Some(options) = &declared.openapi.options else {
        return (None, Vec::new());
    };
    let (document, mut problems) = document::of(declared, version, config);
    for path in [&options.page, &options.document] {
        let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
        if path.len() < 2 || !path.starts_with('/') || !path.chars().all(plain) {
            problems.push(Problem::new(
                format!("the path `{path}` of the OpenAPI description"),
                "is none that it can be served at",
                "write for example .at(\"/docs\", \"/openapi.json\")",
            ));
        }
    }
    (Some(document.to_string().into()), problems)
}

impl Declared {
    /// Adds the page and the document, which belong to no tenant.
    pub(super) fn describe(&mut self, document: Option<Bytes>, config: &Config) {
        let (Some(options), Some(document)) = (self.openapi.options.take(), document) else {
            return;
        };
        let title = options
            .title
            .clone()
            .unwrap_or_else(|| self.name.to_owned());
        let hosts = config.resolution.iter().filter_map(|way| match way {
            Resolution::Subdomain(resolver) => Some(format!(" *.{}:*", resolver.domain())),
            _ => None,
        });
        let router = openapi::routes(options, &title, document, &hosts.collect::<String>());
        self.routers.push((TenantUse::None, router));
    }
}
