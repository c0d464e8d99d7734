//! What isolates one tenant from the next, and what a statement must carry for it.
//!
//! Two layouts exist. In the *shared layout* (`rls`) all tenants' rows live in
//! one set of tables and PostgreSQL's row-level security tells them apart by a
//! transaction-local setting. In a *dedicated layout* (`schema`, `database`) a
//! tenant has tables of its own and the statement names them in full. [`Scope`]
//! is what both come down to for a connection; [`Isolation`] is the
//! application's choice, and under `hybrid` it is made for each tenant once and
//! stored.

mod choice;
pub mod rls;
mod scope;

pub use choice::{Isolation, Strategy, UnknownStrategy};
pub use scope::Scope;
