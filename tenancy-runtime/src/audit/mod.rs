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
//! A handler with `audit(action = "publish", resource = "post")` is recorded around
//! its requests by an [`AuditLayer`], in two entries of their own transactions:
//!
//! - `begun`, once the tenant is admitted and its limits let the request through,
//!   before anything else: a feature that the tenant lacks, a body that is none.
//!   So attempts are seen that were refused. What cannot be recorded is answered
//!   with the error, and not done.
//! - `done`, `refused` or `failed`, as the answer's status says, before it is given.
//!   A body that streams goes on afterwards. If this entry cannot be written, the
//!   answer stands: the change has happened, and who hears of an error does it
//!   again. The log has an error then.
//!
//! The second names the first (`"begun"` in its detail). A `begun` that none names
//! was cut off: the client left, the process ended, or the second entry was lost.
//! What it did until then is not known; what a handler says by itself, with
//! [`record_in`](Audit::record_in), lasts exactly if the change does. All entries of
//! one request have its request id.
//!
//! The trail in the database goes with the tenant: what is to outlast it is to be
//! exported before it is destroyed.

mod entry;
mod extract;
mod gate;
mod layer;
mod sinks;
mod table;

pub use entry::{AuditEntry, AuditEvent};
pub use extract::Audit;
pub(crate) use extract::Configured;
pub use gate::{AuditGate, RequireAudit};
pub use layer::{AuditLayer, Recorded};
pub use sinks::{AuditSink, DatabaseTrail, LogTrail};
