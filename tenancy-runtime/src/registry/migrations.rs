//! The registry's own schema, brought up to date step by step.
//!
//! Our own few lines and not `diesel_migrations`: that one keeps its ledger in
//! whatever schema the search path finds first, and ours is empty.

use diesel::sql_types::Integer;
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};

use crate::db::{Pool, Transaction};
use crate::error::Result;
use crate::model::quoted;
use crate::problem::Problem;

/// Each step runs once, in order, and is never edited after a release.
const STEPS: &[&str] = &[
    TENANTS,
    LIFE,
    SYSTEM_ACCESS,
    STANDBY,
    CHANGES,
    OVERRIDES,
    METADATA,
    SECRETS,
    DOMAINS,
    MISSING_SINCE,
    SLUG_ORDER,
    OWN_LOGINS,
    METADATA_KEYS,
];

/// The keys that keep two tenants out of one place.
pub(super) const OWN_PLACE: [&str; 2] = ["tenants_own_schema", "tenants_own_database"];

const TENANTS: &str = "
    CREATE TABLE tenancy.tenants (
        id uuid PRIMARY KEY,
        slug text NOT NULL UNIQUE
            CHECK (slug ~ '^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$'),
        name text NOT NULL,
        status text NOT NULL CHECK (status IN ('provisioning', 'active', 'suspended')),
        strategy text NOT NULL CHECK (strategy IN ('rls', 'schema')),
        schema_name text NOT NULL,
        plan text,
        features text[] NOT NULL DEFAULT '{}',
        created_at timestamptz NOT NULL
    );
    -- Two tenants never live in one schema of their own.
    CREATE UNIQUE INDEX tenants_own_schema ON tenancy.tenants (schema_name)
        WHERE strategy = 'schema'";

/// A tenant's whole life, in a database of its own as well.
const LIFE: &str = "
    ALTER TABLE tenancy.tenants
        DROP CONSTRAINT tenants_status_check,
        ADD CONSTRAINT tenants_status_check CHECK (status IN
            ('provisioning', 'active', 'suspended', 'deleted', 'destroying')),
        ADD COLUMN restores_to text CHECK (restores_to IN ('active', 'suspended')),
        ADD CHECK (restores_to IS NULL OR status = 'deleted'),
        DROP CONSTRAINT tenants_strategy_check,
        ADD CONSTRAINT tenants_strategy_check CHECK (strategy IN ('rls', 'schema', 'database')),
        ADD COLUMN database_host text,
        ADD COLUMN database_port integer CHECK (database_port BETWEEN 0 AND 65535),
        ADD COLUMN database_name text,
        ADD CHECK (num_nulls(database_host, database_port, database_name)
            = CASE strategy WHEN 'database' THEN 0 ELSE 3 END);
    -- Nor do two ever live in one database of their own.
    CREATE UNIQUE INDEX tenants_own_database
        ON tenancy.tenants (database_host, database_port, database_name);
    -- What is left of destroyed tenants.
    CREATE TABLE tenancy.receipts (
        id uuid PRIMARY KEY,
        slug text NOT NULL,
        receipt jsonb NOT NULL,
        destroyed_at timestamptz NOT NULL
    );
    CREATE INDEX receipts_slug_idx ON tenancy.receipts (slug, destroyed_at)";

/// The trail of system access; `system::trail` writes it.
const SYSTEM_ACCESS: &str = "
    CREATE TABLE tenancy.system_access (
        id uuid NOT NULL,
        event text NOT NULL CHECK (event IN ('begun', 'done', 'failed')),
        at timestamptz NOT NULL DEFAULT clock_timestamp(),
        role text NOT NULL DEFAULT current_user,
        actor text NOT NULL CHECK (btrim(actor) <> ''),
        reason text NOT NULL CHECK (btrim(reason) <> ''),
        tenant_id uuid,
        PRIMARY KEY (id, event)
    );
    REVOKE ALL ON tenancy.system_access FROM PUBLIC";

