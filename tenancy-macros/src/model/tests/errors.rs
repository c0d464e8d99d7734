use super::*;
use crate::common::testing::mistakes;

/// The messages for a struct with these fields.
fn of_fields(attribute: &str, fields: &str) -> Vec<String> {
    of_item(attribute, &format!("pub struct Todo {{ {fields} }}"))
}

fn of_item(attribute: &str, item: &str) -> Vec<String> {
    mistakes(expand(Audience::Tenant, attribute, item))
}

/// One mistake gives one message, which contains all of these.
#[track_caller]
fn one(found: &[String], parts: &[&str]) {
    assert_eq!(found.len(), 1, "{found:#?}");
    for part in parts {
        assert!(found[0].contains(part), "`{part}` is not in: {}", found[0]);
    }
}

#[test]
fn only_a_struct_with_named_fields_is_a_model() {
    let cases: &[(&str, &str)] = &[
        ("enum A { B }", "a model is a struct with a named field"),
        (
            "union A { b: u8 }",
            "a model is a struct with a named field",
        ),
        ("fn a() {}", "a model is a struct with a named field"),
        ("struct A;", "write `{ id: Uuid, … }`"),
        ("struct A(i32);", "name the fields"),
        ("struct A {}", "start with `id: Uuid`"),
        ("struct A<T> { id: T }", "cannot be generic"),
        ("struct A<'a> { id: &'a str }", "cannot be generic"),
        ("struct A where u8: Copy { id: i32 }", "cannot be generic"),
    ];
    for (item, part) in cases {
        one(&of_item("", item), &[part]);
    }
    // What is wrong in the options is said in the same round.
    for item in [
        "enum A { B { #[column(uniqe)] b: String } }",
        "struct A(#[column(uniqe)] i32);",
        "struct A<T> { #[column(uniqe)] id: T }",
        "union A { #[column(uniqe)] b: u8 }",
    ] {
        let found = of_item("tabel = \"x\"", item);
        assert_eq!(found.len(), 3, "{found:#?}");
    }
}

#[test]
fn options_of_the_model() {
    let fields = "id: Uuid, title: String, done: bool";
    let cases: &[(&str, &[&str])] = &[
        (
            "tabel = \"x\"",
            &[
                "`#[tenant_model]` has no option `tabel`",
                "did you mean `table`?",
            ],
        ),
        (
            "engine = \"x\"",
            &["expected one of `table`, `unique`, `index`"],
        ),
        ("table = todos", &["write `table = \"people\"`"]),
        ("\"todos\"", &["expected one of `table`"]),
        ("table = \"a\", table = \"b\"", &["`table` is given twice"]),
        (
            "table = \"Todos\"",
            &[
                "`Todos` cannot name a table",
                "lower-case",
                "`table = \"…\"`",
            ],
        ),
        ("table = \"r#type\"", &["cannot name a table"]),
        ("table = \"tenant\"", &["a name the framework uses itself"]),
        (
            "table = \"tenancy_keys\"",
            &["the framework's own tables begin with `tenancy_`"],
        ),
        (
            "no_derive(Debgu)",
            &[
                "`Debgu` is nothing that can be left out",
                "did you mean `Debug`?",
            ],
        ),
        ("no_derive", &["write `no_derive(Debug, Serialize)`"]),
        ("unique", &["write `unique(first_field, second_field)`"]),
        ("unique()", &["write `unique(first_field, second_field)`"]),
        (
            "unique(titel)",
            &["the struct has no field `titel`", "did you mean `title`?"],
        ),
        ("unique(title, title)", &["`title` is named twice"]),
        (
            "unique(title, done), unique(done, title)",
            &["unique together already"],
        ),
        ("unique(id)", &["this is the primary key"]),
        ("index(id)", &["a primary key has an index already"]),
        ("index(title), index(title)", &["have this index already"]),
        (
            "unique(title), index(title)",
            &["fields that are unique have an index already"],
        ),
    ];
    for (attribute, parts) in cases {
        one(&of_fields(attribute, fields), parts);
    }
    for fine in [
        "unique(title, done), unique(title)",
        "index(title, done), index(done, title)",
    ] {
        assert_eq!(of_fields(fine, fields), [""; 0]);
    }
}

#[test]
fn options_of_a_column() {
    let cases: &[(&str, &[&str])] = &[
        (
            "primry_key",
            &[
                "`#[column]` has no option `primry_key`",
                "did you mean `primary_key`?",
            ],
        ),
        ("zebra", &["expected one of `primary_key`, `unique`"]),
        ("unique = true", &["write `unique`"]),
        ("unique, unique", &["`unique` is given twice"]),
        ("default = false", &["write `default = \"now()\"`"]),
        ("default = \" \"", &["a default is an SQL expression"]),
        ("references = \"User\"", &["write `references = User`"]),
        ("references", &["write `references = User`"]),
        ("no_join", &["`no_join` belongs to `references = …`"]),
        ("unique, index", &["remove `index`"]),
        ("name = \"Title\"", &["`Title` cannot name a column"]),
        (
            "name = \"xmin\"",
            &["every PostgreSQL table has a column `xmin`"],
        ),
        (
            "name = \"id\"",
            &["the field `id` has the column `id` already"],
        ),
        ("name = \"tenant_id\"", &["the framework adds `tenant_id`"]),
        (
            "sql_type = \"txt\"",
            &["unknown SQL type `txt`", "did you mean `text`?"],
        ),
        ("sql_type = \"geometry\"", &["expected one of `smallint`"]),
        ("sql_type = \"text(3)\"", &["takes nothing in parentheses"]),
        ("sql_type = \"varchar(0)\"", &["a length from 1"]),
        ("sql_type = \"char\"", &["write `char(n)`"]),
        (
            "sql_type = \"numeric(2, 3)\"",
            &["`numeric(precision, scale)`"],
        ),
    ];
    for (options, parts) in cases {
        let fields = format!("id: Uuid, #[column({options})] title: String");
        one(&of_fields("", &fields), parts);
    }
    one(
        &of_fields("", "id: Uuid, #[column] title: String"),
        &["says nothing about the column"],
    );
    let twice = "id: Uuid, #[column(unique)] #[column(unique)] title: String";
    one(&of_fields("", twice), &["`unique` is given twice"]);
}

