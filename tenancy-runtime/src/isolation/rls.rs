//! Row-level security: the one setting that names the tenant, and the policies
//! that read it.
//!
//! Setter and reader use the same constants, so they cannot drift apart. The
//! expression gives NULL, hence no row, for a setting that is absent *or*
//! empty: after a transaction-local `set_config` has ended, PostgreSQL leaves
//! `''` behind, not NULL. It stands in a sub-select so that the planner reads
//! it once a statement and not once a row.

/// The setting that carries the tenant's id for the length of a transaction.
pub const SETTING: &str = "tenancy.tenant_id";

/// The column that tells tenants apart in the shared layout.
pub const COLUMN: &str = "tenant_id";

/// The restrictive policy: it is ANDed with all others, so no permissive policy
/// added later can widen what a tenant sees ([CREATE POLICY]).
///
/// [CREATE POLICY]: https://www.postgresql.org/docs/current/sql-createpolicy.html
pub const ISOLATION_POLICY: &str = "tenancy_isolation";

/// The permissive policy, without which a restrictive one lets nothing through.
pub const ACCESS_POLICY: &str = "tenancy_access";

/// The current tenant's id, or NULL.
#[must_use]
pub fn current_tenant() -> String {
    format!("nullif(current_setting('{SETTING}', true), '')::uuid")
}

/// [`current_tenant`] as `pg_get_expr` gives it back, the same from 15 to 18.
#[must_use]
pub fn current_tenant_read_back() -> String {
    format!("(NULLIF(current_setting('{SETTING}'::text, true), ''::text))::uuid")
}

/// The condition of the restrictive policy.
#[must_use]
pub fn condition() -> String {
    format!("{COLUMN} = (select {})", current_tenant())
}

/// A policy that every table of the shared layout has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Its name.
    pub name: &'static str,
    /// The statement that makes it.
    pub create: String,
    /// How the catalog tells of it: name, command, kind, roles (0 is `PUBLIC`)
    /// and both conditions as PostgreSQL writes them, joined by `|`.
    pub catalog: String,
}

/// A row `p` of `pg_policy` in the form of [`Policy::catalog`].
pub(crate) const POLICY_IN_CATALOG: &str = "concat_ws('|', p.polname, p.polcmd,
    CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END,
    p.polroles::text, pg_get_expr(p.polqual, p.polrelid),
    pg_get_expr(p.polwithcheck, p.polrelid))";

/// The policies of a table of the shared layout, given its quoted name.
#[must_use]
pub fn policies(table: &str) -> [Policy; 2] {
    let read_back = format!(
        "({COLUMN} = ( SELECT {} AS \"nullif\"))",
        current_tenant_read_back()
    );
    let policy = |name, kind: &str, condition: &str, read_back: &str| Policy {
        name,
        create: format!(
            "CREATE POLICY {name} ON {table} AS {kind} FOR ALL TO PUBLIC \
             USING ({condition}) WITH CHECK ({condition})"
        ),
        catalog: format!(
            "{name}|*|{}|{{0}}|{read_back}|{read_back}",
            kind.to_lowercase()
        ),
    };
    [
        policy(ACCESS_POLICY, "PERMISSIVE", "true", "true"),
        policy(ISOLATION_POLICY, "RESTRICTIVE", &condition(), &read_back),
    ]
}
