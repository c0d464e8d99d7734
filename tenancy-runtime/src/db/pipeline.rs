//! Sending a statement together with what must stand around it.
//!
//! PostgreSQL answers in order, so `BEGIN`, the scope's setting, the statement
//! and `COMMIT` can leave without waiting for each other: one round trip. That
//! holds only for a statement that is prepared already: a cold one waits for
//! its preparation, and a `COMMIT` sent meanwhile would overtake it. So a
//! session remembers what it has prepared ([`StatementKey`]), and a cold
//! statement is sent step by step, once.

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::{DatabaseErrorKind, Error};
use diesel::sql_types::Text;
use diesel_async::{AsyncConnectionCore, AsyncPgConnection, SimpleAsyncConnection};
use futures_util::future::{join, join3};
use tokio::task::coop::unconstrained;

use super::residue::{UNDO, begin_behind_pooler, ending};
use super::session::SessionState;
use super::statement::BindTypes;
use crate::isolation::Scope;

/// What Diesel's cache tells prepared statements apart by, as a fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct StatementKey {
    pub(super) text: u64,
    pub(super) types: u64,
}

/// What must stand around a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Around {
    /// Nothing: it is qualified, or its transaction has begun.
    Nothing,
    /// The start of a transaction that goes on afterwards.
    Begin,
    /// A transaction of its own.
    Transaction,
}

impl Around {
    pub(super) fn of(scope: &Scope, state: &SessionState) -> QueryResult<Self> {
        Ok(match state.depth()? {
            // A statement that is not kept prepared takes two turns, and only a
            // transaction gives both to the same server connection.
            0 if !state.behind_pooler && scope.settings().is_empty() => Self::Nothing,
            0 => Self::Transaction,
            _ if state.owes_begin => Self::Begin,
            _ => Self::Nothing,
        })
    }
}

/// Runs `statement` with what must stand around it. Dropped on the way, it
/// leaves the session marked as busy, and the pool closes it; so it does when
/// what should stand around it fails.
pub(super) async fn run<T>(
    conn: &AsyncPgConnection,
    state: &mut SessionState,
    scope: &Scope,
    identity: (u64, BindTypes),
    statement: impl Future<Output = QueryResult<T>>,
) -> QueryResult<T> {
    state.enter()?;
    let around = Around::of(scope, state)?;
    let key = identity.1.key(identity.0);
    key.into_iter().for_each(|key| state.send(key));
    let warm = key.is_some_and(|key| state.knows(key)) && knows_settings(state, scope);
    let undo = state.take_undo();

    let with_scope = async {
        let result = match around {
            Around::Nothing => statement.await,
            Around::Begin | Around::Transaction if warm => {
                let end = async {
                    match around {
                        Around::Transaction => simple(conn, &ending("COMMIT", state)).await,
                        _ => Ok(()),
                    }
                };
                // `join3` polls in order, and each of these sends when first
                // polled, as long as tokio does not hold one back: a task that
                // has used up its budget finds every channel pending, and the
                // statement would overtake its `BEGIN` when the budget ends
                // between the two.
                let all = join3(begin(conn, state, scope), statement, end);
                let (begun, result, ended) = unconstrained(all).await;
                begun?;
                result.and_then(|value| ended.map(|()| value))
            }
            Around::Begin => {
                begin(conn, state, scope).await?;
                statement.await
            }
            Around::Transaction => {
                begin(conn, state, scope).await?;
                let result = statement.await;
                // After an error PostgreSQL answers COMMIT with a rollback.
                let ended = simple(conn, &ending("COMMIT", state)).await;
                ended.and(result)
            }
        };
        Ok(result)
    };
    let result = if undo {
        let (undone, result) = unconstrained(join(simple(conn, UNDO), with_scope)).await;
        undone.and(result)?
    } else {
        with_scope.await?
    };

    if around != Around::Transaction {
        state.owes_begin = false;
        state.failed |= result.is_err() && state.depth()? > 0;
    }
    if result.as_ref().err().is_none_or(is_of_execution) {
        key.into_iter().for_each(|key| state.learn(key));
    }
    if around != Around::Nothing {
        state.learn(settings_key(scope));
    }
    if result.as_ref().err().is_some_and(is_of_another_time) {
        state.outdate();
    }
    state.leave();
    result
}

