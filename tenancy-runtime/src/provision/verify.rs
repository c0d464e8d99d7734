//! Whether the tables that are there are the ones we would make: present, owned
//! by somebody else than the application, under enabled and forced row-level
//! security with exactly our policies, keys that lead with `tenant_id`, and
//! exactly the grants; and whether the application's role reaches nothing else
//! (`relations`, `definers`).
//!
//! What differs is named with the statement that mends it. Everything is read
//! from the catalog by the application's own role, which may read it all.

use diesel::sql_types::{Array, Bool, Nullable, Text};

use super::relations::{self, Known};
use super::{Tables, definers, kept, keys, rights, schemas, secrets};
use crate::db::Pool;
use crate::error::Result;
use crate::isolation::rls;
use crate::model::{Audience, Layout, ModelDef, PRIVILEGES_TENANT, ROLL, quoted};
use crate::problem::Problem;
use crate::tenant::SchemaName;

/// Checks the shared schema and the tenants' own ones.
///
/// # Errors
///
/// Those of the database.
pub async fn verify(
    app: &Pool,
    tables: &Tables,
    with_tenants: bool,
    own: &[SchemaName],
) -> Result<Vec<Problem>> {
    let mut expected = Vec::new();
    expect(&mut expected, tables.in_shared_schema(with_tenants));
    for schema in own {
        expect(&mut expected, tables.in_own_schema(schema));
    }
    let mut problems = Vec::new();
    let names: Vec<(&str, &str)> = expected.iter().map(Expected::name).collect();
    let found = facts(app, tables, &names).await?;
    for (table, found) in expected.iter().zip(found) {
        let found = if table.model.append_only {
            found.without_inserts()
        } else {
            found
        };
        compare(&mut problems, tables, table, &found);
    }
    problems.extend(others(app, tables, own, &expected).await?);
    problems.extend(definers::open(app, tables).await?);
    for column in columns(app, &expected).await? {
        problems.push(column.problem());
    }
    let schemas = expected.iter().map(Expected::schema).collect();
    problems.extend(schemas::closed(app, schemas, tables.roles()).await?);
    let named: Vec<_> = expected
        .iter()
        .map(|table| (table.layout, table.model))
        .collect();
    problems.extend(kept::verify(app, &named, &tables.roles()).await?);
    problems.extend(keys::missing(app, named.into_iter()).await?);
    let guarded = expected.iter().filter(|table| table.is_guarded());
    let guarded = guarded.map(|table| table.model.table).collect();
    let shared = tables.shared_schema().as_str();
    problems.extend(rights::off_the_roll(app, shared, guarded).await?);
    let counted = expected.iter().filter_map(|table| {
        let quota = table.model.quota?;
        Some((table.schema(), table.model.table, quota.name()))
    });
    problems.extend(rights::uncounted(app, counted.collect()).await?);
    problems.extend(rights::beyond(app, tables).await?);
    problems.extend(secrets::loose(app, tables).await?);
    Ok(problems)
}

/// A table that should be there.
struct Expected<'a> {
    layout: Layout<'a>,
    model: &'static ModelDef,
}

fn expect<'a>(
    expected: &mut Vec<Expected<'a>>,
    (layout, models): (Layout<'a>, Vec<&'static ModelDef>),
) {
    expected.extend(models.into_iter().map(|model| Expected { layout, model }));
}

impl Expected<'_> {
    fn schema(&self) -> &str {
        self.layout.schema_of(self.model).as_str()
    }

    fn name(&self) -> (&str, &str) {
        (self.schema(), self.model.table)
    }

    fn is_guarded(&self) -> bool {
        self.layout.has_tenant_id(self.model)
    }
}

