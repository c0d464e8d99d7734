use crate::http::Verb;
use crate::openapi::Operation;

type Describe = Box<dyn Fn(&mut Operation) + Send + Sync>;

/// What the routes of a router of one's own are described as, which a router does
/// not tell.
///
/// ```
/// use axum::Router;
/// use axum::routing::get;
/// use tenancy_runtime::app::{App, RouteDescriptions};
/// use tenancy_runtime::http::{Json, Query, TenantUse, Verb};
/// use tenancy_runtime::openapi::JsonSchema;
///
/// #[derive(serde::Deserialize, JsonSchema)]
/// struct Page {
///     limit: Option<u16>,
/// }
///
/// async fn numbers(Query(page): Query<Page>) -> Json<Vec<u16>> {
///     Json((0..page.limit.unwrap_or(10)).collect())
/// }
///
/// let described = RouteDescriptions::new().route(Verb::Get, "/numbers", |operation| {
///     operation
///         .name("numbers")
///         .docs("Counts up.")
///         .argument::<Query<Page>>()
///         .answer::<Json<Vec<u16>>>();
/// });
/// let app = App::new("shop", "1.0.0")
///     .merge_public(Router::new().route("/numbers", get(numbers)))
///     .describe(TenantUse::None, described);
/// ```
#[derive(Default)]
pub struct RouteDescriptions(Vec<(Verb, String, Describe)>);

impl RouteDescriptions {
    /// Of no route yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the route of this method and path, which `describe` describes. What
    /// tenants add to it, and how they are named, is added as for listed handlers.
    #[must_use]
    pub fn route(
        mut self,
        method: Verb,
        path: &str,
        describe: impl Fn(&mut Operation) + Send + Sync + 'static,
    ) -> Self {
        self.0.push((method, path.to_owned(), Box::new(describe)));
        self
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Verb, &str, &Describe)> {
        self.0
            .iter()
            .map(|(method, path, describe)| (*method, path.as_str(), describe))
    }
}

impl std::fmt::Debug for RouteDescriptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let routes = self.iter().map(|(method, path, _)| (method, path));
        f.debug_list().entries(routes).finish()
    }
}
