//! Undoing what a statement has left on its session.
//!
//! The text of a statement does not tell all it does: a function sets a setting,
//! `SELECT … INTO TEMP` makes a table, a string is executed. So after a use that
//! ran anything but Diesel's plain selects and deletes, the next use of the
//! session sends [`UNDO`] ahead of its first statement and without waiting for
//! it. What is prepared stays, because Diesel's cache believes in it.

use std::borrow::Cow;

use super::session::SessionState;
use crate::isolation::rls;

/// `DISCARD ALL` but for prepared statements and plans. A macro, so that it can
/// stand in other constants.
macro_rules! undo {
    () => {
        "SET SESSION AUTHORIZATION DEFAULT; RESET ALL; CLOSE ALL; UNLISTEN *; \
         SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES"
    };
}

/// What every session is set to.
macro_rules! setup {
    () => {
        "SET search_path = ''; SET TIME ZONE 'UTC'; SET application_name = 'tenancy'"
    };
}

pub(super) const SETUP: &str = setup!();

/// Sent in one message, which PostgreSQL does whole or not at all, and never in
/// one with a `BEGIN`: a rollback would take it back.
pub(super) const UNDO: &str = concat!(undo!(), "; ", setup!());

/// The start of a transaction on a server connection that any client of the
/// pooler may have had before. What such a client can leave behind is undone, and
/// for this transaction replaced by what we need: a search path, a tenant, and
/// statements that stand in the way because every process names its own `s0`,
/// `s1` and so on.
pub(super) fn begin_behind_pooler(mode: &str) -> String {
    let tenant = rls::SETTING;
    format!(
        "BEGIN{mode}; {}; DEALLOCATE ALL; SET LOCAL search_path = ''; SET LOCAL TIME ZONE 'UTC'; \
         SET LOCAL application_name = 'tenancy'; SET LOCAL {tenant} = ''",
        undo!()
    )
}

/// `end`, which ends a transaction, with what must follow on the same server
/// connection: behind a pooler it is nobody's once the transaction is over, and
/// closing ours would not close it.
pub(super) fn ending<'a>(end: &'a str, state: &SessionState) -> Cow<'a, str> {
    if state.behind_pooler && state.leaves_something() {
        format!("{end}; {}", undo!()).into()
    } else {
        end.into()
    }
}
