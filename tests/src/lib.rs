//! What the integration tests share: a database of their own with the roles'
//! rules in force, an application that serves from it, here or as a process of
//! its own, a wire that counts round trips, servers to configure, restart and
//! kill, and futures dropped half-way.

pub mod curl;
pub mod database;
pub mod http;
pub mod polls;
pub mod process;
pub mod servers;
pub mod wire;
