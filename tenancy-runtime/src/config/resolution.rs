//! How requests name their tenant: the ways that the application declares, or
//! those that the deployment chooses, each with its own variables.

use axum::http::HeaderName;

use super::read::{Reader, value_problem};
use super::variables::{
    DOMAIN_SUFFIX, PATH_PREFIX, RESOLUTION_STRATEGY, TENANT_HEADER_NAME, TRUSTED_PROXIES, variables,
};
use crate::http::TrustedProxies;
use crate::problem::Problem;
use crate::resolve::{HeaderResolver, JwtResolver, PathResolver, Resolution, SubdomainResolver};

/// The ways, of which there is at least one.
pub(super) fn read(reader: &mut Reader, declared: Vec<Resolution>) -> Vec<Resolution> {
    let ways = match reader.text(RESOLUTION_STRATEGY) {
        Some(words) => chosen(reader, &words, &declared),
        None if declared.is_empty() => vec![HeaderResolver::default().into()],
        None => declared,
    };
    let ways = ways.into_iter();
    let ways: Vec<_> = ways.map(|way| overridden(reader, way)).collect();
    refuse_idle(reader, &ways);
    ways
}

pub(super) fn trusted_proxies(reader: &mut Reader) -> TrustedProxies {
    let takes = "addresses and networks with commas between them";
    let proxies = reader.parsed(TRUSTED_PROXIES, takes, "10.0.0.0/8", |text| {
        text.parse().ok()
    });
    proxies.unwrap_or_default()
}

/// What the words choose; a way that is declared keeps what was declared of it.
fn chosen(reader: &mut Reader, words: &str, declared: &[Resolution]) -> Vec<Resolution> {
    let mut ways: Vec<Resolution> = Vec::new();
    for word in words.split(',').map(str::trim) {
        if ways.iter().any(|way| way.as_str() == word) {
            let remedy = "name each way once";
            reader.problem(Problem::new(
                RESOLUTION_STRATEGY.name,
                format!("names `{word}` twice"),
                remedy,
            ));
            continue;
        }
        let known = declared.iter().find(|way| way.as_str() == word);
        match (known, word) {
            (Some(way), _) => ways.push(way.clone()),
            (None, "header") => ways.push(HeaderResolver::default().into()),
            (None, "jwt") => ways.push(JwtResolver::new().into()),
            (None, "path") => ways.push(PathResolver::default().into()),
            (None, "subdomain") => match reader.text(DOMAIN_SUFFIX) {
                // Read again, and reported, where it overrides.
                Some(suffix) => ways.extend(SubdomainResolver::parse(&suffix).ok().map(Into::into)),
                None => reader.problem(Problem::new(
                    DOMAIN_SUFFIX.name,
                    "is not set, and tenants are resolved by subdomain",
                    format!("write for example {}=.myapp.com", DOMAIN_SUFFIX.name),
                )),
            },
            (None, "custom") => reader.problem(Problem::new(
                RESOLUTION_STRATEGY.name,
                "is `custom`, and the application declares no resolver of its own",
                "declare it in the application's attribute: resolver = MyResolver",
            )),
            (None, _) => {
                let takes =
                    "header, subdomain, path, jwt or custom, or several with commas between them";
                reader.problem(value_problem(RESOLUTION_STRATEGY, word, takes, "header"));
            }
        }
    }
    ways
}

/// A way with what the environment says of it.
fn overridden(reader: &mut Reader, way: Resolution) -> Resolution {
    match way {
        Resolution::Header(_) => {
            let parse = |text: &str| HeaderName::from_bytes(text.as_bytes()).ok();
            let takes = "the name of a header";
            let name = reader.parsed(TENANT_HEADER_NAME, takes, "X-Tenant-ID", parse);
            name.map_or(way, |name| HeaderResolver::from(name).into())
        }
        Resolution::Subdomain(resolver) => {
            let parse = |text: &str| SubdomainResolver::parse(text).ok();
            let other = reader.parsed(DOMAIN_SUFFIX, "a domain", ".myapp.com", parse);
            match other {
                Some(other) => resolver.at_suffix_of(&other).into(),
                None => resolver.into(),
            }
        }
        Resolution::Path(_) => {
            let parse = |text: &str| PathResolver::parse(text).ok();
            let resolver = reader.parsed(PATH_PREFIX, "the beginning of a path", "/t", parse);
            resolver.map_or(way, Into::into)
        }
        Resolution::Jwt(resolver) => super::jwt::complete(reader, resolver).into(),
        way @ Resolution::Custom(_) => way,
    }
}

/// A variable of a way that is not in use was meant to do something.
fn refuse_idle(reader: &mut Reader, ways: &[Resolution]) {
    let about = variables().iter();
    let about = about.filter_map(|variable| Some((*variable, variable.way?)));
    for (variable, word) in about {
        let idle = !ways.is_empty() && ways.iter().all(|way| way.as_str() != word);
        if idle && reader.is_set(variable) {
            reader.problem(Problem::new(
                variable.name,
                format!("is set, and tenants are not resolved by {word}"),
                format!("unset it, or add {word} to {}", RESOLUTION_STRATEGY.name),
            ));
        }
    }
}