/// What is wrong with that for which there is no model.
async fn others(
    app: &Pool,
    tables: &Tables,
    own: &[SchemaName],
    expected: &[Expected<'_>],
) -> Result<Vec<Problem>> {
    let shared = tables.shared_schema().as_str();
    let models = expected.iter().map(|table| Known {
        schema: table.schema(),
        table: table.model.table,
        for_all: table.model.audience == Audience::Shared,
    });
    // What the role may do with it is told by `rights`.
    let roll = Known {
        schema: shared,
        table: ROLL,
        for_all: false,
    };
    let known: Vec<_> = models.chain([roll]).collect();
    let others = relations::strangers(app, tables, own, &known).await?;
    let mut problems = others.problems;
    let names = others.with_tenant_id.iter().map(|table| (shared, &**table));
    let names: Vec<_> = names.collect();
    let role = quoted(tables.app_role());
    for ((schema, table), found) in names.iter().zip(facts(app, tables, &names).await?) {
        let name = format!("{}.{}", quoted(schema), quoted(table));
        let mut wrong = |wrong: String, remedy: String| {
            problems.push(Problem::new(format!("the table {name}"), wrong, remedy));
        };
        guarded(&found, &name, &mut wrong);
        let due = (PRIVILEGES_TENANT, NOT_HELD);
        beyond(due, &found.granted, &name, &role, &mut wrong);
    }
    let names = names.iter().map(|(_, table)| *table).collect();
    problems.extend(rights::off_the_roll(app, shared, names).await?);
    Ok(problems)
}

/// A table as the catalog knows it.
#[derive(diesel::QueryableByName)]
pub(super) struct Found {
    #[diesel(sql_type = Bool)]
    pub(super) missing: bool,
    #[diesel(sql_type = Bool)]
    owned_by_app: bool,
    #[diesel(sql_type = Bool)]
    enabled: bool,
    #[diesel(sql_type = Bool)]
    forced: bool,
    #[diesel(sql_type = Array<Text>)]
    pub(super) granted: Vec<String>,
    #[diesel(sql_type = Array<Text>)]
    pub(super) granted_on_columns: Vec<String>,
    #[diesel(sql_type = Array<Text>)]
    pub(super) granted_to_system: Vec<String>,
    #[diesel(sql_type = Array<Text>)]
    policies: Vec<String>,
    #[diesel(sql_type = Array<Text>)]
    loose_keys: Vec<String>,
}

/// One row for each expected table, in their order. A foreign key to a table
/// without `tenant_id` has none to lead with, and tells nothing of other tenants.
const FACTS: &str = "
    SELECT c.oid IS NULL AS missing,
        coalesce(pg_get_userbyid(c.relowner) = $3, false) AS owned_by_app,
        coalesce(c.relrowsecurity, false) AS enabled,
        coalesce(c.relforcerowsecurity, false) AS forced,
        ARRAY(SELECT p FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE',
                'REFERENCES', 'TRIGGER']) p
            WHERE c.oid IS NOT NULL AND has_table_privilege($3, c.oid, p)) AS granted,
        ARRAY(SELECT p FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) p
            WHERE c.oid IS NOT NULL AND has_any_column_privilege($3, c.oid, p)
            AND NOT has_table_privilege($3, c.oid, p)) AS granted_on_columns,
        ARRAY(SELECT p FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE',
                'REFERENCES', 'TRIGGER']) p
            WHERE c.oid IS NOT NULL AND has_table_privilege($4, c.oid, p)) AS granted_to_system,
        ARRAY(SELECT {policy}
            FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid ORDER BY p.polname) AS policies,
        ARRAY(SELECT i.indexrelid::regclass::text FROM pg_catalog.pg_index i
            LEFT JOIN pg_catalog.pg_attribute a
                ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
            WHERE i.indrelid = c.oid AND i.indisunique
                AND a.attname IS DISTINCT FROM 'tenant_id'
            UNION ALL
            SELECT k.conname::text FROM pg_catalog.pg_constraint k
            JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
            WHERE k.conrelid = c.oid AND k.contype = 'f' AND a.attname <> 'tenant_id'
                AND EXISTS (SELECT FROM pg_catalog.pg_attribute t
                    WHERE t.attrelid = k.confrelid AND t.attname = 'tenant_id')
            ORDER BY 1) AS loose_keys
    FROM unnest($1, $2) WITH ORDINALITY AS e(schema, tab, position)
    LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = e.schema
    LEFT JOIN pg_catalog.pg_class c
        ON c.relnamespace = n.oid AND c.relname = e.tab AND c.relkind IN ('r', 'p')
    ORDER BY e.position";

impl Found {
    /// Without what is granted column by column, which `kept` looks at.
    fn without_inserts(mut self) -> Self {
        let granted = [
            &mut self.granted,
            &mut self.granted_on_columns,
            &mut self.granted_to_system,
        ];
        for granted in granted {
            granted.retain(|privilege| privilege != "INSERT");
        }
        self
    }
}

