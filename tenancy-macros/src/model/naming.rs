//! Names: of the table after the struct, of constraints after their columns, and
//! of the Rust items that stand for tables and columns in Diesel's module.

use proc_macro2::Span;
use syn::Ident;

/// PostgreSQL cuts longer names off, silently ([Lexical Structure]).
///
/// [Lexical Structure]: https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS
const MAX_BYTES: usize = 63;

/// Schemas that stand for others in statements.
const RESERVED_TABLES: &[&str] = &["tenant", "shared", "tenancy"];

/// Columns that every PostgreSQL table has already ([System Columns]).
///
/// [System Columns]: https://www.postgresql.org/docs/current/ddl-system-columns.html
const SYSTEM_COLUMNS: &[&str] = &["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];

/// What the tables of the framework's own begin with, in every schema.
const RESERVED_PREFIX: &str = "tenancy_";

/// Names that Diesel's macros use themselves, that would hide a crate from them,
/// that Rust 2024 reserves, or that the functions of models call what they are
/// given: with `use todos::dsl::*` a column's name stands for the column.
const TAKEN_IN_RUST: &[&str] = &[
    "__db",
    "__key",
    "__other",
    "all_columns",
    "columns",
    "core",
    "diesel",
    "dsl",
    "gen",
    "q",
    "row",
    "star",
    "std",
    "table",
];

/// A name in SQL and the identifier that stands for it in Rust.
#[derive(Clone)]
pub(super) struct Name {
    pub(super) sql: String,
    pub(super) rust: Ident,
}

impl Name {
    /// Where Rust cannot have the name, an underscore is put behind it, as the
    /// Diesel command line does. A column cannot be called like its `table`.
    pub(super) fn new(sql: String, span: Span, table: Option<&Ident>) -> Self {
        let mut rust = sql.clone();
        while TAKEN_IN_RUST.contains(&rust.as_str())
            || table.is_some_and(|table| *table == rust)
            || syn::parse_str::<Ident>(&rust).is_err()
        {
            rust.push('_');
        }
        Self {
            rust: Ident::new(&rust, span),
            sql,
        }
    }

    /// Whether Rust had to have another name.
    pub(super) fn differs(&self) -> bool {
        self.rust != self.sql
    }
}

/// What is wrong with a table's name, if anything.
pub(super) fn refuse_table(name: &str) -> Option<String> {
    if RESERVED_TABLES.contains(&name) {
        return Some(format!(
            "`{name}` is a name the framework uses itself; choose another with `table = \"…\"`"
        ));
    }
    if name.starts_with(RESERVED_PREFIX) {
        return Some(format!(
            "the framework's own tables begin with `{RESERVED_PREFIX}`; choose another name with `table = \"…\"`"
        ));
    }
    refuse(name, "table", "table = \"…\"")
}

/// What is wrong with a column's name, if anything.
pub(super) fn refuse_column(name: &str) -> Option<String> {
    if SYSTEM_COLUMNS.contains(&name) {
        return Some(format!(
            "every PostgreSQL table has a column `{name}` of its own; choose another with `name = \"…\"`"
        ));
    }
    refuse(name, "column", "name = \"…\"")
}

/// What is wrong with the name of a constraint or an index, if anything.
pub(super) fn refuse_key(name: &str) -> Option<String> {
    too_long(name).map(|length| {
        format!(
            "this would be named `{name}`, and {length}; shorten the table's name with `table = \"…\"` or a column's with `name = \"…\"`"
        )
    })
}

fn refuse(name: &str, what: &str, option: &str) -> Option<String> {
    if !is_identifier(name) {
        return Some(format!(
            "`{name}` cannot name a {what}: use lower-case letters, digits and `_`, a digit not first; choose one with `{option}`"
        ));
    }
    too_long(name).map(|length| {
        format!("the name of this {what} is too long: {length}; shorten it with `{option}`")
    })
}

fn too_long(name: &str) -> Option<String> {
    (name.len() > MAX_BYTES).then(|| {
        format!(
            "PostgreSQL cuts names off after {MAX_BYTES} bytes (this one has {})",
            name.len()
        )
    })
}

fn is_identifier(name: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    name.bytes().next().is_some_and(word)
        && name.bytes().all(|byte| word(byte) || byte.is_ascii_digit())
}

/// Whether Rust can have the name, if need be with an underscore behind it.
pub(super) fn rust_can_have(name: &str) -> bool {
    name.chars()
        .all(|letter| letter.is_alphanumeric() || letter == '_')
        && syn::parse_str::<Ident>(&format!("{name}_")).is_ok()
}

/// `UserAddress` → `user_addresses`.
pub(super) fn table_of(model: &str) -> String {
    plural(&snake_case(model))
}

fn snake_case(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (at, letter) in letters.iter().enumerate() {
        // A word begins at a capital after a small letter, and at the last
        // capital of several: `HTTPLog` is `http_log`.
        let begins = letter.is_uppercase()
            && at > 0
            && letters[at - 1] != '_'
            && (!letters[at - 1].is_uppercase()
                || letters.get(at + 1).is_some_and(|next| next.is_lowercase()));
        if begins {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

fn plural(word: &str) -> String {
    let vowel_before_y = ["ay", "ey", "oy", "uy"];
    match word.strip_suffix('y') {
        Some(stem) if !vowel_before_y.iter().any(|end| word.ends_with(end)) => {
            format!("{stem}ies")
        }
        _ if ["s", "x", "z", "ch", "sh"]
            .iter()
            .any(|end| word.ends_with(end)) =>
        {
            format!("{word}es")
        }
        _ => format!("{word}s"),
    }
}

/// `{table}_{columns}_{suffix}`, PostgreSQL's own way to name a constraint.
pub(super) fn key(table: &str, columns: &[&str], suffix: &str) -> String {
    format!("{table}_{}_{suffix}", columns.join("_"))
}

/// `{table}_pkey`.
pub(super) fn primary_key(table: &str) -> String {
    format!("{table}_pkey")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_named_in_the_plural() {
        for (model, table) in [
            ("Todo", "todos"),
            ("Category", "categories"),
            ("Day", "days"),
            ("UserAddress", "user_addresses"),
            ("Box", "boxes"),
            ("Branch", "branches"),
            ("HTTPLog", "http_logs"),
            ("Area51Visit", "area51_visits"),
        ] {
            assert_eq!(table_of(model), table);
        }
    }

    #[test]
    fn a_name_that_rust_cannot_have_gets_an_underscore() {
        let table = Ident::new("todos", Span::call_site());
        let rust = |sql: &str| {
            let name = Name::new(sql.to_owned(), Span::call_site(), Some(&table));
            name.rust.to_string()
        };
        assert_eq!(rust("title"), "title");
        assert_eq!(rust("type"), "type_");
        assert_eq!(rust("self"), "self_");
        assert_eq!(rust("gen"), "gen_");
        assert_eq!(rust("q"), "q_");
        assert_eq!(rust("table"), "table_");
        assert_eq!(rust("todos"), "todos_");
    }

    #[test]
    fn names_that_postgresql_would_change_are_refused() {
        assert_eq!(refuse_column("title"), None);
        assert!(refuse_column("Title").is_some());
        assert!(refuse_column("1st").is_some());
        assert!(refuse_column("").is_some());
        assert!(refuse_column("xmin").is_some());
        assert!(refuse_table("tenant").is_some());
        assert!(refuse_table("tenancy_migrations").is_some());
        assert_eq!(refuse_column(&"a".repeat(63)), None);
        assert!(refuse_column(&"a".repeat(64)).is_some());
    }
}
