//! What the integration tests share: a database of their own with the three
//! roles' rules in force, two layouts, a wire that counts round trips, and
//! servers to configure, restart and kill.

pub mod database;
pub mod servers;
pub mod wire;
