//! The rules of the choices, and between them: what a choice needs, and which
//! choice an option belongs to.

use proc_macro2::Span;
use syn::LitStr;

use crate::common::{Choices, Errors, did_you_mean};

use super::attr::{Choice, Key, Written};
use super::ir::{Admin, App, Audit, Embedded, Isolation, Strategy};
use super::{lists, resolvers};

#[derive(Clone, Copy)]
enum IsolationWord {
    Single(Strategy),
    Hybrid,
}

const ISOLATIONS: Choices<IsolationWord> = Choices {
    what: "isolation",
    all: &[
        ("rls", IsolationWord::Single(Strategy::Rls)),
        ("schema", IsolationWord::Single(Strategy::Schema)),
        ("database", IsolationWord::Single(Strategy::Database)),
        ("hybrid", IsolationWord::Hybrid),
    ],
};

const STRATEGIES: Choices<Strategy> = Choices {
    what: "strategy",
    all: &[
        ("rls", Strategy::Rls),
        ("schema", Strategy::Schema),
        ("database", Strategy::Database),
    ],
};

/// The options that mean something under `isolation = "hybrid"` only.
const OF_HYBRID: &[Key] = &[
    Key::Premium,
    Key::Standard,
    Key::PremiumTenants,
    Key::PremiumPlans,
];

/// The application, as far as it can be told; it is only good without errors.
pub(super) fn check(written: &Written, errors: &mut Errors) -> Option<App> {
    lists::check(written, errors);
    let isolation = isolation(written, errors);
    let template = template(written, isolation.as_ref(), errors);
    let resolvers = resolvers::check(written, errors);
    let membership = resolvers::membership(written, errors);
    let audit = audit(written, errors);
    let admin = admin(written, errors);
    let embedded = embedded(written, errors);
    let openapi = openapi(written, errors);
    needs_a_database(written, errors);
    Some(App {
        isolation: complete(written, &[Key::Isolation], isolation)?,
        database_url_template: complete(written, &[Key::DatabaseUrlTemplate], template)?,
        resolvers: complete(written, resolvers::KEYS, resolvers)?.unwrap_or_default(),
        membership: complete(written, &[Key::Membership], membership)?,
        plans: written.paths(Key::Plans).first().cloned(),
        settings: written.paths(Key::Settings).first().cloned(),
        audit: complete(written, &[Key::Audit], audit)?,
        admin: complete(written, &[Key::Admin], admin)?,
        embedded: complete(written, &[Key::Embedded], embedded)?,
        models: written.paths(Key::Models).to_vec(),
        migrations: written.text(Key::Migrations).cloned(),
        routes: written.paths(Key::Routes).to_vec(),
        openapi: complete(written, &[Key::Openapi], openapi)?,
        seeds: written.texts(Key::Seed).to_vec(),
    })
}

/// What was chosen, or nothing if nothing was written; `None` after a mistake.
fn complete<T>(written: &Written, keys: &[Key], value: Option<T>) -> Option<Option<T>> {
    let given = keys.iter().any(|key| written.get(*key).is_some());
    (value.is_some() || !given).then_some(value)
}

fn isolation(written: &Written, errors: &mut Errors) -> Option<Isolation> {
    // Also when they apply to nothing: a misspelt one is wrong in any case.
    let premium = strategy(written, Key::Premium, errors);
    let standard = strategy(written, Key::Standard, errors);
    let Some(option) = written.get(Key::Isolation) else {
        only_with(written, OF_HYBRID, "isolation = \"hybrid\"", errors);
        return None;
    };
    let literal = written.text(Key::Isolation)?;
    match ISOLATIONS.pick(&literal.value(), literal, errors)? {
        IsolationWord::Single(strategy) => {
            only_with(written, OF_HYBRID, "isolation = \"hybrid\"", errors);
            Some(Isolation::Single(strategy))
        }
        IsolationWord::Hybrid => {
            let mut complete = true;
            for (key, example) in [
                (Key::Premium, "premium = \"schema\""),
                (Key::Standard, "standard = \"rls\""),
            ] {
                if written.get(key).is_none() {
                    complete = false;
                    errors.at(
                        literal,
                        format_args!("`{} = \"hybrid\"` needs `{example}`", option.name),
                    );
                }
            }
            if !complete {
                return None;
            }
            hybrid(written, premium?, standard?, errors)
        }
    }
}

fn hybrid(
    written: &Written,
    (premium, _): (Strategy, &LitStr),
    (standard, literal): (Strategy, &LitStr),
    errors: &mut Errors,
) -> Option<Isolation> {
    if premium == standard {
        let word = literal.value();
        errors.at(
            literal,
            format_args!(
                "`premium` and `standard` are both \"{word}\": choose another, \
                 or write `isolation = \"{word}\"` for everyone"
            ),
        );
        return None;
    }
    Some(Isolation::Hybrid {
        premium,
        standard,
        premium_tenants: written.texts(Key::PremiumTenants).to_vec(),
        premium_plans: written.texts(Key::PremiumPlans).to_vec(),
    })
}

