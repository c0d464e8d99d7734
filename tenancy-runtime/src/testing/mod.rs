//! The kit for an application's own tests: [`TestApp`] gives each test tenants of
//! its own, and [`Matrix`] tries every route with the keys of another tenant.
//!
//! Applications are called as they are served, through all layers and as the
//! application's role: nothing is mocked, and nothing here reaches data that a
//! request would not. A [`Caller`] reaches an application in this process or at
//! an address, and whatever is tried with callers works on both.

mod answer;
mod app;
mod caller;
mod matrix;
mod naming;
mod site;
mod tenant;
mod thread;

pub use answer::Answer;
pub use app::{TestApp, TestAppBuilder};
pub use caller::Caller;
pub use matrix::{Matrix, Report};
pub use site::Site;
pub use tenant::TestTenant;
