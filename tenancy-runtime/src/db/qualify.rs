//! Putting the real schemas in place of the placeholders.
//!
//! A table is declared as `tenant.todos`, Diesel prints `"tenant"."todos"`, and
//! raw SQL writes the same. [`qualify`] replaces the identifier `"tenant"` (and
//! `"shared"`) where a schema name stands: followed by a dot and not preceded by
//! one. It reads SQL just well enough to know what is a string, a comment or a
//! dollar-quoted body ([Lexical Structure]) and leaves those alone, because they
//! are data.
//!
//! A text that is read wrongly cannot reach another tenant: what is not
//! replaced names a schema that does not exist, and PostgreSQL refuses it.
//!
//! [Lexical Structure]: https://www.postgresql.org/docs/current/sql-syntax-lexical.html

use crate::isolation::Scope;

/// A statement's text with real schemas in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Qualified {
    /// The text to send.
    pub sql: String,
    /// Whether the statement may leave something behind on its session: a
    /// setting, a lock, a prepared statement. Such a session is not used again.
    pub leaves_state: bool,
}

/// Statements that start with one of these leave nothing behind, unless they
/// call one of [`STATEFUL_FUNCTIONS`].
const STATELESS: &[&str] = &[
    "select", "insert", "update", "delete", "with", "values", "table", "merge", "explain", "show",
];

/// Functions with an effect that outlives the transaction.
const STATEFUL_FUNCTIONS: &[&str] = &[
    "set_config",
    "setseed",
    "pg_advisory_lock",
    "pg_advisory_lock_shared",
    "pg_try_advisory_lock",
    "pg_try_advisory_lock_shared",
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
    let mut leaves_state = false;
    let mut first_word = true;
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
                leaves_state |= names_stateful_function(&text[1..text.len() - 1]);
            }
            Kind::Word => {
                if first_word {
                    first_word = false;
                    leaves_state |= !STATELESS.iter().any(|word| text.eq_ignore_ascii_case(word));
                }
                leaves_state |= names_stateful_function(text);
                out.push_str(text);
            }
            Kind::Other | Kind::Space | Kind::Opaque => out.push_str(text),
        }
        if token.kind != Kind::Space {
            after_dot = text == ".";
        }
    }
    Qualified {
        sql: out,
        leaves_state,
    }
}

/// Words that begin or end a transaction or a part of one.
const TRANSACTION_WORDS: &[&str] = &[
    "begin",
    "start",
    "commit",
    "end",
    "rollback",
    "abort",
    "prepare",
    "savepoint",
    "release",
];

/// Whether one of the statements in `sql` begins or ends a transaction, or a
/// part of one.
pub(super) fn controls_transaction(sql: &str) -> bool {
    let mut rest = sql;
    let mut at_start = true;
    while !rest.is_empty() {
        let token = Token::next(rest);
        let text = &rest[..token.len];
        rest = &rest[token.len..];
        let is = |word: &&str| text.eq_ignore_ascii_case(word);
        if at_start && token.kind == Kind::Word && TRANSACTION_WORDS.iter().any(is) {
            return true;
        }
        at_start = text == ";" || (at_start && token.kind == Kind::Space);
    }
    false
}

fn names_stateful_function(word: &str) -> bool {
    STATEFUL_FUNCTIONS
        .iter()
        .any(|function| word.eq_ignore_ascii_case(function))
}

fn followed_by_dot(rest: &str) -> bool {
    rest.trim_start().starts_with('.')
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A string, a dollar-quoted body: data.
    Opaque,
    /// White space or a comment.
    Space,
    QuotedIdentifier,
    /// A keyword, a bare identifier or a number.
    Word,
    /// One character of anything else.
    Other,
}

pub(super) struct Token {
    pub(super) kind: Kind,
    /// In bytes.
    pub(super) len: usize,
}

