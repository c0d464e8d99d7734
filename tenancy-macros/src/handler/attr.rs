//! `#[tenant_handler(get, "/todos", feature = "…", rate_limit = "…", audit(…),
//! tenant = "…", tag = "…", status = …)]` as written.
//!
//! The method and path stand alone and come first; the rest are options. All
//! legal words are in the tables below.

use proc_macro2::{Ident, TokenStream};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{LitInt, LitStr, Path, Token};

use crate::common::{Choices, Errors, RateLimit, parts, rate};

use super::audit;
use super::ir::{Audit, Feature, Method, TenantUse};

/// What to write for a route, in messages.
pub(super) const ROUTE: &str = "`#[tenant_handler(get, \"/todos\")]`";

pub(super) const METHODS: Choices<Method> = {
    const fn method(routing: &'static str, verb: &'static str) -> (&'static str, Method) {
        (routing, Method { routing, verb })
    }
    Choices {
        what: "method",
        all: &[
            method("get", "Get"),
            method("post", "Post"),
            method("put", "Put"),
            method("patch", "Patch"),
            method("delete", "Delete"),
            method("head", "Head"),
            method("options", "Options"),
        ],
    }
};

const OPTIONS: Choices<Key> = Choices {
    what: "option",
    all: &[
        ("feature", Key::Feature),
        ("rate_limit", Key::RateLimit),
        ("audit", Key::Audit),
        ("tenant", Key::Tenant),
        ("tag", Key::Tag),
        ("status", Key::Status),
    ],
};

const TENANT_USES: Choices<TenantUse> = Choices {
    what: "use of the tenant",
    all: &[
        ("required", TenantUse::Required),
        ("optional", TenantUse::Optional),
        ("none", TenantUse::None),
    ],
};

#[derive(Clone, Copy)]
enum Key {
    Feature,
    RateLimit,
    Audit,
    Tenant,
    Tag,
    Status,
}

/// Something the user gave: its value, unless that was a mistake, and the token
/// to name in messages. A value that is missing for a mistake already reported
/// causes no second message.
pub(super) struct Given<T, At> {
    pub(super) value: Option<T>,
    pub(super) at: At,
}

/// The attribute as written.
#[derive(Default)]
pub(super) struct Written {
    pub(super) method: Option<Given<Method, Ident>>,
    pub(super) path: Option<LitStr>,
    pub(super) feature: Option<Given<Feature, Ident>>,
    pub(super) rate_limit: Option<Given<RateLimit, Ident>>,
    pub(super) audit: Option<Given<Audit, Ident>>,
    pub(super) tenant: Option<Given<(TenantUse, LitStr), Ident>>,
    pub(super) tag: Option<Given<LitStr, Ident>>,
    pub(super) status: Option<Given<u16, Ident>>,
}

impl Written {
    pub(super) fn parse(attribute: TokenStream, errors: &mut Errors) -> Self {
        let mut written = Self::default();
        for part in parts(attribute) {
            let parser = |input: ParseStream<'_>| written.part(input, errors);
            let result = parser.parse2(part);
            errors.ok(result);
        }
        written
    }

    /// Whether the user meant this handler to have a route.
    pub(super) fn is_routed(&self) -> bool {
        self.method.is_some() || self.path.is_some()
    }