/// Undoes what the use before has left, if that is owed.
pub(super) async fn undo(conn: &AsyncPgConnection, state: &mut SessionState) -> QueryResult<()> {
    if state.take_undo() {
        simple(conn, UNDO).await?;
    }
    Ok(())
}

/// Whether only a statement that is prepared can fail like this.
fn is_of_execution(error: &Error) -> bool {
    matches!(
        error,
        Error::DatabaseError(
            DatabaseErrorKind::UniqueViolation
                | DatabaseErrorKind::ForeignKeyViolation
                | DatabaseErrorKind::NotNullViolation
                | DatabaseErrorKind::CheckViolation
                | DatabaseErrorKind::ExclusionViolation
                | DatabaseErrorKind::SerializationFailure
                | DatabaseErrorKind::ReadOnlyTransaction,
            _
        )
    )
}

/// Whether the table has changed since the statement was prepared. PostgreSQL
/// plans anew by itself, but for another shape of the rows that come back.
fn is_of_another_time(error: &Error) -> bool {
    matches!(error, Error::DatabaseError(_, information)
        if information.message() == "cached plan must not change result type")
}

fn settings_key(scope: &Scope) -> StatementKey {
    StatementKey {
        text: SETTINGS,
        types: scope.settings().len() as u64,
    }
}

/// Whether sending the scope's settings takes no answer from the server.
fn knows_settings(state: &SessionState, scope: &Scope) -> bool {
    scope.settings().is_empty() || state.knows(settings_key(scope))
}

/// Sends the owed `BEGIN` with the scope's settings.
pub(super) async fn begin(
    conn: &AsyncPgConnection,
    state: &SessionState,
    scope: &Scope,
) -> QueryResult<()> {
    let settings = async {
        match scope.settings() {
            [] => Ok(0),
            settings => {
                let mut conn = conn;
                AsyncConnectionCore::execute_returning_count(&mut conn, SetLocal(settings)).await
            }
        }
    };
    let mode = state.mode.sql();
    if state.behind_pooler {
        // One after the other: a pooler that does follow prepared statements
        // would count the settings' own among those that were taken away.
        simple(conn, &begin_behind_pooler(&mode)).await?;
        return settings.await.map(|_| ());
    }
    let start = format!("BEGIN{mode}");
    let (begun, set) = unconstrained(join(simple(conn, &start), settings)).await;
    begun?;
    set.map(|_| ())
}

/// Sends the owed `BEGIN` and a `SAVEPOINT` behind it, in one turn if that is
/// sure to keep their order: settings made inside of the savepoint would be lost
/// with it.
pub(super) async fn begin_nested(
    conn: &AsyncPgConnection,
    state: &SessionState,
    scope: &Scope,
    savepoint: &str,
) -> QueryResult<()> {
    if !knows_settings(state, scope) {
        begin(conn, state, scope).await?;
        return simple(conn, savepoint).await;
    }
    let both = join(begin(conn, state, scope), simple(conn, savepoint));
    let (begun, nested) = unconstrained(both).await;
    begun.and(nested)
}

pub(super) async fn simple(mut conn: &AsyncPgConnection, sql: &str) -> QueryResult<()> {
    conn.batch_execute(sql).await
}

/// The text part of the key under which settings are known; their number is
/// the other part.
const SETTINGS: u64 = 0;

/// `SELECT set_config($1, $2, true), …`: transaction-local, and values are data.
struct SetLocal<'a>(&'a [(&'static str, String)]);

impl QueryId for SetLocal<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl QueryFragment<Pg> for SetLocal<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        for (index, (name, value)) in self.0.iter().enumerate() {
            pass.push_sql(if index == 0 {
                "SELECT set_config("
            } else {
                ", set_config("
            });
            pass.push_bind_param::<Text, _>(*name)?;
            pass.push_sql(", ");
            pass.push_bind_param::<Text, _>(value)?;
            pass.push_sql(", true)");
        }
        Ok(())
    }
}