/// Places that are ready before their tenants; `provision::standby` keeps it.
const STANDBY: &str = "
    CREATE TABLE tenancy.standby (
        id uuid PRIMARY KEY,
        strategy text NOT NULL CHECK (strategy IN ('schema', 'database')),
        schema_name text NOT NULL UNIQUE,
        database_host text,
        database_port integer CHECK (database_port BETWEEN 0 AND 65535),
        database_name text,
        shape text NOT NULL,
        state text NOT NULL CHECK (state IN ('making', 'ready', 'dropping')),
        made_at timestamptz NOT NULL DEFAULT now(),
        CHECK (num_nulls(database_host, database_port, database_name)
            = CASE strategy WHEN 'database' THEN 0 ELSE 3 END)
    )";

/// Each change of a tenant is notified to all processes, when it has been
/// committed; `registry::cache` listens.
const CHANGES: &str = "
    CREATE FUNCTION tenancy.announce() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'TRUNCATE' THEN
            PERFORM pg_catalog.pg_notify('tenancy_tenants', '');
            RETURN NULL;
        END IF;
        IF TG_OP <> 'INSERT' THEN
            PERFORM pg_catalog.pg_notify('tenancy_tenants', OLD.slug);
        END IF;
        IF TG_OP <> 'DELETE' THEN
            PERFORM pg_catalog.pg_notify('tenancy_tenants', NEW.slug);
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE ON tenancy.tenants
        FOR EACH ROW EXECUTE FUNCTION tenancy.announce();
    CREATE TRIGGER announce_all AFTER TRUNCATE ON tenancy.tenants
        FOR EACH STATEMENT EXECUTE FUNCTION tenancy.announce();
    -- Also where a session switches triggers off, and for what is replicated here.
    ALTER TABLE tenancy.tenants ENABLE ALWAYS TRIGGER announce,
        ENABLE ALWAYS TRIGGER announce_all";

/// Features granted to tenants or refused them, by name.
const OVERRIDES: &str = "
    ALTER TABLE tenancy.tenants ADD COLUMN overrides jsonb NOT NULL DEFAULT '{}'";

/// What an application keeps with its tenants.
const METADATA: &str = "
    ALTER TABLE tenancy.tenants ADD COLUMN metadata jsonb NOT NULL DEFAULT '{}'
        CHECK (jsonb_typeof(metadata) = 'object')";

/// What applications keep for tenants, encrypted; `secrets` reads and writes it,
/// as the application's role, which policies hold to one tenant.
const SECRETS: &str = "
    -- The keys that were used, each with a proof of which key it is.
    CREATE TABLE tenancy.secret_keys (
        id text PRIMARY KEY,
        proof bytea NOT NULL
    );
    CREATE TABLE tenancy.secrets (
        tenant_id uuid NOT NULL REFERENCES tenancy.tenants (id) ON DELETE CASCADE,
        name text NOT NULL,
        key_id text NOT NULL REFERENCES tenancy.secret_keys (id),
        value bytea NOT NULL,
        updated_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (tenant_id, name)
    );
    CREATE INDEX secrets_key_id_idx ON tenancy.secrets (key_id);
    ALTER TABLE tenancy.secrets ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
    CREATE POLICY tenancy_access ON tenancy.secrets AS PERMISSIVE FOR ALL TO PUBLIC
        USING (true) WITH CHECK (true);
    CREATE POLICY tenancy_isolation ON tenancy.secrets AS RESTRICTIVE FOR ALL TO PUBLIC
        USING (tenant_id = (select nullif(current_setting('tenancy.tenant_id', true), '')::uuid))
        WITH CHECK
            (tenant_id = (select nullif(current_setting('tenancy.tenant_id', true), '')::uuid))";

