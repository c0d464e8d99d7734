//! Whether the application's role reaches anything that no model stands for.
//!
//! Row-level security is a property of single tables. A table that was forgotten
//! has none; a view reads with the rights of its owner unless it says otherwise;
//! a materialized view keeps rows whoever they belong to; a foreign table is held
//! by nothing here. So everything that the role has rights on must be known: a
//! model's table, one that is protected as those are, what lies in a schema of a
//! tenant's own, or exempt for a reason that somebody wrote down.

use diesel::sql_types::{Array, Bool, Nullable, Text};

use super::{Tables, migrations};
use crate::db::Pool;
use crate::error::Result;
use crate::isolation::rls;
use crate::model::quoted;
use crate::problem::Problem;
use crate::tenant::SchemaName;

/// A table, view, function or the like that is known without a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exemption {
    name: String,
    reason: String,
}

impl Exemption {
    /// Of `schema.name`, unquoted.
    pub(crate) fn new(name: &str, reason: &str) -> Result<Self, Problem> {
        let about = || format!("the exemption of `{name}`");
        let named = name.split_once('.');
        if named.is_none_or(|(schema, name)| schema.is_empty() || name.is_empty()) {
            let wrong = "does not name a schema and what lies in it";
            return Err(Problem::new(about(), wrong, "write \"public.name\""));
        }
        if reason.trim().is_empty() {
            let remedy = "say why no tenant's rows can be seen in it";
            return Err(Problem::new(about(), "has no reason", remedy));
        }
        Ok(Self {
            name: name.to_owned(),
            reason: reason.to_owned(),
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

/// A table that `verify` compares with its model.
pub(super) struct Known<'a> {
    pub(super) schema: &'a str,
    pub(super) table: &'a str,
    /// Whether all tenants read its rows.
    pub(super) for_all: bool,
}

/// What no model stands for.
pub(super) struct Strangers {
    pub(super) problems: Vec<Problem>,
    /// Tables of the shared schema that have a `tenant_id`, and are fine if they
    /// are protected like those of models.
    pub(super) with_tenant_id: Vec<String>,
}

/// Looks through all schemas, for what the application's role may use.
pub(super) async fn strangers(
    app: &Pool,
    tables: &Tables,
    own: &[SchemaName],
    known: &[Known<'_>],
) -> Result<Strangers> {
    let column = |of: fn(&Known<'_>) -> String| known.iter().map(of).collect::<Vec<_>>();
    let exempt = tables.exempt();
    let found: Vec<Stranger> = app
        .read(
            diesel::sql_query(STRANGERS)
                .bind::<Text, _>(tables.app_role())
                .bind::<Array<Text>, _>(own.iter().map(SchemaName::as_str).collect::<Vec<_>>())
                .bind::<Array<Text>, _>(column(|known| known.schema.to_owned()))
                .bind::<Array<Text>, _>(column(|known| known.table.to_owned()))
                .bind::<Array<Bool>, _>(known.iter().map(|known| known.for_all).collect::<Vec<_>>())
                .bind::<Array<Text>, _>(exempt.iter().map(Exemption::name).collect::<Vec<_>>()),
        )
        .await?;
    for Exemption { name, reason } in exempt {
        tracing::debug!(name, reason, "exempt from the proof");
    }
    let mut strangers = Strangers {
        problems: Vec::new(),
        with_tenant_id: Vec::new(),
    };
    let shared = tables.shared_schema().as_str();
    for stranger in found {
        let protectable = stranger.kind == "r" && stranger.schema == shared;
        if protectable && stranger.has_tenant_id {
            strangers.with_tenant_id.push(stranger.name);
        } else {
            strangers.problems.push(stranger.problem(tables.app_role()));
        }
    }
    Ok(strangers)
}

#[derive(diesel::QueryableByName)]
struct Stranger {
    #[diesel(sql_type = Text)]
    schema: String,
    #[diesel(sql_type = Text)]
    name: String,
    /// As in `pg_class`; a partitioned table counts as a table.
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Bool)]
    has_tenant_id: bool,
    /// Whether a view reads with the rights of who asks it.
    #[diesel(sql_type = Bool)]
    invoker: bool,
    /// What a view reads that not everybody may see.
    #[diesel(sql_type = Nullable<Text>)]
    reads: Option<String>,
}

/// `$1`: the application's role; `$2`: the tenants' own schemas; `$3` to `$5`:
/// the known tables; `$6`: what is exempt.
///
/// A schema that is named like a tenant's own counts as one: tenants come and go
/// meanwhile. What lies there is that tenant's, but for what reads elsewhere. The
/// registry's tables have grants of their own, which are proved with it; what
/// belongs to an extension is the extension's; a superuser has every right, which
/// the probe says once. A view is what it reads, however many views lie between.
/// What it reads of the catalog says nothing of rows.
const STRANGERS: &str = "
    WITH RECURSIVE relation AS (
        SELECT c.oid, n.oid AS namespace, n.nspname::text AS schema, c.relname::text AS name,
            CASE c.relkind WHEN 'p' THEN 'r' ELSE c.relkind::text END AS kind,
            n.nspname = ANY ($2) OR n.nspname ~ '^t_[0-9a-f]{32}$' AS own,
            coalesce((SELECT o.option_value::boolean
                FROM pg_catalog.pg_options_to_table(c.reloptions) o
                WHERE o.option_name = 'security_invoker'), false) AS invoker,
            n.nspname || '.' || c.relname = ANY ($6) AS exempt,
            k.for_all
        FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN unnest($3, $4, $5) AS k(schema, tab, for_all)
            ON k.schema = n.nspname AND k.tab = c.relname AND c.relkind IN ('r', 'p')
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
            AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
                AND d.deptype = 'e')
    ), reached AS (
        SELECT * FROM relation r
        WHERE NOT r.exempt
            AND NOT (SELECT a.rolsuper FROM pg_catalog.pg_roles a WHERE a.rolname = $1)
            AND has_schema_privilege($1, r.namespace, 'USAGE')
            AND (has_table_privilege($1, r.oid,
                    'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
                OR has_any_column_privilege($1, r.oid, 'SELECT, INSERT, UPDATE, REFERENCES'))
    ), reads AS (
        SELECT v.oid AS view, v.oid AS base FROM reached v WHERE v.kind IN ('v', 'm')
        UNION
        SELECT r.view, d.refobjid FROM reads r
        JOIN pg_catalog.pg_rewrite w ON w.ev_class = r.base
        JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass
            AND d.objid = w.oid AND d.refclassid = 'pg_catalog.pg_class'::regclass
        JOIN pg_catalog.pg_class c ON c.oid = r.base AND c.relkind IN ('v', 'm')
    )
    SELECT t.schema, t.name, t.kind, false AS invoker, NULL AS reads,
        EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = t.oid
            AND a.attname = 'tenant_id' AND NOT a.attisdropped) AS has_tenant_id
    FROM reached t
    WHERE t.kind IN ('r', 'f') AND NOT t.own AND t.for_all IS NULL
        AND NOT (t.schema = 'tenancy' AND t.kind = 'r')
    UNION ALL
    SELECT v.schema, v.name, v.kind, v.invoker, min(b.schema || '.' || b.name), false
    FROM reached v
    JOIN reads r ON r.view = v.oid
    JOIN relation b ON b.oid = r.base AND b.kind IN ('r', 'f')
    WHERE CASE
        WHEN b.own THEN b.schema <> v.schema
        ELSE NOT v.invoker AND NOT b.exempt AND b.for_all IS NOT TRUE
    END
    GROUP BY v.oid, v.schema, v.name, v.kind, v.invoker
    ORDER BY 1, 2";

impl Stranger {
    fn problem(&self, role: &str) -> Problem {
        let name = format!("{}.{}", quoted(&self.schema), quoted(&self.name));
        let plain = format!("{}.{}", self.schema, self.name);
        let role = quoted(role);
        let revoke = format!("REVOKE ALL ON {name} FROM {role}, PUBLIC");
        let exempt = format!("exempt it with `App::exempt(\"{plain}\", \"why\")`");
        let reads = self.reads.as_deref().unwrap_or_default();
        let (kind, wrong, remedy) = match &*self.kind {
            "v" if !self.invoker => (
                "view",
                format!(
                    "reads {reads} with the rights of its owner, and {role} may use it: \
                     whose rows it shows is up to the owner's"
                ),
                format!(
                    "{exempt}, take the rights with {revoke}, or run: \
                     ALTER VIEW {name} SET (security_invoker = true)"
                ),
            ),
            "v" => (
                "view",
                format!("reads {reads}, which is a tenant's own, and {role} may use it"),
                format!("{exempt}, or run: {revoke}"),
            ),
            "m" => (
                "materialized view",
                format!(
                    "keeps rows of {reads}, and {role} may use it: no policy holds a \
                     materialized view"
                ),
                format!("{exempt}, or run: {revoke}"),
            ),
            "f" => (
                "foreign table",
                format!("may be used by {role}, and no policy here holds what it shows"),
                format!("{exempt}, or run: {revoke}"),
            ),
            _ if self.name == migrations::LEDGER => (
                "table",
                format!("is not for {role}, which may use it"),
                format!("run: {revoke}"),
            ),
            _ => (
                "table",
                format!(
                    "is no model's and has no `{}`, and {role} may use it: nothing tells there \
                     whose a row is",
                    rls::COLUMN
                ),
                format!("declare a model of it, {exempt}, or run: {revoke}"),
            ),
        };
        Problem::new(format!("the {kind} {name}"), wrong, remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exemption_says_of_what_and_why() {
        for (name, reason, said) in [
            ("rates", "published daily", "does not name a schema"),
            (".rates", "published daily", "does not name a schema"),
            ("public.", "published daily", "does not name a schema"),
            ("public.rates", " ", "has no reason"),
        ] {
            let problem = Exemption::new(name, reason).unwrap_err().to_string();
            assert!(problem.contains(said), "{name}: {problem}");
        }
        assert!(Exemption::new("public.rates", "published daily").is_ok());
    }
}
