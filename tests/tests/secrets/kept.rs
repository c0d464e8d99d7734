//! Whose a secret is, and who else does not get to it.

use diesel::sql_types::{BigInt, Text};
use integration::database::Database;
use integration::http::{Login, Served, start};
use integration::servers::PgBouncer;
use integration::wire::Wire;
use serde_json::json;
use tenancy::Strategy;
use tenancy::prelude::*;

use super::{A, B, STRATEGIES, app, get, key, set, value};

#[derive(diesel::QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

async fn open(strategy: Strategy, database: &Database) -> Served {
    let ring = key("a");
    Served::start(
        app(strategy),
        database,
        &[("TENANCY_ENCRYPTION_KEY", &ring)],
    )
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_comes_back_to_its_tenant_and_to_no_other() {
    for strategy in STRATEGIES {
        let database = Database::empty().await;
        let ring = key("a");
        let vars = [
            ("TENANCY_ENCRYPTION_KEY", &*ring),
            ("TENANCY_POOL_SIZE", "1"),
        ];
        let vault = Served::start(app(strategy), &database, &vars).await;
        serves_secrets(&vault).await;
        // In the database nothing of it is to be read.
        let dump: String = database
            .value(
                "SELECT string_agg(encode(value, 'escape') || s::text, ' ') \
                 FROM tenancy.secrets s",
            )
            .await;
        assert!(dump.contains("smtp_password"), "{dump}");
        assert!(
            !dump.contains("horse") && !dump.contains("686f727365"),
            "{dump}"
        );
        assert!(vault.tenancy.verify().await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_database_keeps_them_as_well() {
    let ring = key("a");
    for strategy in [Strategy::Rls, Strategy::Schema] {
        let vars = [("TENANCY_ENCRYPTION_KEY", &*ring)];
        serves_secrets(&Served::embedded(app(strategy), &vars).await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_pooler_nothing_of_a_tenant_stays_on_its_connection() {
    let database = Database::empty().await;
    let ring = key("a");
    // The owner's part, which goes past the pooler.
    drop(open(Strategy::Rls, &database).await);
    database.sabotage("DELETE FROM tenancy.secret_keys").await;
    let user = database.app.get_user().unwrap();
    let bouncer = PgBouncer::start(&database.app, &[(user, "a")], 1).await;
    let port = format!(":{}/", database.app.get_ports()[0]);
    let through = database
        .app_url()
        .replace(&port, &format!(":{}/", bouncer.port));
    let vars = [
        ("TENANCY_ENCRYPTION_KEY", &*ring),
        ("TENANCY_DATABASE_URL", &*through),
        ("TENANCY_PREPARED_STATEMENTS", "false"),
    ];
    let vault = start(app(Strategy::Rls), &database, Login::App, &vars).await;
    let vault = vault.unwrap();
    serves_secrets(&vault).await;
    // The one connection of the pooler shows a stranger nothing.
    let login = through.parse::<tokio_postgres::Config>().unwrap();
    let (client, connection) = login.connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let seen = client
        .simple_query("SELECT name FROM tenancy.secrets")
        .await;
    let rows = seen.unwrap().into_iter();
    let rows = rows.filter(|said| matches!(said, tokio_postgres::SimpleQueryMessage::Row(_)));
    assert_eq!(rows.count(), 0);
    // The twin: there is something to see, for who says whose.
    let id = "(SELECT id::text FROM tenancy.tenants WHERE slug = 'acme-corp')";
    let sql = format!(
        "BEGIN; SELECT set_config('tenancy.tenant_id', {id}, true); \
         SELECT count(*) FROM tenancy.secrets; COMMIT"
    );
    let seen = client.simple_query(&sql).await.unwrap();
    let counted = seen.iter().rev().find_map(|said| match said {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    assert_eq!(counted, Some("1"));
}

async fn serves_secrets(vault: &Served) {
    let (a, b) = (vault.tenant(A), vault.tenant(B));
    set(a, "smtp_password", "correct horse").await;
    set(a, "a.key-2", "päßword").await;
    set(b, "smtp_password", "battery horse").await;
    assert_eq!(value(a, "smtp_password").await, "correct horse");
    assert_eq!(value(a, "a.key-2").await, "päßword");
    assert_eq!(value(b, "smtp_password").await, "battery horse");
    assert_eq!(get(b, "a.key-2").await.problem(404), "not_found");
    let names = a.get("/secrets").await.json(200);
    assert_eq!(names, json!(["a.key-2", "smtp_password"]));

    // The last one counts, and at its longest.
    let long = "x".repeat(65_536);
    set(a, "smtp_password", &long).await;
    assert_eq!(value(a, "smtp_password").await, long);
    for (name, value, said) in [
        ("smtp_password", String::new(), "is empty"),
        ("smtp_password", long + "x", "65536 are the most"),
        ("Smtp", "x".to_owned(), "a secret's name is"),
    ] {
        let path = format!("/secrets/{name}");
        let refused = a.post(&path, json!({ "value": value })).await;
        assert_eq!(refused.problem(422), "invalid_input");
        assert!(refused.text().contains(said), "{}", refused.text());
    }
    for there in [true, false] {
        let removed = a.delete("/secrets/smtp_password").await.json(200);
        assert_eq!(removed, json!(there));
    }
    assert_eq!(get(a, "smtp_password").await.problem(404), "not_found");
    assert_eq!(value(b, "smtp_password").await, "battery horse");
    assert_eq!(
        vault.nobody().get("/secrets").await.problem(400),
        "tenant_unresolved"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_is_moved_or_changed_does_not_decrypt() {
    let database = Database::empty().await;
    let vault = open(Strategy::Rls, &database).await;
    let (a, b) = (vault.tenant(A), vault.tenant(B));
    let id = |slug: &str| format!("(SELECT id FROM tenancy.tenants WHERE slug = '{slug}')");
    set(a, "smtp", "correct horse").await;
    for (who, name, change, back) in [
        // Another tenant's.
        (
            b,
            "smtp",
            format!("tenant_id = {}", id(B)),
            format!("tenant_id = {}", id(A)),
        ),
        // Under another name.
        (
            a,
            "other",
            "name = 'other'".to_owned(),
            "name = 'smtp'".to_owned(),
        ),
        // One bit of it.
        (
            a,
            "smtp",
            "value = set_bit(value, 300, 1 - get_bit(value, 300))".to_owned(),
            "value = set_bit(value, 300, 1 - get_bit(value, 300))".to_owned(),
        ),
    ] {
        database
            .sabotage(&format!("UPDATE tenancy.secrets SET {change}"))
            .await;
        let refused = get(who, name).await;
        assert_eq!(refused.problem(500), "internal", "{change}");
        assert!(!refused.text().contains("decrypt"), "{}", refused.text());
        // The twin: where it was, as it was, it does.
        database
            .sabotage(&format!("UPDATE tenancy.secrets SET {back}"))
            .await;
        assert_eq!(value(a, "smtp").await, "correct horse", "{back}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sql_of_one_tenant_reaches_no_secret_of_another() {
    for strategy in [Strategy::Rls, Strategy::Schema] {
        let database = Database::empty().await;
        let vault = open(strategy, &database).await;
        for tenant in [A, B] {
            set(vault.tenant(tenant), "smtp", "correct horse").await;
        }
        let (_, db) = vault.tenancy.tenant(&A.parse().unwrap()).await.unwrap();
        let visible = async || {
            let mut conn = db.conn().await.unwrap();
            let sql = "SELECT count(*) FROM tenancy.secrets";
            let row: Count = diesel::sql_query(sql).get_result(&mut conn).await.unwrap();
            row.count
        };
        // Its own ciphertext, or nothing at all.
        let own = i64::from(strategy == Strategy::Rls);
        assert_eq!(visible().await, own, "{strategy}");
        let written = async |sql: &str| {
            let mut conn = db.conn().await.unwrap();
            let query = diesel::sql_query(sql).bind::<Text, _>(B);
            query.execute(&mut conn).await
        };
        let of_b = "(SELECT id FROM tenancy.tenants WHERE slug = $1)";
        let change = format!("UPDATE tenancy.secrets SET name = 'x' WHERE tenant_id = {of_b}");
        let removal = format!("DELETE FROM tenancy.secrets WHERE tenant_id = {of_b}");
        let forged = format!(
            "INSERT INTO tenancy.secrets (tenant_id, name, key_id, value) \
             VALUES ({of_b}, 'y', 'a', '')"
        );
        assert_eq!(written(&change).await.unwrap(), 0, "{strategy}");
        assert_eq!(written(&removal).await.unwrap(), 0, "{strategy}");
        let refused = written(&forged).await.unwrap_err().to_string();
        assert!(refused.contains("row-level security"), "{refused}");

        // The twin: it is the policy that keeps them apart, and a start sees it.
        let drop = "DROP POLICY tenancy_isolation ON tenancy.secrets";
        database.sabotage(drop).await;
        assert_eq!(visible().await, 2, "{strategy}");
        assert_eq!(written(&change).await.unwrap(), 1, "{strategy}");
        let problems = vault.tenancy.verify().await.unwrap();
        let remedies: Vec<_> = problems
            .iter()
            .map(tenancy::problem::Problem::remedy)
            .collect();
        let [remedy] = remedies[..] else {
            panic!("{problems:?}");
        };
        let mend = remedy.strip_prefix("run: ").expect("a statement");
        database.owner.batch_execute(mend).await.unwrap();
        assert_eq!(visible().await, own, "{strategy}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_guards_the_secrets_is_named_and_mended_by_the_remedy() {
    let database = Database::empty().await;
    let vault = open(Strategy::Schema, &database).await;
    let app = database.app_role();
    for sabotage in [
        "ALTER TABLE tenancy.secrets DISABLE ROW LEVEL SECURITY".to_owned(),
        "ALTER TABLE tenancy.secrets NO FORCE ROW LEVEL SECURITY".to_owned(),
        "CREATE POLICY more ON tenancy.secrets USING (true)".to_owned(),
        format!("GRANT TRUNCATE ON tenancy.secrets TO {app}"),
        format!("GRANT UPDATE (proof) ON tenancy.secret_keys TO {app}"),
        format!("REVOKE DELETE ON tenancy.secrets FROM {app}"),
        format!("GRANT DELETE ON tenancy.metadata_keys TO {app}"),
    ] {
        database.sabotage(&sabotage).await;
        let problems = vault.tenancy.verify().await.unwrap();
        assert_eq!(problems.len(), 1, "{sabotage}: {problems:?}");
        let mend = problems[0].remedy().strip_prefix("run: ");
        let mend = mend.expect("a statement");
        database.owner.batch_execute(mend).await.unwrap();
        let problems = vault.tenancy.verify().await.unwrap();
        assert!(problems.is_empty(), "{mend}: {problems:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destroyed_tenant_leaves_no_secret() {
    for strategy in STRATEGIES {
        let database = Database::empty().await;
        let vault = open(strategy, &database).await;
        for name in ["smtp", "hook"] {
            set(vault.tenant(A), name, "correct horse").await;
        }
        set(vault.tenant(B), "smtp", "battery horse").await;
        let slug = A.parse().unwrap();
        let (tenant, _) = vault.tenancy.tenant(&slug).await.unwrap();
        let admitted = vault.tenancy.secrets().unwrap().of(&tenant);
        let left = format!(
            "SELECT count(*) FROM tenancy.secrets WHERE tenant_id = '{}'",
            tenant.id()
        );
        let provisioner = vault.tenancy.provisioner();
        provisioner.delete(&slug).await.unwrap();
        assert_eq!(
            database.value::<i64>(&left).await,
            2,
            "soft-delete keeps them"
        );
        let receipt = provisioner.destroy(&slug).await.unwrap();
        assert_eq!(receipt.secrets, 2, "{strategy}");
        assert_eq!(provisioner.receipt(&slug).await.unwrap().secrets, 2);
        assert_eq!(database.value::<i64>(&left).await, 0, "{strategy}");
        // Who was admitted before keeps nothing after.
        let late = admitted.set("late", "x".into()).await.unwrap_err();
        assert_eq!(late.code(), "tenant_inactive", "{late}");
        assert!(admitted.get("smtp").await.unwrap().is_none());
        assert_eq!(value(vault.tenant(B), "smtp").await, "battery horse");
        // Whoever gets the slug next inherits none.
        let next = provisioner.provision(NewTenant::new(A).unwrap()).await;
        next.unwrap();
        assert_eq!(vault.tenant(A).get("/secrets").await.json(200), json!([]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_keys_an_application_does_not_start_on_what_they_encrypted() {
    let database = Database::empty().await;
    let (mine, other) = (key("a"), key("a"));
    let keyed = |ring: &str| vec![("TENANCY_ENCRYPTION_KEY".to_owned(), ring.to_owned())];
    let begin = async |login, vars: Vec<(String, String)>| {
        let vars: Vec<_> = vars.iter().map(|(n, v)| (&**n, &**v)).collect();
        start(app(Strategy::Rls), &database, login, &vars).await
    };
    // Nothing is encrypted yet: without a key it serves, and says what is missing.
    let none = begin(Login::Both, Vec::new()).await.unwrap();
    assert_eq!(get(none.tenant(A), "smtp").await.problem(500), "internal");
    let missing = none.tenancy.secrets().unwrap_err().to_string();
    assert!(missing.contains("secrets generate-key"), "{missing}");

    let vault = begin(Login::App, keyed(&mine)).await.unwrap();
    set(vault.tenant(A), "smtp", "correct horse").await;
    let third = key("c");
    for (vars, said) in [
        (Vec::new(), "has no key `a`"),
        (keyed(&third), "has no key `a`"),
        (keyed(&other), "has another key `a`"),
    ] {
        let refused = begin(Login::App, vars).await.err().expect("no start");
        let refused = refused.to_string();
        assert!(refused.contains(said), "{refused}");
        for secret in [&mine, &other, &third] {
            let (_, secret) = secret.split_once(':').unwrap();
            assert!(!refused.contains(secret), "{refused}");
        }
    }
    // The twin: with it they are as they were, in another place of the ring as well.
    let both = begin(Login::App, keyed(&format!("{third},{mine}")))
        .await
        .unwrap();
    assert_eq!(value(both.tenant(A), "smtp").await, "correct horse");

    // A key that goes missing later is named in the log, and to nobody else.
    let take = "INSERT INTO tenancy.secret_keys VALUES ('gone', ''); \
                UPDATE tenancy.secrets SET key_id = 'gone'";
    database.sabotage(take).await;
    assert_eq!(get(vault.tenant(A), "smtp").await.problem(500), "internal");
    let (tenant, _) = vault.tenancy.tenant(&A.parse().unwrap()).await.unwrap();
    let secrets = vault.tenancy.secrets().unwrap().of(&tenant);
    let error = secrets.get("smtp").await.unwrap_err().to_string();
    assert!(
        error.contains("add the key `gone` to TENANCY_ENCRYPTION_KEY"),
        "{error}"
    );
    let shown = format!("{vault:?} {secrets:?}", vault = vault.tenancy.secrets());
    assert!(!shown.contains(mine.split_once(':').unwrap().1), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_is_one_round_trip_away() {
    let database = Database::empty().await;
    let wire = Wire::to(format!("127.0.0.1:{}", database.app.get_ports()[0])).await;
    let port = format!(":{}/", database.app.get_ports()[0]);
    let through = database
        .app_url()
        .replace(&port, &format!(":{}/", wire.port));
    let ring = key("a");
    let vars = [
        ("TENANCY_ENCRYPTION_KEY", &*ring),
        ("TENANCY_DATABASE_URL", &*through),
        // Of one connection, on which nobody else speaks.
        ("TENANCY_POOL_SIZE", "1"),
        ("TENANCY_CACHE_ENABLED", "false"),
    ];
    let vault = Served::start(app(Strategy::Schema), &database, &vars).await;
    let (tenant, _) = vault.tenancy.tenant(&A.parse().unwrap()).await.unwrap();
    let secrets = vault.tenancy.secrets().unwrap().of(&tenant);
    for _ in 0..2 {
        secrets.set("smtp", "correct horse".into()).await.unwrap();
        secrets.get("smtp").await.unwrap();
        secrets.names().await.unwrap();
    }
    for what in ["set", "get", "names"] {
        wire.take();
        match what {
            "set" => secrets.set("smtp", "battery horse".into()).await.unwrap(),
            "get" => drop(secrets.get("smtp").await.unwrap()),
            _ => drop(secrets.names().await.unwrap()),
        }
        assert_eq!(wire.take(), 1, "{what}");
    }
    let said = wire.take_said();
    assert!(said.windows(4).any(|part| part == b"smtp"));
    assert!(!said.windows(5).any(|part| part == b"horse"));
}
