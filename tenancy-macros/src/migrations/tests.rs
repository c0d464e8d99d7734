use std::fs;
use std::path::{Path, PathBuf};

use quote::quote;

use super::migrations_in;
use crate::common::{Crate, testing};

/// A crate's folder, gone when dropped.
struct Root(PathBuf);

impl Root {
    /// With these files in it.
    fn with(test: &str, files: &[(&str, &str)]) -> Self {
        let name = format!("tenancy-migrations-{}-{test}", std::process::id());
        let root = Self(std::env::temp_dir().join(name));
        for (file, text) in files {
            let path = root.0.join(file);
            let folder = path.parent().expect("a folder");
            fs::create_dir_all(folder).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        root
    }

    /// The expansion, as the value of a constant.
    fn expansion(&self) -> proc_macro2::TokenStream {
        expansion(&self.0, "migrations")
    }

    fn mistakes(&self) -> Vec<String> {
        mistakes(&self.0, "migrations")
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn expansion(root: &Path, folder: &str) -> proc_macro2::TokenStream {
    let value = migrations_in(&Crate::named("tenancy"), root, quote!(#folder));
    quote!(const ALL: &[::tenancy::provision::Migration] = #value;)
}

/// The messages inside the expression.
fn mistakes(root: &Path, folder: &str) -> Vec<String> {
    let value = migrations_in(&Crate::named("tenancy"), root, quote!(#folder));
    let block: syn::Block = syn::parse2(value).expect("a block");
    let items = block
        .stmts
        .into_iter()
        .filter_map(|statement| match statement {
            syn::Stmt::Macro(it) => {
                let mac = it.mac;
                Some(quote!(#mac))
            }
            syn::Stmt::Item(item) => Some(quote!(#item)),
            _ => None,
        });
    testing::mistakes(items.collect())
}

#[test]
fn the_folder_in_order() {
    let root = Root::with(
        "order",
        &[
            ("migrations/2026-01-31-120000_add_done/up.sql", "SELECT 2"),
            ("migrations/2026-01-31-120000_add_done/down.sql", "SELECT 0"),
            ("migrations/1_create_todos/up.sql", "SELECT 1"),
            ("migrations/README.md", "for people"),
            ("migrations/.keep/up.sql", ""),
        ],
    );
    testing::assert_expansion!(root.expansion());
}

#[test]
fn everything_wrong_is_said_at_once() {
    let root = Root::with(
        "wrong",
        &[
            ("migrations/1_one/up.sql", "SELECT 1"),
            ("migrations/01_other/up.sql", "SELECT 1"),
            ("migrations/2_empty/up.sql", " \n"),
            ("migrations/3_down/down.sql", "SELECT 1"),
            ("migrations/4/up.sql", "SELECT 1"),
            ("migrations/v5_word/up.sql", "SELECT 1"),
            ("migrations/6_flat.sql", "SELECT 1"),
            ("migrations/7_outside/up.sql", "SELECT 1"),
            (
                "migrations/7_outside/metadata.toml",
                "run_in_transaction = false",
            ),
        ],
    );
    let mistakes = root.mistakes();
    let expected = [
        "`migrations/2_empty/up.sql` is empty",
        "`migrations/3_down` has no `up.sql`",
        "`migrations/4` is not called `<version>_<name>`",
        "`migrations/6_flat.sql` would not run: make it `migrations/6_flat/up.sql`",
        "`migrations/7_outside` asks to run outside of a transaction",
        "`migrations/v5_word` is not called `<version>_<name>`",
        "`01_other` and `1_one` have one version",
    ];
    assert_eq!(mistakes.len(), expected.len(), "{mistakes:#?}");
    for (mistake, expected) in mistakes.iter().zip(expected) {
        assert!(mistake.starts_with(expected), "{mistakes:#?}");
    }
}

#[test]
fn a_folder_that_is_not_there_or_not_here() {
    let root = Root::with("nowhere", &[("a/file", "")]);
    assert_eq!(
        mistakes(&root.0, "migrations"),
        ["there is no folder `migrations` beside `Cargo.toml`"]
    );
    for outside in ["", "../a", "/tmp", "a/../../b"] {
        assert_eq!(
            mistakes(&root.0, outside),
            ["name a folder beside `Cargo.toml`, such as `migrations`"],
            "{outside}"
        );
    }
    // None yet is no mistake.
    assert!(mistakes(&root.0, "a").is_empty());
}
