//! Logins that a tenant has of its own to its database: to a server of another
//! region, or to one that is the customer's, where the deployment's passwords are
//! none; or to the deployment's own server by roles that reach this database and no
//! other.
//!
//! They are kept encrypted (`LoginStore`). A place that has such is never
//! connected to with the deployment's own, which may be no business of that server's.

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};

use super::login::{DatabaseLogin, PLACEHOLDER};
use super::unscoped::Transaction;
use crate::error::{Error, Result};
use crate::problem::Problem;
use crate::tenant::TenantId;
use crate::tls;

/// Logins to the databases that tenants have of their own: the deployment's, or
/// those of one tenant.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TenantLogins {
    /// The application role's.
    pub app: DatabaseLogin,
    /// The owner's, who makes and drops them.
    pub owner: Option<DatabaseLogin>,
}

impl TenantLogins {
    /// The logins of one tenant, as templates: `{database_name}` stands for the name
    /// that its database gets. The two roles are there already; the owner's may make
    /// databases (`CREATEDB`), and both may connect to `postgres`, from where that is
    /// done. The owner may go another way to the server than the application, which
    /// goes through a pooler. To another machine a template says whether the connection
    /// is encrypted, by `sslmode`.
    ///
    /// ```
    /// use tenancy_runtime::db::TenantLogins;
    ///
    /// let [app, owner] = ["acme_app:s3cret", "acme_owner:s3cret"]
    ///     .map(|login| format!("postgres://{login}@127.0.0.1:5433/{{database_name}}"));
    /// assert!(TenantLogins::new(&app.as_str().into(), &owner.as_str().into()).is_ok());
    /// // The application's role owns nothing, so it is not the owner's.
    /// assert!(TenantLogins::new(&app.as_str().into(), &app.as_str().into()).is_err());
    /// let far = app.replace("127.0.0.1", "eu-1.example.com");
    /// let refused = TenantLogins::new(&far.into(), &owner.into()).unwrap_err();
    /// assert!(refused.to_string().contains("sslmode=require"));
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::InvalidInput`] with all that is wrong, without quoting any of it.
    pub fn new(app: &SecretString, owner: &SecretString) -> Result<Self> {
        let mut problems = Vec::new();
        let mut read = |about: &str, template: &SecretString| {
            let login = read(template).map_err(|(wrong, remedy)| {
                problems.push(Problem::new(about, wrong, remedy));
            });
            login.ok()
        };
        let (app, owner) = (
            read("the login of the application's role", app),
            read("the owner's login", owner),
        );
        if let (Some(app), Some(owner)) = (app, owner) {
            if app.role() != owner.role() {
                return Ok(Self::of(app, Some(owner)));
            }
            problems.push(Problem::new(
                "the two logins",
                "are of one role, and an owner is not held by row-level security",
                "give the application a role of its own that owns nothing",
            ));
        }
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Err(Error::InvalidInput(problems.join("\n")))
    }

    pub(crate) fn of(app: DatabaseLogin, owner: Option<DatabaseLogin>) -> Self {
        let owner = owner.map(|owner| owner.beside(&app));
        Self { app, owner }
    }
}

/// A template of a tenant's own, or what is wrong with it and what to do.
fn read(template: &SecretString) -> Result<DatabaseLogin, (String, String)> {
    let form = || format!("write postgres://user:password@host:5432/{PLACEHOLDER}");
    if tls::is_asked_for_in_vain(template.expose_secret()) {
        return Err((tls::NOT_BUILT_IN.to_owned(), tls::WITHOUT.to_owned()));
    }
    let login = DatabaseLogin::from_template(template).map_err(|wrong| (wrong, form()))?;
    if login.role().is_none() {
        return Err(("names no user".to_owned(), form()));
    }
    if tls::is_left_open(template.expose_secret()) && !login.stays_on_this_machine() {
        return Err((
            "does not say whether the connection is encrypted".to_owned(),
            "add ?sslmode=require (with the feature `tls`), or ?sslmode=disable on a network of \
             your own"
                .to_owned(),
        ));
    }
    Ok(login)
}

/// Where the logins are kept that tenants have of their own.
#[async_trait]
pub(crate) trait LoginStore: Send + Sync + 'static {
    /// The login of the application's role, which whoever serves can read.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] where there is none or it cannot be decrypted, and those of
    /// the database.
    async fn app(&self, tenant: TenantId) -> Result<DatabaseLogin>;

    /// Both, which nobody can read but the owner of the application's own database.
    ///
    /// # Errors
    ///
    /// As [`app`](Self::app), and [`Error::Unavailable`] without that owner's login.
    async fn both(&self, tenant: TenantId) -> Result<TenantLogins>;

    /// Keeps a tenant's logins, in the place of those that are there.
    ///
    /// # Errors
    ///
    /// Those of the database.
    async fn keep(
        &self,
        transaction: &mut Transaction,
        tenant: TenantId,
        logins: &TenantLogins,
    ) -> Result<()>;
}
