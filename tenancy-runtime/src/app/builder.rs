use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use tower::{Layer, Service};

use super::declared::Declared;
use super::start::OnListen;
use super::tenancy::Tenancy;
use crate::admin::OperatorGuard;
use crate::admit::Membership;
use crate::audit::AuditSink;
use crate::cli::{self, Command};
use crate::config::{Config, Defaults, Embedded};
#[cfg(feature = "domains")]
use crate::domains::DomainProof;
use crate::error::Result;
use crate::http::{Audited, RouteSpec, RoutedHandler, TenantUse};
use crate::isolation::Isolation;
use crate::model::Model;
#[cfg(feature = "openapi")]
use crate::openapi::Operation;
use crate::plan::{Catalog, Plans, RouteLimit, Settings};
use crate::problem::Problem;
use crate::provision::{Exemption, Migration};
use crate::registry::TenantRegistry;
use crate::resolve::{Resolution, Resolver};
use crate::tenant::NewTenant;

/// An application under construction.
///
/// `#[tenancy::app]` writes the calls; `async fn main(app: App) -> Result<()>`
/// gets the result to add to it. By hand:
///
/// ```no_run
/// use tenancy_runtime::app::App;
/// use tenancy_runtime::error::Result;
/// use tenancy_runtime::isolation::{Isolation, Strategy};
///
/// # async fn example() -> Result<()> {
/// let health = axum::Router::new().route("/health", axum::routing::get(async || "ok"));
/// App::new("shop", "1.0.0")
///     .isolation(Isolation::single(Strategy::Rls))
///     .seed("acme-corp")
///     .merge_public(health)
///     .serve()
///     .await
/// # }
/// ```
#[must_use = "an application does nothing until it serves"]
pub struct App {
    pub(super) declared: Declared,
    pub(super) version: &'static str,
    pub(super) command: Command,
    pub(super) defaults: Defaults,
    pub(super) problems: Vec<Problem>,
    pub(super) layers: Vec<Box<dyn Fn(Router) -> Router + Send>>,
    pub(super) on_listen: OnListen,
}

/// A listed handler.
pub(super) struct Route {
    pub(super) spec: RouteSpec,
    pub(super) tenant: TenantUse,
    pub(super) limit: Option<RouteLimit>,
    pub(super) audit: Option<Audited>,
    pub(super) handler: fn() -> MethodRouter,
    #[cfg(feature = "openapi")]
    pub(super) describe: fn(&mut Operation),
}

impl App {
    /// An application without a database: tenants are kept in memory.
    pub fn new(name: &'static str, version: &'static str) -> Self {
        // By name, so that two applications started in one folder stay apart.
        let folder = Path::new("./.tenancy").join(name);
        let defaults = Defaults {
            embedded: Some(Embedded::Folder(folder)),
            ..Defaults::default()
        };
        Self {
            declared: Declared::new(name),
            version,
            command: Command::default(),
            defaults,
            problems: Vec::new(),
            layers: Vec::new(),
            on_listen: None,
        }
    }

    /// Reads the command line: `serve`, which is the default, or one of the
    /// management commands. Prints and ends the process for `--help`,
    /// `--version` and arguments that it does not know.
    pub fn read_command_line(mut self) -> Self {
        self.command = cli::parse(self.declared.name, self.version);
        self
    }

    /// Keeps tenants apart in a database, in this way.
    pub fn isolation(mut self, isolation: Isolation) -> Self {
        self.defaults.isolation = Some(isolation);
        self
    }

    /// Where tenants get databases of their own:
    /// `postgres://user:password@host:5432/{database_name}`, unless the
    /// environment says otherwise.
    pub fn database_url_template(mut self, template: impl Into<SecretString>) -> Self {
        self.defaults.database_url_template = Some(template.into());
        self
    }

    /// Resolves tenants in this way instead of by the header `X-Tenant-ID`. Called
    /// again, it adds another way: a request may name its tenant in either, and
    /// one that names two is refused.
    pub fn resolver(mut self, resolver: impl Into<Resolution>) -> Self {
        let way = resolver.into();
        let same = |other: &Resolution| other.as_str() == way.as_str();
        if !matches!(way, Resolution::Custom(_)) && self.defaults.resolution.iter().any(same) {
            self.problems.push(Problem::new(
                format!("the resolver `{}`", way.as_str()),
                "is added twice",
                "add each way once",
            ));
        }
        self.defaults.resolution.push(way);
        self
    }

    /// Resolves tenants in a way of the application's own; the same as
    /// [`resolver`](Self::resolver) otherwise.
    pub fn custom_resolver(self, resolver: impl Resolver) -> Self {
        self.resolver(Resolution::custom(resolver))
    }

