//! The document as a whole: the routes, what names a tenant in each, and the
//! problems that a tenant's route answers with.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use aide::openapi as spec;
use schemars::{JsonSchema as _, SchemaGenerator};
use serde_json::{Value, json};

use super::super::declared::Declared;
use crate::admin;
use crate::config::Config;
use crate::error::Error;
use crate::http::{TenantUse, Verb};
use crate::openapi::{Described, OpenApi, Operation, Schemas, parameters_of};
use crate::problem::Problem;
use crate::resolve::Resolution;
use crate::tenant::Slug;

/// The tenant of examples: those that there are stand in no document that all may read.
const SOMEBODY: &str = "acme-corp";

/// The parameter that names the tenant.
const TENANT: &str = "tenant";
/// The schemes by which requests prove who is asking.
const TOKEN: &str = "token";
const KEY: &str = "key";
const BEARER: &str = "bearer";
const OPERATOR: &str = "operator";

/// A route with what describes it.
struct Entry<'a> {
    method: Verb,
    path: &'a str,
    tenant: TenantUse,
    describe: &'a dyn Fn(&mut Operation),
    is_limited: bool,
    for_operators: bool,
}

/// The document, and what is wrong with it.
pub(super) fn of(declared: &Declared, version: &str, config: &Config) -> (Value, Vec<Problem>) {
    let fallback = OpenApi::public();
    let options = declared.openapi.options.as_ref().unwrap_or(&fallback);
    let mut writer = Writer {
        config,
        options,
        operators: declared.admin.as_ref().and_then(|guard| guard.bearer()),
        schemas: Schemas::new(),
        paths: BTreeMap::new(),
        names: BTreeSet::new(),
        problems: Vec::new(),
    };
    for route in &declared.routes {
        writer.add(&Entry {
            method: route.spec.method,
            path: route.spec.path,
            tenant: route.tenant,
            describe: &route.describe,
            is_limited: route.limit.is_some(),
            for_operators: false,
        });
    }
    for (tenant, routes) in &declared.openapi.described {
        for (method, path, describe) in routes.iter() {
            writer.add(&Entry {
                method,
                path,
                tenant: *tenant,
                describe,
                is_limited: false,
                for_operators: false,
            });
        }
    }
    if declared.admin.is_some() {
        for (method, path, describe) in admin::descriptions(declared.audit.as_deref()) {
            writer.add(&Entry {
                method,
                path,
                tenant: TenantUse::None,
                describe: &describe,
                is_limited: false,
                for_operators: true,
            });
        }
    }
    writer.done(declared.name, version)
}

struct Writer<'a> {
    config: &'a Config,
    options: &'a OpenApi,
    /// What is said of the token that operators have, if they have one.
    operators: Option<&'a str>,
    schemas: Schemas,
    paths: BTreeMap<String, spec::PathItem>,
    names: BTreeSet<String>,
    problems: Vec<Problem>,
}

