//! Which SQL type a field has by its Rust type.
//!
//! Types are recognised by the last segment of their path, as a macro sees
//! tokens and not types. Whether the field can really hold the column is left
//! to Diesel, which says so at the field.

use syn::Type;

use super::sql_type::SqlType;
use crate::common::{first_argument, last_segment};

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

/// The SQL type of a type that is not an `Option`; the error is the message.
pub(super) fn sql_type(ty: &Type) -> Result<SqlType, String> {
    let Some(segment) = last_segment(ty) else {
        return Err(no_path(ty));
    };
    match (segment.ident.to_string().as_str(), first_argument(segment)) {
        ("Option", _) => Err("a column is null or it is not: use one `Option`".to_owned()),
        ("Vec", Some(item)) if is_plain(item, "u8") => SqlType::parse("bytea"),
        ("Vec", Some(item)) if is_plain(item, "Option") => Err(
            "the elements of an array are never null here: drop the `Option`, or use `serde_json::Value` (`jsonb`)"
                .to_owned(),
        ),
        ("Vec", Some(item)) => sql_type(item)?
            .array()
            .ok_or_else(|| "an array of arrays is no column: use `serde_json::Value`".to_owned()),
        ("DateTime", Some(zone)) if !is_plain(zone, "Utc") => {
            Err("PostgreSQL keeps the moment and no time zone: use `DateTime<Utc>`".to_owned())
        }
        (name, _) => SqlType::of_name(name).ok_or_else(|| unknown(name)),
    }
}

fn unknown(name: &str) -> String {
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
    (segment.ident == "Option").then(|| first_argument(segment))?
}

fn is_plain(ty: &Type, name: &str) -> bool {
    last_segment(ty).is_some_and(|segment| segment.ident == name)
}
