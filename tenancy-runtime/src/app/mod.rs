//! An application as `#[tenancy::app]` declares it, from start to stop.
//!
//! [`App`] collects what was declared; `start` connects what the configuration
//! names and wires the router; `upkeep` brings the tables up to date and proves
//! that database and roles are as they must be; `serve` listens until it is told
//! to stop.

mod builder;
mod data;
mod declared;
mod limits;
mod main_function;
mod places;
mod serve;
mod start;
mod upkeep;

pub use builder::App;
pub use main_function::{MainResult, run};
pub use start::Tenancy;