/// Domains of tenants' own; `domains` writes it. Many may claim a domain, and one
/// has it. What a process remembers of a domain names its tenant, so that it is
/// told of both.
const DOMAINS: &str = "
    CREATE TABLE tenancy.domains (
        tenant_id uuid NOT NULL REFERENCES tenancy.tenants ON DELETE CASCADE,
        domain text NOT NULL CHECK (domain ~ '^[a-z0-9-]+([.][a-z0-9-]+)+$'),
        token text NOT NULL CHECK (length(token) >= 32)
            DEFAULT replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''),
        claimed_at timestamptz NOT NULL DEFAULT now(),
        verified_at timestamptz,
        proven_at timestamptz,
        PRIMARY KEY (tenant_id, domain),
        CHECK ((verified_at IS NULL) = (proven_at IS NULL))
    );
    CREATE UNIQUE INDEX domains_verified ON tenancy.domains (domain)
        WHERE verified_at IS NOT NULL;
    CREATE FUNCTION tenancy.announce_domain() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'TRUNCATE' THEN
            PERFORM pg_catalog.pg_notify('tenancy_tenants', '');
            RETURN NULL;
        END IF;
        IF TG_OP <> 'INSERT' THEN
            PERFORM pg_catalog.pg_notify('tenancy_tenants', OLD.domain);
        END IF;
        IF TG_OP <> 'DELETE' THEN
            PERFORM pg_catalog.pg_notify('tenancy_tenants', NEW.domain);
        END IF;
        RETURN NULL;
    END $$;
    CREATE FUNCTION tenancy.announce_domains() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_catalog.pg_notify('tenancy_tenants', d.domain)
            FROM tenancy.domains d WHERE d.tenant_id = NEW.id AND d.verified_at IS NOT NULL;
        RETURN NULL;
    END $$;
    CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE ON tenancy.domains
        FOR EACH ROW EXECUTE FUNCTION tenancy.announce_domain();
    CREATE TRIGGER announce_all AFTER TRUNCATE ON tenancy.domains
        FOR EACH STATEMENT EXECUTE FUNCTION tenancy.announce_domain();
    CREATE TRIGGER announce_domains AFTER UPDATE ON tenancy.tenants
        FOR EACH ROW EXECUTE FUNCTION tenancy.announce_domains();
    ALTER TABLE tenancy.domains ENABLE ALWAYS TRIGGER announce,
        ENABLE ALWAYS TRIGGER announce_all;
    ALTER TABLE tenancy.tenants ENABLE ALWAYS TRIGGER announce_domains";

/// Since when the proof of a domain is missed, which says more than when it was seen:
/// nobody may have looked in between.
const MISSING_SINCE: &str = "
    ALTER TABLE tenancy.domains ADD COLUMN missing_since timestamptz
        CHECK (missing_since IS NULL OR verified_at IS NOT NULL)";

/// The order in which tenants are listed, which the database's collation may not have.
const SLUG_ORDER: &str = "CREATE INDEX tenants_slug_order ON tenancy.tenants (slug COLLATE \"C\")";

/// Logins that tenants have of their own to their databases, encrypted; `secrets`
/// reads and writes them. In two tables, as those who serve may read the one and not
/// the other.
const OWN_LOGINS: &str = "
    ALTER TABLE tenancy.tenants
        ADD COLUMN database_logins integer CHECK (database_logins > 0),
        ADD CHECK (database_logins IS NULL OR strategy = 'database');
    CREATE TABLE tenancy.app_logins (
        tenant_id uuid PRIMARY KEY REFERENCES tenancy.tenants (id) ON DELETE CASCADE,
        key_id text NOT NULL REFERENCES tenancy.secret_keys (id),
        value bytea NOT NULL
    );
    CREATE TABLE tenancy.owner_logins (LIKE tenancy.app_logins,
        PRIMARY KEY (tenant_id),
        FOREIGN KEY (tenant_id) REFERENCES tenancy.tenants (id) ON DELETE CASCADE,
        FOREIGN KEY (key_id) REFERENCES tenancy.secret_keys (id)
    );
    CREATE INDEX app_logins_key_id_idx ON tenancy.app_logins (key_id);
    CREATE INDEX owner_logins_key_id_idx ON tenancy.owner_logins (key_id);
    ALTER TABLE tenancy.app_logins ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
    CREATE POLICY tenancy_access ON tenancy.app_logins AS PERMISSIVE FOR ALL TO PUBLIC
        USING (true) WITH CHECK (true);
    CREATE POLICY tenancy_isolation ON tenancy.app_logins AS RESTRICTIVE FOR ALL TO PUBLIC
        USING (tenant_id = (select nullif(current_setting('tenancy.tenant_id', true), '')::uuid))
        WITH CHECK
            (tenant_id = (select nullif(current_setting('tenancy.tenant_id', true), '')::uuid))";

