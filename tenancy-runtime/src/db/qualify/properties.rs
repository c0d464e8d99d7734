//! What holds for every text that is sent, whatever stands in its literals.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::tenant::{Locator, TenantId};

fn scope() -> Scope {
    let (own, shared) = ("t_1".parse().unwrap(), "common".parse().unwrap());
    Scope::of(TenantId::generate(), &Locator::Schema(own), &shared)
}

/// Text that would be SQL again, if ever it were taken out of its quotes.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => select(vec![
            "\"tenant\".x", "\"shared\" . x", "\"tenant\"", "tenant", "'", "''", "\"", "\\", "$",
            "$$", "$a$", "$1", "--", "/*", "*/", "\n", "\r", ".", ";", "E'", " ", "é", "\0",
        ])
        .prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// A piece of a statement as it is written, and as it is to be sent.
fn piece() -> impl Strategy<Value = (String, String)> {
    let unchanged = prop_oneof![
        hostile().prop_map(|text| format!("'{}'", text.replace('\'', "''"))),
        hostile().prop_map(|text| {
            let text = text.replace('\\', "\\\\").replace('\'', "\\'");
            // Not the last token: a string in the next line would be a part of it.
            format!("E'{text}',")
        }),
        hostile().prop_map(|text| format!("$q${}$q$", text.replace('$', ""))),
        hostile().prop_map(|text| format!("--{}\n", text.replace(['\n', '\r'], ""))),
        hostile().prop_map(|text| format!("/*{}*/", text.replace(['*', '/'], ""))),
        // A column or an alias, even of that name.
        hostile().prop_map(|text| format!("\"_{}\"", text.replace('"', "\"\""))),
        select(vec![
            "SELECT",
            "x",
            "$1",
            "(",
            ",",
            "=",
            "42",
            "a.\"tenant\"",
            "a.\"tenant\".x",
            "\"tenant\"",
            "tenant.x",
        ])
        .prop_map(str::to_owned),
    ];
    let schema = select(vec![
        ("\"tenant\"", "\"t_1\""),
        ("\"shared\"", "\"common\""),
    ]);
    let (space, name) = ("[ \n\t]{0,2}", "(todos|\"todos\"|\"tenant\")");
    let table = (schema, space, name).prop_map(|((written, sent), space, name)| {
        let rest = format!("{space}.{space}{name}");
        (format!("{written}{rest}"), format!("{sent}{rest}"))
    });
    prop_oneof![
        3 => unchanged.prop_map(|text| (text.clone(), text)),
        1 => table,
    ]
}

proptest! {
    #[test]
    fn tables_are_replaced_and_data_is_left_alone(pieces in vec(piece(), 0..12)) {
        let (written, sent): (Vec<_>, Vec<_>) = pieces.into_iter().unzip();
        prop_assert_eq!(qualify(&written.join(" "), &scope()).sql, sent.join(" "));
    }

    #[test]
    fn any_text_is_read_to_its_end(text in prop_oneof![any::<String>(), hostile()]) {
        let once = qualify(&text, &scope());
        let twice = qualify(&once.sql, &scope());
        prop_assert_eq!(&once, &twice);
        if !text.contains("\"tenant\"") && !text.contains("\"shared\"") {
            prop_assert_eq!(once.sql, text);
        }
    }
}
