//! Reads the folder. Files beside the migrations' folders are left alone, as
//! Diesel leaves them, unless they look like a migration that would never run.

use std::fs;
use std::path::{Component, Path};

use syn::LitStr;

use super::ir::Migration;
use crate::common::Errors;

pub(super) fn read(root: &Path, literal: &LitStr, errors: &mut Errors) -> Vec<Migration> {
    let value = literal.value();
    let inside = Path::new(&value)
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if value.is_empty() || !inside || value.contains('\\') {
        errors.at(
            literal,
            "name a folder beside `Cargo.toml`, such as `migrations`",
        );
        return Vec::new();
    }
    let Ok(entries) = fs::read_dir(root.join(&value)) else {
        errors.at(
            literal,
            format_args!("there is no folder `{value}` beside `Cargo.toml`"),
        );
        return Vec::new();
    };
    let mut names: Vec<(String, bool)> = entries
        .filter_map(Result::ok)
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, entry.path().is_dir())
        })
        .filter(|(name, _)| !name.starts_with('.'))
        .collect();
    names.sort();
    let mut migrations = Vec::new();
    for (name, is_folder) in names {
        let shown = format!("{value}/{name}");
        if is_folder {
            let path = root.join(&value).join(&name);
            migrations.extend(migration(&path, name, &shown, literal, errors));
        } else if Path::new(&name).extension().is_some_and(|end| end == "sql") {
            let stem = name.trim_end_matches(".sql");
            errors.at(
                literal,
                format_args!("`{shown}` would not run: make it `{value}/{stem}/up.sql`"),
            );
        }
    }
    migrations
}

fn migration(
    path: &Path,
    folder: String,
    shown: &str,
    literal: &LitStr,
    errors: &mut Errors,
) -> Option<Migration> {
    let (version, name) = folder.split_once('_').unwrap_or_default();
    let digits = version.replace('-', "");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) || name.is_empty() {
        errors.at(
            literal,
            format_args!(
                "`{shown}` is not called `<version>_<name>` with a version of digits, such as \
                 `2026-01-31-120000_create_todos`"
            ),
        );
        return None;
    }
    let name = name.to_owned();
    match fs::read_to_string(path.join("up.sql")) {
        Ok(sql) if sql.trim().is_empty() => {
            errors.at(literal, format_args!("`{shown}/up.sql` is empty"));
        }
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            errors.at(literal, format_args!("`{shown}` has no `up.sql`"));
        }
        Err(_) => errors.at(
            literal,
            format_args!("`{shown}/up.sql` is no text in UTF-8"),
        ),
    }
    let metadata = fs::read_to_string(path.join("metadata.toml")).unwrap_or_default();
    if metadata
        .replace(' ', "")
        .contains("run_in_transaction=false")
    {
        errors.at(
            literal,
            format_args!(
                "`{shown}` asks to run outside of a transaction: a migration and its entry in the \
                 ledger are one transaction, so that nothing stays half done"
            ),
        );
    }
    Some(Migration {
        version: digits,
        name,
        folder,
    })
}
