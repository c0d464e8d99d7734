//! Whether policies hold the application's role to one tenant's secrets, as they
//! hold it to one tenant's rows in the shared tables, and what only the owner may
//! read is the owner's. Looked at in every build: the tables are there whether or
//! not this one encrypts.

use super::Tables;
use super::verify::{facts, guarded};
use crate::db::Pool;
use crate::error::Result;
use crate::model::quoted;
use crate::problem::Problem;

/// The tables with what the application's role may do there.
const TABLES: [(&str, &[&str]); 5] = [
    ("secrets", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("secret_keys", &["SELECT", "INSERT", "DELETE"]),
    ("metadata_keys", &[]),
    ("app_logins", &["SELECT"]),
    ("owner_logins", &[]),
];

/// What is wrong with the tables, where the registry has them.
pub(super) async fn loose(app: &Pool, tables: &Tables) -> Result<Vec<Problem>> {
    let names = TABLES.map(|(table, _)| ("tenancy", table));
    let role = quoted(tables.app_role());
    let mut problems = Vec::new();
    for ((table, due), found) in TABLES.iter().zip(facts(app, tables, &names).await?) {
        if found.missing {
            continue;
        }
        let name = format!("tenancy.{table}");
        let mut wrong = |wrong: String, remedy: String| {
            problems.push(Problem::new(format!("the table {name}"), wrong, remedy));
        };
        if ["secrets", "app_logins"].contains(table) {
            guarded(&found, &name, &mut wrong);
        }
        let missing = due
            .iter()
            .filter(|due| !found.granted.iter().any(|has| has == *due));
        let missing: Vec<&str> = missing.copied().collect();
        if !missing.is_empty() {
            let missing = missing.join(", ");
            wrong(
                format!("is not granted to {role}: {missing}"),
                format!("run: GRANT {missing} ON {name} TO {role}"),
            );
        }
        let granted = found.granted.iter().chain(&found.granted_on_columns);
        let beyond: Vec<&str> = granted
            .map(String::as_str)
            .filter(|has| !due.contains(has))
            .collect();
        if !beyond.is_empty() {
            let beyond = beyond.join(", ");
            wrong(
                format!("grants {role} more than it should: {beyond}"),
                format!("run: REVOKE {beyond} ON {name} FROM {role}, PUBLIC"),
            );
        }
        if !found.granted_to_system.is_empty()
            && let Some(system) = tables.system()
        {
            let (granted, role) = (found.granted_to_system.join(", "), quoted(system));
            wrong(
                format!("grants the system role {role} {granted}, and it needs none of it"),
                format!("run: REVOKE {granted} ON {name} FROM {role}, PUBLIC"),
            );
        }
    }
    Ok(problems)
}
