//! Which SQL type a column has: by its Rust type, or by `sql_type = "…"`.
//!
//! Types are recognised by the last segment of their path, as a macro sees
//! tokens and not types. Whether the field can really hold the column is left
//! to Diesel, which says so at the field.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{GenericArgument, PathArguments, PathSegment, Type};

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

const fn with(known: Known, takes: Takes) -> Known {
    Known { takes, ..known }
}

const LENGTH_MAX: u32 = 10_485_760;
const PRECISION_MAX: u32 = 1000;

static KNOWN: &[Known] = &[
    known("smallint", "Int2", &["i16"]),
    known("integer", "Int4", &["i32"]),
    known("bigint", "Int8", &["i64"]),
    known("real", "Float4", &["f32"]),
    known("double precision", "Float8", &["f64"]),
    with(known("numeric", "Numeric", &[]), Takes::Precision),
    known("boolean", "Bool", &["bool"]),
    known("text", "Text", &["String"]),
    with(
        known("varchar", "Text", &[]),
        Takes::Length { optional: true },
    ),
    with(
        known("char", "Text", &[]),
        Takes::Length { optional: false },
    ),
    known("uuid", "Uuid", &["Uuid"]),
    known("date", "Date", &["NaiveDate"]),
    known("time", "Time", &["NaiveTime"]),
    known("timestamp", "Timestamp", &["NaiveDateTime"]),
    known("timestamptz", "Timestamptz", &["DateTime"]),
    known("json", "Json", &[]),
    known("jsonb", "Jsonb", &["Value"]),
    known("bytea", "Bytea", &[]),
];

/// Rust types that no column has, and what to write instead.
const ADVICE: &[(&[&str], &str)] = &[
    (&["u8"], "PostgreSQL has no unsigned integers: use `i16`"),
    (&["u16"], "PostgreSQL has no unsigned integers: use `i32`"),
    (
        &["u32", "u64", "usize"],
        "PostgreSQL has no unsigned integers: use `i64`",
    ),
    (&["i8"], "PostgreSQL has no integer of one byte: use `i16`"),
    (
        &["isize"],
        "a column is as wide on every machine: use `i64`",
    ),
    (
        &["i128", "u128"],
        "PostgreSQL has no integer of 16 bytes: use `i64`, or a type of your own with `#[column(sql_type = \"numeric\")]`",
    ),
    (&["char", "str"], "text in a row is owned: use `String`"),
    (
        &["HashMap", "BTreeMap", "HashSet", "BTreeSet", "Map"],
        "a column holds one value: use `serde_json::Value` (`jsonb`) or a model of its own",
    ),
    (
        &["Decimal", "BigDecimal"],
        "say which SQL type it is: `#[column(sql_type = \"numeric\")]`",
    ),
    (&["SystemTime", "Instant"], "use `DateTime<Utc>`"),
    (
        &["Duration", "TimeDelta"],
        "use `i64` and say the unit in the name, as in `timeout_ms`",
    ),
    (
        &["Box", "Arc", "Rc", "Cow"],
        "a row holds its values directly: use the type inside",
    ),
];

impl SqlType {
    /// What takes the place of a type that is unknown, after its error.
    pub(super) fn stand_in() -> Self {
        Self::of(&KNOWN[0], String::new(), false)
    }

    fn of(kind: &'static Known, arguments: String, array: bool) -> Self {
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
        Ok(Self::of(kind, arguments, false))
    }

    /// The SQL type of a Rust type that is not an `Option`; the error is the message.
    pub(super) fn of_rust(ty: &Type) -> Result<Self, String> {
        let Some(segment) = last_segment(ty) else {
            return Err(no_path(ty));
        };
        match (segment.ident.to_string().as_str(), argument(segment)) {
            ("Option", _) => Err("a column is null or it is not: use one `Option`".to_owned()),
            ("Vec", Some(item)) if is_plain(item, "u8") => Self::parse("bytea"),
            ("Vec", Some(item)) => Self::array_of(item),
            ("DateTime", Some(zone)) if !is_plain(zone, "Utc") => {
                Err("PostgreSQL keeps the moment and no time zone: use `DateTime<Utc>`".to_owned())
            }
            (name, _) => KNOWN
                .iter()
                .find(|known| known.rust.contains(&name))
                .map(|known| Self::of(known, String::new(), false))
                .ok_or_else(|| unknown_rust(name)),
        }
    }

    fn array_of(item: &Type) -> Result<Self, String> {
        match Self::of_rust(item)? {
            Self { array: true, .. } => {
                Err("an array of arrays is no column: use `serde_json::Value`".to_owned())
            }
            Self { sql, kind, .. } if sql == kind.sql => Ok(Self::of(kind, String::new(), true)),
            other => Ok(other),
        }
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

fn unknown_rust(name: &str) -> String {
    ADVICE
        .iter()
        .find(|(names, _)| names.contains(&name))
        .map_or_else(
            || format!("`{name}` is no known column type; say which SQL type it is, as in `#[column(sql_type = \"text\")]`"),
            |(_, advice)| (*advice).to_owned(),
        )
}

fn no_path(ty: &Type) -> String {
    match ty {
        Type::Reference(_) => {
            "a row owns its values: use `String` or another owned type".to_owned()
        }
        Type::Array(_) | Type::Slice(_) => "use `Vec<…>`; for bytes, `Vec<u8>`".to_owned(),
        _ => "this is no column type; write the type's name".to_owned(),
    }
}

/// The type inside an `Option`, if it is one.
pub(super) fn inside_option(ty: &Type) -> Option<&Type> {
    let segment = last_segment(ty)?;
    (segment.ident == "Option").then(|| argument(segment))?
}

fn is_plain(ty: &Type, name: &str) -> bool {
    last_segment(ty).is_some_and(|segment| segment.ident == name)
}

fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ty {
        // A type that went through a `macro_rules!` comes in such a group.
        Type::Group(group) => last_segment(&group.elem),
        Type::Paren(paren) => last_segment(&paren.elem),
        Type::Path(path) if path.qself.is_none() => path.path.segments.last(),
        _ => None,
    }
}

fn argument(segment: &PathSegment) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}