    fn part(&mut self, input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<()> {
        if input.peek(LitStr) {
            self.path(input.parse()?, errors);
            return end(input);
        }
        if !input.peek(Ident::peek_any) {
            return Err(input.error(format_args!(
                "expected a route or an option: {ROUTE}, `#[tenant_handler(feature = \"exports\")]`"
            )));
        }
        let name = Ident::parse_any(input)?;
        let word = name.to_string();
        let may_be_method = match METHODS.find(&word) {
            Some(_) => true,
            None => self.method.is_none() && OPTIONS.find(&word).is_none(),
        };
        if may_be_method && (input.is_empty() || input.peek(LitStr)) {
            self.method(name, errors);
            if let Ok(path) = input.parse::<LitStr>() {
                errors.at(
                    &path,
                    format_args!("write a comma between the method and the path: {ROUTE}"),
                );
                self.path(path, errors);
            }
            return end(input);
        }
        self.option(name, input, errors)
    }

    fn method(&mut self, name: Ident, errors: &mut Errors) {
        if self.method.is_some() {
            errors.at(
                &name,
                "a handler has one method; write a second handler for the other",
            );
            return;
        }
        if self.path.is_some() {
            errors.at(
                &name,
                format_args!("write the method before the path: {ROUTE}"),
            );
        }
        let value = METHODS.pick(&name.to_string(), &name, errors);
        self.method = Some(Given { value, at: name });
    }

    fn path(&mut self, path: LitStr, errors: &mut Errors) {
        if METHODS.find(&path.value().to_lowercase()).is_some() {
            errors.at(
                &path,
                format_args!("write the method without quotes: {ROUTE}"),
            );
            // The intent is clear, and a missing method is no second mistake.
            self.method.get_or_insert_with(|| Given {
                value: None,
                at: Ident::new("get", path.span()),
            });
            return;
        }
        if self.path.is_some() {
            errors.at(
                &path,
                "a handler has one path; write a second handler for the other",
            );
            return;
        }
        self.path = Some(path);
    }

    fn option(
        &mut self,
        name: Ident,
        input: ParseStream<'_>,
        errors: &mut Errors,
    ) -> syn::Result<()> {
        let Some(key) = OPTIONS.pick(&name.to_string(), &name, errors) else {
            // Its value says nothing without it.
            input.parse::<TokenStream>()?;
            return Ok(());
        };
        let given = match key {
            Key::Feature => self.feature.is_some(),
            Key::RateLimit => self.rate_limit.is_some(),
            Key::Audit => self.audit.is_some(),
            Key::Tenant => self.tenant.is_some(),
            Key::Tag => self.tag.is_some(),
            Key::Status => self.status.is_some(),
        };
        if given {
            errors.at(&name, format_args!("`{name}` is given twice"));
            input.parse::<TokenStream>()?;
            return Ok(());
        }
        let broken = match key {
            Key::Feature => {
                let value = errors.ok(feature(&name, input));
                self.feature
                    .insert(Given { value, at: name })
                    .value
                    .is_none()
            }
            Key::RateLimit => {
                let usage = "write `rate_limit = \"100/min\"`";
                let value = errors
                    .ok(text(&name, input, usage))
                    .and_then(|text| rate::read(&text, errors));
                self.rate_limit
                    .insert(Given { value, at: name })
                    .value
                    .is_none()
            }
            Key::Audit => {
                let value = audit::read(&name, input, errors);
                self.audit.insert(Given { value, at: name }).value.is_none()
            }
            Key::Tenant => {
                let usage = "write `tenant = \"none\"`";
                let value = errors.ok(text(&name, input, usage)).and_then(|text| {
                    let tenant = TENANT_USES.pick(&text.value(), &text, errors)?;
                    Some((tenant, text))
                });
                self.tenant
                    .insert(Given { value, at: name })
                    .value
                    .is_none()
            }
            Key::Tag => {
                let value = errors.ok(text(&name, input, "write `tag = \"todos\"`"));
                self.tag.insert(Given { value, at: name }).value.is_none()
            }
            Key::Status => {
                let value = errors.ok(status(&name, input));
                self.status
                    .insert(Given { value, at: name })
                    .value
                    .is_none()
            }
        };
        if broken {
            // What follows was reported with it.
            input.parse::<TokenStream>()?;
        }
        end(input)
    }
}

fn end(input: ParseStream<'_>) -> syn::Result<()> {
    let rest: TokenStream = input.parse()?;
    if rest.is_empty() {
        return Ok(());
    }
    Err(syn::Error::new_spanned(rest, "write a comma before this"))
}

/// The value of `tenant = "…"`.
fn text(name: &Ident, input: ParseStream<'_>, usage: &str) -> syn::Result<LitStr> {
    let usage = || syn::Error::new(name.span(), usage);
    input.parse::<Token![=]>().map_err(|_| usage())?;
    input.parse().map_err(|_| usage())
}

/// The value of `status = …`: that of a success.
fn status(name: &Ident, input: ParseStream<'_>) -> syn::Result<u16> {
    const USAGE: &str =
        "write the status of a success, 200 to 299, as in `status = 201`: errors have their own";
    let usage = || syn::Error::new(name.span(), USAGE);
    input.parse::<Token![=]>().map_err(|_| usage())?;
    let literal: LitInt = input.parse().map_err(|_| usage())?;
    match literal.base10_parse() {
        Ok(status @ 200..=299) => Ok(status),
        _ => Err(syn::Error::new(literal.span(), USAGE)),
    }
}

/// The value of `feature = …`: the name of a constant of `crate::features`, or a path.
fn feature(name: &Ident, input: ParseStream<'_>) -> syn::Result<Feature> {
    let usage = || {
        syn::Error::new(
            name.span(),
            "write one feature, `feature = \"exports\"`, or the path of its constant",
        )
    };
    input.parse::<Token![=]>().map_err(|_| usage())?;
    if !input.peek(LitStr) {
        let path = input.call(Path::parse_mod_style).map_err(|_| usage())?;
        // The name alone means the same as in quotes: for a misspelt one the
        // compiler suggests to write the right one without them.
        return Ok(match path.get_ident() {
            Some(name) => Feature::Declared(name.clone()),
            None => Feature::At(path),
        });
    }
    let literal: LitStr = input.parse()?;
    literal
        .parse::<Ident>()
        .map(Feature::Declared)
        .map_err(|_| {
            syn::Error::new(
                literal.span(),
                "a feature is named like a constant, with letters, digits and `_`, \
                 as `tenancy::features!` declares it",
            )
        })
}
