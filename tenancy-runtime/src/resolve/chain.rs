use std::sync::Arc;

use async_trait::async_trait;
use axum::http::request::Parts;

use super::{Candidate, Resolver};
use crate::error::{Error, Result};

/// Several resolvers, asked in order. All that name a tenant must name the same
/// one: a request that says two things is refused, whichever comes first.
#[derive(Clone)]
pub(crate) struct Chain(Vec<Arc<dyn Resolver>>);

impl Chain {
    /// Of one or more.
    pub(crate) fn new(resolvers: Vec<Arc<dyn Resolver>>) -> Self {
        Self(resolvers)
    }
}

#[async_trait]
impl Resolver for Chain {
    async fn resolve(&self, request: &Parts) -> Result<Option<Candidate>> {
        let mut agreed: Option<Candidate> = None;
        for resolver in &self.0 {
            let Some(candidate) = resolver.resolve(request).await? else {
                continue;
            };
            agreed = Some(match agreed {
                None => candidate,
                Some(before) => before.and(candidate).ok_or(Error::TenantUnresolved)?,
            });
        }
        Ok(agreed)
    }

    fn proves_membership(&self) -> bool {
        self.0.iter().any(|resolver| resolver.proves_membership())
    }

    fn missing(&self) -> Error {
        let first = self.0.first();
        first.map_or(Error::TenantUnresolved, |resolver| resolver.missing())
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;
    use crate::resolve::HeaderResolver;

    async fn resolve(headers: &[(&str, &str)]) -> Result<Option<Candidate>> {
        let mut request = Request::get("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let names = ["x-a", "x-b", "x-c"];
        let all = names.map(|name| Arc::new(HeaderResolver::new(name)) as Arc<dyn Resolver>);
        Chain::new(all.to_vec()).resolve(&parts).await
    }

    #[tokio::test]
    async fn who_says_two_things_is_refused_and_who_says_one_twice_is_not() {
        assert!(resolve(&[]).await.unwrap().is_none());
        for headers in [
            &[("x-b", "acme-corp")][..],
            &[("x-c", "acme-corp"), ("x-a", "acme-corp")],
        ] {
            let found = resolve(headers).await.unwrap().unwrap();
            assert_eq!(found.slug().as_str(), "acme-corp", "{headers:?}");
        }
        for headers in [
            &[("x-a", "acme-corp"), ("x-b", "globex")][..],
            &[("x-a", "acme-corp"), ("x-c", "globex")],
            &[("x-a", "acme-corp"), ("x-c", "Globex")],
            &[("x-b", "!"), ("x-c", "acme-corp")],
        ] {
            let refused = resolve(headers).await;
            assert!(
                matches!(refused, Err(Error::TenantUnresolved)),
                "{headers:?}"
            );
        }
    }
}