impl Writer<'_> {
    fn add(&mut self, entry: &Entry<'_>) {
        let about = format!(
            "the description of `{} {}`",
            entry.method.as_str(),
            entry.path
        );
        let prefix = self.prefix(entry);
        let path = match &prefix {
            Some((prefix, name)) => format!("{prefix}/{{{name}}}{}", entry.path),
            None => entry.path.to_owned(),
        };
        let schemas = mem::replace(&mut self.schemas, Schemas::new());
        // The handler's own parameters are told by its own path.
        let mut operation = Operation::new(entry.path, schemas);
        if let Some((_, name)) = &prefix {
            operation.path_parameter(name, self.slug());
        }
        (entry.describe)(&mut operation);
        if entry.tenant != TenantUse::None {
            self.for_tenants(entry, &mut operation);
        }
        if entry.for_operators && self.operators.is_some() {
            operation.security(vec![vec![OPERATOR]]);
        }
        let Described {
            mut item,
            schemas,
            mistake,
        } = operation.done();
        self.schemas = schemas;
        if let Some((wrong, remedy)) = mistake {
            self.problems.push(Problem::new(&about, wrong, remedy));
        }
        if entry.tenant != TenantUse::None {
            item.servers = self.servers();
        }
        if let Some(name) = &mut item.operation_id {
            while !self.names.insert(name.clone()) {
                name.push('_');
            }
        }
        let at = self.paths.entry(as_template(&path)).or_default();
        let place = match entry.method {
            Verb::Get => &mut at.get,
            Verb::Post => &mut at.post,
            Verb::Put => &mut at.put,
            Verb::Patch => &mut at.patch,
            Verb::Delete => &mut at.delete,
            Verb::Head => &mut at.head,
            Verb::Options => &mut at.options,
        };
        if place.replace(item).is_some() {
            self.problems.push(Problem::new(
                about,
                "is there twice",
                "describe each method of a path once; handlers in `routes(…)` are described",
            ));
        }
    }

    /// Where the path names the tenant, before the route: by this name.
    fn prefix(&self, entry: &Entry<'_>) -> Option<(String, String)> {
        if entry.tenant == TenantUse::None {
            return None;
        }
        // With several ways the first is the one to describe: a path is one or the other.
        let Some(Resolution::Path(resolver)) = self.config.resolution.first() else {
            return None;
        };
        let mut name = TENANT.to_owned();
        while parameters_of(entry.path).contains(&name) {
            name.push('_');
        }
        Some((resolver.prefix().to_owned(), name))
    }

    /// What a request passes before a handler for tenants sees it.
    fn for_tenants(&self, entry: &Entry<'_>, operation: &mut Operation) {
        operation
            .problem(&Error::TenantUnresolved)
            .problem(&Error::TenantInactive)
            .problem(&Error::NotAMember)
            .problem(&Error::unavailable(""));
        for way in &self.config.resolution {
            operation.problem(&way.resolver().missing());
        }
        let limit = self.config.rate_limits.every_tenant;
        if let (Some(limit), false) = (limit, entry.is_limited) {
            operation.problem(&Error::RateLimited {
                limit,
                retry_after: 0,
            });
        }
        let only = self.config.resolution.len() == 1;
        for way in &self.config.resolution {
            if let Resolution::Header(resolver) = way {
                let required = only && entry.tenant == TenantUse::Required;
                operation.header_of(resolver.header().as_str(), self.slug(), required);
            }
        }
        let is_optional = entry.tenant == TenantUse::Optional;
        operation.security(self.requirements(is_optional));
    }

    /// What proves who is asking, in schemes of OpenAPI. A header that names a tenant
    /// is none: it proves nothing.
    fn schemes(&self) -> Vec<(&'static str, Value)> {
        let bearer = |description: &str| {
            json!({
                "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                "description": description,
            })
        };
        let mut schemes = Vec::new();
        for way in &self.config.resolution {
            match (way, &self.options.key_header) {
                (Resolution::Jwt(_), _) => {
                    schemes.push((TOKEN, bearer("Names the tenant, and proves who is asking.")));
                }
                (Resolution::Custom(_), Some((name, description))) => schemes.push((
                    KEY,
                    json!({
                        "type": "apiKey", "in": "header", "name": name,
                        "description": description,
                    }),
                )),
                _ => {}
            }
        }
        if let Some(description) = &self.options.bearer {
            schemes.push((BEARER, bearer(description)));
        }
        schemes
    }

    /// What a request needs of the schemes: one of the ways to name a tenant, and the
    /// token that a membership reads.
    fn requirements(&self, is_optional: bool) -> Vec<Vec<&'static str>> {
        let beside = self.options.bearer.as_ref().map(|_| BEARER);
        let schemes = self.schemes();
        let ways = schemes.iter().map(|(name, _)| *name);
        let ways: Vec<_> = ways.filter(|name| *name != BEARER).collect();
        let mut alternatives: Vec<Vec<_>> = ways.iter().map(|way| vec![*way]).collect();
        if ways.len() < self.config.resolution.len() {
            // Another way names the tenant without any of them.
            alternatives.push(Vec::new());
        }
        for alternative in &mut alternatives {
            alternative.extend(beside);
        }
        if is_optional && !alternatives.contains(&Vec::new()) {
            alternatives.push(Vec::new());
        }
        alternatives.retain(|alternative| !alternative.is_empty() || !schemes.is_empty());
        alternatives
    }

    /// What a slug is, with one that reads like one and is nobody's in particular.
    fn slug(&self) -> Value {
        let mut slug = Value::from(Slug::json_schema(&mut SchemaGenerator::default()));
        slug["examples"] = json!([SOMEBODY]);
        slug
    }

    /// Where tenants are, if that is elsewhere.
    fn servers(&self) -> Vec<spec::Server> {
        let Some(Resolution::Subdomain(resolver)) = self.config.resolution.first() else {
            return Vec::new();
        };
        let server = json!({
            "url": format!("//{{{TENANT}}}.{}", resolver.domain()),
            "variables": {TENANT: {
                "default": SOMEBODY,
                "description": "The tenant's slug.",
            }},
        });
        serde_json::from_value(server).into_iter().collect()
    }

    fn done(self, name: &str, version: &str) -> (Value, Vec<Problem>) {
        let options = self.options;
        let mut tags: Vec<&str> = Vec::new();
        let mut paths = serde_json::Map::new();
        for (path, item) in &self.paths {
            for (_, operation) in item.iter() {
                for tag in &operation.tags {
                    if !tags.contains(&tag.as_str()) {
                        tags.push(tag);
                    }
                }
            }
            paths.insert(path.clone(), written(item));
        }
        let mut document = json!({
            "openapi": "3.1.0",
            "info": {
                "title": options.title.as_deref().unwrap_or(name),
                "version": options.version.as_deref().unwrap_or(version),
            },
            "paths": paths,
            "components": {"schemas": {"Problem": problem()}},
        });
        if let Some(description) = &options.description {
            document["info"]["description"] = description.clone().into();
        }
        if !tags.is_empty() {
            tags.sort_unstable();
            let tags: Vec<_> = tags.iter().map(|tag| json!({"name": tag})).collect();
            document["tags"] = tags.into();
        }
        let operators = self.operators.map(|description| {
            let scheme = json!({"type": "http", "scheme": "bearer", "description": description});
            (OPERATOR, scheme)
        });
        let schemes: serde_json::Map<_, _> = self
            .schemes()
            .into_iter()
            .chain(operators)
            .map(|(name, scheme)| (name.to_owned(), scheme))
            .collect();
        if !schemes.is_empty() {
            document["components"]["securitySchemes"] = schemes.into();
        }
        self.schemas.merge(&mut document);
        (document, self.problems)
    }
}

/// What is described is made of strings and schemas, which JSON can hold.
fn written(item: &spec::PathItem) -> Value {
    serde_json::to_value(item).unwrap_or_default()
}

/// Braces that are no parameter's, and one that takes several segments.
fn as_template(path: &str) -> String {
    path.replace("{{", "%7B")
        .replace("}}", "%7D")
        .replace("{*", "{")
}

/// The body of every problem response.
fn problem() -> Value {
    json!({
        "type": "object",
        "description": "What went wrong (RFC 9457). `code` tells one problem from another.",
        "required": ["type", "title", "status", "code"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "code": {"type": "string"},
            "detail": {"type": "string"},
            "quota": {"type": "string", "description": "Of `quota_exceeded`."},
            "limit": {"type": "integer"},
            "usage": {"type": "integer"},
        },
    })
}
