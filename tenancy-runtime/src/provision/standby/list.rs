//! The list of places on standby, `tenancy.standby`.

use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Uuid as SqlUuid};
use diesel::{OptionalExtension as _, QueryableByName};
use diesel_async::RunQueryDsl as _;
use uuid::Uuid;

use crate::db::Transaction;
use crate::error::{Error, Result};
use crate::registry::LocatorRow;
use crate::tenant::{Locator, TenantId};

/// Held while places are counted and made, so that several processes do not make
/// too many. Who does not get it leaves the work to who has it.
const LOCK: &str =
    "SELECT pg_try_advisory_xact_lock(hashtextextended('tenancy.standby', 0)) AS yes";

/// A place on the list.
#[derive(QueryableByName)]
pub(super) struct Listed {
    #[diesel(sql_type = SqlUuid)]
    pub(super) id: Uuid,
    #[diesel(embed)]
    place: LocatorRow,
}

const COLUMNS: &str = "id, strategy, schema_name, database_host, database_port, database_name";

/// Nobody has logins of its own to a place that is nobody's.
const NO_LOGINS: &str = "NULL::int4 AS database_logins";

const NOBODYS: &str =
    "NOT EXISTS (SELECT FROM tenancy.tenants t WHERE t.schema_name = s.schema_name)";

impl Listed {
    pub(super) fn new(id: TenantId, locator: &Locator) -> Self {
        Self {
            id: id.as_uuid(),
            place: LocatorRow::of(locator),
        }
    }

    /// The id of the tenant that gets the place, and after which it is named.
    pub(super) fn tenant_id(&self) -> Result<TenantId> {
        TenantId::try_from(self.id).map_err(Error::internal)
    }

    pub(super) fn locator(&self) -> Result<Locator> {
        self.place.locator(self.tenant_id()?)
    }
}

/// What becomes of a place: it is made, then ready, and dropped if no tenant
/// has got it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Making,
    Ready,
    Dropping,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Making => "making",
            Self::Ready => "ready",
            Self::Dropping => "dropping",
        }
    }
}

/// Enters a place, unless there are as many of its shape already or somebody else
/// makes them.
pub(super) async fn enter(
    transaction: &mut Transaction,
    most: u32,
    (id, locator): (TenantId, &Locator),
    shape: &str,
    state: State,
) -> Result<bool> {
    #[derive(QueryableByName)]
    struct Locked {
        #[diesel(sql_type = Bool)]
        yes: bool,
    }
    let conn = transaction.conn();
    let locked: Locked = diesel::sql_query(LOCK).get_result(conn).await?;
    if !locked.yes {
        return Ok(false);
    }
    let place = LocatorRow::of(locator);
    let sql = format!(
        "INSERT INTO tenancy.standby ({COLUMNS}, shape, state) \
         SELECT $1, $2, $3, $4, $5, $6, $7, $8 WHERE $9 > \
         (SELECT count(*) FROM tenancy.standby WHERE shape = $7 AND state <> 'dropping')"
    );
    let entered = diesel::sql_query(sql)
        .bind::<SqlUuid, _>(id.as_uuid())
        .bind::<Text, _>(place.strategy)
        .bind::<Text, _>(place.schema_name)
        .bind::<Nullable<Text>, _>(place.database_host)
        .bind::<Nullable<Integer>, _>(place.database_port)
        .bind::<Nullable<Text>, _>(place.database_name)
        .bind::<Text, _>(shape)
        .bind::<Text, _>(state.as_str())
        .bind::<BigInt, _>(i64::from(most))
        .execute(conn)
        .await?;
    Ok(entered > 0)
}

/// Takes a place that is ready off the list. Of several who do so at once each
/// gets another one. Never one that is a tenant's.
pub(super) async fn take(transaction: &mut Transaction, shape: &str) -> Result<Option<Listed>> {
    let sql = format!(
        "DELETE FROM tenancy.standby WHERE id = (SELECT id FROM tenancy.standby s \
             WHERE state = 'ready' AND shape = $1 AND {NOBODYS} \
             ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) \
         RETURNING {COLUMNS}, {NO_LOGINS}"
    );
    let query = diesel::sql_query(sql).bind::<Text, _>(shape);
    Ok(query.get_result(transaction.conn()).await.optional()?)
}

