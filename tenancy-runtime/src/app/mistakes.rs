//! What is wrong between the things that an application declares, each of which
//! is right alone: seen at start, before anything is connected.

use std::collections::HashMap;

use axum::Router;

use super::builder::Route;
use crate::admin;
use crate::config::Config;
use crate::http::{self, TenantUse};
use crate::isolation::Isolation;
use crate::model::ModelDef;
use crate::plan::Catalog;
use crate::problem::Problem;
use crate::resolve::{PathResolver, Resolution};

/// Every problem of the routes and the models together.
pub(super) fn problems(routes: &[Route], models: &[&'static ModelDef]) -> Vec<Problem> {
    let mut problems = clashing_routes(routes);
    problems.extend(twice(models));
    problems.extend(clashing_names(models));
    problems.extend(missing(models));
    problems
}

/// A tenant that anybody can name, with nobody to decide who may act for it.
pub(super) fn nobody_decides(
    routes: &[Route],
    routers: &[(TenantUse, Router)],
    ways: &[Resolution],
) -> Option<Problem> {
    let uses = routes.iter().map(|route| route.tenant);
    let mut uses = uses.chain(routers.iter().map(|(tenant, _)| *tenant));
    if uses.all(|tenant| tenant == TenantUse::None)
        || ways.iter().any(|way| way.resolver().proves_membership())
    {
        return None;
    }
    let ways: Vec<_> = ways.iter().map(Resolution::as_str).collect();
    Some(Problem::new(
        format!("the resolver `{}`", ways.join(", ")),
        "lets anybody name any tenant, and nobody decides who may act for it",
        "declare membership = MyMembership in the application's attribute, or \
         membership = \"gateway\" if only a gateway that has decided it reaches the application",
    ))
}

/// Routes that look like a tenant's path, which is taken apart before it is routed.
pub(super) fn hidden_routes(routes: &[Route], ways: &[Resolution]) -> Vec<Problem> {
    let Some(prefix) = PathResolver::among(ways).map(PathResolver::prefix) else {
        return Vec::new();
    };
    let below = |path: &str| {
        let rest = path.strip_prefix(prefix);
        rest.is_some_and(|rest| rest.starts_with('/'))
    };
    let hidden = routes.iter().filter(|route| below(route.spec.path));
    hidden
        .map(|route| {
            Problem::new(
                format!("the route `{}`", route.spec.path),
                format!("is never reached: what follows `{prefix}/` is the name of a tenant"),
                format!(
                    "take `{prefix}` off, as tenants' routes are written without it, or name \
                     another prefix"
                ),
            )
        })
        .collect()
}

/// Operators' routes that look like a tenant's path.
pub(super) fn hidden_admin(ways: &[Resolution]) -> Option<Problem> {
    ways.iter().find_map(|way| match way {
        Resolution::Path(resolver) => {
            let rest = admin::PREFIX.strip_prefix(resolver.prefix())?;
            rest.starts_with('/').then(|| {
                Problem::new(
                    format!("the operators' routes below `{}`", admin::PREFIX),
                    format!(
                        "are never reached: what follows `{}/` is the name of a tenant",
                        resolver.prefix()
                    ),
                    "name another prefix for tenants' paths",
                )
            })
        }
        _ => None,
    })
}

/// What is configured for operators' routes, where there are none.
pub(super) fn admin_without_a_guard(config: &Config) -> Option<Problem> {
    let set = [
        ("TENANCY_ADMIN_TOKEN", config.admin_token.is_some()),
        ("TENANCY_ADMIN_OPEN", config.admin_open),
    ];
    let (name, _) = set.into_iter().find(|(_, set)| *set)?;
    Some(Problem::new(
        name,
        "is set, and the application has no operators' routes",
        "choose a guard for them with admin = \"token\" in the application's attribute, or \
         unset it",
    ))
}

/// Quotas of models that plans say nothing of, and those that two models count for.
pub(super) fn quotas(models: &[&'static ModelDef], plans: Option<&Catalog>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut seen: HashMap<&str, &ModelDef> = HashMap::new();
    for model in distinct(models) {
        let Some(quota) = model.quota else { continue };
        let about = format!("the model `{}`", model.name);
        match plans {
            None => problems.push(Problem::new(
                about,
                format!("counts for the quota `{quota}`, and there are no plans to limit it"),
                "declare plans = … in the application's attribute",
            )),
            Some(plans) => {
                if let Err(wrong) = plans.quota(quota) {
                    let remedy = "name it in `quotas(…)` of every plan";
                    problems.push(Problem::new(about, wrong, remedy));
                }
            }
        }
        if let Some(other) = seen.insert(quota.name(), model) {
            problems.push(Problem::new(
                format!("the models `{}` and `{}`", other.name, model.name),
                format!("both count for the quota `{quota}`"),
                "declare a quota for each",
            ));
        }
    }
    problems
}

/// What the isolation says of plans that there are none of.
pub(super) fn plans(plans: &Catalog, isolation: Option<&Isolation>) -> Vec<Problem> {
    let Some(Isolation::Hybrid { premium_plans, .. }) = isolation else {
        return Vec::new();
    };
    let wrong = premium_plans.iter().map(|plan| plans.plan(Some(plan)));
    let wrong = wrong.filter_map(Result::err);
    wrong
        .map(|wrong| Problem::new("the premium plans", wrong, "mend `premium_plans(…)`"))
        .collect()
}

/// Routes whose requests are to be recorded, in an application that keeps no trail.
pub(super) fn unrecorded(routes: &[Route]) -> Vec<Problem> {
    let audited = routes.iter().filter(|route| route.spec.audited);
    let problem = |route: &Route| {
        let (method, path) = (route.spec.method.as_str(), route.spec.path);
        Problem::new(
            format!("the handler of `{method} {path}`"),
            "has `audit(…)`, and the application keeps no trail",
            "declare audit = \"database\" in the application's attribute, or drop `audit(…)`",
        )
    };
    audited.map(problem).collect()
}

/// axum panics where two paths differ in the names of their parameters only.
fn clashing_routes(routes: &[Route]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (position, route) in routes.iter().enumerate() {
        let path = route.spec.path;
        let earlier = routes[..position].iter().map(|earlier| earlier.spec.path);
        let mut others = earlier.filter(|other| *other != path && http::same_path(other, path));
        if let Some(other) = others.next() {
            problems.push(Problem::new(
                format!("the routes `{other}` and `{path}`"),
                "name the parameters of one path differently",
                format!("write `{other}` for both"),
            ));
        }
    }
    problems
}

/// Models that stand for one table, or one model that is listed twice.
fn twice(models: &[&'static ModelDef]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (position, model) in models.iter().enumerate() {
        let earlier = &models[..position];
        if let Some(other) = earlier.iter().find(|other| other.table == model.table) {
            problems.push(if std::ptr::eq(*other, *model) {
                Problem::new(
                    format!("the model `{}`", model.name),
                    "is declared twice",
                    "keep it in `models(…)` once",
                )
            } else {
                Problem::new(
                    format!("the models `{}` and `{}`", other.name, model.name),
                    format!("have one table, `{}`", model.table),
                    "name another for one of them with `table = \"…\"`",
                )
            });
        }
    }
    problems
}

/// In a schema, indexes have names of their own and may not be called like each
/// other or like a table; unique keys are indexes as well.
fn clashing_names(models: &[&'static ModelDef]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut taken: HashMap<String, &ModelDef> = HashMap::new();
    for model in distinct(models) {
        taken.insert(model.table.to_owned(), model);
    }
    for model in distinct(models) {
        let keys = model.uniques.iter().chain(model.indexes);
        let names = keys.map(|key| key.name.to_owned());
        for name in names.chain([model.primary_key_name()]) {
            if let Some(other) = taken.insert(name.clone(), model) {
                problems.push(Problem::new(
                    format!("the models `{}` and `{}`", other.name, model.name),
                    format!("both need the name `{name}` in one schema"),
                    "rename a table with `table = \"…\"` or a column with `name = \"…\"`",
                ));
            }
        }
    }
    problems
}

/// A foreign key needs the table that it points at.
fn missing(models: &[&'static ModelDef]) -> Vec<Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    for model in distinct(models) {
        for reference in model.references {
            let target = (reference.target)();
            if !models.iter().any(|model| std::ptr::eq(*model, target)) {
                problems.push(Problem::new(
                    format!("the model `{}`", model.name),
                    format!(
                        "refers to `{}` by its column `{}`, and that model is not declared",
                        target.name, reference.column
                    ),
                    format!("add `{}` to `models(…)`", target.name),
                ));
            }
        }
    }
    problems
}

/// The models without those of a table that came before, which are reported.
fn distinct(models: &[&'static ModelDef]) -> impl Iterator<Item = &'static ModelDef> {
    let numbered = models.iter().enumerate();
    numbered
        .filter(|(position, model)| {
            let earlier = &models[..*position];
            earlier.iter().all(|other| other.table != model.table)
        })
        .map(|(_, model)| *model)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Audience, ColumnDef, KeyDef, ReferenceDef};

    const EMPTY: ModelDef = ModelDef {
        name: "Order",
        table: "orders",
        audience: Audience::Tenant,
        columns: &[ColumnDef::new("id", "uuid")],
        primary_key: &["id"],
        uniques: &[],
        indexes: &[],
        references: &[],
        migrated: false,
        append_only: false,
        read_only: false,
        quota: None,
    };

    static ORDERS: ModelDef = ModelDef {
        indexes: &[KeyDef {
            name: "orders_item_name_idx",
            columns: &["item_name"],
        }],
        ..EMPTY
    };

    /// Its index is called like the one above.
    static ORDERS_ITEM: ModelDef = ModelDef {
        name: "OrdersItem",
        table: "orders_item",
        indexes: &[KeyDef {
            name: "orders_item_name_idx",
            columns: &["name"],
        }],
        references: &[ReferenceDef {
            name: "orders_item_order_id_fkey",
            column: "order_id",
            target: || &ORDERS,
        }],
        ..EMPTY
    };

    static SAME_TABLE: ModelDef = ModelDef {
        name: "Purchase",
        ..EMPTY
    };

    fn lines(models: &[&'static ModelDef]) -> Vec<String> {
        let problems = problems(&[], models);
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn models_that_do_not_go_together_are_named_all_at_once() {
        let found = lines(&[&ORDERS, &ORDERS_ITEM, &SAME_TABLE, &ORDERS_ITEM]);
        assert_eq!(found.len(), 3, "{found:#?}");
        for part in [
            "the models `Order` and `Purchase` have one table, `orders`",
            "the model `OrdersItem` is declared twice",
            "the models `Order` and `OrdersItem` both need the name `orders_item_name_idx`",
        ] {
            let named = found
                .iter()
                .any(|line| line.replace(':', "").contains(part));
            assert!(named, "`{part}` is not in {found:#?}");
        }
    }

    #[test]
    fn a_model_that_is_referred_to_must_be_declared() {
        let found = lines(&[&ORDERS_ITEM]);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(
            found[0].contains("`Order` by its column `order_id`"),
            "{found:?}"
        );
        assert!(found[0].contains("add `Order` to `models(…)`"), "{found:?}");
        assert_eq!(lines(&[&ORDERS]), [""; 0]);
    }
}
