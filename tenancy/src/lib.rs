#![doc = include_str!("../../README.md")]

/// Goes on implementations of this crate's asynchronous traits, such as
/// [`resolve::Resolver`] and [`admit::Membership`]; the macro of the crate of this
/// name.
pub use async_trait::async_trait;
#[doc = include_str!("../docs/plans.md")]
pub use tenancy_macros::Plans;
#[doc = include_str!("../docs/app.md")]
pub use tenancy_macros::app;
#[doc = include_str!("../docs/migrations.md")]
pub use tenancy_macros::migrations;
#[doc = include_str!("../docs/shared_model.md")]
pub use tenancy_macros::shared_model;
#[doc = include_str!("../docs/tenant_handler.md")]
pub use tenancy_macros::tenant_handler;
#[doc = include_str!("../docs/tenant_model.md")]
pub use tenancy_macros::tenant_model;
pub use tenancy_runtime::app::{App, Tenancy};
pub use tenancy_runtime::db::{self, SystemConn, TenantConn, TenantDb};
#[cfg(feature = "domains")]
pub use tenancy_runtime::domains::{self, Domains};
pub use tenancy_runtime::error::{Error, Result};
pub use tenancy_runtime::http::TenantConfig;
pub use tenancy_runtime::isolation::{self, Isolation, Strategy};
pub use tenancy_runtime::model::Owned;
pub use tenancy_runtime::plan::Plans;
pub use tenancy_runtime::provision::{self, Provisioner};
pub use tenancy_runtime::resolve::{self, HeaderResolver};
#[cfg(feature = "encryption")]
pub use tenancy_runtime::secrets;
pub use tenancy_runtime::system::{self, SystemAccess};
pub use tenancy_runtime::tenant::{self, Tenant};
pub mod error {
    #![doc = include_str!("../docs/errors.md")]

    pub use tenancy_runtime::error::*;
}
pub mod events {
    #![doc = include_str!("../docs/live.md")]

    pub use tenancy_runtime::events::*;
}
pub mod jobs {
    #![doc = include_str!("../docs/jobs.md")]

    pub use tenancy_runtime::jobs::*;
}
#[cfg(feature = "testing")]
pub mod testing {
    #![doc = include_str!("../docs/testing.md")]

    pub use tenancy_runtime::testing::*;
}
pub use tenancy_runtime::{
    admin, admit, audit, config, features, http, limit, model, plan, problem, quotas, registry,
};

#[cfg(feature = "openapi")]
pub mod openapi {
    #![doc = include_str!("../docs/openapi.md")]

    pub use tenancy_runtime::app::RouteDescriptions;
    pub use tenancy_runtime::openapi::*;
}

/// What an application needs at hand: `use tenancy::prelude::*`.
pub mod prelude {
    #[cfg(feature = "domains")]
    pub use crate::Domains;
    pub use crate::audit::{Audit, AuditEvent};
    #[cfg(feature = "ws")]
    pub use crate::events::TenantWebSocket;
    pub use crate::events::{EventStream, Events, TenantEvents};
    pub use crate::http::{Json, Path, Query};
    #[cfg(feature = "jwt")]
    pub use crate::resolve::Claims;
    pub use crate::resolve::Principal;
    #[cfg(feature = "encryption")]
    pub use crate::secrets::{SecretSetting, TenantSecrets};
    pub use crate::tenant::{NewTenant, TenantRecord};
    pub use crate::{
        App, Error, Owned, Plans, Provisioner, Result, SystemAccess, SystemConn, Tenant,
        TenantConfig, TenantConn, TenantDb, shared_model, tenant_handler, tenant_model,
    };
    pub use axum::http::StatusCode;
    pub use axum::response::IntoResponse;
    pub use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
    // `diesel::prelude` but for its `RunQueryDsl`, which is not the asynchronous one.
    pub use diesel::{
        AggregateExpressionMethods, BelongingToDsl, BoolExpressionMethods, EscapeExpressionMethods,
        ExpressionMethods, Insertable, JoinOnDsl, NullableExpressionMethods, OptionalExtension,
        PgArrayExpressionMethods, PgExpressionMethods, PgJsonbExpressionMethods,
        PgTextExpressionMethods, QueryDsl, SelectableHelper, TextExpressionMethods,
    };
    pub use diesel_async::{AsyncConnection, RunQueryDsl};
    pub use serde_json::Value;
    pub use uuid::Uuid;
}

#[cfg(feature = "forge")]
#[doc(hidden)]
pub use tenancy_runtime::forge as __forge;

/// What generated code calls. Not for hand-written code: it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use axum::extract::{FromRequest, FromRequestParts};
    pub use axum::response::IntoResponse;
    pub use axum::routing::MethodRouter;
    pub use serde;
    pub use tenancy_runtime::app::{MainResult, run};
    pub use tenancy_runtime::audit::{AuditGate, RequireAudit};
    pub use tenancy_runtime::config::Embedded;
    pub use tenancy_runtime::http::{
        Audited, FeatureGate, RequireFeature, RouteSpec, RoutedHandler, TenantUse, Verb, is_taken,
        routing,
    };
    pub use tenancy_runtime::limit::{RateLimitGate, RequireRateLimit};
    pub use tenancy_runtime::model::*;
    pub use tenancy_runtime::plan::{
        Feature, Per, PlanDef, Plans, QuotaLimit, RateLimit, RouteLimit,
    };

    #[cfg(not(feature = "openapi"))]
    pub use crate::{__undescribed as describe, __undescribed as describe_column};
    #[cfg(not(feature = "openapi"))]
    pub use tenancy_macros::NoSchema as JsonSchema;
    #[cfg(feature = "openapi")]
    pub use tenancy_runtime::openapi::probe::Unnamed;
    #[cfg(feature = "openapi")]
    pub use tenancy_runtime::openapi::{JsonSchema, any_json, schemars};
    #[cfg(feature = "openapi")]
    pub use tenancy_runtime::{__describe as describe, __describe_column as describe_column};

    /// Whether routes can be described in this build.
    pub const OPENAPI: bool = cfg!(feature = "openapi");

    /// Describes the routes to everybody, in a build that can.
    pub fn openapi(app: crate::App) -> crate::App {
        #[cfg(feature = "openapi")]
        let app = app.openapi(crate::openapi::OpenApi::public());
        app
    }

    /// Whether there is an embedded database in this build.
    pub const EMBEDDED: bool = cfg!(feature = "embedded");

    /// Whether tokens can be checked in this build.
    pub const JWT: bool = cfg!(feature = "jwt");

    /// Whether tenants can prove domains in this build.
    pub const DOMAINS: bool = cfg!(feature = "domains");
}

/// What would describe a route or a column, in a build that describes none.
#[cfg(not(feature = "openapi"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __undescribed {
    ($($any:tt)*) => {};
}
