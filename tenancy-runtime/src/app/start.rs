use std::net::SocketAddr;

use axum::Router;

use super::builder::App;
#[cfg(feature = "openapi")]
use super::openapi;
use super::tenancy::Tenancy;
use super::{limits, router, upkeep};
use crate::admin;
use crate::audit;
use crate::config::Config;
use crate::error::Result;
use crate::http::TenantUse;
use crate::resolve::TenantHosts;

/// What calls when the application listens.
pub(super) type OnListen = Option<Box<dyn FnOnce(SocketAddr) + Send>>;

impl App {
    pub(super) async fn start_parts(self, config: Config) -> Result<(Tenancy, Router, OnListen)> {
        let mut declared = self.declared;
        let mut problems = self.problems;
        problems.extend(declared.problems(&config));
        #[cfg(feature = "openapi")]
        let (document, undescribed) = openapi::described(&declared, self.version, &config);
        #[cfg(feature = "openapi")]
        problems.extend(undescribed);
        upkeep::refuse(problems)?;
        let plans = declared.plans.as_deref();
        let limits = limits::of(declared.name, &config, plans, &declared.routes).await?;
        let mut tenancy = Tenancy::connect(&config, &declared)
            .await?
            .with_limits(limits);
        tenancy.stand_up().await?;
        #[cfg(feature = "encryption")]
        if let Some(secrets) = &tenancy.secrets {
            secrets.enlist().await?;
        }
        tenancy.seed().await?;
        for problem in tenancy.unfit().await? {
            tracing::error!("{problem}");
        }
        tenancy.start_tending().await?;
        if let Some(guard) = declared.admin.take() {
            let tenants = tenancy.data.as_ref().map(|(pool, ..)| pool.clone());
            let sink = declared.audit.as_deref();
            let admin = admin::router(
                guard.into(),
                &tenancy.provisioner,
                tenants,
                sink,
                TenantHosts::of(&config.resolution),
                tenancy.operators.clone(),
            );
            declared.routers.push((TenantUse::None, admin));
        }
        let audit = audit::Configured(declared.audit.take());
        #[cfg(feature = "openapi")]
        router::wired(|| declared.describe(document, &config))?;
        let router = router::around(&config, |which| {
            let routes = || router::router(&tenancy, &declared, audit.clone(), which);
            let router = router::wired(routes)?;
            let layers = self.layers.iter();
            Ok(layers.fold(router, |router, layer| layer(router)))
        })?;
        Ok((tenancy, router, self.on_listen))
    }
}
