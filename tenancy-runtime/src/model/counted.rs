//! How the rows of a model with a quota are counted.
//!
//! A trigger on the model's table counts what a statement has added or removed in
//! a row of the tenant's own (`tenancy_quotas`), which has the tenant's limit
//! beside it. So everything counts that changes the table, raw SQL as well as
//! batches and upserts, and a handler can forget nothing; it is counted in the
//! transaction of the change, so what is rolled back never was; and who adds at
//! the same time waits for that row, so that the number is exact. It costs no
//! round trip. The price is that additions to one quota of one tenant go one after
//! the other, each until its transaction ends.
//!
//! The function works with the rights of the tables' owner: the application's role
//! reads the count and cannot change it. Under row-level security that owner is
//! held to a tenant as well, so the function says whose rows it counts.

use super::{Audience, ColumnDef, Layout, ModelDef, quoted};
use crate::isolation::rls;
use crate::plan::Quota;

/// The constraint by whose name an addition is refused; there is none to be seen
/// in the catalog.
pub(crate) const QUOTA: &str = "tenancy_quota";

/// What counts, and the names of its triggers.
pub(crate) const COUNTER: &str = "tenancy_count";
pub(crate) const TRIGGERS: [&str; 2] = ["tenancy_count_insert", "tenancy_count_delete"];

/// The counts of a tenant, and its limits.
pub(crate) static QUOTAS: ModelDef = ModelDef {
    name: "Quotas",
    table: "tenancy_quotas",
    audience: Audience::Tenant,
    migrated: false,
    append_only: false,
    read_only: true,
    quota: None,
    columns: &[
        ColumnDef::new("quota", "text"),
        ColumnDef::new("used", "bigint"),
        ColumnDef {
            nullable: true,
            ..ColumnDef::new("most", "bigint")
        },
    ],
    primary_key: &["quota"],
    uniques: &[],
    indexes: &[],
    references: &[],
};

/// Which of the rows in shared tables are meant. Policies say so as well, but not to
/// an owner that is a superuser or has BYPASSRLS.
const OF_TENANT: &str = " AND q.tenant_id = one.tenant::uuid";

impl Layout<'_> {
    fn name(&self, model: &ModelDef) -> String {
        format!("{}.{}", self.schema_of(model).quoted(), quoted(model.table))
    }
}

/// The statements that have `model`'s rows counted from now on.
pub(super) fn count(model: &ModelDef, quota: Quota, layout: Layout<'_>) -> Vec<String> {
    let (table, quotas) = (layout.name(model), layout.name(&QUOTAS));
    let schema = layout.schema_of(model).quoted();
    let setting = rls::SETTING;
    let (groups, whose, of_tenant) = if layout.has_tenant_id(model) {
        (
            "SELECT tenant_id::text AS tenant, count(*) AS n FROM changed GROUP BY tenant_id",
            "PERFORM set_config('{setting}', one.tenant, true);",
            OF_TENANT,
        )
    } else {
        (
            "SELECT count(*) AS n FROM changed HAVING count(*) > 0",
            "",
            "",
        )
    };
    let whose = whose.replace("{setting}", setting);
    let function = format!(
        "CREATE OR REPLACE FUNCTION {schema}.{COUNTER}() RETURNS trigger LANGUAGE plpgsql \
         SECURITY DEFINER SET search_path = '' AS $count$
DECLARE
    scope text := coalesce(current_setting('{setting}', true), '');
    one record;
    now_used bigint;
    may_use bigint;
BEGIN
    FOR one IN {groups} LOOP
        {whose}
        UPDATE {quotas} q
            SET used = q.used + CASE TG_OP WHEN 'INSERT' THEN one.n ELSE -one.n END
            WHERE q.quota = TG_ARGV[0]{of_tenant} RETURNING q.used, q.most INTO now_used, may_use;
        IF TG_OP = 'INSERT' AND NOT FOUND THEN
            RAISE EXCEPTION 'the tenant has no limit of the quota \"%\": run the subcommand \
             \"migrate\"', TG_ARGV[0];
        ELSIF TG_OP = 'INSERT' AND now_used > may_use THEN
            RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = '{QUOTA}',
                MESSAGE = 'the quota is used up',
                DETAIL = concat_ws(' ', TG_ARGV[0], may_use, now_used - one.n);
        END IF;
    END LOOP;
    PERFORM set_config('{setting}', scope, true);
    RETURN NULL;
END $count$"
    );
    let [inserted, deleted] = TRIGGERS;
    let quota = quota.name();
    let trigger = |name: &str, event: &str, rows: &str| {
        format!(
            "CREATE OR REPLACE TRIGGER {name} AFTER {event} ON {table} \
             REFERENCING {rows} TABLE AS changed \
             FOR EACH STATEMENT EXECUTE FUNCTION {schema}.{COUNTER}('{quota}')"
        )
    };
    vec![
        function,
        format!("REVOKE ALL ON FUNCTION {schema}.{COUNTER}() FROM PUBLIC"),
        trigger(inserted, "INSERT", "NEW"),
        trigger(deleted, "DELETE", "OLD"),
    ]
}

