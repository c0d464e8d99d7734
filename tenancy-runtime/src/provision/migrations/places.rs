//! Migrations in many places, several at a time.

use futures_util::{StreamExt as _, stream};

use super::apply::catch_up;
use crate::db::Pool;
use crate::error::{Error, Result};
use crate::model::Layout;
use crate::problem::Problem;
use crate::provision::Tables;
use crate::tenant::{SchemaName, Slug};

/// The most places that are migrated at a time, and so the most connections
/// that the owner's pool is of use for.
pub(crate) const AT_ONCE: u32 = 4;

/// Where migrations are applied.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The owner's login to the database.
    pub(crate) owner: Pool,
    /// The tenant and its own schema, or the shared one.
    pub(crate) own: Option<(Slug, SchemaName)>,
}

/// Applies what is pending in each place. What fails is returned, one problem
/// for each place.
pub(crate) async fn migrate(tables: &Tables, places: Vec<Place>) -> Vec<Problem> {
    if tables.migrations().is_empty() {
        return Vec::new();
    }
    // A place that waits for a connection would give up, however long the
    // migrations before it take.
    let at_once = places.iter().map(|place| place.owner.size()).min();
    let at_once = at_once.unwrap_or(AT_ONCE).clamp(1, AT_ONCE);
    let outcomes = places.into_iter().enumerate().map(|(position, place)| {
        let tables = tables.clone();
        async move { (position, place.migrate(&tables).await) }
    });
    let mut outcomes: Vec<_> = stream::iter(outcomes)
        .buffer_unordered(at_once as usize)
        .collect()
        .await;
    outcomes.sort_by_key(|(position, _)| *position);
    let problems = outcomes
        .into_iter()
        .filter_map(|(_, outcome)| outcome.err());
    problems.collect()
}

impl Place {
    async fn migrate(&self, tables: &Tables) -> Result<(), Problem> {
        let about = match &self.own {
            Some((slug, _)) => format!("the tenant `{slug}`"),
            None => "the shared tables".to_owned(),
        };
        match self.catch_up(tables).await {
            Ok(0) => Ok(()),
            Ok(applied) => {
                tracing::info!(migrations = applied, "migrated {about}");
                Ok(())
            }
            Err(error) => {
                let wrong = match error {
                    // Without the words for those who see no more than a status.
                    Error::Internal(cause) => cause.to_string(),
                    other => other.to_string(),
                };
                tracing::error!("{about}: {wrong}");
                let remedy = "mend it and run the subcommand `migrate`, which continues there";
                Err(Problem::new(about, wrong, remedy))
            }
        }
    }

    async fn catch_up(&self, tables: &Tables) -> Result<usize> {
        let shared = tables.shared_schema();
        let layout = match &self.own {
            Some((_, own)) => Layout::Dedicated { own, shared },
            None => Layout::Shared(shared),
        };
        catch_up(tables, &self.owner, layout).await
    }
}
