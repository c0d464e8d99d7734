use diesel::OptionalExtension as _;
use diesel::sql_types::{Array, Text};
use diesel_async::RunQueryDsl as _;

use crate::db::{Pool, Transaction};
use crate::error::{Error, Result};
use crate::model::quoted;
use crate::problem::Problem;
use crate::tenant::SchemaName;

/// Refuses a schema for a new tenant that is there already: whatever is in it is
/// somebody's data. Asked beforehand, as Diesel does not tell this error of
/// `CREATE SCHEMA` from others.
pub(super) async fn refuse_taken(transaction: &mut Transaction, own: &SchemaName) -> Result<()> {
    #[derive(diesel::QueryableByName)]
    struct Owner {
        #[diesel(sql_type = Text)]
        role: String,
    }
    let owner: Option<Owner> = diesel::sql_query(
        "SELECT pg_get_userbyid(nspowner)::text AS role FROM pg_catalog.pg_namespace \
         WHERE nspname = $1",
    )
    .bind::<Text, _>(own.as_str())
    .get_result(transaction.conn())
    .await
    .optional()?;
    let Some(Owner { role }) = owner else {
        return Ok(());
    };
    Err(Error::PlaceTaken(Problem::new(
        format!("the schema {}", own.quoted()),
        format!(
            "is there already, belongs to {} and is left alone",
            quoted(&role)
        ),
        "try again, as each attempt gets a schema of its own",
    )))
}

#[derive(diesel::QueryableByName)]
struct Closed {
    #[diesel(sql_type = Text)]
    schema: String,
    #[diesel(sql_type = Text)]
    role: String,
}

/// The schemas that one of the roles cannot enter, so that no grant on what is
/// in them helps it.
pub(super) async fn closed(
    app: &Pool,
    schemas: Vec<&str>,
    roles: Vec<&str>,
) -> Result<Vec<Problem>> {
    let closed: Vec<Closed> = app
        .read(
            diesel::sql_query(
                "SELECT n.nspname::text AS schema, r.role FROM pg_catalog.pg_namespace n, \
                 unnest($2) r(role) WHERE n.nspname = ANY($1) \
                 AND NOT has_schema_privilege(r.role, n.oid, 'USAGE') ORDER BY 1, 2",
            )
            .bind::<Array<Text>, _>(schemas)
            .bind::<Array<Text>, _>(roles),
        )
        .await?;
    Ok(closed.into_iter().map(Closed::problem).collect())
}

impl Closed {
    fn problem(self) -> Problem {
        let (schema, role) = (quoted(&self.schema), quoted(&self.role));
        Problem::new(
            format!("the schema {schema}"),
            format!("is not granted to {role}: USAGE"),
            format!("run: GRANT USAGE ON SCHEMA {schema} TO {role}"),
        )
    }
}
