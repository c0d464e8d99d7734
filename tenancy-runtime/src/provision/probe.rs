//! What the logins may do besides what they should: an application's role that
//! row-level security does not hold makes every policy worthless ([Row Security
//! Policies]), so the application does not start with one. The system role has
//! to be past the policies, and nothing more than that.
//!
//! [Row Security Policies]: https://www.postgresql.org/docs/current/ddl-rowsecurity.html

use std::collections::BTreeMap;

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

/// Where a pool leads to. Servers are told apart by when they were started: two
/// addresses may lead to one.
#[derive(PartialEq, Eq, diesel::QueryableByName)]
pub(crate) struct LedTo {
    /// The database.
    #[diesel(sql_type = Text)]
    pub(crate) name: String,
    #[diesel(sql_type = Text)]
    pub(super) server: String,
}

impl LedTo {
    /// Asks there.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub(crate) async fn by(pool: &Pool) -> Result<Self> {
        let query = "SELECT current_database()::text AS name, \
             extract(epoch FROM pg_postmaster_start_time())::text AS server";
        let rows: Vec<Self> = pool.read(diesel::sql_query(query)).await?;
        let row = rows.into_iter().next();
        row.ok_or_else(|| Error::internal("current_database() has no row"))
    }
}

/// Those of a tenant's own roles that may connect to the application's own database,
/// on the same server, each with what mends it: there they could listen to what is told
/// of every tenant.
///
/// # Errors
///
/// Those of the database.
pub(super) async fn let_in_at_home(home: &Pool, roles: &[&str]) -> Result<Vec<Problem>> {
    #[derive(diesel::QueryableByName)]
    struct LetIn {
        #[diesel(sql_type = Text)]
        role: String,
        #[diesel(sql_type = Text)]
        database: String,
    }
    let query = diesel::sql_query(
        "SELECT rolname::text AS role, current_database()::text AS database \
         FROM pg_catalog.pg_roles WHERE rolname = ANY ($1) \
         AND has_database_privilege(oid, current_database(), 'CONNECT') ORDER BY 1",
    );
    let roles: Vec<String> = roles.iter().map(ToString::to_string).collect();
    let rows: Vec<LetIn> = home.read(query.bind::<Array<Text>, _>(roles)).await?;
    let problem = |LetIn { role, database }: LetIn| {
        let (about, database) = (format!("the role `{role}`"), quoted(&database));
        Problem::new(
            about,
            format!(
                "may connect to {database}, where it could listen to what is told of all tenants"
            ),
            format!(
                "grant CONNECT there to the application's own roles by name, and run: \
                 REVOKE CONNECT ON DATABASE {database} FROM {}, PUBLIC",
                quoted(&role)
            ),
        )
    };
    Ok(rows.into_iter().map(problem).collect())
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
    owned_schemas: Vec<String>,
    #[diesel(sql_type = Array<Text>)]
    creates_in: Vec<String>,
    #[diesel(sql_type = Array<Text>)]
    memberships: Vec<String>,
    #[diesel(sql_type = Array<Text>)]
    members: Vec<String>,
}

/// `$1`: the other roles; `$2`: the schema of the shared tables. A superuser is
/// a member of every role as far as `pg_has_role` goes, so memberships are asked
/// of others only, and so are privileges; who owns the database may do anything in
/// it, which is named already. `pg_database_owner` stands for that owner.
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
                OR o.rolname = ANY ($1)
                OR o.rolname IN ('pg_read_all_data', 'pg_write_all_data',
                    'pg_read_server_files', 'pg_write_server_files',
                    'pg_execute_server_program')
                OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relowner = o.oid
                    AND c.relkind IN ('r', 'p', 'v', 'm'))
                OR EXISTS (SELECT FROM pg_catalog.pg_namespace n WHERE n.nspowner = o.oid
                    AND n.nspname !~ '^pg_' AND o.rolname <> 'pg_database_owner'))
            ORDER BY 1) AS memberships,
        ARRAY(SELECT o.rolname::text FROM pg_catalog.pg_roles o
            WHERE o.oid <> r.oid AND NOT o.rolsuper AND pg_has_role(o.oid, r.oid, 'MEMBER')
            AND (o.rolname = ANY ($1) OR EXISTS (SELECT FROM pg_catalog.pg_class c
                    JOIN pg_catalog.pg_policy p ON p.polrelid = c.oid WHERE c.relowner = o.oid))
            ORDER BY 1) AS members
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
    let others = owner_role.map(|owner| (owner, OWNS)).into_iter().collect();
    let powers = Powers::of(app, &others, shared).await?;
    let mut problems = Report::about(format!("the application's role `{}`", powers.role));
    if powers.bypassrls {
        problems.held(
            &powers.role,
            "BYPASSRLS",
            "row-level security does not hold it",
        );
    }
    powers.report(&mut problems, &others);
    for schema in &powers.placeholders {
        problems.found.push(Problem::new(
            format!("the schema `{schema}`"),
            "is called like a placeholder, so a query that forgets the quotes reaches it",
            format!(
                "run: ALTER SCHEMA {} RENAME TO another name",
                quoted(schema)
            ),
        ));
    }
    Ok(problems.found)
}

