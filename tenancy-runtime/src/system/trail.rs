//! The trail of system access: rows that are added and never changed.
//!
//! The time and the role are filled in by PostgreSQL; the system role has no
//! privilege to write those columns, nor to read the table. A row that was not
//! kept, by a rule or a trigger, stops the work that it stands for.

use diesel::pg::Pg;
use diesel::query_builder::{QueryFragment, QueryId};
use diesel::sql_types::{Array, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use uuid::Uuid;

use crate::db::{Pool, TenantConn};
use crate::error::{Error, Result};
use crate::model::quoted;
use crate::problem::{Problem, shown};
use crate::registry::LOCK;
use crate::tenant::TenantId;

const MAX_ACTOR: usize = 200;
const MAX_REASON: usize = 1_000;

/// The columns that the system role fills in.
const WRITTEN: &str = "id, event, actor, reason, tenant_id";

/// Who works on what, and why.
pub(crate) struct Access<'a> {
    id: Uuid,
    actor: &'a str,
    reason: &'a str,
    tenant: Option<TenantId>,
}

/// What a row of the trail tells of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Event {
    Begun,
    Done,
    Failed,
}

impl Event {
    fn as_str(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

impl<'a> Access<'a> {
    pub(crate) fn new(actor: &'a str, reason: &'a str) -> Result<Self> {
        Ok(Self {
            id: Uuid::now_v7(),
            actor: checked("actor", actor, MAX_ACTOR)?,
            reason: checked("reason", reason, MAX_REASON)?,
            tenant: None,
        })
    }

    /// An access to one tenant's data.
    pub(crate) fn to(mut self, tenant: TenantId) -> Self {
        self.tenant = Some(tenant);
        self
    }

    /// Writes the row of `event`.
    pub(super) async fn record(&self, conn: &mut TenantConn, event: Event) -> Result<()> {
        self.log(event);
        Self::written(self.row(event).execute(conn).await?)
    }

    /// Says the same in the log.
    pub(crate) fn log(&self, event: Event) {
        let Self { actor, reason, .. } = self;
        let tenant = self.tenant.map(|tenant| tenant.to_string());
        let event = event.as_str();
        tracing::info!(access = %self.id, actor, reason, tenant, event, "system access");
    }

    /// The statement that writes the row.
    pub(crate) fn row(&self, event: Event) -> impl QueryFragment<Pg> + QueryId + Send + use<> {
        let sql =
            format!("INSERT INTO tenancy.system_access ({WRITTEN}) VALUES ($1, $2, $3, $4, $5)");
        diesel::sql_query(sql)
            .bind::<SqlUuid, _>(self.id)
            .bind::<Text, _>(event.as_str())
            .bind::<Text, _>(self.actor.to_owned())
            .bind::<Text, _>(self.reason.to_owned())
            .bind::<Nullable<SqlUuid>, _>(self.tenant.map(|tenant| tenant.as_uuid()))
    }

    /// Refuses a row that did not come to stay: how many were written is known.
    pub(crate) fn written(rows: usize) -> Result<()> {
        match rows {
            1 => Ok(()),
            _ => Err(Error::internal(
                "the trail of system access was not kept: something on the table \
                 tenancy.system_access swallows its rows",
            )),
        }
    }

    /// Says in the log that the row after the work could not be written.
    pub(crate) fn lost(&self, error: &Error) {
        tracing::error!(access = %self.id, %error, "the end of a system access left no trace");
    }
}

/// The name of who works, if the trail can keep it.
pub(crate) fn check_actor(actor: &str) -> Result<&str> {
    checked("actor", actor, MAX_ACTOR)
}

/// What people can read: neither blank nor endless, and nothing that could pass
/// for another line of a log.
fn checked<'a>(what: &str, text: &'a str, most: usize) -> Result<&'a str> {
    let text = text.trim();
    let length = text.chars().count();
    let wrong = if length == 0 {
        "is blank"
    } else if length > most {
        "is too long"
    } else if text.chars().any(char::is_control) {
        "has control characters in it"
    } else {
        return Ok(text);
    };
    Err(Error::InvalidInput(format!(
        "the {what} of a system access {wrong}: write 1 to {most} characters of one line; got `{}`",
        shown(text)
    )))
}

/// Lets the system role add to the trail.
pub(crate) async fn grant(owner: &Pool, system_role: &str) -> Result<()> {
    let role = quoted(system_role);
    let mut transaction = owner.begin().await?;
    // A registry of the application's own may not have made the table, which
    // `verify` reports.
    let sql = format!(
        "DO $$ BEGIN IF to_regclass('tenancy.system_access') IS NOT NULL THEN
            GRANT USAGE ON SCHEMA tenancy TO {role};
            GRANT INSERT ({WRITTEN}) ON tenancy.system_access TO {role};
        END IF; END $$"
    );
    let conn = transaction.conn();
    conn.batch_execute(LOCK).await?;
    conn.batch_execute(&sql).await?;
    transaction.commit().await
}

