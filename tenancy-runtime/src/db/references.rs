//! The foreign keys in a migration's text: `REFERENCES "tenant".todos`.
//!
//! Read with the same tokens as [`qualify`](super::qualify) reads, so a string,
//! a comment or a function's body names nothing.

use super::lexer::{Kind, Token};

/// The tenant's tables that the text refers to, in the order of the text.
pub(crate) fn referenced_tables(sql: &str) -> Vec<String> {
    let mut tables = Vec::new();
    walk(sql, |table| {
        if !tables.contains(&table) {
            tables.push(table);
        }
        None
    });
    tables
}

/// Puts `schema`, quoted, in place of the placeholder where the text refers to
/// one of `tables`.
pub(crate) fn redirect_references(sql: &str, tables: &[String], schema: &str) -> String {
    walk(sql, |table| tables.contains(&table).then_some(schema))
}

/// Copies the text; `schema_of` is asked what stands for the placeholder before
/// each table that is referred to.
fn walk<'a>(sql: &str, mut schema_of: impl FnMut(String) -> Option<&'a str>) -> String {
    let mut out = String::with_capacity(sql.len());
    let mut after_references = false;
    let mut rest = sql;
    while !rest.is_empty() {
        let token = Token::next(rest);
        let (text, behind) = rest.split_at(token.len);
        rest = behind;
        let schema = (after_references && text == "\"tenant\"")
            .then(|| table_behind_dot(rest))
            .flatten()
            .and_then(&mut schema_of);
        out.push_str(schema.unwrap_or(text));
        if token.kind != Kind::Space {
            after_references = token.kind == Kind::Word && text.eq_ignore_ascii_case("references");
        }
    }
    out
}

/// The table in `. todos` or `."todos"`, as the catalog spells it.
fn table_behind_dot(rest: &str) -> Option<String> {
    let mut tokens = std::iter::successors(Some(rest), |rest| {
        (!rest.is_empty()).then(|| &rest[Token::next(rest).len..])
    })
    .filter(|rest| !rest.is_empty())
    .map(|rest| (Token::next(rest), rest))
    .filter(|(token, _)| token.kind != Kind::Space);
    let (_, dot) = tokens.next()?;
    if !dot.starts_with('.') {
        return None;
    }
    let (token, name) = tokens.next()?;
    let name = &name[..token.len];
    match token.kind {
        Kind::Word => Some(name.to_lowercase()),
        Kind::QuotedIdentifier => Some(name[1..name.len() - 1].replace("\"\"", "\"")),
        Kind::Opaque | Kind::Space | Kind::Other => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_found_where_they_are_referred_to() {
        let sql = "CREATE TABLE \"tenant\".a (x int REFERENCES \"tenant\" . B, \
             y int references\n\"tenant\".\"c\"\"d\" (id), -- REFERENCES \"tenant\".e\n\
             z text DEFAULT 'REFERENCES \"tenant\".f' REFERENCES \"shared\".g, \
             FOREIGN KEY (y) REFERENCES /* here */ \"tenant\".b (id)); \
             GRANT REFERENCES ON \"tenant\".h TO x; SELECT 1 AS references, \"tenant\".i";
        assert_eq!(referenced_tables(sql), ["b", "c\"d"]);
        for end in [
            "REFERENCES \"tenant\"",
            "REFERENCES \"tenant\".",
            "REFERENCES",
        ] {
            assert!(referenced_tables(end).is_empty(), "{end}");
        }
    }

    #[test]
    fn only_the_given_tables_are_redirected() {
        let sql = "CREATE TABLE \"tenant\".b (x int REFERENCES \"tenant\".b, \
             y int REFERENCES \"tenant\".c (id) ON DELETE CASCADE)";
        let expected = "CREATE TABLE \"tenant\".b (x int REFERENCES \"tenant\".b, \
             y int REFERENCES \"s\".c (id) ON DELETE CASCADE)";
        assert_eq!(
            redirect_references(sql, &["c".to_owned()], "\"s\""),
            expected
        );
        assert_eq!(redirect_references(sql, &[], "\"s\""), sql);
    }
}
