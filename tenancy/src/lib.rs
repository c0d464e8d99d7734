//! Multi-tenancy for axum and Diesel on PostgreSQL.
//!
//! Annotate a struct, and it is a table whose rows belong to a tenant:
//!
//! ```
//! use tenancy::prelude::*;
//!
//! #[tenant_model]
//! pub struct Todo {
//!     pub id: Uuid,
//!     pub title: String,
//!     #[column(default = "false")]
//!     pub done: bool,
//! }
//!
//! async fn open(db: &mut TenantConn) -> Result<Vec<Todo>> {
//!     Ok(Todo::query().filter(todos::done.eq(false)).order(todos::id).load(db).await?)
//! }
//! # fn main() {}
//! ```

pub use tenancy_macros::{shared_model, tenant_model};
pub use tenancy_runtime::db::{self, TenantConn, TenantDb};
pub use tenancy_runtime::error::{self, Error, Result};
pub use tenancy_runtime::{features, isolation, model, plan, tenant};

/// What an application needs at hand: `use tenancy::prelude::*`.
pub mod prelude {
    pub use crate::{Error, Result, TenantConn, TenantDb, shared_model, tenant_model};
    pub use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
    pub use diesel::{
        BoolExpressionMethods, ExpressionMethods, NullableExpressionMethods, OptionalExtension,
        QueryDsl, SelectableHelper,
    };
    pub use diesel_async::{AsyncConnection, RunQueryDsl};
    pub use serde_json::Value;
    pub use uuid::Uuid;
}

/// What generated code calls. Not for hand-written code: it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use serde;
    pub use tenancy_runtime::model::*;
}
