//! The rules of each list alone: what its items may be, and that none is there twice.

use std::collections::HashSet;

use quote::ToTokens;

use crate::common::Errors;

use super::attr::{Key, Written};

/// The lists of slugs.
const SLUGS: &[Key] = &[Key::PremiumTenants, Key::Seed];

pub(super) fn check(written: &Written, errors: &mut Errors) {
    for key in SLUGS {
        for literal in written.texts(*key) {
            if !is_slug(&literal.value()) {
                errors.at(
                    literal,
                    "a tenant's name has 3 to 63 characters of a-z, 0-9 and `-`, \
                     with a letter or digit at both ends",
                );
            }
        }
        once(written, *key, written.texts(*key), errors);
    }
    for literal in written.texts(Key::PremiumPlans) {
        if literal.value().trim().is_empty() {
            errors.at(literal, "a plan has a name, such as \"enterprise\"");
        }
    }
    once(
        written,
        Key::PremiumPlans,
        written.texts(Key::PremiumPlans),
        errors,
    );
    once(written, Key::Models, written.paths(Key::Models), errors);
    once(written, Key::Routes, written.paths(Key::Routes), errors);
    premium_is_somebody(written, errors);
}

/// The rule of the runtime's `Slug`.
fn is_slug(text: &str) -> bool {
    let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    (3..=63).contains(&bytes.len())
        && bytes.iter().all(|byte| alphanumeric(byte) || *byte == b'-')
        && bytes.first().is_some_and(alphanumeric)
        && bytes.last().is_some_and(alphanumeric)
}

fn once<T: ToTokens>(written: &Written, key: Key, items: &[T], errors: &mut Errors) {
    let Some(option) = written.get(key) else {
        return;
    };
    let name = &option.name;
    let mut seen = HashSet::new();
    for item in items {
        let text = item.to_token_stream().to_string().replace(' ', "");
        if !seen.insert(text.clone()) {
            errors.at(
                item,
                format_args!("`{text}` is in `{name}(…)` twice; once is enough"),
            );
        }
    }
}

/// An empty list would not mean "the default" but "nobody".
fn premium_is_somebody(written: &Written, errors: &mut Errors) {
    for key in [Key::PremiumTenants, Key::PremiumPlans] {
        if let Some(option) = written.get(key)
            && option.is_empty_list()
        {
            let name = &option.name;
            let example = option.definition.example;
            errors.at(
                name,
                format_args!("`{name}` names nobody: write `{example}` or drop it"),
            );
        }
    }
}
