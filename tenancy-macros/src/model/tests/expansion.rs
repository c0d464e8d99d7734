use super::*;
use crate::common::testing::{assert_expansion, mentions};

#[test]
fn plain() {
    assert_expansion!(expand(
        Audience::Tenant,
        "",
        "
        /// Something to do.
        pub struct Todo {
            pub id: Uuid,
            /// What it is about.
            pub title: String,
            #[column(default = \"false\")]
            pub done: bool,
            pub note: Option<String>,
        }
        "
    ));
}

#[test]
fn every_option() {
    assert_expansion!(expand(
        Audience::Tenant,
        "table = \"people\", unique(email, kind), index(manager, kind)",
        "
        #[derive(PartialEq, Clone)]
        #[derive(serde::Serialize)]
        #[serde(rename_all = \"camelCase\")]
        pub(crate) struct Person {
            #[column(primary_key, references = crate::house::House)]
            pub house: i32,
            #[column(primary_key)]
            number: i32,
            #[column(unique)]
            #[column(sql_type = \"varchar(200)\")]
            #[serde(rename = \"mail\", skip_serializing)]
            pub email: Email,
            #[column(name = \"type\", index)]
            pub kind: String,
            #[column(references = User)]
            pub manager: Option<Uuid>,
            #[column(references = User)]
            pub deputy: Option<Uuid>,
            #[column(references = Other, no_join)]
            pub other: i64,
            #[column(default = \"now()\")]
            pub seen_at: Option<DateTime<Utc>>,
            pub tags: Vec<String>,
        }
        "
    ));
}

#[test]
fn only_keys() {
    assert_expansion!(expand(
        Audience::Tenant,
        "",
        "
        pub struct Tagging {
            #[column(primary_key, references = Todo)]
            pub todo: Uuid,
            #[column(primary_key)]
            pub tag: String,
        }
        "
    ));
}

#[test]
fn shared() {
    assert_expansion!(expand(
        Audience::Shared,
        "",
        "
        pub struct Country {
            #[column(primary_key)]
            pub code: String,
            #[column(unique)]
            pub name: String,
            #[column(references = Continent)]
            pub continent: i16,
        }
        "
    ));
}

#[test]
fn what_is_written_by_hand_is_not_derived() {
    assert_expansion!(expand(
        Audience::Tenant,
        "no_derive(Debug, Serialize)",
        "
        struct Account {
            id: i64,
            #[serde(rename = \"login\")]
            name: String,
            #[serde(skip)]
            password: String,
            #[serde(skip_deserializing)]
            seen_at: Option<DateTime<Utc>>,
            #[column(references = Self)]
            parent: Option<i64>,
        }
        ",
    ));
}

#[test]
fn a_type_that_is_unknown() {
    assert_expansion!(expand(
        Audience::Tenant,
        "",
        "struct Todo { id: u64, title: String }",
    ));
}

#[test]
fn the_item_is_given_back_when_it_can_be_no_model() {
    let expansion = expand(
        Audience::Tenant,
        "",
        "enum Todo { A { #[column(unique)] b: String } }",
    );
    let text = expansion.to_string();
    assert!(text.starts_with("enum Todo"), "{text}");
    assert!(!text.contains("column (unique)"), "{text}");
}

#[test]
fn a_renamed_crate_is_named_everywhere() {
    let item = "struct Todo { id: Uuid, note: Option<String> }";
    let tokens = item.parse().expect("tokens");
    let house = Crate::named("house");
    let expansion = model(Audience::Tenant, TokenStream::new(), tokens, &house);
    let text = expansion.to_string();
    assert!(mentions(expansion, "house"), "{text}");
    // In the texts of serde's attributes as well.
    assert!(!text.contains("tenancy"), "{text}");
}
