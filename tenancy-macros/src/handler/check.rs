//! The rules between what was written, in the attribute and in the signature.

use proc_macro2::Ident;

use crate::common::{Errors, Function};

use super::attr::{ROUTE, Written};
use super::ir::{Handler, Route, TenantUse};
use super::{path, signature};

/// The handler, as far as it can be told; it is only good without errors.
pub(super) fn check(
    written: &Written,
    function: &Function,
    errors: &mut Errors,
) -> Option<Handler> {
    let tenant = tenant_use(written, errors);
    signature::check(written, function, tenant, errors);
    if let Some(path) = &written.path {
        path::check(path, errors);
    }
    let route = match (&written.method, &written.path) {
        (None, None) => None,
        (Some(method), Some(path)) => Some(Route {
            method: method.value?,
            path: path.clone(),
            tenant,
        }),
        (Some(method), None) => {
            // Not for a word that is no method: it may have been meant otherwise.
            if method.value.is_some() {
                errors.at(
                    &method.at,
                    format_args!("write the path after the method: {ROUTE}"),
                );
            }
            return None;
        }
        (None, Some(path)) => {
            errors.at(path, format_args!("write the method first: {ROUTE}"));
            return None;
        }
    };
    let feature = match &written.feature {
        Some(feature) => Some(feature.value.clone()?),
        None => None,
    };
    let rate_limit = match &written.rate_limit {
        Some(limit) => Some(limit.value?),
        None => None,
    };
    let audit = match &written.audit {
        Some(audit) => {
            if !written.is_routed() {
                errors.at(
                    &audit.at,
                    format_args!(
                        "`audit` is about a route: write the method and path first: {ROUTE}"
                    ),
                );
            }
            Some(audit.value.clone()?)
        }
        None => None,
    };
    let tag = match &written.tag {
        Some(tag) => {
            describes_a_route(written, &tag.at, errors);
            Some(tag.value.clone()?)
        }
        None => None,
    };
    let status = match &written.status {
        Some(status) => {
            describes_a_route(written, &status.at, errors);
            Some(status.value?)
        }
        None => None,
    };
    Some(Handler {
        route,
        feature,
        rate_limit,
        audit,
        tag,
        status,
    })
}

/// What has no route is not described.
fn describes_a_route(written: &Written, option: &Ident, errors: &mut Errors) {
    if !written.is_routed() {
        errors.at(
            option,
            format_args!("`{option}` is about a route: write the method and path first: {ROUTE}"),
        );
    }
}

/// What the route does about the tenant, and whether that can be.
fn tenant_use(written: &Written, errors: &mut Errors) -> TenantUse {
    let Some(option) = &written.tenant else {
        return TenantUse::Required;
    };
    if !written.is_routed() {
        errors.at(
            &option.at,
            format_args!("`tenant` is about a route: write the method and path first: {ROUTE}"),
        );
    }
    let Some((tenant, literal)) = &option.value else {
        return TenantUse::Required;
    };
    for (given, what, option) in [
        (written.feature.is_some(), "a feature", "feature"),
        (written.rate_limit.is_some(), "a rate limit", "rate_limit"),
        (written.audit.is_some(), "a trail", "audit"),
    ] {
        if given && *tenant != TenantUse::Required {
            let tenant = literal.value();
            errors.at(
                literal,
                format_args!(
                    "{what} belongs to a tenant: drop `{option}` or `tenant = \"{tenant}\"`"
                ),
            );
        }
    }
    *tenant
}
