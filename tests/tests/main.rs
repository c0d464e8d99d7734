//! Integration tests on real servers, started by `cargo xtask test`.

mod app;
mod cache;
mod columns;
mod door;
mod dsl;
mod examples;
mod faults;
mod pooler;
mod provisioning;
mod scoped;
mod servers;
mod sessions;
mod shop;
mod soak;
mod start;
mod threats;

tenancy::features! {
    /// Everything as a file.
    exports,
    /// What nobody has.
    forecasts,
}