/// The places in this state, of `shape` only if one is given.
pub(super) async fn in_state(
    transaction: &mut Transaction,
    state: State,
    shape: Option<&str>,
) -> Result<Vec<Listed>> {
    let query = diesel::sql_query(format!(
        "SELECT {COLUMNS}, {NO_LOGINS} FROM tenancy.standby \
         WHERE state = $1 AND shape = coalesce($2, shape) \
         ORDER BY id"
    ));
    let all = query
        .bind::<Text, _>(state.as_str())
        .bind::<Nullable<Text>, _>(shape)
        .load(transaction.conn());
    Ok(all.await?)
}

/// A place in this state, which nobody else works on until the transaction has
/// ended; `None` if somebody does. Never one that is a tenant's.
pub(super) async fn lock(
    transaction: &mut Transaction,
    id: Uuid,
    state: State,
) -> Result<Option<Listed>> {
    let sql = format!(
        "SELECT {COLUMNS}, {NO_LOGINS} FROM tenancy.standby s WHERE id = $1 AND state = $2 \
         AND {NOBODYS} FOR UPDATE SKIP LOCKED"
    );
    let query = diesel::sql_query(sql)
        .bind::<SqlUuid, _>(id)
        .bind::<Text, _>(state.as_str());
    Ok(query.get_result(transaction.conn()).await.optional()?)
}

/// Puts a place into another state.
pub(super) async fn set(transaction: &mut Transaction, id: Uuid, state: State) -> Result<()> {
    diesel::sql_query("UPDATE tenancy.standby SET state = $2 WHERE id = $1")
        .bind::<SqlUuid, _>(id)
        .bind::<Text, _>(state.as_str())
        .execute(transaction.conn())
        .await?;
    Ok(())
}

/// Strikes a place that is gone. One that was never there (not `found`) may still
/// come: PostgreSQL goes on making a database when its maker is gone.
pub(super) async fn strike(transaction: &mut Transaction, id: Uuid, found: bool) -> Result<()> {
    let sql = "DELETE FROM tenancy.standby \
         WHERE id = $1 AND ($2 OR made_at < now() - interval '1 minute')";
    diesel::sql_query(sql)
        .bind::<SqlUuid, _>(id)
        .bind::<Bool, _>(found)
        .execute(transaction.conn())
        .await?;
    Ok(())
}

/// Has dropped what is of none of these shapes and at least so many seconds old,
/// and of each shape what is more than `most`. Returns how many places there are
/// to drop.
pub(super) async fn set_aside(
    transaction: &mut Transaction,
    shapes: Vec<String>,
    most: u32,
    seconds: i64,
) -> Result<usize> {
    diesel::sql_query(SET_ASIDE)
        .bind::<Array<Text>, _>(shapes)
        .bind::<BigInt, _>(i64::from(most))
        .bind::<BigInt, _>(seconds)
        .execute(transaction.conn())
        .await?;
    Ok(in_state(transaction, State::Dropping, None).await?.len())
}

/// What somebody works on is skipped; the next start sees to it.
const SET_ASIDE: &str = "
    WITH superfluous AS (
        SELECT id FROM (
            SELECT id, shape, made_at, row_number() OVER (PARTITION BY shape ORDER BY id) AS number
            FROM tenancy.standby WHERE state <> 'dropping'
        ) s WHERE number > $2
            OR shape <> ALL ($1) AND made_at <= now() - $3 * interval '1 second'
    ), free AS (
        SELECT s.id FROM tenancy.standby s JOIN superfluous USING (id)
        FOR UPDATE OF s SKIP LOCKED
    )
    UPDATE tenancy.standby s SET state = 'dropping' FROM free WHERE s.id = free.id";