/// Everything that makes the system role unsafe, or unfit for its work. It and
/// the other two roles must not be able to act as each other.
///
/// # Errors
///
/// Those of the database.
pub async fn probe_system(
    system: &Pool,
    app_role: &str,
    owner_role: Option<&str>,
    shared: &SchemaName,
) -> Result<Vec<Problem>> {
    let mut others: Others<'_> = owner_role.map(|owner| (owner, OWNS)).into_iter().collect();
    others.insert(app_role, "which serves tenants");
    let powers = Powers::of(system, &others, shared).await?;
    let role = quoted(&powers.role);
    let mut problems = Report::about(format!("the system role `{}`", powers.role));
    if !powers.bypassrls && !powers.superuser {
        problems.found(
            "has no BYPASSRLS, so row-level security hides all rows from it".to_owned(),
            &format!("ALTER ROLE {role} BYPASSRLS"),
        );
    }
    for member in &powers.members {
        problems.found(
            format!("has `{member}` as a member, which can so act for all tenants"),
            &format!("REVOKE {role} FROM {}", quoted(member)),
        );
    }
    powers.report(&mut problems, &others);
    Ok(problems.found)
}

/// The roles that another one must not be able to act as, and what they are.
type Others<'a> = BTreeMap<&'a str, &'static str>;

const OWNS: &str = "which owns the tables";

/// What is found about a role.
struct Report {
    about: String,
    found: Vec<Problem>,
}

impl Report {
    fn about(about: String) -> Self {
        let found = Vec::new();
        Self { about, found }
    }

    fn found(&mut self, wrong: String, remedy: &str) {
        let problem = Problem::new(&*self.about, wrong, format!("run: {remedy}"));
        self.found.push(problem);
    }

    fn held(&mut self, role: &str, attribute: &str, why: &str) {
        self.found(
            format!("has {attribute}, so {why}"),
            &format!("ALTER ROLE {} NO{attribute}", quoted(role)),
        );
    }
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
    /// Those of the role that `pool` works as, and what it has to do with `others`.
    async fn of(pool: &Pool, others: &Others<'_>, shared: &SchemaName) -> Result<Self> {
        let others: Vec<String> = others.keys().map(ToString::to_string).collect();
        let rows: Vec<Self> = pool
            .read(
                diesel::sql_query(POWERS)
                    .bind::<Array<Text>, _>(others)
                    .bind::<Text, _>(shared.to_string()),
            )
            .await?;
        let row = rows.into_iter().next();
        row.ok_or_else(|| Error::internal("a login's role is not in pg_roles"))
    }

    /// What neither the application nor system access may have.
    fn report(&self, problems: &mut Report, others: &Others<'_>) {
        let role = quoted(&self.role);
        for (held, attribute, why) in [
            (
                self.superuser,
                "SUPERUSER",
                "nothing that protects the database holds it",
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
                problems.held(&self.role, attribute, why);
            }
        }
        if self.owns_database {
            problems.found(
                "owns the database, so it can change what protects it".to_owned(),
                "ALTER DATABASE … OWNER TO another role",
            );
        }
        if self.makes_temporary_tables {
            problems.found(
                "may make temporary tables, which stay on their connection and are found before \
                 all others"
                    .to_owned(),
                &format!(
                    "REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC, {role}",
                    quoted(&self.database)
                ),
            );
        }
        if !self.owned.is_empty() {
            problems.found(
                format!(
                    "owns {}, and an owner can lift row-level security",
                    self.owned.join(", ")
                ),
                &format!("REASSIGN OWNED BY {role} TO another role"),
            );
        }
        for schema in &self.owned_schemas {
            let schema = quoted(schema);
            problems.found(
                format!("owns the schema {schema}, so it can drop and replace what is in it"),
                &format!("ALTER SCHEMA {schema} OWNER TO another role"),
            );
        }
        for place in &self.creates_in {
            problems.found(
                format!("has CREATE on the {place}, and an application makes nothing"),
                &format!("REVOKE CREATE ON {place} FROM {role}, PUBLIC"),
            );
        }
        for group in &self.memberships {
            let reason = others.get(&**group);
            let reason = reason.unwrap_or(&"which can do more than this role may");
            problems.found(
                format!("is a member of `{group}`, {reason}"),
                &format!("REVOKE {} FROM {role}", quoted(group)),
            );
        }
    }
}