#[derive(diesel::QueryableByName)]
struct Found {
    #[diesel(sql_type = diesel::sql_types::Bool)]
    missing: bool,
    #[diesel(sql_type = diesel::sql_types::Bool)]
    insertable: bool,
    #[diesel(sql_type = Array<Text>)]
    beyond: Vec<String>,
    #[diesel(sql_type = Array<Text>)]
    of_app: Vec<String>,
}

/// `$1`: the application's role, `$2`: the system role or NULL, `$3`: the columns
/// that it writes.
const FACTS: &str = "
    SELECT c.oid IS NULL AS missing,
        c.oid IS NOT NULL AND $2 IS NOT NULL
            AND has_schema_privilege($2, c.relnamespace, 'USAGE')
            AND (SELECT bool_and(has_column_privilege($2, c.oid, w, 'INSERT')) FROM unnest($3) w)
            AS insertable,
        ARRAY(SELECT p FROM unnest(ARRAY['SELECT', 'UPDATE', 'REFERENCES']) p
            WHERE has_any_column_privilege($2, c.oid, p)
            UNION ALL SELECT p FROM unnest(ARRAY['DELETE', 'TRUNCATE', 'TRIGGER']) p
            WHERE has_table_privilege($2, c.oid, p)
            UNION ALL SELECT 'INSERT' WHERE EXISTS (SELECT FROM pg_catalog.pg_attribute a
                WHERE a.attrelid = c.oid AND a.attnum > 0 AND a.attname <> ALL ($3)
                AND has_column_privilege($2, c.oid, a.attnum, 'INSERT'))) AS beyond,
        ARRAY(SELECT p FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) p
            WHERE has_any_column_privilege($1, c.oid, p)
            UNION ALL SELECT p FROM unnest(ARRAY['DELETE', 'TRUNCATE', 'TRIGGER']) p
            WHERE has_table_privilege($1, c.oid, p)) AS of_app
    FROM (SELECT to_regclass('tenancy.system_access') AS oid) t
    LEFT JOIN pg_catalog.pg_class c ON c.oid = t.oid";

/// What is wrong with the trail, each with what mends it.
pub(crate) async fn verify(
    app: &Pool,
    app_role: &str,
    system_role: Option<&str>,
) -> Result<Vec<Problem>> {
    let columns: Vec<&str> = WRITTEN.split(", ").collect();
    let rows: Vec<Found> = app
        .read(
            diesel::sql_query(FACTS)
                .bind::<Text, _>(app_role.to_owned())
                .bind::<Nullable<Text>, _>(system_role.map(str::to_owned))
                .bind::<Array<Text>, _>(columns),
        )
        .await?;
    let found = rows
        .into_iter()
        .next()
        .ok_or_else(|| Error::internal("the trail's facts have no row"))?;
    Ok(found.problems(app_role, system_role))
}

impl Found {
    fn problems(self, app_role: &str, system_role: Option<&str>) -> Vec<Problem> {
        const TABLE: &str = "tenancy.system_access";
        let mut problems = Vec::new();
        let mut wrong = |wrong: String, remedy: String| {
            problems.push(Problem::new(format!("the table {TABLE}"), wrong, remedy));
        };
        if !self.of_app.is_empty() {
            let (granted, role) = (self.of_app.join(", "), quoted(app_role));
            wrong(
                format!("grants the application's role {role} {granted}, and it needs none of it"),
                format!("run: REVOKE {granted} ON {TABLE} FROM {role}, PUBLIC"),
            );
        }
        let Some(role) = system_role.map(quoted) else {
            return problems;
        };
        if self.missing {
            wrong(
                "is missing, and there is no system access without a trail".to_owned(),
                "run the subcommand `migrate` with TENANCY_OWNER_DATABASE_URL set; a registry of \
                 the application's own has to make it"
                    .to_owned(),
            );
        } else if !self.insertable {
            wrong(
                format!("is not granted to {role}: INSERT"),
                format!(
                    "run: GRANT USAGE ON SCHEMA tenancy TO {role}; \
                     GRANT INSERT ({WRITTEN}) ON {TABLE} TO {role}"
                ),
            );
        }
        if !self.beyond.is_empty() {
            let beyond = self.beyond.join(", ");
            wrong(
                format!("grants {role} more than it should: {beyond} (rows are only added to it)"),
                format!(
                    "run: REVOKE {beyond} ON {TABLE} FROM {role}, PUBLIC; \
                     GRANT INSERT ({WRITTEN}) ON {TABLE} TO {role}"
                ),
            );
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_and_a_reason_are_one_line_that_says_something() {
        let long = "x".repeat(MAX_ACTOR + 1);
        for bad in ["", "  \t", "a\nb", "a\0", &long] {
            assert!(Access::new(bad, "reason").is_err(), "{bad:?}");
        }
        let long = "x".repeat(MAX_REASON + 1);
        for bad in ["", " ", "a\rb", &long] {
            assert!(Access::new("actor", bad).is_err(), "{bad:?}");
        }
        let access = Access::new(" ada ", "ticket 7: «é»").unwrap();
        assert_eq!((access.actor, access.reason), ("ada", "ticket 7: «é»"));
    }
}
