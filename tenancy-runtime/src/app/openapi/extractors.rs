//! What this crate's own extractors and answers say of themselves.

#[cfg(feature = "ws")]
use axum::http::StatusCode;
use schemars::JsonSchema;

use crate::admit::Revocation;
use crate::audit::{Audit, RequireAudit};
use crate::db::{TenantConn, TenantDb};
#[cfg(feature = "domains")]
use crate::domains::Domains;
use crate::error::Error;
#[cfg(feature = "ws")]
use crate::events::TenantWebSocket;
use crate::events::{EventStream, Events, TenantEvents};
use crate::http::{FeatureGate, Json, Origin, Path, Query, RequireFeature, TenantConfig};
use crate::limit::{RateLimitGate, RequireRateLimit};
use crate::model::Owned;
use crate::openapi::probe::{Knows, No, Yes};
use crate::openapi::{Answer, Argument, Operation};
use crate::provision::Provisioner;
#[cfg(feature = "jwt")]
use crate::resolve::Claims;
use crate::resolve::{PathPrefix, Principal};
#[cfg(feature = "encryption")]
use crate::secrets::TenantSecrets;
use crate::system::SystemAccess;
use crate::tenant::Tenant;

/// Of whom the route says what there is to say of tenants.
macro_rules! silent {
    ($($ty:ty),* $(,)?) => {$(
        impl<S> Argument<S> for $ty {
            fn describe(_: &mut Operation) {}
        }
    )*};
}

silent!(
    Audit,
    Events,
    Origin,
    PathPrefix,
    Provisioner,
    Revocation,
    Tenant,
    TenantConn,
    TenantDb,
    TenantEvents,
);
#[cfg(feature = "domains")]
silent!(Domains);
#[cfg(feature = "encryption")]
silent!(TenantSecrets);

impl<S, T> Argument<S> for TenantConfig<T> {
    fn describe(_: &mut Operation) {}
}

impl<S, G> Argument<S> for RequireAudit<G> {
    fn describe(_: &mut Operation) {}
}

impl<S> Argument<S> for SystemAccess {
    fn describe(operation: &mut Operation) {
        operation.problem(&Error::unavailable(""));
    }
}

impl<S> Argument<S> for Principal {
    fn describe(operation: &mut Operation) {
        operation.problem(&Error::InvalidToken);
    }
}

#[cfg(feature = "jwt")]
impl<S, T> Argument<S> for Claims<T> {
    fn describe(operation: &mut Operation) {
        operation.problem(&Error::InvalidToken);
    }
}

impl<S, G: FeatureGate> Argument<S> for RequireFeature<G> {
    fn describe(operation: &mut Operation) {
        operation
            .problem(&Error::FeatureUnavailable(G::FEATURE))
            .note(format!("For tenants with the feature `{}`.", G::FEATURE));
    }
}

impl<S, G: RateLimitGate> Argument<S> for RequireRateLimit<G> {
    fn describe(operation: &mut Operation) {
        let limit = G::LIMIT.limit;
        operation
            .problem(&Error::RateLimited {
                limit,
                retry_after: 0,
            })
            .note(format!("Each tenant may call it so often: {limit}."));
    }
}

#[cfg(feature = "ws")]
impl<S> Argument<S> for TenantWebSocket {
    fn describe(operation: &mut Operation) {
        operation
            .answers_nothing(StatusCode::SWITCHING_PROTOCOLS)
            .problem(&Error::CrossSite(String::new()))
            .problem(&Error::InvalidInput(String::new()))
            .note("Opens a WebSocket, of which nothing is said here.");
    }
}

impl<H> Answer<H> for EventStream {
    fn describe(operation: &mut Operation) {
        operation.answers("text/event-stream");
    }
}

fn json_argument(operation: &mut Operation) {
    operation
        .problem(&Error::PayloadTooLarge)
        .problem(&Error::UnsupportedMediaType(String::new()))
        .problem(&Error::InvalidInput(String::new()));
}

impl<T: JsonSchema> Argument<Yes> for Json<T> {
    fn describe(operation: &mut Operation) {
        json_argument(operation.json_body::<T>());
    }
}

impl<T> Argument<No> for Json<T> {
    fn describe(operation: &mut Operation) {
        json_argument(operation.body("application/json"));
    }
}

impl<T: JsonSchema> Argument<Yes> for Query<T> {
    fn describe(operation: &mut Operation) {
        operation
            .query::<T>()
            .problem(&Error::InvalidInput(String::new()));
    }
}

impl<T> Argument<No> for Query<T> {
    fn describe(operation: &mut Operation) {
        operation.problem(&Error::InvalidInput(String::new()));
    }
}

impl<T: JsonSchema> Argument<Yes> for Path<T> {
    fn describe(operation: &mut Operation) {
        operation.path::<T>().problem(&Error::NotFound);
    }
}

impl<T> Argument<No> for Path<T> {
    fn describe(operation: &mut Operation) {
        operation.problem(&Error::NotFound);
    }
}

impl<E, T: JsonSchema> Answer<Knows<Yes, E>> for Json<T> {
    fn describe(operation: &mut Operation) {
        operation.answers_json::<T>();
    }
}

impl<E, T> Answer<Knows<No, E>> for Json<T> {
    fn describe(operation: &mut Operation) {
        operation.answers("application/json");
    }
}

impl<E, T: JsonSchema> Answer<Knows<Yes, E>> for axum::Json<T> {
    fn describe(operation: &mut Operation) {
        operation.answers_json::<T>();
    }
}

impl<E, T> Answer<Knows<No, E>> for axum::Json<T> {
    fn describe(operation: &mut Operation) {
        operation.answers("application/json");
    }
}

/// It is written as the row.
impl<M: JsonSchema> JsonSchema for Owned<M> {
    fn inline_schema() -> bool {
        M::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        M::schema_name()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        M::schema_id()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        M::json_schema(generator)
    }
}
