//! `#[tenancy::app(isolation = "rls", routes(…), …)]` as written.
//!
//! [`OPTIONS`] holds every option and the shape of its value; what is expected,
//! what was meant and what to write instead is read from there.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{LitStr, Path, Token, parenthesized};

use crate::common::{Choices, Errors, parts};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Key {
    Isolation,
    Premium,
    Standard,
    PremiumTenants,
    PremiumPlans,
    DatabaseUrlTemplate,
    Resolver,
    Header,
    Suffix,
    CustomDomains,
    Prefix,
    Claim,
    Audience,
    Issuer,
    Algorithm,
    Membership,
    Plans,
    Settings,
    Audit,
    Admin,
    Embedded,
    Models,
    Migrations,
    Routes,
    Openapi,
    Seed,
}

/// An option: which it is, the shape of its value, and an example for messages.
#[derive(Clone, Copy)]
pub(super) struct Definition {
    pub(super) key: Key,
    shape: Shape,
    pub(super) example: &'static str,
}

#[derive(Clone, Copy)]
enum Shape {
    /// Nothing but its name.
    Flag,
    Text,
    Texts,
    /// The path of a type: `= Plan`.
    Path,
    Paths,
    /// A word or a path: `= "…"` or `= Name`.
    Choice,
    /// One of those, or several: `= "…"` or `("…", Name)`.
    Choices,
}

const fn option(
    name: &'static str,
    key: Key,
    shape: Shape,
    example: &'static str,
) -> (&'static str, Definition) {
    (
        name,
        Definition {
            key,
            shape,
            example,
        },
    )
}

pub(super) const OPTIONS: Choices<Definition> = Choices {
    what: "option",
    all: &[
        option(
            "isolation",
            Key::Isolation,
            Shape::Text,
            "isolation = \"rls\"",
        ),
        option("premium", Key::Premium, Shape::Text, "premium = \"schema\""),
        option("standard", Key::Standard, Shape::Text, "standard = \"rls\""),
        option(
            "premium_tenants",
            Key::PremiumTenants,
            Shape::Texts,
            "premium_tenants(\"acme-corp\")",
        ),
        option(
            "premium_plans",
            Key::PremiumPlans,
            Shape::Texts,
            "premium_plans(\"enterprise\")",
        ),
        option(
            "database_url_template",
            Key::DatabaseUrlTemplate,
            Shape::Text,
            "database_url_template = \"postgres://user@host:5432/{database_name}\"",
        ),
        option(
            "resolver",
            Key::Resolver,
            Shape::Choices,
            "resolver = \"header\"",
        ),
        option(
            "header",
            Key::Header,
            Shape::Text,
            "header = \"X-Tenant-ID\"",
        ),
        option(
            "suffix",
            Key::Suffix,
            Shape::Text,
            "suffix = \".myapp.com\"",
        ),
        option(
            "custom_domains",
            Key::CustomDomains,
            Shape::Flag,
            "custom_domains",
        ),
        option("prefix", Key::Prefix, Shape::Text, "prefix = \"/t\""),
        option("claim", Key::Claim, Shape::Text, "claim = \"tenant_id\""),
        option(
            "audience",
            Key::Audience,
            Shape::Text,
            "audience = \"my-app\"",
        ),
        option(
            "issuer",
            Key::Issuer,
            Shape::Text,
            "issuer = \"https://login.myapp.com\"",
        ),
        option(
            "algorithm",
            Key::Algorithm,
            Shape::Text,
            "algorithm = \"HS256\"",
        ),
        option(
            "membership",
            Key::Membership,
            Shape::Choice,
            "membership = \"gateway\"",
        ),
        option("plans", Key::Plans, Shape::Path, "plans = Plan"),
        option(
            "settings",
            Key::Settings,
            Shape::Path,
            "settings = Settings",
        ),
        option("audit", Key::Audit, Shape::Choice, "audit = \"database\""),
        option("admin", Key::Admin, Shape::Choice, "admin = \"token\""),
        option(
            "embedded",
            Key::Embedded,
            Shape::Text,
            "embedded = \"temporary\"",
        ),
        option(
            "models",
            Key::Models,
            Shape::Paths,
            "models(Todo, crate::plans::Plan)",
        ),
        option(
            "migrations",
            Key::Migrations,
            Shape::Text,
            "migrations = \"migrations\"",
        ),
        option(
            "routes",
            Key::Routes,
            Shape::Paths,
            "routes(list, todos::create)",
        ),
        option("openapi", Key::Openapi, Shape::Text, "openapi = \"public\""),
        option(
            "seed",
            Key::Seed,
            Shape::Texts,
            "seed(\"acme-corp\", \"globex\")",
        ),
    ],
};

