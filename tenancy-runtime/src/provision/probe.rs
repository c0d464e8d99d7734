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
    #[diesel(sql_type = Array<Text>)]
    owned: Vec<String>,
    #[diesel(sql_type = Array<Text>)]
    owned_schemas: Vec<String>,
    #[diesel(sql_type = Array<Text>)]
    creates_in: Vec<String>,
    #[diesel(sql_type = Array<Text>)]
    memberships: Vec<String>,
}

/// `$1`: the owner's role, or empty. A superuser is a member of every role as
/// far as `pg_has_role` goes, so memberships are asked of others only, and so
/// are privileges. `pg_database_owner` stands for the database's owner.
const POWERS: &str = "
    SELECT r.rolname::text AS role, r.rolsuper AS superuser, r.rolbypassrls AS bypassrls,
        r.rolcreaterole AS createrole, r.rolreplication AS replication,
        EXISTS (SELECT FROM pg_catalog.pg_database d
            WHERE d.datname = current_database() AND d.datdba = r.oid) AS owns_database,
        ARRAY(SELECT c.oid::regclass::text FROM pg_catalog.pg_class c
            WHERE c.relowner = r.oid AND c.relkind IN ('r', 'p', 'v', 'm')
            ORDER BY 1 LIMIT 5) AS owned,
        ARRAY(SELECT n.nspname::text FROM pg_catalog.pg_namespace n
            WHERE n.nspowner = r.oid AND n.nspname !~ '^pg_' ORDER BY 1) AS owned_schemas,
        ARRAY(SELECT format('SCHEMA %I', n.nspname) FROM pg_catalog.pg_namespace n
            WHERE NOT r.rolsuper AND n.nspowner <> r.oid AND n.nspname !~ '^pg_'
                AND has_schema_privilege(r.oid, n.oid, 'CREATE')
            UNION ALL
            SELECT format('DATABASE %I', d.datname) FROM pg_catalog.pg_database d
            WHERE NOT r.rolsuper AND d.datdba <> r.oid AND d.datname = current_database()
                AND has_database_privilege(r.oid, d.oid, 'CREATE')
            ORDER BY 1) AS creates_in,
        ARRAY(SELECT o.rolname::text FROM pg_catalog.pg_roles o
            WHERE o.oid <> r.oid AND NOT r.rolsuper AND pg_has_role(r.oid, o.oid, 'MEMBER')
            AND (o.rolsuper OR o.rolbypassrls OR o.rolcreaterole OR o.rolreplication
                OR o.rolname = $1
                OR o.rolname IN ('pg_read_all_data', 'pg_write_all_data',
                    'pg_read_server_files', 'pg_write_server_files',
                    'pg_execute_server_program')
                OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relowner = o.oid
                    AND c.relkind IN ('r', 'p', 'v', 'm'))
                OR EXISTS (SELECT FROM pg_catalog.pg_namespace n WHERE n.nspowner = o.oid
                    AND n.nspname !~ '^pg_' AND o.rolname <> 'pg_database_owner'))
            ORDER BY 1) AS memberships
    FROM pg_catalog.pg_roles r WHERE r.rolname = current_user";

/// Everything that makes the application's role unsafe, each with the statement
/// that mends it. `owner_role` is the role that owns the tables, where known.
///
/// # Errors
///
/// Those of the database.
pub async fn probe(app: &Pool, owner_role: Option<&str>) -> Result<Vec<Problem>> {
    let owner = owner_role.unwrap_or_default().to_owned();
    let rows: Vec<Powers> = app
        .read(diesel::sql_query(POWERS).bind::<Text, _>(owner))
        .await?;
    let powers = rows
        .into_iter()
        .next()
        .ok_or_else(|| Error::internal("the application's role is not in pg_roles"))?;
    Ok(powers.problems(owner_role))
}

/// Whether a login works as the role that it logs in as. One that takes another
/// role when it connects (`options=-c role=…`) can go back with any statement.
///
/// # Errors
///
/// Those of the database.
pub async fn login(app: &Pool) -> Result<Vec<Problem>> {
    #[derive(diesel::QueryableByName)]
    struct Login {
        #[diesel(sql_type = Text)]
        login: String,
        #[diesel(sql_type = Text)]
        role: String,
    }
    let rows: Vec<Login> = app
        .read(diesel::sql_query(
            "SELECT session_user::text AS login, current_user::text AS role \
             WHERE session_user <> current_user",
        ))
        .await?;
    let problem = |row: Login| {
        Problem::new(
            format!("the application's login `{}`", row.login),
            format!(
                "takes the role `{}` and can go back to its own with SET ROLE NONE",
                row.role
            ),
            format!(
                "log in as `{}` itself, without a role in the URL's options or in ALTER ROLE … SET",
                row.role
            ),
        )
    };
    Ok(rows.into_iter().map(problem).collect())
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
        if !self.owned.is_empty() {
            found(
                format!(
                    "owns {}, and an owner can lift row-level security",
                    self.owned.join(", ")
                ),
                format!("REASSIGN OWNED BY {role} TO another role"),
            );
        }
        for schema in &self.owned_schemas {
            let schema = quoted(schema);
            found(
                format!("owns the schema {schema}, so it can drop and replace what is in it"),
                format!("ALTER SCHEMA {schema} OWNER TO another role"),
            );
        }
        for place in &self.creates_in {
            found(
                format!("has CREATE on the {place}, and an application makes nothing"),
                format!("REVOKE CREATE ON {place} FROM {role}, PUBLIC"),
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
        problems
    }
}