pub(super) async fn facts(
    app: &Pool,
    tables: &Tables,
    names: &[(&str, &str)],
) -> Result<Vec<Found>> {
    let (schemas, names): (Vec<&str>, Vec<&str>) = names.iter().copied().unzip();
    app.read(
        diesel::sql_query(FACTS.replace("{policy}", rls::POLICY_IN_CATALOG))
            .bind::<Array<Text>, _>(schemas)
            .bind::<Array<Text>, _>(names)
            .bind::<Text, _>(tables.app_role())
            .bind::<Nullable<Text>, _>(tables.system()),
    )
    .await
}

fn compare(problems: &mut Vec<Problem>, tables: &Tables, table: &Expected<'_>, found: &Found) {
    let name = format!("{}.{}", quoted(table.schema()), quoted(table.model.table));
    let role = quoted(tables.app_role());
    let mut wrong = |wrong: String, remedy: String| {
        problems.push(Problem::new(format!("the table {name}"), wrong, remedy));
    };
    if found.missing {
        let model = table.model.name;
        let remedy = if table.model.migrated {
            "make it in a migration, and run the subcommand `migrate`; if it was there before, \
             restore it"
        } else {
            "run the subcommand `migrate` with TENANCY_OWNER_DATABASE_URL set; if it was there \
             before, restore it"
        };
        wrong(
            format!("of the model `{model}` is missing"),
            remedy.to_owned(),
        );
        return;
    }
    if found.owned_by_app {
        wrong(
            format!("is owned by the application's role {role}"),
            format!("run: ALTER TABLE {name} OWNER TO the owner's role"),
        );
    }
    if table.is_guarded() {
        guarded(found, &name, &mut wrong);
    }
    grants(table.model, &found.granted, &name, &role, &mut wrong);
    let due = due(table.model);
    beyond(due, &found.granted_on_columns, &name, &role, &mut wrong);
    if let Some(system) = tables.system() {
        let role = quoted(system);
        grants(
            table.model,
            &found.granted_to_system,
            &name,
            &role,
            &mut wrong,
        );
    }
}

pub(super) fn guarded(found: &Found, name: &str, wrong: &mut impl FnMut(String, String)) {
    if !found.enabled {
        wrong(
            "is not under row-level security".to_owned(),
            format!("run: ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"),
        );
    }
    if !found.forced {
        wrong(
            "does not hold its owner to row-level security".to_owned(),
            format!("run: ALTER TABLE {name} FORCE ROW LEVEL SECURITY"),
        );
    }
    for policy in rls::policies(name) {
        if !found.policies.contains(&policy.catalog) {
            let (policy, create) = (policy.name, policy.create);
            wrong(
                format!("has no policy `{policy}` as it should be"),
                format!("run: DROP POLICY IF EXISTS {policy} ON {name}; {create}"),
            );
        }
    }
    for line in &found.policies {
        let policy = line.split('|').next().unwrap_or_default();
        if policy != rls::ACCESS_POLICY && policy != rls::ISOLATION_POLICY {
            wrong(
                format!("has the policy `{policy}`, which no model declares"),
                format!("run: DROP POLICY {} ON {name}", quoted(policy)),
            );
        }
    }
    for key in &found.loose_keys {
        wrong(
            format!(
                "has the key `{key}`, which does not lead with {}: its errors tell of other \
                 tenants' rows",
                rls::COLUMN
            ),
            format!("make it anew with {} as the first column", rls::COLUMN),
        );
    }
}

fn grants(
    model: &ModelDef,
    granted: &[String],
    name: &str,
    role: &str,
    wrong: &mut impl FnMut(String, String),
) {
    let has = |privilege: &str| granted.iter().any(|granted| granted == privilege);
    let (privileges, _) = due(model);
    let missing = privileges.iter().copied();
    let missing: Vec<&str> = missing.filter(|privilege| !has(privilege)).collect();
    if !missing.is_empty() {
        let missing = missing.join(", ");
        wrong(
            format!("is not granted to {role}: {missing}"),
            format!("run: GRANT {missing} ON {name} TO {role}"),
        );
    }
    beyond(due(model), granted, name, role, wrong);
}

const NOT_HELD: &str = "row-level security does not hold these";

