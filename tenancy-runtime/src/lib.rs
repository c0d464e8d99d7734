//! What runs underneath `tenancy`. Depend on `tenancy`, which re-exports it.
//!
//! [`db`] holds the scoped connections and [`isolation`] says what a scope is;
//! [`model`] describes tables and computes their DDL, [`plan`] names features,
//! [`tenant`] and [`error`] are the plain types that all of them speak.

pub mod config;
pub mod db;
#[cfg(feature = "embedded")]
pub mod embedded;
pub mod error;
pub mod isolation;
pub mod model;
pub mod plan;
pub mod tenant;
