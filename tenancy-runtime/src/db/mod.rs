//! Scoped connections: what makes a statement stay with its tenant.
//!
//! [`TenantDb`] hands out [`TenantConn`]s, which implement
//! `diesel_async::AsyncConnection`, so the whole Diesel DSL works on them. On
//! its way out every statement is qualified (the placeholder schemas `"tenant"`
//! and `"shared"` become real ones, see [`qualify`]) and, where the scope needs
//! a setting, sent in one pipeline with it: `BEGIN`, the setting, the
//! statement and `COMMIT` leave together and are answered together.
//!
//! A pooled [`Session`] is used again only when its last use
//! came to a clean end. axum drops handlers whenever a client leaves, so being
//! dropped at any `.await` is normal traffic here, not an edge case.

mod budget;
mod conn;
mod databases;
mod handle;
mod lexer;
mod login;
mod own_logins;
mod pipeline;
mod pool;
mod qualify;
mod references;
mod residue;
mod session;
mod statement;
mod system;
mod transaction;
mod unscoped;
mod usage;

pub use conn::TenantConn;
pub use databases::{Databases, DatabasesSettings, Prove};
pub use handle::{TenantDb, TenantPool};
pub use login::{DatabaseLogin, PLACEHOLDER};
pub(crate) use own_logins::LoginStore;
pub use own_logins::TenantLogins;
pub use pool::{Pool, PoolNumbers, PoolSettings, PooledSession};
pub use qualify::{Qualified, Residue, qualify};
pub(crate) use references::{redirect_references, referenced_tables};
pub use session::Session;
pub use system::{AuditedTransactions, SystemConn};
pub use transaction::{AsyncFunc, DeferredTransactions, TransactionBuilder};
pub use unscoped::Transaction;
