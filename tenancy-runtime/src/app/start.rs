use std::net::SocketAddr;

use axum::Router;

use super::builder::App;
use super::tenancy::Tenancy;
use super::{limits, router, upkeep};
use crate::audit;
use crate::config::Config;
use crate::error::Result;

/// What calls when the application listens.
pub(super) type OnListen = Option<Box<dyn FnOnce(SocketAddr) + Send>>;

impl App {
    pub(super) async fn start_parts(self, config: Config) -> Result<(Tenancy, Router, OnListen)> {
        let declared = self.declared;
        let mut problems = self.problems;
        problems.extend(declared.problems(&config));
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
        let audit = audit::Configured(declared.audit);
        let (routes, routers) = (declared.routes, declared.routers);
        let router = router::wired(|| router::router(&tenancy, routes, routers, audit))?;
        let router = self
            .layers
            .into_iter()
            .fold(router, |router, layer| layer(router));
        let router = router::around(router, &config);
        Ok((tenancy, router, self.on_listen))
    }
}
