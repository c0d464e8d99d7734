//! Models and handlers that the macros must have a way around: awkward names,
//! derives written by hand, fields that clients may not give.

use std::fmt;

use serde::Serialize;
use serde_json::json;
use tenancy::prelude::*;

mod names {
    use tenancy::prelude::*;

    /// Columns that are called like what generated functions deal with, all of
    /// them in scope as Diesel's columns.
    #[tenant_model]
    pub(crate) struct Awkward {
        pub(crate) id: i64,
        pub(crate) key: String,
        pub(crate) row: String,
        pub(crate) db: String,
        pub(crate) changed: bool,
        pub(crate) unchanged: bool,
        pub(crate) other: String,
        pub(crate) q: String,
        pub(crate) r#gen: i32,
        pub(crate) r#type: String,
    }

    #[allow(unused_imports)]
    use self::awkwards::dsl::*;
}

use names::{Awkward, AwkwardChanges, NewAwkward, awkwards};

/// What nobody may see in a log or an answer.
#[tenant_model(no_derive(Debug, Serialize))]
struct Account {
    id: i64,
    #[serde(rename = "login")]
    name: String,
    #[serde(skip)]
    password: String,
    #[serde(skip_deserializing)]
    seen_at: Option<DateTime<Utc>>,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Account({})", self.id)
    }
}

impl Serialize for Account {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name)
    }
}

diesel::table! {
    tenant.notes (id) { id -> Int8, text -> Text, account_id -> Int8, }
}
// Diesel's own way, for a table that is no model's.
diesel::joinable!(notes -> accounts (account_id));
diesel::allow_tables_to_appear_in_same_query!(notes, accounts);

/// As many arguments of its own as clippy allows, and the gate before them.
#[tenant_handler(get, "/many", feature = "exports")]
async fn many(
    _: Tenant,
    _: Tenant,
    _: Tenant,
    _: Tenant,
    _: Tenant,
    _: Tenant,
    _: Tenant,
) -> &'static str {
    "many"
}

#[test]
fn a_column_keeps_its_name_in_the_database_and_in_json() {
    let names: Vec<_> = <Awkward as tenancy::model::Model>::definition()
        .columns
        .iter()
        .map(|column| column.name)
        .collect();
    assert_eq!(names[7..], ["q", "gen", "type"]);
    let changes: AwkwardChanges = serde_json::from_value(json!({"gen": 1, "type": "x"})).unwrap();
    assert_eq!(
        (changes.r#gen, changes.r#type.as_deref()),
        (Some(1), Some("x"))
    );
    let query = Awkward::query().filter(awkwards::q_.eq("").and(awkwards::gen_.eq(1)));
    let sql = diesel::debug_query::<diesel::pg::Pg, _>(&query).to_string();
    assert!(sql.contains("\"awkwards\".\"gen\" = $2"), "{sql}");
    let new: Result<NewAwkward, _> = serde_json::from_value(json!({"key": ""}));
    assert!(new.unwrap_err().to_string().contains("missing field"));
}

#[test]
fn what_serde_skips_no_client_gives() {
    let sent = json!({
        "id": 7,
        "login": "ada",
        "password": "hunter2",
        "seen_at": "2024-02-29T00:00:00Z"
    });
    let new: NewAccount = serde_json::from_value(sent.clone()).unwrap();
    assert_eq!((new.id, &*new.name, &*new.password), (None, "ada", ""));
    assert_eq!(new.seen_at, None);
    let changes: AccountChanges = serde_json::from_value(sent).unwrap();
    assert_eq!(changes.name.as_deref(), Some("ada"));
    assert_eq!((changes.password, changes.seen_at), (None, None));
}

#[test]
fn a_table_of_the_user_s_own_joins_a_model_s() {
    let query = notes::table
        .inner_join(accounts::table)
        .filter(accounts::name.eq("ada"))
        .select((notes::text, Account::as_select()));
    let sql = diesel::debug_query::<diesel::pg::Pg, _>(&query).to_string();
    assert!(sql.contains("INNER JOIN \"tenant\".\"accounts\""), "{sql}");
    let query = accounts::table.left_join(notes::table).count();
    let sql = diesel::debug_query::<diesel::pg::Pg, _>(&query).to_string();
    assert!(
        sql.contains("LEFT OUTER JOIN \"tenant\".\"notes\""),
        "{sql}"
    );
}

#[test]
fn debug_and_serialize_may_be_written_by_hand() {
    let account = Account {
        id: 7,
        name: "ada".to_owned(),
        password: "hunter2".to_owned(),
        seen_at: None,
    };
    assert_eq!(format!("{:?}", account.clone()), "Account(7)");
    assert_eq!(serde_json::to_value(&account).unwrap(), json!("ada"));
    assert!(account.password.len() > 1 && account.seen_at.is_none());
}

#[test]
fn a_handler_with_a_gate_and_seven_arguments_is_listed() {
    drop(App::new("many", "1.0.0").route::<many>());
}
