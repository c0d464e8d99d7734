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
use diesel::sql_types::Text;
use diesel_async::{AsyncConnectionCore, AsyncPgConnection, SimpleAsyncConnection};
use futures_util::future::{join, join3};
use tokio::task::coop::unconstrained;

use super::session::SessionState;
use super::statement::BindTypes;
use crate::isolation::{Scope, rls};

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
/// leaves the session marked as busy, and the pool closes it.
pub(super) async fn run<T>(
    conn: &AsyncPgConnection,
    state: &mut SessionState,
    scope: &Scope,
    identity: (u64, BindTypes),
    statement: impl Future<Output = QueryResult<T>>,
) -> QueryResult<T> {
    state.enter();
    let around = Around::of(scope, state)?;
    let key = identity.1.key(identity.0);
    let settings_key = StatementKey {
        text: SETTINGS,
        types: scope.settings().len() as u64,
    };
    let warm = key.is_some_and(|key| state.knows(key))
        && (scope.settings().is_empty() || state.knows(settings_key));

    let result = match around {
        Around::Nothing => statement.await,
        Around::Begin | Around::Transaction if warm => {
            let end = async {
                match around {
                    Around::Transaction => simple(conn, "COMMIT").await,
                    _ => Ok(()),
                }
            };
            // `join3` polls in order, and each of these sends when first polled,
            // as long as tokio does not hold one back: a task that has used up
            // its budget finds every channel pending, and the statement would
            // overtake its `BEGIN` when the budget ends between the two.
            let all = join3(begin(conn, state, scope), statement, end);
            let (begun, result, ended) = unconstrained(all).await;
            begun?;
            match result {
                Ok(value) => ended.map(|()| value),
                Err(error) => Err(error),
            }
        }
        Around::Begin => {
            begin(conn, state, scope).await?;
            statement.await
        }
        Around::Transaction => {
            begin(conn, state, scope).await?;
            let result = statement.await;
            // After an error PostgreSQL answers COMMIT with a rollback.
            simple(conn, "COMMIT").await.and(result)
        }
    };
    match (&result, around) {
        (_, Around::Transaction) => {}
        (result, _) => {
            state.owes_begin = false;
            state.failed |= result.is_err() && state.depth()? > 0;
        }
    }
    if result.is_ok() {
        key.into_iter().for_each(|key| state.learn(key));
        if around != Around::Nothing {
            state.learn(settings_key);
        }
    }
    state.leave();
    result
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
    if state.behind_pooler {
        // One after the other: a pooler that does follow prepared statements
        // would count the settings' own among those that were taken away.
        simple(conn, &begin_behind_pooler()).await?;
        return settings.await.map(|_| ());
    }
    let (begun, set) = unconstrained(join(simple(conn, "BEGIN"), settings)).await;
    begun?;
    set.map(|_| ())
}

/// The start of a transaction on a server connection that any client of the
/// pooler may have had before. What such a client can leave behind is undone
/// for this transaction: a search path, a tenant, and statements that stand
/// in the way because every process names its own `s0`, `s1` and so on.
fn begin_behind_pooler() -> String {
    let tenant = rls::SETTING;
    format!("BEGIN; DEALLOCATE ALL; SET LOCAL search_path = ''; SET LOCAL {tenant} = ''")
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
