use std::collections::BTreeMap;

use super::Secrets;
use super::logins::KeptLogins;
use super::name::SecretName;
use super::store::Store;
use crate::error::{Error, Result};
use crate::problem::Problem;
use crate::tenant::{Metadata, Slug, TenantRecord};

/// How many secrets are re-encrypted at a time.
const BATCH: u32 = 50;

/// How many problems are told one by one.
const TOLD: usize = 100;

/// What came of a rotation.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Rotation {
    /// How many secrets were re-encrypted.
    pub rewritten: u64,
    /// How many secrets each key has encrypted by now.
    pub in_use: BTreeMap<String, u64>,
    /// The keys that no secret needs any more, which may leave the ring.
    pub forgotten: Vec<String>,
    /// What could not be re-encrypted, a hundred at most.
    pub problems: Vec<Problem>,
}

impl Secrets {
    /// Re-encrypts what other keys than the first have encrypted, in small batches,
    /// while others read and write. Cut off anywhere, it goes on from there when it
    /// is called again. `progress` hears of each tenant with secrets to re-encrypt
    /// and how many were by then.
    ///
    /// A secret that does not decrypt stays as it is and stops no other. Those in the
    /// metadata of tenants, and logins of their own, are the owner's to change: without
    /// its login they stay as they are, and each such tenant is a problem.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn rotate(&self, mut progress: impl FnMut(&Slug, u64)) -> Result<Rotation> {
        let mut rotation = Rotation::default();
        for tenant in self.provisioner.all().await? {
            let store = self.store(&tenant);
            let mut used = store.keys().await?;
            if used.keys().any(|key| key != self.ring().encrypting().id()) {
                rotation.tenant(&store, &mut progress).await?;
                rotation.logins(&self.logins, &store).await?;
                used = store.keys().await?;
            }
            let metadata = self.reseal(&tenant, &mut rotation, &mut progress).await?;
            for (key, secrets) in used.into_iter().chain(metadata.keys()) {
                *rotation.in_use.entry(key).or_default() += secrets;
            }
        }
        rotation.forgotten = self.forget_unused().await?;
        Ok(rotation)
    }

    /// How many secrets each key has encrypted.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn keys_in_use(&self) -> Result<BTreeMap<String, u64>> {
        let mut all = BTreeMap::new();
        for tenant in self.provisioner.all().await? {
            let named = self.store(&tenant).keys().await?;
            for (key, secrets) in named.into_iter().chain(tenant.metadata.keys()) {
                *all.entry(key).or_default() += secrets;
            }
        }
        Ok(all)
    }
}

impl Secrets {
    /// The same for the secrets in a tenant's metadata, which it returns as it is
    /// stored by then.
    async fn reseal(
        &self,
        tenant: &TenantRecord,
        rotation: &mut Rotation,
        progress: &mut impl FnMut(&Slug, u64),
    ) -> Result<Metadata> {
        let first = self.ring().encrypting().id();
        let keys = tenant.metadata.keys();
        if keys.keys().all(|key| key == first) {
            return Ok(tenant.metadata.clone());
        }
        if !self.provisioner.can_change() {
            rotation.tell(Problem::new(
                format!("the metadata of the tenant `{}`", tenant.slug),
                "has secrets that another key than the first has encrypted, and only the owner \
                 changes it",
                "run the subcommand `secrets rotate` with TENANCY_OWNER_DATABASE_URL set",
            ));
            return Ok(tenant.metadata.clone());
        }
        match self.provisioner.reseal(tenant).await {
            Ok((tenant, count, problems)) => {
                rotation.rewritten += count;
                problems
                    .into_iter()
                    .for_each(|problem| rotation.tell(problem));
                progress(&tenant.slug, rotation.rewritten);
                Ok(tenant.metadata)
            }
            // It was destroyed meanwhile, or renamed: then its keys stay listed.
            Err(Error::NotFound) => Ok(tenant.metadata.clone()),
            Err(error) => Err(error),
        }
    }
}

impl Rotation {
    fn tell(&mut self, problem: Problem) {
        if self.problems.len() < TOLD {
            self.problems.push(problem);
        }
    }

    async fn logins(&mut self, logins: &KeptLogins, store: &Store) -> Result<()> {
        match logins.rotate(store.tenant).await? {
            Ok(true) => self.rewritten += 1,
            Ok(false) => {}
            Err(problem) => self.tell(problem),
        }
        Ok(())
    }

    async fn tenant(&mut self, store: &Store, progress: &mut impl FnMut(&Slug, u64)) -> Result<()> {
        let mut after = String::new();
        loop {
            let rows = store.of_other_keys(&after, BATCH).await?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after.clone_from(&last.name);
            let mut anew = Vec::new();
            for row in rows {
                match store.opened(&row) {
                    Ok(value) => {
                        let name = SecretName::parse(&row.name).map_err(Error::internal)?;
                        let sealed = store.sealed(&name, &value);
                        anew.push((row, sealed));
                    }
                    Err(problem) => self.tell(problem),
                }
            }
            if !anew.is_empty() {
                self.rewritten += store.replace(anew).await?;
            }
            progress(&store.slug, self.rewritten);
        }
    }
}
