//! What operators' routes say of themselves in OpenAPI: what their handlers take and
//! answer, and what the gate in front of all of them does.

use super::desk::Admin;
use super::{keeps_trails, routes};
use crate::audit::AuditSink;
use crate::error::Error;
use crate::http::Verb;
use crate::openapi::{Answer, Argument, Operation};

/// A handler, by what it takes beside the [`Admin`].
pub(super) trait Handler<Arguments> {
    fn describe(operation: &mut Operation);
}

impl<F, A, O> Handler<(A,)> for F
where
    F: Fn(Admin, A) -> O,
    A: Argument,
    O: Future<Output: Answer>,
{
    fn describe(operation: &mut Operation) {
        operation.argument::<A>().answer::<O::Output>();
    }
}

impl<F, A, B, O> Handler<(A, B)> for F
where
    F: Fn(Admin, A, B) -> O,
    A: Argument,
    B: Argument,
    O: Future<Output: Answer>,
{
    fn describe(operation: &mut Operation) {
        let operation = operation.argument::<A>().argument::<B>();
        operation.answer::<O::Output>();
    }
}

/// Adds what the types of a handler say.
pub(super) fn handler<H: Handler<Arguments>, Arguments>(operation: &mut Operation, _: H) {
    H::describe(operation);
}

/// Every route, where `sink` keeps the trail of tenants.
pub(crate) fn descriptions(
    sink: Option<&dyn AuditSink>,
) -> impl Iterator<Item = (Verb, &'static str, impl Fn(&mut Operation))> {
    let all = routes(keeps_trails(sink)).into_iter();
    all.map(|route| {
        let describe = move |operation: &mut Operation| {
            operation.tag("admin");
            (route.describe)(operation);
            gate(operation);
        };
        (route.method, route.path, describe)
    })
}

/// What stands in front of all, and what any of them may lack.
fn gate(operation: &mut Operation) {
    operation
        .problem(&Error::InvalidToken)
        .problem(&Error::NotAnOperator)
        .problem(&Error::CrossSite(String::new()))
        .problem(&Error::ReadOnly)
        .problem(&Error::unavailable(""));
}