impl ModelDef {
    /// One statement that has the rows counted where they are not, and gives each
    /// tenant its limit (none is as many as there are). Where rows were not counted
    /// for a time, they are counted anew while nobody writes; in tables of several
    /// tenants only if these are `all` of them, as the others would stay uncounted.
    pub(crate) fn limit(
        &self,
        layout: Layout<'_>,
        limits: &[(uuid::Uuid, Option<u32>)],
        all: bool,
    ) -> String {
        let Some(quota) = self.quota else {
            return String::new();
        };
        let (table, quotas) = (layout.name(self), layout.name(&QUOTAS));
        let (setting, name) = (rls::SETTING, quota.name());
        let triggers = TRIGGERS.map(|name| format!("'{name}'")).join(", ");
        let enable = TRIGGERS
            .map(|name| format!("ENABLE TRIGGER {name}"))
            .join(", ");
        let install = count(self, quota, layout).join(";\n");
        let (of_tenant, rows) = if layout.has_tenant_id(self) {
            (OF_TENANT, " t WHERE t.tenant_id = one.tenant::uuid")
        } else {
            ("", "")
        };
        let refuse = if layout.has_tenant_id(self) && !all {
            "RAISE EXCEPTION 'the rows of % are not counted: run the subcommand \"migrate\"', \
             TG_TABLE;"
        } else {
            ""
        };
        let refuse = refuse.replace("TG_TABLE", &format!("'{}'", self.table));
        let tenants: Vec<_> = limits.iter().map(|(id, _)| id.to_string()).collect();
        let most = limits.iter().map(|(_, most)| match most {
            Some(most) => most.to_string(),
            None => "NULL".to_owned(),
        });
        let (tenants, most) = (tenants.join(","), most.collect::<Vec<_>>().join(","));
        format!(
            "DO $limit$
DECLARE
    scope text := coalesce(current_setting('{setting}', true), '');
    anew boolean := (SELECT count(*) <> 2 FROM pg_catalog.pg_trigger t
        WHERE t.tgrelid = '{table}'::regclass AND t.tgname IN ({triggers})
        AND t.tgenabled IN ('O', 'A') AND t.tgargs = '{name}'::bytea || '\\x00'::bytea);
    one record;
BEGIN
    -- Who adds rows holds the table and then wants its count: before any count is
    -- changed, everything that will be held is.
    IF anew THEN
        {refuse}
        LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE;
        {install};
        ALTER TABLE {table} {enable};
    ELSE
        FOR one IN SELECT unnest('{{{tenants}}}'::text[]) AS tenant LOOP
            PERFORM set_config('{setting}', one.tenant, true);
            IF NOT EXISTS (SELECT FROM {quotas} q WHERE q.quota = '{name}'{of_tenant}) THEN
                LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE;
                EXIT;
            END IF;
        END LOOP;
    END IF;
    FOR one IN SELECT * FROM unnest('{{{tenants}}}'::text[], '{{{most}}}'::bigint[]) l(tenant, most) \
             LOOP
        PERFORM set_config('{setting}', one.tenant, true);
        IF anew OR NOT EXISTS (SELECT FROM {quotas} q WHERE q.quota = '{name}'{of_tenant}) THEN
            INSERT INTO {quotas} (quota, used, most)
                VALUES ('{name}', (SELECT count(*) FROM {table}{rows}), one.most)
                ON CONFLICT ON CONSTRAINT {key}
                DO UPDATE SET used = EXCLUDED.used, most = EXCLUDED.most;
        ELSE
            UPDATE {quotas} q SET most = one.most
                WHERE q.quota = '{name}'{of_tenant} AND q.most IS DISTINCT FROM one.most;
        END IF;
    END LOOP;
    PERFORM set_config('{setting}', scope, true);
END $limit$",
            key = quoted(&QUOTAS.primary_key_name()),
        )
    }
}
