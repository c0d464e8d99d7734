//! Integration tests on real servers, started by `cargo xtask test`.

mod cache;
mod pooler;
mod scoped;
mod servers;
