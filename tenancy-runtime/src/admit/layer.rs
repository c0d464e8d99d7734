use std::convert::Infallible;
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use tower::{Layer, Service};

use super::{Admission, TenantUse};
use crate::error::Error;
use crate::http::Spool;
use crate::plan::RouteLimit;
use crate::resolve::Named;

/// Puts [`Admit`] in front of a route.
#[derive(Debug, Clone)]
pub struct AdmissionLayer {
    admission: Admission,
    tenant_use: TenantUse,
    route_limit: Option<RouteLimit>,
}

impl AdmissionLayer {
    /// Admits requests as `tenant_use` says. What belongs to no tenant
    /// ([`TenantUse::None`]) is not found below a tenant's path.
    #[must_use]
    pub fn new(admission: Admission, tenant_use: TenantUse) -> Self {
        Self {
            admission,
            tenant_use,
            route_limit: None,
        }
    }

    /// How often each tenant may call the route.
    #[must_use]
    pub fn route_limit(mut self, limit: Option<RouteLimit>) -> Self {
        self.route_limit = limit;
        self
    }
}

impl<S> Layer<S> for AdmissionLayer {
    type Service = Admit<S>;

    fn layer(&self, inner: S) -> Admit<S> {
        Admit {
            inner,
            layer: self.clone(),
        }
    }
}

/// Admits a request's tenant before the request goes on; or answers itself.
#[derive(Debug, Clone)]
pub struct Admit<S> {
    inner: S,
    layer: AdmissionLayer,
}

impl<S> Service<Request> for Admit<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // The service that was polled ready is the one to call.
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        let AdmissionLayer {
            admission,
            tenant_use,
            route_limit,
        } = self.layer.clone();
        Box::pin(async move {
            let (mut parts, mut body) = request.into_parts();
            let mut revocation = None;
            let mut turn = None;
            if tenant_use == TenantUse::None {
                // An `App` routes nothing here from there; who puts this around a router
                // by hand may.
                if parts.extensions.get::<Named>().is_some() {
                    return Ok(Error::NotFound.into_response());
                }
            } else {
                let (admitted, carried) = match admission.request(&parts, tenant_use).await {
                    Ok(admitted) => admitted,
                    Err(refusal) => return Ok(refusal.into_response()),
                };
                if let Some(tenant) = &admitted.tenant {
                    let turn = turn.insert(admission.limits.turn(tenant));
                    if let Err(refusal) = turn.begin(route_limit).await {
                        return Ok(turn.tell(refusal.into_response()));
                    }
                    parts.extensions.insert(turn.clone());
                    let revocation = revocation.insert(admission.revocation(tenant));
                    parts.extensions.insert(revocation.clone());
                }
                parts.extensions.extend(carried);
                parts.extensions.insert(admitted);
                body = Spool::of(body, &mut parts.extensions);
            }
            let mut response = inner.call(Request::from_parts(parts, body)).await?;
            if let Some(turn) = turn {
                response = turn.tell(response);
            }
            Ok(match revocation {
                Some(revocation) => response.map(|body| revocation.guard(body)),
                None => response,
            })
        })
    }
}
