//! An application as `#[tenancy::app]` declares it, from start to stop.
//!
//! [`App`] collects what was declared; `start` reads the configuration, proves
//! that database and roles are as they must be, and wires the router; `serve`
//! listens until it is told to stop.

mod builder;
mod data;
mod main_function;
mod serve;
mod start;

pub use builder::App;
pub use main_function::{MainResult, run};
pub use start::Tenancy;
