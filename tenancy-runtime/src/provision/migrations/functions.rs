//! The functions in the database that run and protect migrations, made from the
//! same constants as generated DDL and `verify`.
//!
//! They are the owner's, who alone may call them and whose rights they use, and
//! they search no schema. They learn the place from settings that hold for one
//! transaction, and do nothing without them. A migration may call
//! `tenancy.protect('todos')` itself; what is protected already stays as it is.

use diesel_async::SimpleAsyncConnection as _;

use crate::db::Transaction;
use crate::error::Result;
use crate::isolation::rls;
use crate::model::{PRIVILEGES_TENANT, ROLL, ROLL_KEY};

/// The setting with the name of the place's schema.
pub(super) const PLACE_SCHEMA: &str = "tenancy.place_schema";
/// The setting that says `shared` or `dedicated`.
pub(super) const PLACE_LAYOUT: &str = "tenancy.place_layout";
/// The setting with the name of the application's role.
pub(super) const PLACE_ROLE: &str = "tenancy.place_role";

/// The schema of the stand-ins, for the length of one migration.
pub(super) const STAND_INS: &str = "tenancy_stand_ins";

const FUNCTIONS: &[(&str, &str)] = &[
    ("stand_in(text[])", include_str!("sql/stand_in.sql")),
    ("protect(text[])", include_str!("sql/protect.sql")),
    ("migrate(text, text[])", include_str!("sql/migrate.sql")),
];

/// Installs the functions in the database of this transaction of the owner's.
/// Not from two transactions at once.
pub(in crate::provision) async fn install(transaction: &mut Transaction) -> Result<()> {
    let mut statements = vec!["CREATE SCHEMA IF NOT EXISTS tenancy".to_owned()];
    for (signature, sql) in FUNCTIONS {
        statements.push(filled_in(sql));
        statements.push(format!(
            "REVOKE ALL ON FUNCTION tenancy.{signature} FROM PUBLIC"
        ));
    }
    let conn = transaction.conn();
    Ok(conn.batch_execute(&statements.join(";\n")).await?)
}

/// A function's text with our constants in place of its marks.
fn filled_in(sql: &str) -> String {
    let policies = rls::policies("%s").map(|policy| {
        let parts = [policy.name, &policy.catalog, &policy.create].map(literal);
        format!("({})", parts.join(", "))
    });
    let privileges = PRIVILEGES_TENANT.iter().copied().map(literal);
    let marks = [
        ("{TENANT_ID}", rls::COLUMN.to_owned()),
        ("{CURRENT_TENANT}", rls::current_tenant()),
        (
            "{CURRENT_TENANT_READ_BACK}",
            literal(&rls::current_tenant_read_back()),
        ),
        ("{ROLL}", ROLL.to_owned()),
        ("{ROLL_KEY}", ROLL_KEY.to_owned()),
        ("{POLICIES}", policies.join(", ")),
        ("{POLICY_IN_CATALOG}", rls::POLICY_IN_CATALOG.to_owned()),
        ("{PRIVILEGES}", PRIVILEGES_TENANT.join(", ")),
        (
            "{PRIVILEGES_ARRAY}",
            format!("ARRAY[{}]", privileges.collect::<Vec<_>>().join(", ")),
        ),
        ("{PLACE_SCHEMA}", PLACE_SCHEMA.to_owned()),
        ("{PLACE_LAYOUT}", PLACE_LAYOUT.to_owned()),
        ("{PLACE_ROLE}", PLACE_ROLE.to_owned()),
        ("{STAND_INS}", STAND_INS.to_owned()),
    ];
    marks.iter().fold(sql.to_owned(), |sql, (mark, value)| {
        sql.replace(mark, value)
    })
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_mark_is_left() {
        for (name, sql) in FUNCTIONS {
            let sql = filled_in(sql);
            let capital = |text: &&str| text.starts_with(|c: char| c.is_ascii_uppercase());
            let left: Vec<_> = sql.split('{').skip(1).filter(capital).collect();
            assert!(left.is_empty(), "{name}: {left:?}");
        }
    }
}
