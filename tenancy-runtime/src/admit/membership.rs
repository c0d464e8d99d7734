use async_trait::async_trait;
use axum::http::request::Parts;

use crate::error::Result;
use crate::tenant::TenantRecord;

/// Decides whether a request may act for the tenant that it names.
///
/// Anybody can name any tenant, in a header or a host. So each request that has
/// not proved more ([`Candidate::proven`](crate::resolve::Candidate::proven)) is
/// asked here who is behind it: from a session or a token that a layer of the
/// application's own has checked and left in the request's extensions.
///
/// ```
/// use async_trait::async_trait;
/// use axum::http::request::Parts;
/// use tenancy_runtime::admit::Membership;
/// use tenancy_runtime::error::Result;
/// use tenancy_runtime::tenant::TenantRecord;
///
/// /// Left by the layer that checks sessions.
/// #[derive(Clone)]
/// struct User {
///     tenants: Vec<String>,
/// }
///
/// struct OfUser;
///
/// #[async_trait]
/// impl Membership for OfUser {
///     async fn admits(&self, request: &Parts, tenant: &TenantRecord) -> Result<bool> {
///         let user = request.extensions.get::<User>();
///         Ok(user.is_some_and(|user| user.tenants.iter().any(|slug| *slug == *tenant.slug.as_str())))
///     }
/// }
/// ```
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not decide who may act for a tenant",
    label = "implement `tenancy::admit::Membership` for it"
)]
pub trait Membership: Send + Sync + 'static {
    /// Whether the request may act for `tenant`. To who may not, the tenant does
    /// not exist: the answer is the same as for one that does not.
    ///
    /// # Errors
    ///
    /// [`Error::NotAMember`](crate::error::Error::NotAMember) instead, or
    /// [`Error::InvalidToken`](crate::error::Error::InvalidToken) where nobody is
    /// behind the request. Only tenants that exist are asked for, so either tells
    /// that this one does: return them where that is no secret, and refuse who is
    /// not signed in by a layer in front otherwise. And whatever goes wrong.
    async fn admits(&self, request: &Parts, tenant: &TenantRecord) -> Result<bool>;
}

/// The membership of an application that only a gateway can reach, which has
/// decided already: `membership = "gateway"`. Every request may act for the
/// tenant that it names.
#[derive(Debug, Clone, Copy, Default)]
pub struct Gateway;

#[async_trait]
impl Membership for Gateway {
    async fn admits(&self, _: &Parts, _: &TenantRecord) -> Result<bool> {
        Ok(true)
    }
}
