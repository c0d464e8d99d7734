//! Putting the real schemas in place of the placeholders.
//!
//! A table is declared as `tenant.todos`, Diesel prints `"tenant"."todos"`, and
//! raw SQL writes the same. [`qualify`] replaces the identifier `"tenant"` (and
//! `"shared"`) where a schema name stands: followed by a dot and not preceded by
//! one. Strings, comments and dollar-quoted bodies are left alone, because they
//! are data. The two names are reserved: an alias `"tenant"` would be replaced.
//!
//! A text that is read wrongly cannot reach another tenant: what is not
//! replaced names a schema that does not exist, and PostgreSQL refuses it.
//!
//! On the way it is noted what the statement may leave behind ([`Residue`]), and
//! whether it is the end or the start of a transaction, which is not sent.

use diesel::QueryResult;
use diesel::result::Error;

use super::lexer::{Kind, Token};
use crate::isolation::Scope;

/// A statement's text with real schemas in it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Qualified {
    /// The text to send.
    pub sql: String,
    /// What it may leave behind on its session, as far as the text tells.
    pub leaves: Residue,
    /// The word by which it would begin or end a transaction.
    pub transaction_control: Option<&'static str>,
}

impl Qualified {
    /// # Errors
    ///
    /// With what to do instead, if it would begin or end a transaction: the
    /// scope holds for the length of one, and whose depth is not known cannot be
    /// kept in its tenant.
    pub(super) fn permitted(self) -> QueryResult<Self> {
        match self.transaction_control {
            None => Ok(self),
            Some(word) => Err(Error::QueryBuilderError(
                format!(
                    "{word} is not sent: transactions carry the tenant's scope. Use \
                     `conn.transaction(…)`, nested for a savepoint"
                )
                .into(),
            )),
        }
    }
}

/// What a statement may leave behind on its session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Residue {
    /// Nothing.
    #[default]
    Nothing,
    /// A setting, a lock, a temporary table: undone before the session's next
    /// use.
    Undoable,
    /// Anything; the session is not used again.
    Unknown,
}

/// Statements that start with one of these leave behind nothing that cannot be
/// undone.
const STATELESS: &[&str] = &[
    "select", "insert", "update", "delete", "with", "values", "table", "merge", "explain", "show",
];

/// Statements that start with one of these begin or end a transaction, and so
/// does `PREPARE TRANSACTION`.
const TRANSACTION_CONTROL: &[&str] = &[
    "BEGIN",
    "START",
    "COMMIT",
    "END",
    "ROLLBACK",
    "ABORT",
    "SAVEPOINT",
    "RELEASE",
];

/// Functions of PostgreSQL with an effect that outlives the transaction.
const STATEFUL_FUNCTIONS: &[(&str, Residue)] = &[
    ("set_config", Residue::Undoable),
    ("pg_advisory_lock", Residue::Undoable),
    ("pg_advisory_lock_shared", Residue::Undoable),
    ("pg_try_advisory_lock", Residue::Undoable),
    ("pg_try_advisory_lock_shared", Residue::Undoable),
    // The random numbers that follow are known to who chose the seed.
    ("setseed", Residue::Unknown),
];