    /// Has `membership` decide whether a request may act for the tenant that it
    /// names; needed unless the resolver proves that by itself, as a signed token
    /// does. [`Gateway`](crate::admit::Gateway) leaves it to a gateway in front.
    pub fn membership(mut self, membership: impl Membership) -> Self {
        self.declared.membership = Some(Arc::new(membership));
        self
    }

    /// Keeps a trail of what is done, which handlers write by
    /// [`Audit`](crate::audit::Audit), and which is written for those that say so
    /// ([`RoutedHandler::AUDIT`]).
    pub fn audit(mut self, sink: impl AuditSink) -> Self {
        self.declared.models.extend(sink.table());
        self.declared.audit = Some(Arc::new(sink));
        self
    }

    /// Adds operators' routes below `/admin/tenants`, for those whom `guard` lets
    /// through; without this there are none.
    ///
    /// ```
    /// use tenancy_runtime::admin::TokenGuard;
    /// use tenancy_runtime::app::App;
    ///
    /// // Who has the token of TENANCY_ADMIN_TOKEN.
    /// let app = App::new("shop", "1.0.0").admin(TokenGuard::default());
    /// ```
    pub fn admin(mut self, guard: impl OperatorGuard) -> Self {
        self.declared.admin = Some(Box::new(guard));
        self
    }

    /// Keeps tenants in a store of the application's own.
    pub fn registry(mut self, registry: impl TenantRegistry) -> Self {
        self.declared.registry = Some(Arc::new(registry));
        self
    }

    /// Where the embedded database lives that is used without
    /// `TENANCY_DATABASE_URL`, unless that is `./.tenancy/NAME`. It needs the feature `embedded` of `tenancy`.
    pub fn embedded(mut self, place: Embedded) -> Self {
        self.defaults.embedded = Some(place);
        self
    }

    /// Adds a table.
    pub fn model<M: Model>(mut self) -> Self {
        self.declared.models.push(M::definition());
        self
    }

    /// Makes tables by migrations of the application's own, in the place of every
    /// tenant; `tenancy::migrations!` reads them from a folder. Models of such
    /// tables are `migrated`.
    pub fn migrations(mut self, migrations: &'static [Migration]) -> Self {
        self.declared.migrations = migrations;
        self
    }

    /// Lets the application's role use what lies in the database and is no
    /// model's: a table, a view or the like, or a function that runs with its
    /// owner's rights, as `schema.name`. Say why no tenant sees another's rows
    /// there. Without it the application does not start.
    ///
    /// ```
    /// use tenancy_runtime::app::App;
    ///
    /// let app = App::new("shop", "1.0.0")
    ///     .exempt("public.exchange_rates", "published daily, and no tenant's");
    /// ```
    pub fn exempt(mut self, name: &str, reason: &str) -> Self {
        match Exemption::new(name, reason) {
            Ok(exemption) => self.declared.exempt.push(exemption),
            Err(problem) => self.problems.push(problem),
        }
        self
    }

    /// Adds a handler under its own route.
    pub fn route<H: RoutedHandler>(mut self) -> Self {
        self.declared.routes.push(Route {
            spec: H::SPEC,
            tenant: H::TENANT,
            limit: H::RATE_LIMIT,
            audit: H::AUDIT,
            handler: H::handler,
            #[cfg(feature = "openapi")]
            describe: H::describe,
        });
        self
    }

    /// Adds routes that nobody reaches without a tenant. A fallback of this router's
    /// serves what no route matches, with a tenant as well; of all routers that are
    /// merged one may have a fallback.
    pub fn merge(mut self, router: Router) -> Self {
        self.declared.routers.push((TenantUse::Required, router));
        self
    }

    /// Adds routes that belong to no tenant: health checks, sign-up, an
    /// operator's own API. A fallback of this router's serves what no route matches,
    /// but below a tenant's path, where there are tenants' routes only; of all routers
    /// that are merged one may have a fallback.
    pub fn merge_public(mut self, router: Router) -> Self {
        self.declared.routers.push((TenantUse::None, router));
        self
    }

    /// Puts a layer around all routes, outside of admission: CORS, compression,
    /// an [`axum::Extension`]. The last one added is the outermost.
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<axum::routing::Route> + Clone + Send + Sync + 'static,
        L::Service: Service<Request> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoResponse + 'static,
        <L::Service as Service<Request>>::Error: Into<Infallible> + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
        Response: Send,
    {
        self.layers
            .push(Box::new(move |router| router.layer(layer.clone())));
        self
    }

