//! Who did what: a trail of each tenant's, which the application cannot rewrite.
//!
//! [`Audit`] is an extractor that knows who is behind the request. Nothing is
//! written in the background: who is answered has been recorded. Where entries go
//! is an [`AuditSink`]'s business. [`DatabaseTrail`] keeps them beside the tenant's
//! data, in a table to which the application's role may add and which it may read;
//! what is [`record_in`](Audit::record_in) a transaction is there exactly if the
//! change is. [`LogTrail`] hands them to the log, and does so before the change is
//! committed: there an entry may tell of a change that was undone.
//!
//! The trail in the database goes with the tenant: what is to outlast it is to be
//! exported before it is destroyed.

mod entry;
mod extract;
mod sinks;
mod table;

pub use entry::{AuditEntry, AuditEvent};
pub use extract::Audit;
pub(crate) use extract::Configured;
pub use sinks::{AuditSink, DatabaseTrail, LogTrail};
