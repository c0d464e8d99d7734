//! What runs underneath `tenancy`. Depend on `tenancy`, which re-exports it.
//!
//! A request passes the rooms in this order: [`resolve`] (request to candidate
//! slug), [`registry`] (slug to tenant), [`admit`] (may it come in), [`http`]
//! (extractors, routes, answers), [`db`] (scoped connections), [`isolation`]
//! (what a scope is). Beside that way stand [`model`], [`provision`], [`plan`],
//! [`config`] and `cli`. A room imports only from rooms further along or from
//! plain types ([`tenant`], [`error`]).

pub mod isolation;
pub mod model;
pub mod plan;
pub mod tenant;
