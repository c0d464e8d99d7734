//! The list of keys that secrets are or were encrypted with, each with a proof of
//! which key it is: nothing at all, sealed by it. A ring that lacks one of them,
//! or has another key under its id, is found out at start and not when a tenant
//! needs its secret.

use diesel::QueryableByName;
use diesel::sql_types::{Binary, Text};
use diesel_async::RunQueryDsl;

use super::Secrets;
use crate::db::Pool;
use crate::error::{Error, Result};
use crate::problem::Problem;
use crate::registry::unprepared;
use crate::sealing::{About, KeyRing, LIST_KEY, open, seal};

/// A key of the list.
#[derive(QueryableByName)]
pub(super) struct Listed {
    #[diesel(sql_type = Text)]
    pub(super) id: String,
    #[diesel(sql_type = Binary)]
    proof: Vec<u8>,
}

pub(super) async fn listed(app: &Pool) -> Result<Vec<Listed>> {
    let query = diesel::sql_query("SELECT id, proof FROM tenancy.secret_keys ORDER BY id");
    app.read(query).await.map_err(unprepared)
}

/// The keys of the list that `ring` has not, each with what to do about it.
///
/// # Errors
///
/// Those of the database.
pub(crate) async fn verify(app: &Pool, ring: Option<&KeyRing>) -> Result<Vec<Problem>> {
    let listed = listed(app).await?;
    Ok(listed.iter().filter_map(|key| key.problem(ring)).collect())
}

impl Listed {
    fn problem(&self, ring: Option<&KeyRing>) -> Option<Problem> {
        let Self { id, proof } = self;
        let Some(key) = ring.and_then(|ring| ring.get(id)) else {
            return Some(Problem::new(
                "TENANCY_ENCRYPTION_KEY",
                format!("has no key `{id}`, with which secrets of tenants are encrypted"),
                "add it behind the others; if none is by now, the subcommand `secrets rotate` \
                 takes it off the list",
            ));
        };
        open(key, About::Key, proof).err().map(|_| {
            Problem::new(
                "TENANCY_ENCRYPTION_KEY",
                format!("has another key `{id}` than the one that secrets are encrypted with"),
                "set it to that one, and give the new key an id of its own",
            )
        })
    }
}

impl Secrets {
    /// Lists the key that encrypts, so that others who have another one under its
    /// id learn of it at their start.
    pub(crate) async fn enlist(&self) -> Result<()> {
        let key = self.ring().encrypting();
        let query = diesel::sql_query(LIST_KEY)
            .bind::<Text, _>(key.id().to_owned())
            .bind::<Binary, _>(seal(key, About::Key, b""));
        let mut conn = self.app.outside().await?;
        query.execute(&mut conn).await?;
        drop(conn);
        // Others may have listed theirs since the keys were compared.
        let listed = listed(&self.app).await?;
        let same = listed.iter().filter(|listed| listed.id == key.id());
        let problems = same.filter_map(|listed| listed.problem(Some(self.ring())));
        match problems.collect::<Vec<_>>() {
            none if none.is_empty() => Ok(()),
            problems => Err(Error::CannotStart(problems)),
        }
    }

    /// Takes the keys off the list that no secret needs, but for the first;
    /// returns them.
    pub(super) async fn forget_unused(&self) -> Result<Vec<String>> {
        let mut forgotten = Vec::new();
        for Listed { id, .. } in listed(&self.app).await? {
            if id == self.ring().encrypting().id() {
                continue;
            }
            let query = diesel::sql_query("DELETE FROM tenancy.secret_keys WHERE id = $1")
                .bind::<Text, _>(id.clone());
            let mut conn = self.app.outside().await?;
            match query.execute(&mut conn).await.map_err(Error::from) {
                Ok(_) => forgotten.push(id),
                // A secret needs it.
                Err(Error::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(forgotten)
    }
}
