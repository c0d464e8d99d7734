//! What runs underneath `tenancy`. Depend on `tenancy`, which re-exports it: in
//! an application, `tenancy_runtime::` in the examples here reads `tenancy::`
//! (`tenancy_runtime::app::App` is `tenancy::App`).
//!
//! A request's way leads through the modules in this order: [`resolve`] (request
//! to candidate), [`registry`] (slug to tenant), [`admit`] (the door), [`limit`]
//! (how often), [`http`] (extractors, routes), [`db`] (scoped connections),
//! [`isolation`] (what a scope is). A module uses those further along, and plain types: [`tenant`],
//! [`error`], [`problem`].
//!
//! Beside that way stand [`model`] (tables and their DDL), [`plan`] (features, rates),
//! [`provision`] (a tenant's life), `domains` (those that tenants bring), [`system`] (work
//! across tenants), [`jobs`] (work of a tenant's beside requests), `sealing` (keys and their
//! cipher), `secrets` (what is kept for a tenant, encrypted), `redis` (a connection that all requests share), [`events`]
//! (what is told to those who listen), [`admin`] (operators' routes), `openapi` (what a
//! program is told of the routes), [`config`], the management commands, and
//! [`app`], which wires everything.

pub mod admin;
pub mod admit;
pub mod app;
pub mod audit;
mod cli;
pub mod config;
pub mod db;
#[cfg(feature = "domains")]
pub mod domains;
#[cfg(feature = "embedded")]
pub mod embedded;
pub mod error;
pub mod events;
#[cfg(feature = "forge")]
#[doc(hidden)]
pub mod forge;
pub mod http;
pub mod isolation;
pub mod jobs;
pub mod limit;
pub mod model;
#[cfg(feature = "openapi")]
pub mod openapi;
pub mod plan;
pub mod problem;
pub mod provision;
#[cfg(feature = "redis")]
mod redis;
pub mod registry;
pub mod resolve;
mod sealing;
#[cfg(feature = "encryption")]
pub mod secrets;
pub mod system;
pub mod tenant;
#[cfg(feature = "testing")]
pub mod testing;
mod tls;
