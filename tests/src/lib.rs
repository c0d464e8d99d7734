//! What the integration tests share: a database of their own with the three
//! roles' rules in force, two layouts, and a wire that counts round trips.

pub mod database;
pub mod wire;