/// Replaces the placeholder schemas in `sql` by those of `scope`.
///
/// ```
/// use tenancy_runtime::db::qualify;
/// use tenancy_runtime::isolation::Scope;
/// use tenancy_runtime::tenant::{Locator, TenantId};
///
/// let shared = "shared".parse()?;
/// let scope = Scope::of(TenantId::generate(), &Locator::Schema("t_1".parse()?), &shared);
/// let qualified = qualify(r#"SELECT '"tenant".x' FROM "tenant".todos"#, &scope);
/// assert_eq!(qualified.sql, r#"SELECT '"tenant".x' FROM "t_1".todos"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn qualify(sql: &str, scope: &Scope) -> Qualified {
    let mut out = String::with_capacity(sql.len() + 64);
    let mut leaves = Residue::Nothing;
    let mut transaction_control = None;
    let mut first_word = true;
    let mut after_prepare = false;
    let mut after_dot = false;
    let mut rest = sql;
    while !rest.is_empty() {
        let token = Token::next(rest);
        let text = &rest[..token.len];
        rest = &rest[token.len..];
        match token.kind {
            Kind::QuotedIdentifier => {
                let schema = match text {
                    "\"tenant\"" => Some(scope.tenant_schema()),
                    "\"shared\"" => Some(scope.shared_schema()),
                    _ => None,
                };
                match schema {
                    Some(schema) if !after_dot && followed_by_dot(rest) => out.push_str(schema),
                    _ => out.push_str(text),
                }
                let name = &text[1..text.len() - 1];
                leaves = leaves.max(left_by_function(name, after_dot, rest));
            }
            Kind::Word => {
                if std::mem::take(&mut first_word) {
                    if !is_any(text, STATELESS) {
                        leaves = Residue::Unknown;
                    }
                    let control = TRANSACTION_CONTROL.iter();
                    let control = control
                        .copied()
                        .find(|word| word.eq_ignore_ascii_case(text));
                    transaction_control = transaction_control.or(control);
                    after_prepare = text.eq_ignore_ascii_case("prepare");
                } else if std::mem::take(&mut after_prepare)
                    && text.eq_ignore_ascii_case("transaction")
                {
                    transaction_control = Some("PREPARE TRANSACTION");
                }
                leaves = leaves.max(left_by_function(text, after_dot, rest));
                out.push_str(text);
            }
            Kind::Other => {
                first_word |= text == ";";
                out.push_str(text);
            }
            Kind::Space | Kind::Opaque => out.push_str(text),
        }
        if token.kind != Kind::Space {
            after_dot = text == ".";
        }
    }
    Qualified {
        sql: out,
        leaves,
        transaction_control,
    }
}

/// What is left by a call of this function, if it is one. A qualified one is not
/// PostgreSQL's, and may do within what it does not say.
fn left_by_function(name: &str, qualified: bool, rest: &str) -> Residue {
    let known = STATEFUL_FUNCTIONS.iter();
    let mut known = known.filter(|(function, _)| name.eq_ignore_ascii_case(function));
    match known.next() {
        Some((_, residue)) => *residue,
        None if qualified && rest.starts_with('(') => Residue::Undoable,
        None => Residue::Nothing,
    }
}

fn is_any(word: &str, words: &[&str]) -> bool {
    words.iter().any(|other| word.eq_ignore_ascii_case(other))
}

