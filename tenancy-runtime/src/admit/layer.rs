use std::convert::Infallible;
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use tower::{Layer, Service};

use super::{Admission, TenantUse};
use crate::error::Error;
use crate::http::Spool;
use crate::resolve::Named;

/// Puts [`Admit`] in front of a route.
#[derive(Debug, Clone)]
pub struct AdmissionLayer {
    admission: Admission,
    tenant_use: TenantUse,
}

impl AdmissionLayer {
    /// Admits requests as `tenant_use` says.
    #[must_use]
    pub fn new(admission: Admission, tenant_use: TenantUse) -> Self {
        Self {
            admission,
            tenant_use,
        }
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
        } = self.layer.clone();
        Box::pin(async move {
            let (mut parts, mut body) = request.into_parts();
            let mut revocation = None;
            if tenant_use == TenantUse::None {
                // Below a tenant's path there are that tenant's routes only.
                if parts.extensions.get::<Named>().is_some() {
                    return Ok(Error::NotFound.into_response());
                }
            } else {
                let (admitted, carried) = match admission.request(&parts, tenant_use).await {
                    Ok(admitted) => admitted,
                    Err(refusal) => return Ok(refusal.into_response()),
                };
                parts.extensions.extend(carried);
                revocation = admitted.tenant.as_ref().map(|t| admission.revocation(t));
                if let Some(revocation) = &revocation {
                    parts.extensions.insert(revocation.clone());
                }
                parts.extensions.insert(admitted);
                body = Spool::of(body, &mut parts.extensions);
            }
            let response = inner.call(Request::from_parts(parts, body)).await?;
            Ok(match revocation {
                Some(revocation) => response.map(|body| revocation.guard(body)),
                None => response,
            })
        })
    }
}
