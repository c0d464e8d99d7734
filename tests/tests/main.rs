//! Integration tests on real servers, started by `cargo xtask test`.

mod app;
mod cache;
mod door;
mod pooler;
mod scoped;
mod servers;
mod shop;

tenancy::features! {
    /// Everything as a file.
    exports,
    /// What nobody has.
    forecasts,
}