    /// The plans that tenants are on. From then on a plan or a feature that they do
    /// not declare is refused where somebody wants it stored, and a tenant that is
    /// stored with such a plan is not served.
    ///
    /// ```
    /// use tenancy_runtime::app::App;
    /// use tenancy_runtime::plan::{PlanDef, Plans};
    ///
    /// #[derive(Clone, Copy)]
    /// struct Only;
    ///
    /// impl Plans for Only {
    ///     const ALL: &'static [Self] = &[Self];
    ///     const DEFAULT: Self = Self;
    ///     const FEATURES: &'static [tenancy_runtime::plan::Feature] = &[];
    ///     fn definition(self) -> &'static PlanDef {
    ///         const { &PlanDef { name: "only", features: &[], rate_limit: None, quotas: &[] } }
    ///     }
    /// }
    ///
    /// let app = App::new("shop", "1.0.0").plans::<Only>();
    /// ```
    pub fn plans<P: Plans>(mut self) -> Self {
        self.declared.plans = Some(Arc::new(Catalog::of::<P>()));
        self
    }

    /// The type of what the application keeps with its tenants. From then on nothing
    /// else is stored as their metadata, and `verify` names those that have
    /// something else; [`TenantConfig`](crate::http::TenantConfig) hands it to
    /// handlers, with its secrets (`SecretSetting`) open.
    ///
    /// ```
    /// use tenancy_runtime::app::App;
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Settings {
    ///     theme: String,
    /// }
    ///
    /// let app = App::new("shop", "1.0.0").settings::<Settings>();
    /// ```
    pub fn settings<S: DeserializeOwned>(mut self) -> Self {
        self.declared.settings = Settings::of::<S>();
        self
    }

    /// Has the challenges of tenants' own domains looked for in this way, or in
    /// several, each of which is enough; by DNS and by HTTP unless one is given.
    ///
    /// ```
    /// use tenancy_runtime::app::App;
    /// use tenancy_runtime::domains::{DnsProof, NameServers};
    ///
    /// // By DNS only.
    /// let app = App::new("shop", "1.0.0").domain_proof(DnsProof::new(NameServers::default()));
    /// ```
    #[cfg(feature = "domains")]
    pub fn domain_proof(mut self, proof: impl DomainProof) -> Self {
        self.declared.domain_proofs.push(Arc::new(proof));
        self
    }

    /// Provisions a tenant of this slug at start if there is none.
    pub fn seed(mut self, slug: &str) -> Self {
        match NewTenant::new(slug) {
            Ok(new) => self.declared.seeds.push(new),
            Err(error) => self.problems.push(Problem::new(
                "the application's seeds",
                error.to_string(),
                "write for example \"acme-corp\"",
            )),
        }
        self
    }

    /// Provisions this tenant at start if there is none of its slug.
    pub fn seed_tenant(mut self, new: NewTenant) -> Self {
        self.declared.seeds.push(new);
        self
    }

    /// Calls `hook` with the address once the application accepts requests.
    pub fn on_listen(mut self, hook: impl FnOnce(SocketAddr) + Send + 'static) -> Self {
        self.on_listen = Some(Box::new(hook));
        self
    }

    /// The handlers that are listed, as `GET /todos/{id}`, in their order; those of
    /// merged routers are not known.
    #[must_use]
    pub fn routes(&self) -> Vec<String> {
        let specs = self.declared.routes.iter().map(|route| route.spec);
        let names = specs.map(|spec| format!("{} {}", spec.method.as_str(), spec.path));
        names.collect()
    }

    /// Starts without listening, with a configuration that is given: the tenancy
    /// and the router that it serves. For tests, and for those who serve the
    /// router in their own way.
    ///
    /// # Errors
    ///
    /// [`Error::CannotStart`](crate::error::Error::CannotStart) with everything
    /// that stands in the way, and those of the database.
    pub async fn start(self, config: Config) -> Result<(Tenancy, Router)> {
        let (tenancy, router, _) = self.start_parts(config).await?;
        Ok((tenancy, router))
    }

    /// The configuration of the process's environment over what was declared.
    ///
    /// # Errors
    ///
    /// [`Error::CannotStart`](crate::error::Error::CannotStart) with every
    /// problem of it.
    pub fn config(&self) -> Result<Config> {
        Config::load(self.defaults.clone()).map_err(crate::error::Error::CannotStart)
    }

    /// What the attribute or the calls above declared, for
    /// [`Config::from_vars`](crate::config::Config::from_vars).
    #[must_use]
    pub fn defaults(&self) -> Defaults {
        self.defaults.clone()
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("name", &self.declared.name)
            .field("command", &self.command)
            .field("defaults", &self.defaults)
            .finish_non_exhaustive()
    }
}
