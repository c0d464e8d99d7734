//! The rules between migrations: an order, and one of each version.

use syn::LitStr;

use super::ir::Migration;
use crate::common::Errors;

pub(super) fn check(
    mut migrations: Vec<Migration>,
    literal: &LitStr,
    errors: &mut Errors,
) -> Vec<Migration> {
    migrations.sort_by_key(|migration| number(&migration.version));
    for pair in migrations.windows(2) {
        if number(&pair[0].version) == number(&pair[1].version) {
            let (one, other) = (&pair[0].folder, &pair[1].folder);
            errors.at(
                literal,
                format_args!("`{one}` and `{other}` have one version: give one of them a later"),
            );
        }
    }
    migrations
}

/// What versions are ordered by: as numbers, however long.
fn number(version: &str) -> (usize, String) {
    let digits = version.trim_start_matches('0');
    (digits.len(), digits.to_owned())
}
