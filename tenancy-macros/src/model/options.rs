//! Lists of options, as they stand in `#[tenant_model(…)]` and `#[column(…)]`.
//!
//! An attribute's options are a constant table; parsing, "did you mean" and
//! "expected one of" all come from it. An option that is wrong is reported and
//! left out, and the ones after it are read all the same.

use proc_macro2::TokenStream;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Ident, LitStr, Path, Token};

use crate::common::{Errors, did_you_mean, parts};

/// One option of an attribute and where its value goes.
pub(super) struct Choice<T> {
    pub(super) name: &'static str,
    /// How it is written, for messages.
    pub(super) example: &'static str,
    pub(super) form: Form<T>,
}

/// What follows an option's name.
pub(super) enum Form<T> {
    /// Nothing.
    Flag(fn(&mut T, Ident)),
    /// `= "text"`.
    Text(fn(&mut T, LitStr)),
    /// `= "name"`, or without the quotes, as the compiler suggests it.
    Name(fn(&mut T, LitStr)),
    /// `= a::Path`.
    Path(fn(&mut T, Path)),
    /// `(name, name)`; may be given more than once.
    Fields(fn(&mut T, Fields)),
}

/// The fields named by `unique(…)` or `index(…)`, or the traits by `no_derive(…)`.
#[derive(Clone)]
pub(super) struct Fields {
    /// The option's name, as the place for messages about all of it.
    pub(super) option: Ident,
    pub(super) fields: Vec<Ident>,
}

/// Reads the options of one attribute, which may stand on an item several times.
pub(super) struct Reader<T: 'static> {
    /// The attribute, for messages.
    attribute: &'static str,
    choices: &'static [Choice<T>],
    given: Vec<&'static str>,
}

impl<T> Reader<T> {
    pub(super) fn new(attribute: &'static str, choices: &'static [Choice<T>]) -> Self {
        Self {
            attribute,
            choices,
            given: Vec::new(),
        }
    }

    pub(super) fn read(&mut self, tokens: TokenStream, into: &mut T, errors: &mut Errors) {
        for option in parts(tokens) {
            self.read_one(option, into, errors);
        }
    }

    fn read_one(&mut self, tokens: TokenStream, into: &mut T, errors: &mut Errors) {
        let named = |input: ParseStream<'_>| Ok((Ident::parse_any(input)?, input.parse()?));
        let Ok((name, value)) = Parser::parse2(named, tokens.clone()) else {
            errors.at(tokens, format!("expected {}", self.one_of()));
            return;
        };
        let Some(choice) = self.choices.iter().find(|choice| name == choice.name) else {
            errors.at(&name, self.unknown(&name));
            return;
        };
        if !matches!(choice.form, Form::Fields(_)) {
            if self.given.contains(&choice.name) {
                errors.at(&name, format!("`{name}` is given twice; keep one"));
                return;
            }
            self.given.push(choice.name);
        }
        if choice.form.set(name, value, into).is_err() {
            errors.at(tokens, format!("write `{}`", choice.example));
        }
    }

    fn unknown(&self, name: &Ident) -> String {
        let nearest = did_you_mean(&name.to_string(), self.choices.iter().map(|c| c.name));
        let rest = if nearest.is_empty() {
            format!("; expected {}", self.one_of())
        } else {
            nearest
        };
        format!("`#[{}]` has no option `{name}`{rest}", self.attribute)
    }

    fn one_of(&self) -> String {
        let names: Vec<String> = self
            .choices
            .iter()
            .map(|choice| format!("`{}`", choice.name))
            .collect();
        format!("one of {}", names.join(", "))
    }
}

impl<T> Form<T> {
    /// Hands the value over; the error only says that it has another form.
    fn set(&self, name: Ident, value: TokenStream, into: &mut T) -> syn::Result<()> {
        match self {
            Self::Flag(set) => {
                syn::parse2::<syn::parse::Nothing>(value)?;
                set(into, name);
            }
            Self::Text(set) => set(into, Parser::parse2(after_equals, value)?),
            Self::Name(set) => set(into, Parser::parse2(name_after_equals, value)?),
            Self::Path(set) => {
                let path = |input: ParseStream<'_>| {
                    input.parse::<Token![=]>()?;
                    Path::parse_mod_style(input)
                };
                set(into, Parser::parse2(path, value)?);
            }
            Self::Fields(set) => {
                let fields = Parser::parse2(in_parentheses, value)?;
                set(
                    into,
                    Fields {
                        option: name,
                        fields,
                    },
                );
            }
        }
        Ok(())
    }
}

fn after_equals(input: ParseStream<'_>) -> syn::Result<LitStr> {
    input.parse::<Token![=]>()?;
    input.parse()
}

fn name_after_equals(input: ParseStream<'_>) -> syn::Result<LitStr> {
    input.parse::<Token![=]>()?;
    if input.peek(LitStr) {
        return input.parse();
    }
    let name: Ident = input.parse()?;
    Ok(LitStr::new(&name.to_string(), name.span()))
}

fn in_parentheses(input: ParseStream<'_>) -> syn::Result<Vec<Ident>> {
    let content;
    syn::parenthesized!(content in input);
    let fields = content.parse_terminated(Ident::parse_any, Token![,])?;
    if fields.is_empty() {
        return Err(content.error("no fields"));
    }
    Ok(fields.into_iter().collect())
}
