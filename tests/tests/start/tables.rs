//! Tables, policies, keys and grants, each undone in turn.

use integration::database::Database;
use integration::http::{Login, Served, start};

use super::{app, refusal, remedy, verified};

/// What is done to the shared table `todos`, and what is said of it.
const SHARED: &[(&str, &str)] = &[
    (
        "ALTER TABLE {t} NO FORCE ROW LEVEL SECURITY",
        "does not hold its owner",
    ),
    (
        "ALTER TABLE {t} DISABLE ROW LEVEL SECURITY",
        "is not under row-level security",
    ),
    (
        "DROP POLICY tenancy_isolation ON {t}",
        "no policy `tenancy_isolation`",
    ),
    (
        "DROP POLICY tenancy_access ON {t}",
        "no policy `tenancy_access`",
    ),
    (
        "ALTER POLICY tenancy_isolation ON {t} USING (true)",
        "no policy `tenancy_isolation`",
    ),
    (
        "ALTER POLICY tenancy_isolation ON {t} WITH CHECK (true)",
        "no policy `tenancy_isolation`",
    ),
    (
        // Another setting than the one that is set.
        "ALTER POLICY tenancy_isolation ON {t} USING \
         (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid))",
        "no policy `tenancy_isolation`",
    ),
    (
        "DROP POLICY tenancy_isolation ON {t}; CREATE POLICY tenancy_isolation ON {t} \
         AS RESTRICTIVE FOR SELECT USING \
         (tenant_id = (select nullif(current_setting('tenancy.tenant_id', true), '')::uuid))",
        "no policy `tenancy_isolation`",
    ),
    (
        "ALTER POLICY tenancy_isolation ON {t} TO postgres",
        "no policy `tenancy_isolation`",
    ),
    (
        "CREATE POLICY wide ON {t} USING (true)",
        "the policy `wide`",
    ),
    (
        "GRANT TRUNCATE ON {t} TO {app}",
        "more than it should: TRUNCATE",
    ),
    (
        "GRANT REFERENCES ON {t} TO PUBLIC",
        "more than it should: REFERENCES",
    ),
    ("REVOKE SELECT, DELETE ON {t} FROM {app}", "is not granted"),
    (
        "ALTER TABLE {t} DROP CONSTRAINT tenancy_tenants_fkey",
        "no key `tenancy_tenants_fkey`",
    ),
    (
        "ALTER TABLE {t} DROP CONSTRAINT tenancy_tenants_fkey, \
         ADD CONSTRAINT tenancy_tenants_fkey FOREIGN KEY (tenant_id) \
         REFERENCES shared.tenancy_tenants NOT VALID",
        "no key `tenancy_tenants_fkey`",
    ),
];

/// What is done to any table `todos`, with what mends it by hand.
const EVERY: &[(&str, &str, &str)] = &[
    (
        "ALTER TABLE {t} DROP COLUMN project_id",
        "project_id\": is missing",
        "ALTER TABLE {t} ADD COLUMN project_id uuid",
    ),
    (
        "ALTER TABLE {t} ALTER COLUMN title TYPE varchar(9)",
        "the model declares `text not null`",
        "ALTER TABLE {t} ALTER COLUMN title TYPE text",
    ),
    (
        "ALTER TABLE {t} ALTER COLUMN title DROP NOT NULL",
        "the model declares `text not null`",
        "ALTER TABLE {t} ALTER COLUMN title SET NOT NULL",
    ),
    (
        "ALTER TABLE {t} RENAME TO todos_lost",
        "of the model `Todo` is missing",
        "ALTER TABLE {t}_lost RENAME TO todos",
    ),
];

async fn served() -> (Database, Served, [String; 2]) {
    let database = Database::empty().await;
    let shop = start(app(), &database, Login::Both, &[])
        .await
        .expect("a start");
    let own: String = database
        .value("SELECT schema_name FROM tenancy.tenants WHERE slug = 'own'")
        .await;
    (
        database,
        shop,
        ["shared.todos".to_owned(), format!("{own}.todos")],
    )
}

