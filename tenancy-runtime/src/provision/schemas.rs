use diesel::sql_types::{Array, Text};

use crate::db::Pool;
use crate::error::Result;
use crate::model::quoted;
use crate::problem::Problem;

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