/// What people would write for the key of tokens, and where it belongs.
const KEYS: &[(&str, &str)] = &[
    ("secret", "TENANCY_JWT_SECRET"),
    ("jwt_secret", "TENANCY_JWT_SECRET"),
    ("public_key", "TENANCY_JWT_PUBLIC_KEY"),
    ("jwks", "TENANCY_JWKS"),
];

/// The attribute as written: each option at most once.
pub(super) struct Written(Vec<Given>);

/// One option. `value` is absent after a mistake in it, which was reported.
pub(super) struct Given {
    pub(super) name: Ident,
    pub(super) definition: Definition,
    value: Option<Value>,
}

enum Value {
    Flag,
    Text(LitStr),
    Texts(Vec<LitStr>),
    Paths(Vec<Path>),
    Choices(Vec<Choice>),
}

/// A word of ours, or the path of something of the application's own.
pub(super) enum Choice {
    Word(LitStr),
    Own(Path),
}

impl ToTokens for Choice {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Word(word) => word.to_tokens(tokens),
            Self::Own(path) => path.to_tokens(tokens),
        }
    }
}

impl Parse for Choice {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(LitStr) {
            return input.parse().map(Self::Word);
        }
        input.parse().map(|PlainPath(path)| Self::Own(path))
    }
}

impl Given {
    pub(super) fn is_empty_list(&self) -> bool {
        match &self.value {
            Some(Value::Texts(texts)) => texts.is_empty(),
            Some(Value::Paths(paths)) => paths.is_empty(),
            Some(Value::Choices(choices)) => choices.is_empty(),
            Some(Value::Flag | Value::Text(_)) | None => false,
        }
    }
}

impl Written {
    pub(super) fn parse(attribute: TokenStream, errors: &mut Errors) -> Self {
        let mut written = Self(Vec::new());
        for part in parts(attribute) {
            let parser = |input: ParseStream<'_>| written.option(input, errors);
            let result = parser.parse2(part);
            errors.ok(result);
        }
        written
    }

    /// An option, if it was given at all.
    pub(super) fn get(&self, key: Key) -> Option<&Given> {
        self.0.iter().find(|given| given.definition.key == key)
    }

    /// The value of an option like `isolation = "…"`.
    pub(super) fn text(&self, key: Key) -> Option<&LitStr> {
        match self.get(key)?.value.as_ref()? {
            Value::Text(text) => Some(text),
            Value::Flag | Value::Texts(_) | Value::Paths(_) | Value::Choices(_) => None,
        }
    }

    /// The values of an option like `seed("…")`.
    pub(super) fn texts(&self, key: Key) -> &[LitStr] {
        match self.get(key).and_then(|given| given.value.as_ref()) {
            Some(Value::Texts(texts)) => texts,
            _ => &[],
        }
    }

    /// The value of an option like `membership = …`, or those of `resolver(…)`.
    pub(super) fn choices(&self, key: Key) -> &[Choice] {
        match self.get(key).and_then(|given| given.value.as_ref()) {
            Some(Value::Choices(choices)) => choices,
            _ => &[],
        }
    }