/// What a role should have of a model's table, and why it should have no more.
fn due(model: &ModelDef) -> (&'static [&'static str], &'static str) {
    let why = match model.audience {
        Audience::Shared => "all tenants read the table, so none may write it",
        Audience::Tenant if model.append_only => "what is written there stays as it is",
        Audience::Tenant => NOT_HELD,
    };
    (model.privileges(), why)
}

/// Privileges that the role should not have.
fn beyond(
    (due, why): (&[&str], &str),
    granted: &[String],
    name: &str,
    role: &str,
    wrong: &mut impl FnMut(String, String),
) {
    let granted = granted.iter().map(String::as_str);
    let beyond: Vec<&str> = granted.filter(|granted| !due.contains(granted)).collect();
    if !beyond.is_empty() {
        let beyond = beyond.join(", ");
        wrong(
            format!("grants {role} more than it should: {beyond} ({why})"),
            format!("run: REVOKE {beyond} ON {name} FROM {role}, PUBLIC"),
        );
    }
}

/// A column that is not as the model declares it.
#[derive(diesel::QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    schema: String,
    #[diesel(sql_type = Text)]
    table: String,
    #[diesel(sql_type = Text)]
    column: String,
    #[diesel(sql_type = Text)]
    declared: String,
    #[diesel(sql_type = Bool)]
    nullable: bool,
    #[diesel(sql_type = Nullable<Text>)]
    found: Option<String>,
}

const COLUMNS: &str = "
    SELECT e.schema, e.tab AS table, e.col AS column, e.declared, e.nullable,
        format_type(a.atttypid, a.atttypmod)
            || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END AS found
    FROM unnest($1, $2, $3, $4, $5) AS e(schema, tab, col, declared, nullable)
    JOIN pg_catalog.pg_namespace n ON n.nspname = e.schema
    JOIN pg_catalog.pg_class c
        ON c.relnamespace = n.oid AND c.relname = e.tab AND c.relkind IN ('r', 'p')
    LEFT JOIN pg_catalog.pg_attribute a
        ON a.attrelid = c.oid AND a.attname = e.col AND a.attnum > 0 AND NOT a.attisdropped
    WHERE a.attname IS NULL OR a.attnotnull = e.nullable
        OR a.atttypid IS DISTINCT FROM to_regtype(e.declared)::oid
    ORDER BY 1, 2, 3";

async fn columns(app: &Pool, expected: &[Expected<'_>]) -> Result<Vec<Column>> {
    let mut rows = Vec::new();
    for table in expected {
        let tenant_id = (rls::COLUMN, "uuid", false);
        let lead = table.is_guarded().then_some(tenant_id);
        let columns = table.model.columns.iter();
        let columns = columns.map(|column| (column.name, column.sql_type, column.nullable));
        for (column, sql_type, nullable) in lead.into_iter().chain(columns) {
            rows.push((
                table.schema(),
                table.model.table,
                column,
                sql_type,
                nullable,
            ));
        }
    }
    app.read(
        diesel::sql_query(COLUMNS)
            .bind::<Array<Text>, _>(rows.iter().map(|row| row.0).collect::<Vec<_>>())
            .bind::<Array<Text>, _>(rows.iter().map(|row| row.1).collect::<Vec<_>>())
            .bind::<Array<Text>, _>(rows.iter().map(|row| row.2).collect::<Vec<_>>())
            .bind::<Array<Text>, _>(rows.iter().map(|row| row.3).collect::<Vec<_>>())
            .bind::<Array<Bool>, _>(rows.iter().map(|row| row.4).collect::<Vec<_>>()),
    )
    .await
}

impl Column {
    fn problem(&self) -> Problem {
        let table = format!("{}.{}", quoted(&self.schema), quoted(&self.table));
        let null = if self.nullable { "" } else { " not null" };
        let declared = format!("{}{null}", self.declared);
        let (wrong, remedy) = match &self.found {
            None => (
                "is missing".to_owned(),
                format!(
                    "run: ALTER TABLE {table} ADD COLUMN {} {declared}",
                    quoted(&self.column)
                ),
            ),
            Some(found) => (
                format!("is `{found}` and the model declares `{declared}`"),
                format!("change the model, or the column with ALTER TABLE {table}"),
            ),
        };
        Problem::new(
            format!("the column {table}.{}", quoted(&self.column)),
            wrong,
            remedy,
        )
    }
}
