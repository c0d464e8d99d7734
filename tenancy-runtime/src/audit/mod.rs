//! Who did what: a trail of each tenant's, which cannot be lost and which the
//! application cannot rewrite.
//!
//! [`Audit`] is an extractor that knows who is behind the request. What it
//! [`record_in`](Audit::record_in)s a transaction is there exactly if the change
//! is; nothing is written in the background, so nobody is answered before the trail
//! is. Where entries go is a [`AuditSink`]'s business: [`DatabaseTrail`] keeps them
//! beside the tenant's data, in a table to which the application's role may add
//! and which it may read; [`LogTrail`] hands them to the log.

mod entry;
mod extract;
mod sinks;
mod table;

pub use entry::{AuditEntry, AuditEvent};
pub use extract::Audit;
pub(crate) use extract::Configured;
pub use sinks::{AuditSink, DatabaseTrail, LogTrail};
