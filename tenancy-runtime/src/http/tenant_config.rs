use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::error::{Error, Result};
use crate::plan::{Feature, OnPlan, Plans, Quota, QuotaLimit, Settings};
use crate::tenant::Tenant;

/// What holds for the tenant of a request: its plan, its features, and its
/// settings, which are the metadata that is stored with it as a type `S` of the
/// application's own.
///
/// It comes from memory, and asks nobody. Metadata that is no `S` is an error that
/// names the tenant and the field in the log, and is 500 for the client: nothing
/// is put in its place. What may be left out says so with `#[serde(default)]`.
/// Name the type by [`App::settings`](crate::app::App::settings) as well, so that
/// nothing else is stored.
///
/// A field that is a secret, the password of a mail server say, has the type
/// `SecretSetting` (`secrets`, with the feature `encryption`): it is encrypted wherever
/// it is stored, and open in the settings alone. One that does not decrypt is such an
/// error as well.
///
/// ```
/// use axum::routing::get;
/// use serde::Deserialize;
/// use tenancy_runtime::http::TenantConfig;
///
/// #[derive(Deserialize)]
/// struct Settings {
///     theme: String,
///     #[serde(default)]
///     beta: bool,
/// }
///
/// async fn theme(config: TenantConfig<Settings>) -> String {
///     config.settings().theme.clone()
/// }
/// let _: axum::Router = axum::Router::new().route("/theme", get(theme));
/// ```
#[derive(Debug, Clone)]
pub struct TenantConfig<S = IgnoredAny> {
    tenant: Tenant,
    settings: S,
}

impl<S: DeserializeOwned> TenantConfig<S> {
    /// What holds for a tenant outside of a request.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] when its metadata is no `S`, or a secret in it does not open.
    pub fn of(tenant: &Tenant) -> Result<Self> {
        Ok(Self {
            settings: Settings::read(tenant.record(), tenant.keys()).map_err(Error::internal)?,
            tenant: tenant.clone(),
        })
    }
}

impl<S> TenantConfig<S> {
    /// Whose it is.
    #[must_use]
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// The tenant's plan, one of those that the application declares.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] when the application has not declared the plans `P`.
    pub fn plan<P: Plans>(&self) -> Result<P> {
        let plan = self.tenant.on_plan().and_then(OnPlan::one_of);
        plan.ok_or_else(|| {
            Error::internal(format!(
                "a handler asks for a plan of `{}`, and the application declares others or none: \
                 name them by `plans = …` in its attribute",
                std::any::type_name::<P>()
            ))
        })
    }

    /// Whether the tenant has a feature now.
    #[must_use]
    pub fn has(&self, feature: Feature) -> bool {
        self.tenant.has(feature)
    }

    /// How many rows the tenant may have of a model with this quota; `None` where
    /// its plan does not say. How many it has says
    /// [`TenantConn::usage`](crate::db::TenantConn::usage).
    #[must_use]
    pub fn quota(&self, quota: Quota) -> Option<QuotaLimit> {
        self.tenant.on_plan()?.definition.limit(quota)
    }

    /// The tenant's settings.
    #[must_use]
    pub fn settings(&self) -> &S {
        &self.settings
    }
}

impl<St: Send + Sync, S: DeserializeOwned> FromRequestParts<St> for TenantConfig<S> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &St) -> Result<Self> {
        let tenant = <Tenant as FromRequestParts<St>>::from_request_parts(parts, state).await?;
        Self::of(&tenant)
    }
}
