//! `audit(action = "publish", resource = "post")`.

use proc_macro2::{Ident, TokenStream};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{LitStr, Token};

use crate::common::{Choices, Errors, parts};

use super::ir::Audit;

/// What to write, in messages.
const USAGE: &str = "write `audit(action = \"publish\", resource = \"post\")`";

/// As many characters as the runtime keeps of a word.
const LONGEST: usize = 200;

#[derive(Clone, Copy)]
enum Key {
    Action,
    Resource,
}

const KEYS: Choices<Key> = Choices {
    what: "part of `audit`",
    all: &[("action", Key::Action), ("resource", Key::Resource)],
};

/// What follows the word `audit`.
pub(super) fn read(audit: &Ident, input: ParseStream<'_>, errors: &mut Errors) -> Option<Audit> {
    let usage = || syn::Error::new(audit.span(), USAGE);
    let inner = errors.ok(inside(input).map_err(|_| usage()))?;
    let (mut action, mut resource) = (None, None);
    let mut complete = true;
    for part in parts(inner) {
        let parser = |input: ParseStream<'_>| {
            let name = Ident::parse_any(input)?;
            Ok((name, input.parse::<TokenStream>()?))
        };
        let Ok((name, value)) = parser.parse2(part.clone()) else {
            errors.at(part, USAGE);
            complete = false;
            continue;
        };
        let Some(key) = KEYS.pick(&name.to_string(), &name, errors) else {
            complete = false;
            continue;
        };
        let given = match key {
            Key::Action => &mut action,
            Key::Resource => &mut resource,
        };
        if given.is_some() {
            errors.at(&name, format_args!("`{name}` is given twice"));
            complete = false;
            continue;
        }
        *given = Some(word(&name, value, errors));
    }
    for (name, missing) in [
        ("action", action.is_none()),
        ("resource", resource.is_none()),
    ] {
        // A misspelt one may have been meant.
        if missing && complete {
            errors.at(audit, format_args!("`audit` needs `{name}`: {USAGE}"));
        }
    }
    Some(Audit {
        action: action??,
        resource: resource??,
    })
}

fn inside(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    let content;
    syn::parenthesized!(content in input);
    content.parse()
}

/// A value: one line that says something.
fn word(name: &Ident, value: TokenStream, errors: &mut Errors) -> Option<LitStr> {
    let parser = |input: ParseStream<'_>| {
        input.parse::<Token![=]>()?;
        input.parse::<LitStr>()
    };
    let Ok(literal) = parser.parse2(value) else {
        errors.at(
            name,
            format_args!("write `{name} = \"…\"`, in quotes and with a comma after it"),
        );
        return None;
    };
    let text = literal.value();
    let length = text.chars().count();
    let wrong = if text.trim().is_empty() {
        "is empty".to_owned()
    } else if length > LONGEST {
        format!("has {length} characters")
    } else if text.chars().any(char::is_control) {
        "has control characters in it".to_owned()
    } else {
        return Some(literal);
    };
    errors.at(
        &literal,
        format_args!("the `{name}` {wrong}: write 1 to {LONGEST} characters of one line"),
    );
    None
}
