use diesel::sql_types::{BigInt, Nullable, Text};
use diesel_async::RunQueryDsl as _;

use super::TenantConn;
use crate::error::{Error, Result};
use crate::plan::{Quota, QuotaLimit, Usage};

impl TenantConn {
    /// How much of a quota this connection's tenant uses, and how much there is: in
    /// one round trip, and in a transaction with what that has added so far.
    ///
    /// ```
    /// use tenancy_runtime::db::TenantConn;
    /// use tenancy_runtime::error::Result;
    ///
    /// tenancy_runtime::quotas! { users }
    ///
    /// async fn seats_left(db: &mut TenantConn) -> Result<Option<u64>> {
    ///     let usage = db.usage(quotas::users).await?;
    ///     Ok(usage.limit.most().map(|most| u64::from(most).saturating_sub(usage.used)))
    /// }
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] for a quota of which nothing is counted, and those of the
    /// database.
    pub async fn usage(&mut self, quota: Quota) -> Result<Usage> {
        #[derive(diesel::QueryableByName)]
        struct Row {
            #[diesel(sql_type = BigInt)]
            used: i64,
            #[diesel(sql_type = Nullable<BigInt>)]
            most: Option<i64>,
        }
        let query = "SELECT used, most FROM \"tenant\".tenancy_quotas WHERE quota = $1";
        let query = diesel::sql_query(query).bind::<Text, _>(quota.name());
        let rows: Vec<Row> = query.load(self).await?;
        let Some(Row { used, most }) = rows.into_iter().next() else {
            return Err(Error::internal(format!(
                "the tenant has no limit of the quota `{quota}`: run the subcommand `migrate`"
            )));
        };
        Ok(Usage {
            used: u64::try_from(used).unwrap_or_default(),
            limit: match most {
                Some(most) => QuotaLimit::AtMost(u32::try_from(most).unwrap_or_default()),
                None => QuotaLimit::Unlimited,
            },
        })
    }
}