fn on(table: &str, database: &Database, sql: &str) -> String {
    sql.replace("{t}", table)
        .replace("{app}", database.app_role())
}

/// `shared.todos` as messages write it.
fn quoted(table: &str) -> String {
    format!("\"{}\"", table.replace('.', "\".\""))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_guards_the_shared_table_is_named_and_mended_by_the_remedy() {
    let (database, shop, [shared, _]) = served().await;
    for (sabotage, said) in SHARED {
        database.sabotage(&on(&shared, &database, sabotage)).await;
        let problems = verified(&shop).await;
        assert_eq!(problems.len(), 1, "{sabotage}: {problems:#?}");
        let about = format!("the table {}", quoted(&shared));
        assert!(problems[0].starts_with(&about), "{problems:?}");
        assert!(problems[0].contains(said), "{sabotage}: {problems:?}");
        assert_eq!(refusal(&database, Login::App).await, problems);
        database.sabotage(remedy(&problems[0])).await;
        assert!(verified(&shop).await.is_empty(), "{sabotage}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_table_lacks_is_named_in_both_layouts() {
    let (database, shop, tables) = served().await;
    for table in &tables {
        for (sabotage, said, mend) in EVERY {
            database.sabotage(&on(table, &database, sabotage)).await;
            let problems = verified(&shop).await;
            assert_eq!(problems.len(), 1, "{sabotage}: {problems:#?}");
            assert!(problems[0].contains(&quoted(table)), "{problems:?}");
            assert!(problems[0].contains(said), "{sabotage}: {problems:?}");
            database.sabotage(&on(table, &database, mend)).await;
            assert!(verified(&shop).await.is_empty(), "{sabotage}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_does_not_lead_with_the_tenant_is_named() {
    let (database, shop, [shared, own]) = served().await;
    for sabotage in [
        "CREATE UNIQUE INDEX loose ON {t} (title)",
        "CREATE UNIQUE INDEX loose ON {t} (lower(title))",
        "CREATE UNIQUE INDEX loose ON {t} (title, tenant_id)",
        "CREATE UNIQUE INDEX target ON shared.projects (id); \
         ALTER TABLE {t} ADD CONSTRAINT loose FOREIGN KEY (project_id) \
         REFERENCES shared.projects (id)",
    ] {
        database.sabotage(&on(&shared, &database, sabotage)).await;
        let problems = verified(&shop).await;
        let named = problems.iter().any(|line| line.contains("loose"));
        assert!(named, "{sabotage}: {problems:#?}");
        database
            .sabotage(
                "ALTER TABLE shared.todos DROP CONSTRAINT IF EXISTS loose; \
                 DROP INDEX IF EXISTS shared.loose, shared.target",
            )
            .await;
        assert!(verified(&shop).await.is_empty(), "{sabotage}");
    }
    // In a schema of the tenant's own it tells nobody anything.
    let plain = "CREATE UNIQUE INDEX loose ON {t} (lower(title))";
    database.sabotage(&on(&own, &database, plain)).await;
    assert!(verified(&shop).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_writes_what_all_tenants_read() {
    let (database, shop, _) = served().await;
    let grant = "GRANT INSERT, UPDATE ON shared.countries TO {app}";
    database.sabotage(&on("", &database, grant)).await;
    let problems = verified(&shop).await;
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(problems[0].contains("none may write it"), "{problems:?}");
    database.sabotage(remedy(&problems[0])).await;
    assert!(verified(&shop).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_problems_are_named_at_once() {
    let (database, shop, [shared, own]) = served().await;
    let several = format!(
        "ALTER TABLE {shared} NO FORCE ROW LEVEL SECURITY; \
         ALTER TABLE {shared} DROP COLUMN done; \
         GRANT TRUNCATE ON {own} TO {0}; ALTER ROLE {0} BYPASSRLS",
        database.app_role()
    );
    database.sabotage(&several).await;
    let problems = verified(&shop).await;
    assert_eq!(problems.len(), 4, "{problems:#?}");
    let started = start(app(), &database, Login::App, &[]).await;
    let text = started.err().expect("a refusal").to_string();
    assert_eq!(text.matches("\n  - ").count(), 4, "{text}");
}
