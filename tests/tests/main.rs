//! Integration tests on real servers, started by `cargo xtask test`.

mod admin;
mod app;
mod audit;
mod bodies;
mod cache;
mod changes;
mod columns;
mod databases;
mod domains;
mod door;
mod dsl;
mod examples;
mod expanded;
mod faults;
mod grounds;
mod interrupted;
mod jobs;
mod joins;
mod jwt;
mod kit;
mod life;
mod limits;
mod live;
mod matrix;
mod migrations;
mod openapi;
mod owned;
mod places;
mod plans;
mod pooler;
mod provisioning;
mod races;
mod readme;
mod resolution;
mod scoped;
mod secrets;
mod servers;
mod sessions;
mod sharing;
mod shop;
mod soak;
mod standby;
mod start;
mod strategies;
mod system;
mod threats;
mod timing;
mod tls;

tenancy::features! {
    /// Everything as a file.
    exports,
    /// What nobody has.
    forecasts,
}

tenancy::quotas! {
    /// People with a login.
    users,
}
