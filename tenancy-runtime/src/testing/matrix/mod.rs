//! Every route of an application, called by one tenant with another's keys.

mod data;
mod report;
mod route;
mod trial;

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::FutureExt as _;
use serde_json::Value;

use super::Caller;
use route::Route;
use trial::Trial;

pub use report::Report;

/// A JSON body, in which the argument stands as text of the caller's own.
type Body = Arc<dyn Fn(&str) -> Value + Send + Sync>;

/// Calls every route as tenant A with the keys of tenant B, and finds each that
/// lets A through or shows it anything of B's.
///
/// B's rows are made by the routes that were given a [`body`](Self::body), with a
/// canary in it: a text that is nowhere else. B's keys are the UUIDs in what B is
/// answered, and the numbers in fields that are called `id` or end in `_id`. Then A
/// calls every route with B's keys for all parameters of the path and all fields of
/// the body that end in `_id`. Wrong is
///
/// - an answer of 2xx to a key of B's,
/// - a canary or a key of B's that A did not send, in the body or the headers of any
///   answer, errors included,
/// - a status that tells B's key from nobody's,
/// - an answer of 401, 429 or 5xx, which says nothing about the key,
/// - anything that B is answered differently afterwards.
///
/// It proves as well that the calls were worth something: B's own call of each route
/// must be answered 2xx, with the same keys. Routes for which it was not are listed,
/// and wrong, too. What is right nevertheless is declared, with a reason:
/// [`allow`](Self::allow), [`shared`](Self::shared), [`changing`](Self::changing),
/// [`skip`](Self::skip).
///
/// It does not look at query parameters, headers, or bodies that are no JSON, and
/// does not find data that is encoded or encrypted in an answer.
///
/// ```no_run
/// use serde_json::json;
/// use tenancy_runtime::testing::TestApp;
///
/// # async fn example(app: TestApp) -> tenancy_runtime::error::Result<()> {
/// let (a, b) = (app.tenant().await?, app.tenant().await?);
/// let report = app
///     .matrix(&a, &b)
///     .body("POST /projects", |canary| json!({ "name": canary }))
///     .body("POST /todos", |canary| json!({ "title": canary, "project_id": null }))
///     .body("PATCH /todos/{id}", |_| json!({ "done": true }))
///     .shared("GET /countries", "the same for everybody")
///     .run()
///     .await;
/// report.assert_apart();
/// println!("{report}");
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is called until it runs"]
pub struct Matrix {
    a: Caller,
    b: Caller,
    routes: Vec<Route>,
    bodies: HashMap<String, Body>,
    canaries: Vec<String>,
    ids: Vec<String>,
    exceptions: HashMap<String, (Exception, String)>,
    wrong: Vec<String>,
}

/// What is right about a route although it looks wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exception {
    Allowed,
    Shared,
    Changing,
    Skipped,
}

impl Matrix {
    /// `a` calls with the keys of `b`.
    pub fn new(a: &Caller, b: &Caller) -> Self {
        Self {
            a: a.clone(),
            b: b.clone(),
            routes: Vec::new(),
            bodies: HashMap::new(),
            canaries: Vec::new(),
            ids: Vec::new(),
            exceptions: HashMap::new(),
            wrong: Vec::new(),
        }
    }

    /// Adds routes, as `GET /todos/{id}`.
    pub fn routes<'a>(mut self, routes: impl IntoIterator<Item = &'a str>) -> Self {
        for name in routes {
            match Route::parse(name) {
                Some(route) => self.routes.push(route),
                None => self.wrong.push(format!(
                    "`{name}` is no route: write for example \"GET /todos/{{id}}\""
                )),
            }
        }
        self
    }

    /// The body of a route's requests. A text is handed in, which is different for
    /// each tenant and should stand in a field that the application shows. Fields
    /// that end in `_id` are filled with keys, unless B's rows are made: then with
    /// what stands in them, such as `null`, first.
    pub fn body(
        mut self,
        route: &str,
        body: impl Fn(&str) -> Value + Send + Sync + 'static,
    ) -> Self {
        self.bodies.insert(route.to_owned(), Arc::new(body));
        self
    }

    /// A text of B's that no answer to A may hold, for data that was made otherwise.
    pub fn canary(mut self, text: impl Into<String>) -> Self {
        self.canaries.push(text.into());
        self
    }

    /// A key of B's that is in no answer.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.ids.push(id.into());
        self
    }

    /// Lets a route answer 2xx to keys of B's, because it tells nothing and changes
    /// nothing: say why.
    pub fn allow(self, route: &str, reason: &str) -> Self {
        self.except(route, Exception::Allowed, reason)
    }

    /// What this route answers is everybody's: say why. Keys in it are not B's.
    pub fn shared(self, route: &str, reason: &str) -> Self {
        self.except(route, Exception::Shared, reason)
    }

    /// What this route answers changes by itself: say why.
    pub fn changing(self, route: &str, reason: &str) -> Self {
        self.except(route, Exception::Changing, reason)
    }

    /// Leaves a route out: say why.
    pub fn skip(self, route: &str, reason: &str) -> Self {
        self.except(route, Exception::Skipped, reason)
    }

    fn except(mut self, route: &str, exception: Exception, reason: &str) -> Self {
        if reason.trim().is_empty() {
            self.wrong
                .push(format!("{route}: an exception needs a reason"));
        }
        let exception = (exception, reason.to_owned());
        self.exceptions.insert(route.to_owned(), exception);
        self
    }

    /// Calls all of them.
    pub async fn run(mut self) -> Report {
        let known = |name: &String| self.routes.iter().any(|route| route.name == *name);
        let named = self.bodies.keys().chain(self.exceptions.keys());
        let unknown = named.filter(|name| !known(name));
        let unknown: Vec<_> = unknown
            .map(|name| format!("{name}: is none of the routes"))
            .collect();
        self.wrong.extend(unknown);
        if self.routes.is_empty() {
            self.wrong.push("there are no routes to call".to_owned());
        }
        Trial::new(self).run().boxed().await
    }
}

impl std::fmt::Debug for Matrix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Matrix")
            .field("a", &self.a)
            .field("b", &self.b)
            .finish_non_exhaustive()
    }
}