    /// The values of an option like `models(…)`, or that of `plans = …` and the like.
    pub(super) fn paths(&self, key: Key) -> &[Path] {
        match self.get(key).and_then(|given| given.value.as_ref()) {
            Some(Value::Paths(paths)) => paths,
            _ => &[],
        }
    }

    fn option(&mut self, input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<()> {
        let Ok(name) = Ident::parse_any(input) else {
            return Err(input.error("expected an option, such as `isolation = \"rls\"`"));
        };
        let rest: TokenStream = input.parse()?;
        if let Some((_, variable)) = KEYS.iter().find(|(word, _)| name == *word) {
            errors.at(
                &name,
                format_args!(
                    "a key does not stand in the source: set `{variable}` in the environment, and \
                     drop `{name}`"
                ),
            );
            return Ok(());
        }
        let Some(definition) = OPTIONS.pick(&name.to_string(), &name, errors) else {
            // A misspelt option is not a missing one as well.
            if let Some(definition) = OPTIONS.meant(&name.to_string())
                && self.get(definition.key).is_none()
            {
                self.0.push(Given {
                    name,
                    definition,
                    value: None,
                });
            }
            return Ok(());
        };
        let usage = |tokens: &dyn ToTokens| {
            let example = definition.example;
            syn::Error::new_spanned(
                tokens.to_token_stream(),
                format_args!("write it as `{example}`"),
            )
        };
        let value = match definition.shape {
            Shape::Flag => nothing.parse2(rest.clone()).map(|()| Value::Flag),
            Shape::Text => text.parse2(rest.clone()).map(Value::Text),
            Shape::Texts => list.parse2(rest.clone()).map(Value::Texts),
            Shape::Path => path.parse2(rest.clone()).map(Value::Paths),
            Shape::Paths => list
                .parse2(rest.clone())
                .map(|paths| paths.into_iter().map(|PlainPath(path)| path).collect())
                .map(Value::Paths),
            Shape::Choice => choice.parse2(rest.clone()).map(Value::Choices),
            Shape::Choices => list
                .parse2(rest.clone())
                .or_else(|_| choice.parse2(rest.clone()))
                .map(Value::Choices),
        };
        let value = value.map_err(|_| {
            if rest.is_empty() {
                usage(&name)
            } else {
                usage(&rest)
            }
        });
        if self.get(definition.key).is_some() {
            let advice = match definition.shape {
                Shape::Flag | Shape::Text | Shape::Path | Shape::Choice => "",
                Shape::Texts | Shape::Paths | Shape::Choices => {
                    "; give all its values in one place"
                }
            };
            errors.at(&name, format_args!("`{name}` is given twice{advice}"));
            return Ok(());
        }
        let value = errors.ok(value);
        self.0.push(Given {
            name,
            definition,
            value,
        });
        Ok(())
    }
}

fn nothing(_: ParseStream<'_>) -> syn::Result<()> {
    Ok(())
}

/// `= "…"`
fn text(input: ParseStream<'_>) -> syn::Result<LitStr> {
    input.parse::<Token![=]>()?;
    input.parse()
}

/// `= Name`
fn path(input: ParseStream<'_>) -> syn::Result<Vec<Path>> {
    input.parse::<Token![=]>()?;
    input.parse().map(|PlainPath(path)| vec![path])
}

/// `= "…"` or `= Name`
fn choice(input: ParseStream<'_>) -> syn::Result<Vec<Choice>> {
    input.parse::<Token![=]>()?;
    Ok(vec![input.parse()?])
}

/// `(a, b)`
fn list<T: Parse>(input: ParseStream<'_>) -> syn::Result<Vec<T>> {
    let content;
    parenthesized!(content in input);
    let items = content.parse_terminated(T::parse, Token![,])?;
    Ok(items.into_iter().collect())
}

/// A path as in `use`: neither models nor handlers have generics.
struct PlainPath(Path);

impl Parse for PlainPath {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        input.call(Path::parse_mod_style).map(Self)
    }
}
