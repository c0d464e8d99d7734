//! What takes the place of `shared` in a build without the feature `redis`: there is
//! nobody to tell, and nothing to share.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::TenantCache;
use crate::problem::Problem;
use crate::tenant::{Slug, TenantRecord};

/// There is none.
pub(crate) enum Shared {}

pub(super) enum Found {
    #[expect(dead_code, reason = "nobody has read anything")]
    Read(Option<Arc<TenantRecord>>, Duration),
    #[expect(dead_code, reason = "nothing can be shared")]
    Nothing(()),
}

impl Shared {
    pub(crate) fn new(_: &SecretString, _: &str, _: bool) -> Result<Arc<Self>, Problem> {
        Err(Problem::new(
            "TENANCY_REDIS_URL",
            "is set, and this build knows no Redis",
            "add the feature `redis` to `tenancy` in Cargo.toml, or unset it",
        ))
    }

    pub(super) async fn announce(&self, _: &Slug) {
        match *self {}
    }

    pub(super) async fn find(&self, _: &Slug) -> Option<Found> {
        match *self {}
    }

    pub(super) fn keep(self: &Arc<Self>, _: &Slug, _: Option<&TenantRecord>, (): ()) {
        match **self {}
    }
}

pub(crate) async fn hear(_: TenantCache, shared: Arc<Shared>) {
    match *shared {}
}
