//! Integration tests on real servers, started by `cargo xtask test`.

mod scoped;
mod servers;
