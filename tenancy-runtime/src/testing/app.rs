use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use axum::http::request::Parts;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::naming::{self, Naming};
use super::thread::{PREFIX, Started, run};
use super::{Caller, Matrix, Site, TestTenant};
use crate::app::{App, Tenancy};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::problem::Problem;
use crate::tenant::{NewTenant, Slug};

/// An application under test, with tenants that only this test knows.
///
/// It runs on the database of `TENANCY_TEST_DATABASE_URL`, with the owner's login
/// of `TENANCY_TEST_OWNER_DATABASE_URL`, and without them on an embedded one that
/// ends with it (feature `embedded`). An application that isolates no data needs
/// none. Any number of tests, threads and processes share one database: each has
/// tenants of its own. It has a thread of its own, so it can be kept in a `static`
/// and shared by tests with a runtime each.
///
/// When it is dropped its tenants are destroyed, beside the tests that follow; what
/// a killed process leaves behind goes when the next one starts an hour later.
///
/// ```
/// use tenancy_runtime::admit::Gateway;
/// use tenancy_runtime::app::App;
/// use tenancy_runtime::http::{RoutedHandler, TenantUse, Verb, routing};
/// use tenancy_runtime::tenant::Tenant;
/// use tenancy_runtime::testing::TestApp;
///
/// async fn hello(tenant: Tenant) -> String {
///     format!("hello, {}", tenant.name())
/// }
///
/// // `#[tenant_handler(get, "/hello")]` writes this.
/// struct Hello;
/// impl RoutedHandler for Hello {
///     const METHOD: Verb = Verb::Get;
///     const PATH: &'static str = "/hello";
///     const TENANT: TenantUse = TenantUse::Required;
///     fn handler() -> axum::routing::MethodRouter {
///         routing::get(hello)
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> tenancy_runtime::error::Result<()> {
/// let app = App::new("shop", "1.0.0").membership(Gateway).route::<Hello>();
/// let app = TestApp::start(app).await?;
/// let (a, b) = (app.tenant().await?, app.tenant().await?);
/// assert_eq!(a.get("/hello").await.text(), format!("hello, {}", a.slug()));
/// app.matrix(&a, &b).run().await.assert_apart();
/// # Ok(())
/// # }
/// ```
pub struct TestApp {
    inner: Arc<Inner>,
    thread: Option<thread::JoinHandle<()>>,
}

/// Ends with the last of the application and its tenants.
pub(super) struct Inner {
    pub(super) started: Started,
    naming: Naming,
    made: Mutex<Vec<Slug>>,
    stop: Mutex<Option<oneshot::Sender<Vec<Slug>>>>,
}

/// A [`TestApp`] before it starts.
#[must_use = "an application does nothing until it starts"]
pub struct TestAppBuilder {
    app: App,
    vars: Vec<(String, String)>,
    naming: Option<Naming>,
}

impl TestAppBuilder {
    /// Sets a variable of the configuration, such as `TENANCY_JWT_SECRET`. The
    /// process's own environment is not read, but for the two logins.
    pub fn var(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.vars.push((name.into(), value.into()));
        self
    }

    /// How requests name their tenant, where the kit cannot tell: with a token that
    /// is signed here, or a key that is stored here for the tenant.
    pub fn naming(mut self, naming: impl Fn(&Slug, &mut Parts) + Send + Sync + 'static) -> Self {
        self.naming = Some(Arc::new(naming));
        self
    }

    /// Starts it.
    ///
    /// # Errors
    ///
    /// [`Error::CannotStart`] with everything that stands in the way, such as a
    /// role that row-level security does not hold, and those of the database.
    pub async fn start(self) -> Result<TestApp> {
        let config = self.config()?;
        let naming = match self.naming {
            Some(naming) => naming,
            None => naming::of(&config.resolution)?,
        };
        let (started, on_start) = oneshot::channel();
        let (stop, on_stop) = oneshot::channel();
        let app = self.app;
        let thread = thread::Builder::new()
            .name("tenancy-test-app".to_owned())
            .spawn(move || run(app, config, started, on_stop))?;
        let gone = |_| Error::internal("the application panicked while it started");
        let started = on_start.await.map_err(gone)??;
        Ok(TestApp {
            inner: Arc::new(Inner {
                started,
                naming,
                made: Mutex::default(),
                stop: Mutex::new(Some(stop)),
            }),
            thread: Some(thread),
        })
    }

    fn config(&self) -> Result<Config> {
        let defaults = self.app.defaults();
        let mut vars = self.vars.clone();
        let is_set = |vars: &[(String, String)], name| vars.iter().any(|(var, _)| var == name);
        if defaults.isolation.is_some() && !is_set(&vars, "TENANCY_DATABASE_URL") {
            vars.extend(database()?);
        }
        // Tests run beside each other, and share the server's connections.
        if defaults.isolation.is_some() && !is_set(&vars, "TENANCY_POOL_SIZE") {
            vars.push(("TENANCY_POOL_SIZE".to_owned(), "4".to_owned()));
        }
        Config::from_vars(defaults, vars).map_err(Error::CannotStart)
    }
}

/// The logins of the tests' database, or a temporary one.
fn database() -> Result<Vec<(String, String)>> {
    let read = |name: &str| std::env::var(name).ok();
    let names = [
        "TENANCY_TEST_DATABASE_URL",
        "TENANCY_TEST_OWNER_DATABASE_URL",
    ];
    let var = |name: &str, value: String| (name.to_owned(), value);
    let unset = |name: &str, wrong: &str| {
        let remedy = "set it to a login of the tests' database, as for the application itself";
        Err(Problem::new(name, wrong, remedy).into())
    };
    match names.map(read) {
        [Some(app), Some(owner)] => Ok(vec![
            var("TENANCY_DATABASE_URL", app),
            var("TENANCY_OWNER_DATABASE_URL", owner),
        ]),
        [None, None] if cfg!(feature = "embedded") => {
            Ok(vec![var("TENANCY_EMBEDDED", "temporary".to_owned())])
        }
        [None, None] => unset(
            names[0],
            "is not set, and this build has no embedded database (feature `embedded`)",
        ),
        [None, Some(_)] => unset(names[0], "is not set, and the owner's login is"),
        [Some(_), None] => unset(names[1], "is not set, and tests make tenants of their own"),
    }
}

impl TestApp {
    /// Starts `app`; see [`TestApp::of`] for what can be set.
    ///
    /// # Errors
    ///
    /// As [`TestAppBuilder::start`].
    pub async fn start(app: App) -> Result<Self> {
        Self::of(app).start().await
    }

    /// `app` before it starts, to set variables and how requests name tenants.
    pub fn of(app: App) -> TestAppBuilder {
        TestAppBuilder {
            app,
            vars: Vec::new(),
            naming: None,
        }
    }

    /// Provisions a tenant that nobody else has.
    ///
    /// # Errors
    ///
    /// As [`Provisioner::provision`](crate::provision::Provisioner::provision).
    pub async fn tenant(&self) -> Result<TestTenant> {
        self.tenant_with(|new| new).await
    }

    /// The same with a plan, features or whatever else `change` sets.
    ///
    /// # Errors
    ///
    /// As [`Provisioner::provision`](crate::provision::Provisioner::provision).
    pub async fn tenant_with(
        &self,
        change: impl FnOnce(NewTenant) -> NewTenant,
    ) -> Result<TestTenant> {
        let slug = format!("{PREFIX}{}", Uuid::now_v7().simple());
        self.made(change(NewTenant::new(&slug)?)).await
    }

    async fn made(&self, new: NewTenant) -> Result<TestTenant> {
        // Before it is made: who gives up meanwhile leaves nothing behind.
        locked(&self.inner.made).push(new.slug.clone());
        let (inner, tenancy) = (Arc::clone(&self.inner), self.inner.tenancy()?);
        let made = async move { tenancy.provisioner().provision(new).await }.boxed();
        let record = on(&inner.started.runtime, made).await?;
        let caller = self.caller(&record.slug)?;
        Ok(TestTenant {
            inner,
            record,
            caller,
        })
    }

    /// A caller that names this tenant, whoever made it.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] when the application was stopped.
    pub fn caller(&self, slug: &Slug) -> Result<Caller> {
        let (naming, slug) = (Arc::clone(&self.inner.naming), slug.clone());
        let who = slug.to_string();
        Ok(Caller::new(who, self.inner.site()?, move |request| {
            naming(&slug, request);
        }))
    }

    /// A caller that names no tenant.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] when the application was stopped.
    pub fn nobody(&self) -> Result<Caller> {
        Ok(Caller::new("nobody", self.inner.site()?, |_| {}))
    }

    /// A [`Matrix`] of the listed routes; add those of merged routers by
    /// [`Matrix::routes`].
    pub fn matrix(&self, a: &Caller, b: &Caller) -> Matrix {
        Matrix::new(a, b).routes(self.inner.started.routes.iter().map(String::as_str))
    }

    /// Destroys the tenants that it gave, and waits until they are gone and the
    /// application has ended. Dropping does the same and waits for nothing.
    pub async fn stop(mut self) {
        let thread = self.thread.take();
        self.inner.end();
        if let Some(thread) = thread {
            // Its own panics were reported where they happened.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

impl Inner {
    pub(super) fn tenancy(&self) -> Result<Arc<Tenancy>> {
        locked(&self.started.tenancy).clone().ok_or_else(stopped)
    }

    fn site(&self) -> Result<Site> {
        let router = locked(&self.started.router).clone().ok_or_else(stopped)?;
        Ok(Site::on(router, self.started.runtime.clone()))
    }

    fn end(&self) {
        *locked(&self.started.router) = None;
        *locked(&self.started.tenancy) = None;
        if let Some(stop) = locked(&self.stop).take() {
            let _ = stop.send(std::mem::take(&mut *locked(&self.made)));
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.end();
    }
}

fn stopped() -> Error {
    Error::internal("the application under test was stopped")
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does it on the application's runtime, where its connections live, and gives it
/// up with the caller. In a box, as what it does is deep.
pub(super) async fn on<T: Send + 'static>(
    runtime: &Handle,
    work: BoxFuture<'static, Result<T>>,
) -> Result<T> {
    let mut task = JoinSet::new();
    task.spawn_on(work, runtime);
    match task.join_next().await.ok_or_else(stopped)? {
        Ok(outcome) => outcome,
        Err(failed) => match failed.try_into_panic() {
            // A failed assertion fails the test that made it.
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(cancelled) => Err(Error::internal(cancelled)),
        },
    }
}

impl fmt::Debug for TestApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestApp").finish_non_exhaustive()
    }
}

impl fmt::Debug for TestAppBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestAppBuilder").finish_non_exhaustive()
    }
}
