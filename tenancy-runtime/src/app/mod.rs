//! An application as `#[tenancy::app]` declares it, from start to stop.
//!
//! [`App`] collects what is `declared`, and `mistakes` says what does not go
//! together; `connect` makes a [`Tenancy`] of it and of what is configured, and
//! `start` wires the `router`, which `openapi` describes; `upkeep` brings the tables
//! up to date and proves that database and roles are as they must be; `serve`
//! listens until it is told to stop. `onboarding` is what new tenants begin with.

mod builder;
mod connect;
mod data;
mod declared;
mod limits;
mod main_function;
mod mistakes;
mod onboarding;
#[cfg(feature = "openapi")]
mod openapi;
mod places;
mod router;
mod serve;
mod start;
mod tenancy;
mod upkeep;

pub use builder::App;
pub use main_function::{MainResult, run};
#[cfg(feature = "openapi")]
pub use openapi::RouteDescriptions;
pub use tenancy::Tenancy;
