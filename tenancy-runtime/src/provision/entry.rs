//! The entry of a tenant on its way to the registry: its metadata sealed for it, and
//! the key that has sealed it on the list, in the transaction that stores it.

use diesel::sql_types::{Binary, Text};
use diesel_async::RunQueryDsl as _;

use super::Provisioner;
use crate::db::{TenantLogins, Transaction};
use crate::error::{Error, Result};
use crate::sealing::LIST_KEY;
use crate::tenant::{Locator, NewTenant, TenantId, TenantRecord};

impl Provisioner {
    /// The entry of a new tenant, whose metadata is sealed for it and for no other.
    pub(super) fn entry(
        &self,
        id: TenantId,
        new: NewTenant,
        locator: Option<Locator>,
    ) -> Result<TenantRecord> {
        let metadata = self.settings.sealed(id, &new.metadata, None)?;
        let new = NewTenant { metadata, ..new };
        Ok(TenantRecord::new(id, new, locator))
    }

    /// Stores the entry of a new tenant, together with what its metadata needs.
    pub(super) async fn enter(
        &self,
        record: &TenantRecord,
        transaction: &mut Transaction,
    ) -> Result<()> {
        self.list_key(record, transaction).await?;
        self.registry
            .insert(record, self.max_tenants, Some(transaction))
            .await
    }

    /// The same in a transaction of its own, with the logins that are the tenant's own.
    pub(super) async fn enter_at_once(
        &self,
        record: &TenantRecord,
        logins: Option<&TenantLogins>,
    ) -> Result<()> {
        let Some(mut transaction) = self.transaction().await? else {
            return Err(Error::internal("only a database is made step by step"));
        };
        let entered = async {
            self.enter(record, &mut transaction).await?;
            match logins {
                Some(logins) => self.keep_logins(record.id, logins, &mut transaction).await,
                None => Ok(()),
            }
        };
        match entered.await {
            Ok(()) => transaction.commit().await,
            Err(error) => {
                transaction.rollback().await?;
                Err(error)
            }
        }
    }

    /// Stores an entry as it is now, together with what its metadata needs.
    pub(super) async fn store(
        &self,
        record: &TenantRecord,
        mut transaction: Option<&mut Transaction>,
    ) -> Result<()> {
        if let Some(transaction) = transaction.as_deref_mut() {
            self.list_key(record, transaction).await?;
        }
        self.registry.save(record, transaction).await
    }

    /// Lists the key that an entry's metadata is sealed with, in the transaction that
    /// stores it: a rotation may have taken it off the list a moment ago.
    async fn list_key(&self, record: &TenantRecord, transaction: &mut Transaction) -> Result<()> {
        let Some((id, proof)) = self.settings.key_to_list(&record.metadata) else {
            return Ok(());
        };
        diesel::sql_query(LIST_KEY)
            .bind::<Text, _>(id)
            .bind::<Binary, _>(proof)
            .execute(transaction.conn())
            .await?;
        Ok(())
    }
}
