//! What the application's login may do besides what it should: a role that
//! row-level security does not hold makes every policy worthless ([Row Security
//! Policies]), so the application does not start with one.
//!
//! [Row Security Policies]: https://www.postgresql.org/docs/current/ddl-rowsecurity.html

use diesel::sql_types::{Array, Bool, Text};

use crate::db::Pool;
use crate::error::{Error, Result};
use crate::model::quoted;
use crate::problem::Problem;
use crate::tenant::SchemaName;

/// The role that a pool's statements run as.
///
/// # Errors
///
/// Those of the database.
pub async fn role_of(pool: &Pool) -> Result<String> {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        role: String,
    }
    let rows: Vec<Row> = pool
        .read(diesel::sql_query("SELECT current_user::text AS role"))
        .await?;
    let row = rows.into_iter().next();
    row.map(|row| row.role)
        .ok_or_else(|| Error::internal("current_user has no row"))
}

#[derive(diesel::QueryableByName)]
struct Powers {
    #[diesel(sql_type = Text)]
    role: String,
    #[diesel(sql_type = Bool)]
    superuser: bool,
    #[diesel(sql_type = Bool)]
    bypassrls: bool,
    #[diesel(sql_type = Bool)]
    createrole: bool,
    #[diesel(sql_type = Bool)]
    replication: bool,
    #[diesel(sql_type = Bool)]
    owns_database: bool,
    #[diesel(sql_type = Bool)]
    makes_temporary_tables: bool,
    #[diesel(sql_type = Text)]
    database: String,
    #[diesel(sql_type = Array<Text>)]
    placeholders: Vec<String>,
    #[diesel(sql_type = Array<Text>)]
    owned: Vec<String>,
    #[diesel(sql_type = Array<Text>)]
    memberships: Vec<String>,
}

/// `$1`: the owner's role, or empty; `$2`: the schema of the shared tables. A
/// superuser may make temporary tables, and so may who owns the database: nothing
/// that could be revoked, and named already. A superuser is a member of every role as
/// far as `pg_has_role` goes, so memberships are asked of others only.
const POWERS: &str = "
    SELECT r.rolname::text AS role, r.rolsuper AS superuser, r.rolbypassrls AS bypassrls,
        r.rolcreaterole AS createrole, r.rolreplication AS replication,
        EXISTS (SELECT FROM pg_catalog.pg_database d
            WHERE d.datname = current_database() AND d.datdba = r.oid) AS owns_database,
        NOT r.rolsuper AND has_database_privilege(r.oid, current_database(), 'TEMPORARY')
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_database d
                WHERE d.datname = current_database() AND d.datdba = r.oid)
            AS makes_temporary_tables,
        current_database()::text AS database,
        ARRAY(SELECT n.nspname::text FROM pg_catalog.pg_namespace n
            WHERE n.nspname IN ('tenant', 'shared') AND n.nspname <> $2
            ORDER BY 1) AS placeholders,
        ARRAY(SELECT c.oid::regclass::text FROM pg_catalog.pg_class c
            WHERE c.relowner = r.oid AND c.relkind IN ('r', 'p', 'v', 'm')
            ORDER BY 1 LIMIT 5) AS owned,
        ARRAY(SELECT o.rolname::text FROM pg_catalog.pg_roles o
            WHERE o.oid <> r.oid AND NOT r.rolsuper AND pg_has_role(r.oid, o.oid, 'MEMBER')
            AND (o.rolsuper OR o.rolbypassrls OR o.rolcreaterole OR o.rolreplication
                OR o.rolname = $1
                OR o.rolname IN ('pg_read_all_data', 'pg_write_all_data',
                    'pg_read_server_files', 'pg_write_server_files',
                    'pg_execute_server_program')
                OR EXISTS (SELECT FROM pg_catalog.pg_class c
                    JOIN pg_catalog.pg_policy p ON p.polrelid = c.oid WHERE c.relowner = o.oid))
            ORDER BY 1) AS memberships
    FROM pg_catalog.pg_roles r WHERE r.rolname = current_user";

/// Everything that makes the application's role unsafe, each with the statement
/// that mends it. `owner_role` is the role that owns the tables, where known, and
/// `shared` the schema of the shared ones.
///
/// # Errors
///
/// Those of the database.
pub async fn probe(
    app: &Pool,
    owner_role: Option<&str>,
    shared: &SchemaName,
) -> Result<Vec<Problem>> {
    let powers = diesel::sql_query(POWERS)
        .bind::<Text, _>(owner_role.unwrap_or_default().to_owned())
        .bind::<Text, _>(shared.to_string());
    let rows: Vec<Powers> = app.read(powers).await?;
    let powers = rows
        .into_iter()
        .next()
        .ok_or_else(|| Error::internal("the application's role is not in pg_roles"))?;
    Ok(powers.problems(owner_role))
}

impl Powers {
    fn problems(self, owner_role: Option<&str>) -> Vec<Problem> {
        let about = format!("the application's role `{}`", self.role);
        let role = quoted(&self.role);
        let mut problems = Vec::new();
        let mut found = |wrong: String, remedy: String| {
            problems.push(Problem::new(&*about, wrong, format!("run: {remedy}")));
        };
        for (held, attribute, why) in [
            (
                self.superuser,
                "SUPERUSER",
                "row-level security does not hold it",
            ),
            (
                self.bypassrls,
                "BYPASSRLS",
                "row-level security does not hold it",
            ),
            (
                self.createrole,
                "CREATEROLE",
                "it can make itself another role",
            ),
            (
                self.replication,
                "REPLICATION",
                "it can read every row from the log",
            ),
        ] {
            if held {
                found(
                    format!("has {attribute}, so {why}"),
                    format!("ALTER ROLE {role} NO{attribute}"),
                );
            }
        }
        if self.owns_database {
            found(
                "owns the database, so it can change what protects it".to_owned(),
                "ALTER DATABASE … OWNER TO another role".to_owned(),
            );
        }
        if self.makes_temporary_tables {
            found(
                "may make temporary tables, which stay on their connection and are found before \
                 all others"
                    .to_owned(),
                format!(
                    "REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC, {role}",
                    quoted(&self.database)
                ),
            );
        }
        if !self.owned.is_empty() {
            found(
                format!(
                    "owns {}, and an owner can lift row-level security",
                    self.owned.join(", ")
                ),
                format!("REASSIGN OWNED BY {role} TO another role"),
            );
        }
        for group in &self.memberships {
            let reason = if owner_role == Some(group) {
                "which owns the tables"
            } else {
                "which can do more than an application may"
            };
            found(
                format!("is a member of `{group}`, {reason}"),
                format!("REVOKE {} FROM {role}", quoted(group)),
            );
        }
        for schema in &self.placeholders {
            problems.push(Problem::new(
                format!("the schema `{schema}`"),
                "is called like a placeholder, so a query that forgets the quotes reaches it",
                format!(
                    "run: ALTER SCHEMA {} RENAME TO another name",
                    quoted(schema)
                ),
            ));
        }
        problems
    }
}
