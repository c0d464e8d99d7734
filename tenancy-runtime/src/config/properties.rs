//! What holds for whatever stands in the environment and in a `.env` file.

use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;

use super::sources::Sources;
use super::*;
use crate::isolation::Strategy as Isolated;

/// Part of every value that may be a secret.
const SECRET: &str = "hunter2";

/// Variables whose values are never shown, not even in what is said of them.
const SECRETS: [&str; 6] = [
    "TENANCY_DATABASE_URL",
    "TENANCY_OWNER_DATABASE_URL",
    "TENANCY_SYSTEM_DATABASE_URL",
    "TENANCY_DATABASE_URL_TEMPLATE",
    "TENANCY_REDIS_URL",
    "TENANCY_JWT_SECRET",
];

fn name() -> impl Strategy<Value = String> {
    let known = variables().iter().map(|variable| variable.name.to_owned());
    prop_oneof![
        20 => prop::sample::select(known.collect::<Vec<_>>()),
        1 => "TENANCY_[A-Z_]{0,20}",
    ]
}

/// Values that are nearly right, and such that are nothing of the kind.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,40}",
        "-?[0-9]{0,25}(\\.[0-9]{0,5})?(e[0-9]{1,4}|s|ms|m)?",
        prop::sample::select(vec![
            "",
            " ",
            "true",
            "FALSE",
            "0",
            "1",
            "inf",
            "NaN",
            "-0",
            "any",
            "rls",
            "hybrid",
            "database",
            "jwt,header",
            "header,",
            "temporary",
            "allow",
            "0.0.0.0:0",
            "::1",
            "10.0.0.0/8",
        ])
        .prop_map(str::to_owned),
        "[a-z]{0,10}://[a-z0-9:@/?=&%{}_.-]{0,40}",
        "postgres://[a-z]{0,5}:[a-z%]{0,5}@[a-z0-9:,\\[\\]]{0,10}/[a-z{}_?=&]{0,20}",
    ]
}

fn variable() -> impl Strategy<Value = (String, String)> {
    (name(), value(), any::<bool>()).prop_map(|(name, mut value, front)| {
        if SECRETS.contains(&&*name) {
            value.insert_str(if front { 0 } else { value.len() }, SECRET);
        }
        (name, value)
    })
}

proptest! {
    #[test]
    fn any_environment_is_a_configuration_or_named_problems(
        vars in vec(variable(), 0..8),
        isolated: bool,
    ) {
        let defaults = Defaults {
            isolation: isolated.then(|| Isolation::single(Isolated::Rls)),
            ..Defaults::default()
        };
        match Config::from_vars(defaults, vars.clone()) {
            Ok(config) => {
                prop_assert!(config.pool_size > 0 && config.max_connections > 0);
                prop_assert!(!config.pool_timeout.is_zero());
                prop_assert!(!config.resolution.is_empty());
                let shown = format!("{config:?}");
                prop_assert!(!shown.contains(SECRET), "{}", shown);
                // What is accepted is one of ours.
                for (name, _) in &vars {
                    let known = variables().iter().any(|variable| variable.name == name);
                    prop_assert!(known, "{}", name);
                }
            }
            Err(problems) => {
                prop_assert!(!problems.is_empty());
                for problem in problems {
                    let text = problem.to_string();
                    prop_assert!(!text.contains(SECRET), "{}", text);
                    prop_assert!(!text.contains('\n') && text.len() < 2_000, "{}", text);
                }
            }
        }
    }

    #[test]
    fn any_file_is_read_or_named(bytes in prop_oneof![
        vec(any::<u8>(), 0..200),
        "((TENANCY_[A-Z]{1,9}|A|export|=|'|\"|\\\\|#|\\$|\\{|\\}|\n|\r| |hunter2)){0,40}"
            .prop_map(String::into_bytes),
    ]) {
        let mut sources = Sources::default();
        sources.add_lines(Path::new(".env"), &bytes);
        for problem in sources.problems {
            let text = problem.to_string();
            prop_assert!(text.starts_with(".env") && !text.contains(SECRET), "{}", text);
        }
        for name in sources.vars.keys() {
            prop_assert!(name.starts_with("TENANCY_"), "{}", name);
        }
    }
}
