//! The rules of plans, each alone and together.

use std::collections::HashMap;

use quote::ToTokens;
use syn::{DataEnum, DeriveInput, Fields, Ident, Path, Variant};

use crate::common::{Errors, rate};

use super::attr::{Most, Options};
use super::ir::{Features, Plan, Plans};

/// The word for every declared feature.
const ALL: &str = "all";

/// The plans, as far as they can be told; they are only good without errors.
pub(super) fn check(item: &DeriveInput, of: &DataEnum, errors: &mut Errors) -> Option<Plans> {
    if !item.generics.params.is_empty() {
        errors.at(
            &item.generics,
            "plans are the same for everyone: drop the generics",
        );
    }
    if of.variants.is_empty() {
        errors.at(
            &item.ident,
            "there is no plan: write one as a variant, such as `Starter`",
        );
        return None;
    }
    let mut defaults = Vec::new();
    let mut names: HashMap<String, Ident> = HashMap::new();
    let mut plans = Vec::new();
    let mut features = None;
    for variant in &of.variants {
        let options = Options::parse(&variant.attrs, errors);
        if let Some(word) = &options.default {
            defaults.push((word.clone(), variant.ident.clone()));
        }
        if let Some((word, _)) = &options.features {
            features.get_or_insert(word.span());
        }
        plans.push(plan(variant, options, &mut names, errors));
    }
    if errors.is_empty() {
        same_quotas(&plans, errors);
    }
    let default = default(item, of, &defaults, errors)?;
    Some(Plans {
        ident: item.ident.clone(),
        features,
        plans: plans.into_iter().collect::<Option<_>>()?,
        default,
    })
}

fn plan(
    variant: &Variant,
    options: Options,
    names: &mut HashMap<String, Ident>,
    errors: &mut Errors,
) -> Option<Plan> {
    if !matches!(variant.fields, Fields::Unit) {
        errors.at(
            &variant.fields,
            "a plan is the same for all its tenants: drop the fields",
        );
    }
    let name = match &options.name {
        Some(literal) => literal.value(),
        None => snake_case(&variant.ident),
    };
    let named: &dyn ToTokens = match &options.name {
        Some(literal) => literal,
        None => &variant.ident,
    };
    if !is_name(&name) {
        errors.at(
            named.to_token_stream(),
            "a plan's name has 1 to 63 characters of a-z, 0-9, `-` and `_`",
        );
    }
    if let Some(other) = names.insert(name.clone(), variant.ident.clone()) {
        errors.at(
            named.to_token_stream(),
            format_args!(
                "`{other}` is stored as \"{name}\" already: give one another `name = \"…\"`"
            ),
        );
    }
    let rate_limit = match &options.rate_limit {
        Some(literal) => Some(rate::read(literal, errors)?),
        None => None,
    };
    Some(Plan {
        variant: variant.ident.clone(),
        name,
        features: options
            .features
            .map(|(word, paths)| features(&word, paths, errors)),
        rate_limit,
        quotas: quotas(&options.quotas, errors),
    })
}

/// The word for as many as there are.
const UNLIMITED: &str = "unlimited";

fn quotas(written: &[(Ident, Most)], errors: &mut Errors) -> Vec<(Ident, Option<u32>)> {
    let mut quotas: Vec<(Ident, Option<u32>)> = Vec::new();
    for (name, most) in written {
        if quotas.iter().any(|(other, _)| other == name) {
            errors.at(
                name,
                format_args!("`{name}` is in `quotas(…)` twice; keep one"),
            );
            continue;
        }
        let most = match most {
            Most::Number(number) => {
                let parsed = number.base10_parse();
                if parsed.is_err() {
                    errors.at(
                        number,
                        format_args!("a quota is a whole number from 0 to {}", u32::MAX),
                    );
                }
                parsed.ok()
            }
            Most::Word(word) => {
                if word != UNLIMITED {
                    errors.at(word, "write a number, or `unlimited`");
                }
                None
            }
        };
        quotas.push((name.clone(), most));
    }
    quotas
}

/// What one plan limits, all do: what was left out would be nothing or everything.
fn same_quotas(plans: &[Option<Plan>], errors: &mut Errors) {
    let plans: Vec<&Plan> = plans.iter().flatten().collect();
    let mut all: Vec<(&Ident, &Plan)> = Vec::new();
    for plan in &plans {
        for (quota, _) in &plan.quotas {
            if !all.iter().any(|(other, _)| *other == quota) {
                all.push((quota, plan));
            }
        }
    }
    for plan in plans {
        for (quota, of) in &all {
            if !plan.quotas.iter().any(|(other, _)| other == *quota) {
                let (variant, other) = (&plan.variant, &of.variant);
                errors.at(
                    variant,
                    format_args!(
                        "`{variant}` says nothing of the quota `{quota}`, which `{other}` has: \
                         write `quotas({quota} = 0)`, another number or `unlimited`"
                    ),
                );
            }
        }
    }
}

fn features(word: &Ident, paths: Vec<Path>, errors: &mut Errors) -> Features {
    let all = paths.iter().find(|path| path.is_ident(ALL));
    if let Some(all) = all.and_then(Path::get_ident) {
        if paths.len() > 1 {
            errors.at(
                word,
                "`all` has every feature: drop the others, or drop `all`",
            );
        }
        return Features::All(all.clone());
    }
    let mut seen = Vec::new();
    for path in &paths {
        let text = path.to_token_stream().to_string().replace(' ', "");
        if seen.contains(&text) {
            errors.at(
                path,
                format_args!("`{text}` is in `features(…)` twice; once is enough"),
            );
        }
        seen.push(text);
    }
    Features::Listed(paths)
}

/// Exactly one: without it a tenant that was given no plan would have an accidental
/// one, or none.
fn default(
    item: &DeriveInput,
    of: &DataEnum,
    defaults: &[(Ident, Ident)],
    errors: &mut Errors,
) -> Option<Ident> {
    match defaults {
        [] => {
            let first = of.variants.first().map(|variant| variant.ident.to_string());
            let first = first.unwrap_or_default();
            errors.at(
                &item.ident,
                format_args!(
                    "which plan is a tenant on that was given none? Write `#[plan(default)]` on \
                     it, for example on `{first}`"
                ),
            );
            None
        }
        [(_, only)] => Some(only.clone()),
        [(_, first), others @ ..] => {
            for (word, _) in others {
                errors.at(
                    word,
                    format_args!("`{first}` is the default plan already: keep one"),
                );
            }
            None
        }
    }
}

fn is_name(name: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    (1..=63).contains(&name.len()) && name.bytes().all(allowed)
}

/// `BigTeam` is stored as `big_team`.
fn snake_case(ident: &Ident) -> String {
    let mut name = String::new();
    for (at, letter) in ident.to_string().trim_start_matches("r#").char_indices() {
        if letter.is_uppercase() && at > 0 {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    name
}
