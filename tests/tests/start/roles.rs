//! The application's role, in every way too powerful.

use integration::database::Database;
use integration::http::{Login, start};

use super::{app, lines, refusal, remedy};
use tenancy::Error;

/// What makes the role `{app}` unsafe, and what is said about it.
const SABOTAGE: &[(&str, &str)] = &[
    ("ALTER ROLE {app} SUPERUSER", "has SUPERUSER"),
    ("ALTER ROLE {app} BYPASSRLS", "has BYPASSRLS"),
    ("ALTER ROLE {app} CREATEROLE", "has CREATEROLE"),
    ("ALTER ROLE {app} REPLICATION", "has REPLICATION"),
    (
        "GRANT TEMPORARY ON DATABASE {database} TO {app}",
        "may make temporary tables",
    ),
    ("GRANT {owner} TO {app}", "which owns the tables"),
    ("GRANT pg_read_all_data TO {app}", "`pg_read_all_data`"),
    (
        "GRANT pg_execute_server_program TO {app}",
        "`pg_execute_server_program`",
    ),
];

fn named(database: &Database, sql: &str) -> String {
    sql.replace("{app}", database.app_role())
        .replace("{owner}", database.owner_role())
        .replace("{database}", database.app.get_dbname().expect("a name"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unsafe_role_is_refused_until_the_remedy_has_run() {
    let database = Database::empty().await;
    drop(start(app(), &database, Login::Both, &[]).await.unwrap());
    for (sabotage, said) in SABOTAGE {
        database.sabotage(&named(&database, sabotage)).await;
        let problems = refusal(&database, Login::Both).await;
        let about = format!("the application's role `{}`", database.app_role());
        let problem = problems.iter().find(|line| line.contains(said));
        let problem = problem.unwrap_or_else(|| panic!("{sabotage}: {problems:#?}"));
        assert!(problem.starts_with(&about), "{problem}");
        database.sabotage(remedy(problem)).await;
        drop(start(app(), &database, Login::Both, &[]).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_is_refused() {
    let database = Database::empty().await;
    drop(start(app(), &database, Login::Both, &[]).await.unwrap());
    let (app_role, owner) = (database.app_role(), database.owner_role());
    let schema: String = database
        .value("SELECT schema_name FROM tenancy.tenants WHERE slug = 'own'")
        .await;
    for table in ["shared.todos".to_owned(), format!("{schema}.todos")] {
        let take = format!("ALTER TABLE {table} OWNER TO {app_role}");
        database.sabotage(&take).await;
        let problems = refusal(&database, Login::App).await;
        let owns = format!("owns {table}, and an owner can lift row-level security");
        assert!(problems[0].contains(&owns), "{problems:#?}");
        let back = format!(
            "ALTER TABLE {table} OWNER TO {owner}; \
             GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {app_role}"
        );
        database.sabotage(&back).await;
    }
    drop(start(app(), &database, Login::App, &[]).await.unwrap());

    let whole: String = database.value("SELECT current_database()::text").await;
    let take = format!("ALTER DATABASE {whole} OWNER TO {app_role}");
    database.sabotage(&take).await;
    let problems = refusal(&database, Login::App).await;
    assert!(problems[0].contains("owns the database"), "{problems:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_owner_s_login_does_not_serve() {
    let database = Database::empty().await;
    let owner = database.owner_url();
    let vars = [("TENANCY_DATABASE_URL", &*owner)];
    let refused = start(app(), &database, Login::Both, &vars).await;
    let Some(Error::CannotStart(problems)) = refused.err() else {
        panic!("a refusal");
    };
    assert!(
        lines(&problems)[0].contains("both log in as"),
        "{problems:?}"
    );
}

/// What gives the role `{app}` more than it should have where the owner's login
/// is not there to take it back, and what is said about it.
const TOO_MUCH: &[(&str, &str)] = &[
    ("GRANT CREATE ON SCHEMA public TO PUBLIC", "SCHEMA public"),
    ("GRANT CREATE ON SCHEMA shared TO {app}", "SCHEMA shared"),
    ("GRANT CREATE ON SCHEMA tenancy TO {app}", "SCHEMA tenancy"),
    ("GRANT CREATE ON SCHEMA {own} TO {app}", "SCHEMA t_"),
    ("GRANT CREATE ON DATABASE {db} TO {app}", "DATABASE d_"),
    (
        "GRANT UPDATE ON tenancy.tenants TO {app}",
        "\"tenants\": grants",
    ),
    (
        "GRANT UPDATE (status) ON tenancy.tenants TO {app}",
        "more than it should: UPDATE",
    ),
    (
        "GRANT SELECT ON tenancy.receipts TO PUBLIC",
        "\"receipts\": grants",
    ),
    (
        "GRANT INSERT ON shared.tenancy_tenants TO {app}",
        "\"tenancy_tenants\": grants",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_beyond_the_tables_are_named_until_the_remedy_has_run() {
    let database = Database::empty().await;
    drop(start(app(), &database, Login::Both, &[]).await.unwrap());
    let own: String = database
        .value("SELECT schema_name FROM tenancy.tenants WHERE slug = 'own'")
        .await;
    let db: String = database.value("SELECT current_database()::text").await;
    let told = |sql: &str| {
        let sql = named(&database, sql);
        sql.replace("{own}", &own).replace("{db}", &db)
    };
    for (sabotage, said) in TOO_MUCH {
        database.sabotage(&told(sabotage)).await;
        let problems = refusal(&database, Login::App).await;
        assert_eq!(problems.len(), 1, "{sabotage}: {problems:#?}");
        assert!(problems[0].contains(said), "{sabotage}: {problems:?}");
        database.sabotage(remedy(&problems[0])).await;
        drop(start(app(), &database, Login::App, &[]).await.unwrap());
    }
    // The owner takes back what is its own to give.
    for (sabotage, _) in &TOO_MUCH[5..] {
        database.sabotage(&told(sabotage)).await;
    }
    drop(start(app(), &database, Login::Both, &[]).await.unwrap());

    for schema in [&own, "shared", "tenancy"] {
        let take = format!("ALTER SCHEMA {schema} OWNER TO {}", database.app_role());
        database.sabotage(&take).await;
        let problems = refusal(&database, Login::App).await;
        let owns = format!("owns the schema \"{schema}\"");
        assert!(problems[0].contains(&owns), "{problems:#?}");
        let back = format!(
            "ALTER SCHEMA {schema} OWNER TO {}; GRANT USAGE ON SCHEMA {schema} TO {}",
            database.owner_role(),
            database.app_role()
        );
        database.sabotage(&back).await;
    }
    drop(start(app(), &database, Login::App, &[]).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_of_the_owner_is_refused_where_nobody_says_who_that_is() {
    let database = Database::empty().await;
    let app = || {
        let schema = tenancy::Isolation::single(tenancy::Strategy::Schema);
        crate::shop::app(schema).seed("own")
    };
    drop(start(app(), &database, Login::Both, &[]).await.unwrap());
    // It has none of the owner's rights until it takes its role.
    let join = "ALTER ROLE {app} NOINHERIT; GRANT {owner} TO {app}";
    database.sabotage(&named(&database, join)).await;
    let refused = start(app(), &database, Login::App, &[]).await;
    let Some(Error::CannotStart(problems)) = refused.err() else {
        panic!("a refusal");
    };
    let member = format!("is a member of `{}`", database.owner_role());
    assert!(lines(&problems)[0].contains(&member), "{problems:?}");
    database.sabotage(remedy(&lines(&problems)[0])).await;
    drop(start(app(), &database, Login::App, &[]).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_takes_another_role_is_refused() {
    let database = Database::empty().await;
    drop(start(app(), &database, Login::Both, &[]).await.unwrap());
    let login = format!("login_{}", database.app_role());
    let make = format!(
        "CREATE ROLE {login} LOGIN SUPERUSER PASSWORD 'a'; GRANT {0} TO {login}",
        database.app_role()
    );
    database.sabotage(&make).await;
    let url = database.app_url().replace(database.app_role(), &login);
    let url = format!("{url}?options=-c%20role%3D{}", database.app_role());
    let vars = [("TENANCY_DATABASE_URL", &*url)];
    let refused = start(app(), &database, Login::App, &vars).await;
    let Some(Error::CannotStart(problems)) = refused.err() else {
        panic!("a refusal");
    };
    let about = format!("the application's login `{login}`: takes the role");
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(lines(&problems)[0].starts_with(&about), "{problems:?}");
    // What it could do with that.
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    let back = "SET ROLE NONE; ALTER TABLE shared.todos DISABLE ROW LEVEL SECURITY";
    client.batch_execute(back).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_databases_are_refused() {
    let (database, other) = (Database::empty().await, Database::empty().await);
    let owner = other.owner_url();
    let vars = [("TENANCY_OWNER_DATABASE_URL", &*owner)];
    let refused = start(app(), &database, Login::App, &vars).await;
    let refused = refused.err().expect("a refusal").to_string();
    assert!(refused.contains("lead to two databases"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leave_for_temporary_tables_is_taken_from_everybody_or_named() {
    let database = Database::empty().await;
    // PostgreSQL gives it; the owner takes it.
    let held = named(
        &database,
        "SELECT has_database_privilege('{app}', '{database}', 'TEMPORARY')",
    );
    assert!(database.value::<bool>(&held).await);
    drop(start(app(), &database, Login::Both, &[]).await.unwrap());
    assert!(!database.value::<bool>(&held).await);
    // Where the database is another role's, its owner must do it.
    let theirs = "ALTER DATABASE {database} OWNER TO postgres; \
         GRANT CREATE ON DATABASE {database} TO {owner}; \
         GRANT TEMPORARY ON DATABASE {database} TO PUBLIC";
    database.sabotage(&named(&database, theirs)).await;
    for login in [Login::Both, Login::App] {
        let problems = refusal(&database, login).await;
        assert_eq!(problems.len(), 1, "{problems:#?}");
        assert!(problems[0].contains("may make temporary tables"));
        assert!(remedy(&problems[0]).starts_with("REVOKE TEMPORARY ON DATABASE"));
    }
    let problems = refusal(&database, Login::App).await;
    database.sabotage(remedy(&problems[0])).await;
    drop(start(app(), &database, Login::App, &[]).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_that_is_called_like_a_placeholder_is_refused() {
    let database = Database::empty().await;
    database.sabotage("CREATE SCHEMA tenant").await;
    let problems = refusal(&database, Login::Both).await;
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(
        problems[0].starts_with("the schema `tenant`"),
        "{problems:?}"
    );
    database
        .sabotage("ALTER SCHEMA tenant RENAME TO renamed")
        .await;
    drop(start(app(), &database, Login::Both, &[]).await.unwrap());
}
