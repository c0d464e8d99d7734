//! The SQL types there are, each with its name in Diesel and the Rust types that
//! stand for it, and the reading of `sql_type = "…"`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use crate::common::did_you_mean;

/// A column's type, without its being nullable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SqlType {
    /// As it stands in `CREATE TABLE`.
    pub(super) sql: String,
    kind: &'static Known,
    array: bool,
}

/// The numbers that a type takes in parentheses.
#[derive(Debug, PartialEq, Eq)]
enum Takes {
    Nothing,
    /// `varchar(200)`; whether it may be left out.
    Length {
        optional: bool,
    },
    /// `numeric`, `numeric(10)` or `numeric(10,2)`.
    Precision,
}

#[derive(Debug, PartialEq, Eq)]
struct Known {
    sql: &'static str,
    /// The name in `diesel::sql_types`.
    diesel: &'static str,
    /// The Rust types that are this without `sql_type`.
    rust: &'static [&'static str],
    takes: Takes,
}

const fn known(sql: &'static str, diesel: &'static str, rust: &'static [&'static str]) -> Known {
    Known {
        sql,
        diesel,
        rust,
        takes: Takes::Nothing,
    }
}

impl Known {
    const fn taking(self, takes: Takes) -> Self {
        Self { takes, ..self }
    }
}

const LENGTH_MAX: u32 = 10_485_760;
const PRECISION_MAX: u32 = 1000;

const BIGINT: Known = known("bigint", "Int8", &["i64"]);

static KNOWN: &[Known] = &[
    known("smallint", "Int2", &["i16"]),
    known("integer", "Int4", &["i32"]),
    BIGINT,
    known("real", "Float4", &["f32"]),
    known("double precision", "Float8", &["f64"]),
    known("numeric", "Numeric", &[]).taking(Takes::Precision),
    known("boolean", "Bool", &["bool"]),
    known("text", "Text", &["String"]),
    known("varchar", "Text", &[]).taking(Takes::Length { optional: true }),
    known("char", "Text", &[]).taking(Takes::Length { optional: false }),
    known("uuid", "Uuid", &["Uuid"]),
    known("date", "Date", &["NaiveDate"]),
    known("time", "Time", &["NaiveTime"]),
    known("timestamp", "Timestamp", &["NaiveDateTime"]),
    known("timestamptz", "Timestamptz", &["DateTime"]),
    known("json", "Json", &[]),
    known("jsonb", "Jsonb", &["Value"]),
    known("bytea", "Bytea", &[]),
];

impl SqlType {
    /// What takes the place of a type that is unknown, after its error: most
    /// often it is an unsigned integer, for which `i64` was advised.
    pub(super) fn stand_in() -> Self {
        Self::of(&BIGINT, "", false)
    }

    fn of(kind: &'static Known, arguments: &str, array: bool) -> Self {
        let brackets = if array { "[]" } else { "" };
        Self {
            sql: format!("{}{arguments}{brackets}", kind.sql),
            kind,
            array,
        }
    }

    /// As it stands in `table!`, which has `diesel::sql_types::*` in scope.
    pub(super) fn diesel(&self) -> TokenStream {
        let name = format_ident!("{}", self.kind.diesel);
        if self.array {
            quote!(Array<#name>)
        } else {
            quote!(#name)
        }
    }

    pub(super) fn is_uuid(&self) -> bool {
        self.sql == "uuid"
    }

    pub(super) fn is_integer(&self) -> bool {
        ["smallint", "integer", "bigint"].contains(&self.sql.as_str())
    }

    pub(super) fn is_floating(&self) -> bool {
        ["real", "double precision"].contains(&self.sql.as_str())
    }

    /// Reads the text of `sql_type = "…"`; the error is the message.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (name, arguments) = match text.strip_suffix(')').and_then(|t| t.split_once('(')) {
            Some((name, arguments)) => (name.trim_end(), Some(arguments)),
            None => (text, None),
        };
        let Some(kind) = KNOWN.iter().find(|known| known.sql == name) else {
            return Err(unknown(name));
        };
        let numbers: Option<Vec<u32>> = arguments
            .map(|list| {
                list.split(',')
                    .map(|number| number.trim().parse())
                    .collect()
            })
            .transpose()
            .map_err(|_| kind.usage())?;
        if !kind.accepts(numbers.as_deref()) {
            return Err(kind.usage());
        }
        let arguments = numbers.map_or_else(String::new, |numbers| {
            let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
            format!("({})", numbers.join(","))
        });
        Ok(Self::of(kind, &arguments, false))
    }

    /// The type that a Rust type of this name is, if it is one.
    pub(super) fn of_name(rust: &str) -> Option<Self> {
        let known = KNOWN.iter().find(|known| known.rust.contains(&rust))?;
        Some(Self::of(known, "", false))
    }

    /// An array of this type; none of an array.
    pub(super) fn array(&self) -> Option<Self> {
        (!self.array).then(|| Self::of(self.kind, "", true))
    }
}

impl Known {
    fn accepts(&self, numbers: Option<&[u32]>) -> bool {
        match (&self.takes, numbers) {
            (Takes::Nothing | Takes::Precision, None) => true,
            (Takes::Length { optional }, None) => *optional,
            (Takes::Length { .. }, Some([length])) => (1..=LENGTH_MAX).contains(length),
            (Takes::Precision, Some([precision])) => (1..=PRECISION_MAX).contains(precision),
            (Takes::Precision, Some([precision, scale])) => {
                (1..=PRECISION_MAX).contains(precision) && scale <= precision
            }
            _ => false,
        }
    }

    fn usage(&self) -> String {
        let name = self.sql;
        match self.takes {
            Takes::Nothing => format!("`{name}` takes nothing in parentheses; write `{name}`"),
            Takes::Length { .. } => {
                format!("write `{name}(n)` with a length from 1 to {LENGTH_MAX}")
            }
            Takes::Precision => format!(
                "write `{name}` or `{name}(precision, scale)` with a precision from 1 to {PRECISION_MAX} and a scale that is not larger"
            ),
        }
    }
}

fn unknown(name: &str) -> String {
    let nearest = did_you_mean(name, KNOWN.iter().map(|known| known.sql));
    let rest = if nearest.is_empty() {
        let names: Vec<String> = KNOWN.iter().map(|k| format!("`{}`", k.sql)).collect();
        format!("; expected one of {}", names.join(", "))
    } else {
        nearest
    };
    format!("unknown SQL type `{name}`{rest}")
}