#[test]
fn types_without_a_column_type() {
    let cases: &[(&str, &str)] = &[
        ("u8", "use `i16`"),
        ("u16", "use `i32`"),
        ("u64", "PostgreSQL has no unsigned integers: use `i64`"),
        ("usize", "use `i64`"),
        ("i8", "use `i16`"),
        ("isize", "use `i64`"),
        ("i128", "use `i64`"),
        ("char", "use `String`"),
        ("&'static str", "use `String`"),
        (
            "std::collections::HashMap<String, i32>",
            "`serde_json::Value`",
        ),
        ("Decimal", "sql_type = \"numeric\""),
        ("Duration", "`timeout_ms`"),
        ("Box<str>", "use the type inside"),
        ("DateTime<Local>", "use `DateTime<Utc>`"),
        ("[u8; 4]", "`Vec<u8>`"),
        ("(i32, i32)", "this is no column type"),
        ("Option<Option<i32>>", "use one `Option`"),
        ("Option<u32>", "use `i64`"),
        ("Vec<u32>", "use `i64`"),
        ("Vec<Vec<i32>>", "an array of arrays"),
        ("Vec<Option<String>>", "elements of an array are never null"),
        ("Colour", "`Colour` is no known column type"),
    ];
    for (ty, part) in cases {
        one(&of_fields("", &format!("id: Uuid, it: {ty}")), &[part]);
    }
}

#[test]
fn keys() {
    let cases: &[(&str, &str)] = &[
        ("title: String", "name a field `id`, or mark"),
        ("id: Option<Uuid>", "a primary key is never null"),
        ("id: f64", "a floating-point number cannot be a key"),
        ("#[column(unique)] id: Uuid", "remove `unique`"),
        (
            "#[column(primary_key, index)] code: String",
            "remove `index`",
        ),
        (
            "#[column(default = \"7\")] id: i64",
            "PostgreSQL numbers an integer primary key",
        ),
    ];
    for (fields, part) in cases {
        one(&of_fields("", fields), &[part]);
    }
    let part_of_a_key =
        "#[column(primary_key, index)] a: i32, #[column(primary_key, default = \"1\")] b: i32";
    assert_eq!(of_fields("", part_of_a_key), [""; 0]);
}

#[test]
fn tenant_id() {
    one(
        &of_fields("", "id: Uuid, tenant_id: Uuid"),
        &["nobody can forge what nobody can name"],
    );
    let shared = expand(
        Audience::Shared,
        "",
        "struct Plan { id: i32, tenant_id: Uuid }",
    );
    one(&mistakes(shared), &["make it a `#[tenant_model]`"]);
}

#[test]
fn names_that_postgresql_would_cut_off() {
    let long = "a".repeat(60);
    one(
        &of_fields("", &format!("id: Uuid, {long}bcde: String")),
        &[
            "the name of this column is too long",
            "63 bytes (this one has 64)",
        ],
    );
    let fields = format!("id: Uuid, #[column(unique)] {long}: String");
    one(
        &of_fields("", &fields),
        &["this would be named `todos_aaa", "shorten"],
    );
    let fields = format!("id: Uuid, #[column(references = User)] {long}: Uuid");
    one(
        &of_fields("", &fields),
        &["this would be named `todos_aaa", "_fkey"],
    );
    let table = format!("table = \"{long}\"");
    one(&of_fields(&table, "id: Uuid"), &["_pkey", "shorten"]);
}

#[test]
fn two_keys_with_one_name() {
    one(
        &of_fields(
            "unique(a, b), unique(a_b)",
            "id: Uuid, a: i32, b: i32, a_b: i32",
        ),
        &["another one is named `todos_a_b_key` already"],
    );
}

#[test]
fn a_key_whose_constant_would_be_that_of_the_primary_key() {
    one(
        &of_fields("", "id: Uuid, #[column(unique)] primary: bool"),
        &["would be `PRIMARY_KEY`", "`name = \"…\"`"],
    );
    assert_eq!(
        of_fields("unique(primary, id)", "id: Uuid, primary: bool"),
        [""; 0]
    );
}

#[test]
fn attributes_of_others_that_contradict_ours() {
    one(
        &of_item("", "#[diesel(table_name = x)] struct A { id: Uuid }"),
        &["`table = \"…\"`"],
    );
    one(
        &of_fields("", "id: Uuid, #[diesel(column_name = b)] a: i32"),
        &["`#[column(name = \"…\")]`"],
    );
    one(
        &of_fields("", "id: Uuid, #[cfg(test)] a: i32"),
        &["the same columns in every build"],
    );
    one(
        &of_item(
            "",
            "#[derive(PartialEq, diesel::Identifiable)] struct A { id: Uuid }",
        ),
        &["remove it, and read a row", "`A::find`"],
    );
}

#[test]
fn several_mistakes_are_reported_at_once() {
    let found = of_fields(
        "tabel = \"x\", unique(titel)",
        "id: u64, #[column(uniqe)] title: String, tenant_id: Uuid",
    );
    assert_eq!(found.len(), 5, "{found:#?}");
}