impl Token {
    /// The token at the start of `sql`, which is not empty.
    pub(super) fn next(sql: &str) -> Self {
        let bytes = sql.as_bytes();
        let (kind, len) = match bytes[0] {
            b'\'' => (Kind::Opaque, quoted_len(bytes, b'\'', false)),
            b'e' | b'E' if bytes.get(1) == Some(&b'\'') => {
                (Kind::Opaque, 1 + quoted_len(&bytes[1..], b'\'', true))
            }
            b'"' => match quoted_len(bytes, b'"', false) {
                // A lone quote at the end of the text opens nothing.
                1 => (Kind::Other, 1),
                len if len == bytes.len() && !closes(bytes) => (Kind::Opaque, len),
                len => (Kind::QuotedIdentifier, len),
            },
            b'$' => match dollar_quoted_len(sql) {
                Some(len) => (Kind::Opaque, len),
                None => (Kind::Other, 1),
            },
            b'-' if bytes.get(1) == Some(&b'-') => {
                (Kind::Space, sql.find(['\n', '\r']).unwrap_or(sql.len()))
            }
            b'/' if bytes.get(1) == Some(&b'*') => (Kind::Space, comment_len(bytes)),
            byte if byte.is_ascii_whitespace() => (Kind::Space, 1),
            byte if is_word(byte) => {
                // `$` belongs to a word but never starts one; bytes above 127
                // are letters to PostgreSQL.
                let end = bytes.iter().position(|b| !is_word(*b) && *b != b'$');
                (Kind::Word, end.unwrap_or(bytes.len()))
            }
            _ => (Kind::Other, 1),
        };
        Self { kind, len }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// The length of a quoted run that starts at `bytes[0]`; a doubled quote stays
/// inside, and so does one behind a backslash if `escapes`. Unclosed, it is all
/// that is left.
fn quoted_len(bytes: &[u8], quote: u8, escapes: bool) -> usize {
    let mut at = 1;
    while at < bytes.len() {
        if escapes && bytes[at] == b'\\' {
            at += 2;
        } else if bytes[at] != quote {
            at += 1;
        } else if bytes.get(at + 1) == Some(&quote) {
            at += 2;
        } else {
            return at + 1;
        }
    }
    bytes.len()
}

/// Whether a quoted identifier that reaches the end of the text is closed there.
fn closes(bytes: &[u8]) -> bool {
    bytes[1..].iter().filter(|byte| **byte == b'"').count() % 2 == 1
}

fn dollar_quoted_len(sql: &str) -> Option<usize> {
    let tag_len = sql[1..].find('$')? + 2;
    let tag = &sql[..tag_len];
    let name = &tag[1..tag_len - 1];
    let is_tag = name.bytes().all(is_word) && !name.starts_with(|c: char| c.is_ascii_digit());
    is_tag.then(|| match sql[tag_len..].find(tag) {
        Some(end) => tag_len + end + tag_len,
        None => sql.len(),
    })
}

/// Comments nest in PostgreSQL.
fn comment_len(bytes: &[u8]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => {
                depth += 1;
                at += 2;
            }
            b"*/" => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    bytes.len()
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
    }

    #[test]
    fn data_and_other_identifiers_are_left_alone() {
        for text in [
            r#"SELECT '"tenant".x'"#,
            r#"SELECT 'it''s "tenant".x'"#,
            r#"SELECT E'\'"tenant".x'"#,
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
    }

    #[test]
    fn the_control_of_transactions_is_told_from_other_words() {
        for control in [
            "COMMIT",
            " /* a */ Rollback to a",
            "; end",
            "SELECT 1; -- a\nbegin",
            "SAVEPOINT a",
            "PREPARE TRANSACTION 'a'",
        ] {
            assert!(controls_transaction(control), "{control}");
        }
        for other in [
            "SELECT 1",
            "SELECT commit FROM t",
            "SELECT 'a; COMMIT'",
            "SELECT 1 /* ; COMMIT */",
            "SET LOCAL lock_timeout = 1; LOCK TABLE t",
            "UPDATE t SET \"end\" = 1",
            "DO $$ BEGIN END $$",
        ] {
            assert!(!controls_transaction(other), "{other}");
        }
    }

    #[test]
    fn statements_that_leave_something_behind_are_told_apart() {
        for clean in [
            "SELECT 1",
            "  (select 1)",
            "with a as (select 1) select 'set_config'",
            "/* SET */ UPDATE t SET a = 1",
        ] {
            assert!(!qualified(clean).leaves_state, "{clean}");
        }
        for stateful in [
            "SET search_path = x",
            "reset all",
            "LISTEN a",
            "DO $$ begin end $$",
            "SELECT Set_Config('a', 'b', false)",
            "SELECT \"set_config\"('a', 'b', false)",
            "SELECT pg_advisory_lock(1)",
        ] {
            assert!(qualified(stateful).leaves_state, "{stateful}");
        }
    }
}