/// The keys that secrets in the metadata of tenants are sealed with, which stay on the
/// list as long as they are.
const METADATA_KEYS: &str = "
    CREATE TABLE tenancy.metadata_keys (
        tenant_id uuid NOT NULL REFERENCES tenancy.tenants (id) ON DELETE CASCADE,
        key_id text NOT NULL REFERENCES tenancy.secret_keys (id),
        PRIMARY KEY (tenant_id, key_id)
    );
    CREATE INDEX metadata_keys_key_id_idx ON tenancy.metadata_keys (key_id)";

/// Held while the schema `tenancy` changes, so that of several processes one
/// changes it.
pub(crate) const LOCK: &str =
    "SELECT pg_advisory_xact_lock(hashtextextended('tenancy.migrations', 0))";

/// Brings the registry's schema up to date, and lets `app_role` read it.
pub(super) async fn run(owner: &Pool, app_role: &str) -> Result<()> {
    let mut transaction = owner.begin().await?;
    let done = steps_done(&mut transaction).await?;
    let conn = transaction.conn();
    for (step, sql) in STEPS.iter().enumerate().skip(done) {
        conn.batch_execute(sql).await?;
        diesel::sql_query("INSERT INTO tenancy.migrations (step) VALUES ($1)")
            .bind::<Integer, _>(i32::try_from(step).unwrap_or(i32::MAX))
            .execute(conn)
            .await?;
    }
    let role = quoted(app_role);
    conn.batch_execute(&format!(
        "REVOKE ALL ON SCHEMA tenancy FROM {role}, PUBLIC; GRANT USAGE ON SCHEMA tenancy TO {role};
         REVOKE ALL ON tenancy.tenants, tenancy.receipts, tenancy.migrations, tenancy.standby,
             tenancy.secrets, tenancy.secret_keys, tenancy.metadata_keys, tenancy.app_logins,
             tenancy.owner_logins, tenancy.domains FROM {role}, PUBLIC;
         GRANT SELECT ON tenancy.tenants TO {role};
         GRANT SELECT, INSERT, UPDATE, DELETE ON tenancy.secrets TO {role};
         GRANT SELECT, INSERT, DELETE ON tenancy.secret_keys TO {role};
         GRANT SELECT ON tenancy.app_logins TO {role};
         GRANT SELECT (tenant_id, domain, verified_at) ON tenancy.domains TO {role}"
    ))
    .await?;
    transaction.commit().await
}

async fn steps_done(transaction: &mut Transaction) -> Result<usize> {
    #[derive(diesel::QueryableByName)]
    struct Done {
        #[diesel(sql_type = Integer)]
        done: i32,
    }
    let conn = transaction.conn();
    conn.batch_execute(LOCK).await?;
    conn.batch_execute(
        "CREATE SCHEMA IF NOT EXISTS tenancy;
         CREATE TABLE IF NOT EXISTS tenancy.migrations (
             step integer PRIMARY KEY,
             applied_at timestamptz NOT NULL DEFAULT now()
         )",
    )
    .await?;
    let done: Done = diesel::sql_query("SELECT count(*)::int4 AS done FROM tenancy.migrations")
        .get_result(conn)
        .await?;
    let done = usize::try_from(done.done).unwrap_or_default();
    if done > STEPS.len() {
        return Err(Problem::new(
            "the schema `tenancy`",
            "was made by a newer version of this application",
            "deploy that version, or restore the database from before it",
        )
        .into());
    }
    Ok(done)
}