fn strategy<'a>(
    written: &'a Written,
    key: Key,
    errors: &mut Errors,
) -> Option<(Strategy, &'a LitStr)> {
    let literal = written.text(key)?;
    let strategy = STRATEGIES.pick(&literal.value(), literal, errors)?;
    Some((strategy, literal))
}

/// What stands for the database's name; the rule of the runtime's
/// `DatabaseLogin`.
const PLACEHOLDER: &str = "{database_name}";

fn template(
    written: &Written,
    isolation: Option<&Isolation>,
    errors: &mut Errors,
) -> Option<LitStr> {
    let literal = written.text(Key::DatabaseUrlTemplate)?;
    if literal.value().matches(PLACEHOLDER).count() != 1 {
        errors.at(
            literal,
            format_args!(
                "the template needs `{PLACEHOLDER}` once, in the place of the database's name: \
                 write `postgres://user@host:5432/{PLACEHOLDER}`"
            ),
        );
    }
    // Without one there was a mistake in it, which says enough.
    let uses_databases = match isolation {
        Some(Isolation::Single(strategy)) => *strategy == Strategy::Database,
        Some(Isolation::Hybrid {
            premium, standard, ..
        }) => [premium, standard].contains(&&Strategy::Database),
        None => written.get(Key::Isolation).is_some(),
    };
    if !uses_databases {
        only_with(
            written,
            &[Key::DatabaseUrlTemplate],
            "isolation = \"database\"",
            errors,
        );
    }
    Some(literal.clone())
}

/// Whether the trail needs a database.
const AUDITS: Choices<bool> = Choices {
    what: "trail",
    all: &[("database", true), ("log", false)],
};

fn audit(written: &Written, errors: &mut Errors) -> Option<Audit> {
    let literal = match written.choices(Key::Audit).first()? {
        Choice::Own(path) => return Some(Audit::Own(path.clone())),
        Choice::Word(literal) => literal,
    };
    let in_database = AUDITS.pick(&literal.value(), literal, errors)?;
    if in_database && written.get(Key::Isolation).is_none() {
        errors.at(
            literal,
            format_args!(
                "a trail in the database needs one: add `isolation = …` ({})",
                ISOLATIONS.listed()
            ),
        );
    }
    Some(if in_database {
        Audit::Database
    } else {
        Audit::Log
    })
}

/// Whether the guard lets everybody through.
const GUARDS: Choices<bool> = Choices {
    what: "guard",
    all: &[("token", false), ("open", true)],
};

fn admin(written: &Written, errors: &mut Errors) -> Option<Admin> {
    let literal = match written.choices(Key::Admin).first()? {
        Choice::Own(path) => return Some(Admin::Own(path.clone())),
        Choice::Word(literal) => literal,
    };
    let open = GUARDS.pick(&literal.value(), literal, errors)?;
    Some(if open { Admin::Open } else { Admin::Token })
}

/// Who gets the description of the routes: a check of one's own is a layer, and added
/// in `main`.
const READERS: Choices<()> = Choices {
    what: "reader of the description",
    all: &[("public", ())],
};

fn openapi(written: &Written, errors: &mut Errors) -> Option<Span> {
    let literal = written.text(Key::Openapi)?;
    READERS.pick(&literal.value(), literal, errors)?;
    Some(literal.span())
}

/// The word for an embedded database that nothing is left of.
const TEMPORARY: &str = "temporary";

fn embedded(written: &Written, errors: &mut Errors) -> Option<Embedded> {
    let literal = written.text(Key::Embedded)?;
    match literal.value().as_str() {
        "" => {
            errors.at(
                literal,
                "name the folder to keep the database in, or write `embedded = \"temporary\"`",
            );
            None
        }
        TEMPORARY => Some(Embedded::Temporary(literal.span())),
        // A misspelt `temporary` would keep its data in a folder of that name.
        word if !word.contains(['/', '\\', '.']) => {
            let hint = did_you_mean(&word.to_lowercase(), [TEMPORARY]);
            errors.at(
                literal,
                format_args!(
                    "`{word}` is no folder{hint} (write a folder as a path, `embedded = \"./{word}\"`)"
                ),
            );
            None
        }
        _ => Some(Embedded::Folder(literal.clone())),
    }
}

fn needs_a_database(written: &Written, errors: &mut Errors) {
    if written.get(Key::Isolation).is_some() {
        return;
    }
    for option in [
        Key::Embedded,
        Key::Models,
        Key::Migrations,
        Key::CustomDomains,
    ]
    .into_iter()
    .filter_map(|key| written.get(key))
    {
        let name = &option.name;
        errors.at(
            name,
            format_args!(
                "`{name}` needs a database: add `isolation = …` ({})",
                ISOLATIONS.listed()
            ),
        );
    }
}

/// Each of `keys` that was given is a mistake without `choice`.
pub(super) fn only_with(written: &Written, keys: &[Key], choice: &str, errors: &mut Errors) {
    for option in keys.iter().filter_map(|key| written.get(*key)) {
        let name = &option.name;
        errors.at(
            name,
            format_args!("`{name}` applies only to `{choice}`: choose that, or drop `{name}`"),
        );
    }
}
