//! `#[plan(default, features(exports), rate_limit = "1000/min")]` as written:
//! nothing is judged here but its form.

use proc_macro2::TokenStream;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, Ident, LitInt, LitStr, Meta, Path, Token, parenthesized};

use crate::common::{Choices, Errors, parts};

/// What stands in the `#[plan(…)]`s of one variant.
#[derive(Default)]
pub(super) struct Options {
    pub(super) default: Option<Ident>,
    pub(super) name: Option<LitStr>,
    pub(super) features: Option<(Ident, Vec<Path>)>,
    pub(super) rate_limit: Option<LitStr>,
    pub(super) quotas: Vec<(Ident, Most)>,
}

/// `50`, or a word.
pub(super) enum Most {
    Number(LitInt),
    Word(Ident),
}

#[derive(Clone, Copy)]
enum Key {
    Default,
    Name,
    Features,
    RateLimit,
    Quotas,
}

const OPTIONS: Choices<(Key, &str)> = Choices {
    what: "option",
    all: &[
        ("default", (Key::Default, "default")),
        ("name", (Key::Name, "name = \"pro\"")),
        (
            "features",
            (Key::Features, "features(exports)` or `features(all)"),
        ),
        ("rate_limit", (Key::RateLimit, "rate_limit = \"1000/min\"")),
        (
            "quotas",
            (
                Key::Quotas,
                "quotas(users = 50)` or `quotas(users = unlimited)",
            ),
        ),
    ],
};

impl Options {
    /// Reads all `#[plan(…)]`s of a variant together.
    pub(super) fn parse(attributes: &[Attribute], errors: &mut Errors) -> Self {
        let mut options = Self::default();
        let mut given = Vec::new();
        let ours = |attribute: &&Attribute| attribute.path().is_ident("plan");
        for attribute in attributes.iter().filter(ours) {
            let Meta::List(list) = &attribute.meta else {
                errors.at(
                    attribute,
                    "this says nothing about the plan; write `#[plan(…)]` with options, or remove it",
                );
                continue;
            };
            for part in parts(list.tokens.clone()) {
                options.read(part, &mut given, errors);
            }
        }
        options
    }

    fn read(&mut self, tokens: TokenStream, given: &mut Vec<String>, errors: &mut Errors) {
        let named = |input: ParseStream<'_>| Ok((Ident::parse_any(input)?, input.parse()?));
        let parsed: syn::Result<(Ident, TokenStream)> = named.parse2(tokens.clone());
        let Ok((name, value)) = parsed else {
            errors.at(
                tokens,
                format_args!("expected an option: {}", OPTIONS.listed()),
            );
            return;
        };
        let Some((key, example)) = OPTIONS.pick(&name.to_string(), &name, errors) else {
            return;
        };
        if given.contains(&name.to_string()) {
            errors.at(&name, format_args!("`{name}` is given twice; keep one"));
            return;
        }
        given.push(name.to_string());
        if self.set(key, name, value).is_err() {
            errors.at(tokens, format_args!("write `{example}`"));
        }
    }

    /// The error only says that the value has another form.
    fn set(&mut self, key: Key, name: Ident, value: TokenStream) -> syn::Result<()> {
        match key {
            Key::Default => {
                syn::parse2::<syn::parse::Nothing>(value)?;
                self.default = Some(name);
            }
            Key::Name => self.name = Some(text.parse2(value)?),
            Key::Features => self.features = Some((name, paths.parse2(value)?)),
            Key::RateLimit => self.rate_limit = Some(text.parse2(value)?),
            Key::Quotas => self.quotas = numbers.parse2(value)?,
        }
        Ok(())
    }
}

/// `= "…"`
fn text(input: ParseStream<'_>) -> syn::Result<LitStr> {
    input.parse::<Token![=]>()?;
    input.parse()
}

/// `(a = 5, b = unlimited)`
fn numbers(input: ParseStream<'_>) -> syn::Result<Vec<(Ident, Most)>> {
    let content;
    parenthesized!(content in input);
    let quota = |input: ParseStream<'_>| {
        let name = input.parse()?;
        input.parse::<Token![=]>()?;
        let most = if input.peek(LitInt) {
            Most::Number(input.parse()?)
        } else {
            Most::Word(input.parse()?)
        };
        Ok((name, most))
    };
    let quotas = Punctuated::<_, Token![,]>::parse_terminated_with(&content, quota)?;
    Ok(quotas.into_iter().collect())
}

/// `(a, b)`
fn paths(input: ParseStream<'_>) -> syn::Result<Vec<Path>> {
    let content;
    parenthesized!(content in input);
    let paths = Punctuated::<Path, Token![,]>::parse_terminated_with(&content, |input| {
        input.call(Path::parse_mod_style)
    })?;
    Ok(paths.into_iter().collect())
}