fn followed_by_dot(mut rest: &str) -> bool {
    while !rest.is_empty() {
        let token = Token::next(rest);
        if token.kind != Kind::Space {
            return rest.starts_with('.');
        }
        rest = &rest[token.len..];
    }
    false
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant::{Locator, TenantId};

    fn sql(text: &str) -> String {
        qualified(text).sql
    }

    fn qualified(text: &str) -> Qualified {
        let shared = "common".parse().unwrap();
        let locator = Locator::Schema("t_1".parse().unwrap());
        qualify(text, &Scope::of(TenantId::generate(), &locator, &shared))
    }

    #[test]
    fn schema_positions_are_replaced() {
        assert_eq!(
            sql(
                r#"SELECT "tenant"."todos"."id" FROM "tenant"."todos" JOIN "shared".plans ON true"#
            ),
            r#"SELECT "t_1"."todos"."id" FROM "t_1"."todos" JOIN "common".plans ON true"#
        );
        assert_eq!(sql("FROM \"tenant\" \n . todos"), "FROM \"t_1\" \n . todos");
        assert_eq!(
            sql("FROM \"tenant\"/* a */-- b\n.todos"),
            "FROM \"t_1\"/* a */-- b\n.todos"
        );
    }

    #[test]
    fn data_and_other_identifiers_are_left_alone() {
        for text in [
            r#"SELECT '"tenant".x'"#,
            r#"SELECT 'it''s "tenant".x'"#,
            r#"SELECT E'\'"tenant".x'"#,
            "SELECT E'a' -- b\n \n'\\'\"tenant\".x'",
            r#"SELECT $$"tenant".x$$"#,
            r#"SELECT $a$ $$ "tenant".x $a$"#,
            r#"SELECT 1 -- "tenant".x"#,
            r#"SELECT /* /* */ "tenant".x */ 1"#,
            r#"SELECT "todos"."tenant" FROM t"#,
            r#"SELECT "a"."tenant"."x""#,
            r#"SELECT """tenant""".x"#,
            r#"SELECT "tenant""#,
            r#"SELECT "tenant"#,
            "SELECT 'open \"tenant\".x",
            "SELECT \"",
        ] {
            assert_eq!(sql(text), text);
        }
    }

    #[test]
    fn replacement_resumes_behind_data_and_parameters() {
        assert_eq!(
            sql(r#"SELECT $1, 'a', E'\\', $x$b$x$ FROM "tenant".t WHERE a = $2"#),
            r#"SELECT $1, 'a', E'\\', $x$b$x$ FROM "t_1".t WHERE a = $2"#
        );
        assert_eq!(
            sql("SELECT 'é' FROM \"tenant\".t"),
            "SELECT 'é' FROM \"t_1\".t"
        );
        // Not continued: on one line, and behind a comment of another kind.
        assert_eq!(
            sql("SELECT E'a' '\\', \"tenant\".f()"),
            "SELECT E'a' '\\', \"t_1\".f()"
        );
    }

    #[test]
    fn statements_that_leave_something_behind_are_told_apart() {
        for (residue, texts) in [
            (
                Residue::Nothing,
                &[
                    "SELECT 1",
                    "  (select 1)",
                    "with a as (select 1) select 'set_config'",
                    "/* SET */ UPDATE t SET a = 1",
                    r#"INSERT INTO "tenant"."todos" ("id") VALUES ($1)"#,
                    r#"SELECT count(*), lower("todos"."title") FROM "tenant"."todos""#,
                ][..],
            ),
            (
                Residue::Undoable,
                &[
                    "SELECT Set_Config('a', 'b', false)",
                    "SELECT \"set_config\"('a', 'b', false)",
                    "SELECT pg_advisory_lock(1)",
                    "SELECT \"shared\".remember()",
                    "SELECT shared.\"remember\"()",
                ],
            ),
            (
                Residue::Unknown,
                &[
                    "SET search_path = x",
                    "reset all",
                    "LISTEN a",
                    "DO $$ begin end $$",
                    "SELECT 1; SET a.b = 1",
                    "SELECT setseed(0.5)",
                ],
            ),
        ] {
            for text in texts {
                assert_eq!(qualified(text).leaves, residue, "{text}");
            }
        }
    }

    #[test]
    fn what_begins_or_ends_a_transaction_is_not_sent() {
        for text in [
            "commit",
            " -- a\n COMMIT",
            "COMMIT PREPARED 'a'",
            "BEGIN",
            "start transaction",
            "END",
            "ROLLBACK TO SAVEPOINT tenancy_1",
            "abort",
            "SAVEPOINT a",
            "RELEASE a",
            "PREPARE /* a */ TRANSACTION 'a'",
            "SELECT ';'; commit; SELECT 1",
            ";commit",
        ] {
            let error = qualified(text).permitted().unwrap_err();
            assert!(error.to_string().contains("conn.transaction"), "{error}");
        }
        for text in [
            "SELECT 'a; commit'",
            "SELECT 1 AS commit",
            "PREPARE a AS SELECT 1 AS transaction",
            "DO $$ BEGIN NULL; END $$",
            "SELECT CASE WHEN true THEN 1 END",
        ] {
            assert!(qualified(text).permitted().is_ok(), "{text}");
        }
    }
}
