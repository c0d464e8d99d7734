//! Logins that tenants have of their own to their databases.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use integration::database::Database;
use integration::http::{Login, Served, start};
use integration::process::Workplace;
use integration::servers::Postgres;
use serde_json::json;
use tenancy::db::TenantLogins;
use tenancy::prelude::*;
use tenancy::tenant::{Slug, TenantRecord, TenantStatus};
use tenancy::{Isolation, Strategy};
use tokio::time::timeout;
use tokio_postgres::{Client, NoTls};

use super::key;
use crate::shop;

const OWN: &str = "initech";
const OTHER: &str = "hooli";
const SHARING: &str = "globex";

/// A server where the roles of tenants are and the deployment's are not.
struct Elsewhere {
    server: Postgres,
    superuser: Client,
}

impl Elsewhere {
    async fn start() -> Self {
        let server = Postgres::start().await;
        let superuser = connect(&server.url()).await.expect("a superuser");
        let elsewhere = Self { server, superuser };
        for tenant in [OWN, OTHER] {
            elsewhere
                .run(&format!(
                    "CREATE ROLE {tenant}_app LOGIN PASSWORD 'hunter2-app'; \
                     CREATE ROLE {tenant}_owner LOGIN CREATEDB PASSWORD 'hunter2-owner'"
                ))
                .await;
        }
        elsewhere
    }

    async fn run(&self, sql: &str) {
        self.superuser.batch_execute(sql).await.expect("done");
    }

    fn url(&self, user: &str, password: &str, name: &str) -> String {
        format!(
            "postgres://{user}:{password}@127.0.0.1:{}/{name}",
            self.server.port()
        )
    }

    fn template(&self, user: &str, password: &str) -> String {
        self.url(user, password, "{database_name}")
    }

    fn logins(&self, tenant: &str) -> TenantLogins {
        self.logins_by(tenant, ["hunter2-app", "hunter2-owner"])
            .expect("logins")
    }

    fn logins_by(&self, tenant: &str, [app, owner]: [&str; 2]) -> Result<TenantLogins> {
        TenantLogins::new(
            &self.template(&format!("{tenant}_app"), app).into(),
            &self.template(&format!("{tenant}_owner"), owner).into(),
        )
    }

    /// Gives a tenant's role another password, and the tenant the login by it.
    async fn change_password(&self, shop: &Served, password: &str) {
        self.run(&format!("ALTER ROLE {OWN}_app PASSWORD '{password}'"))
            .await;
        let changed = self
            .logins_by(OWN, [password, "hunter2-owner"])
            .expect("logins");
        let provisioner = shop.tenancy.provisioner();
        let own = OWN.parse().expect("a slug");
        let set = provisioner.set_logins(&own, changed).await;
        set.expect("they work");
    }

    /// Ends the sessions of a tenant's role.
    async fn end_sessions(&self) {
        self.run(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{OWN}_app'"
        ))
        .await;
    }

    /// The tenants' databases that are there.
    async fn databases(&self) -> Vec<String> {
        let sql = "SELECT datname FROM pg_database WHERE datname LIKE 't\\_%' ORDER BY 1";
        let rows = self.superuser.query(sql, &[]).await.expect("databases");
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// A superuser in a tenant's database.
    async fn inside(&self, name: &str) -> Client {
        let url = self.server.url();
        let (server, _) = url.rsplit_once('/').expect("a database");
        connect(&format!("{server}/{name}")).await.expect("inside")
    }
}

async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn open_as(database: &Database, ring: &str, login: Login) -> Result<Served> {
    let vars = [
        ("TENANCY_ENCRYPTION_KEY", ring),
        ("TENANCY_POOL_TIMEOUT", "2"),
    ];
    let app = shop::app(Isolation::single(Strategy::Database)).seed(SHARING);
    start(app, database, login, &vars).await
}

async fn open(database: &Database, ring: &str) -> Served {
    let opened = open_as(database, ring, Login::Both).await;
    opened.unwrap_or_else(|error| panic!("{error}"))
}

async fn provision(shop: &Served, tenant: &str, logins: TenantLogins) -> Result<TenantRecord> {
    let new = NewTenant::new(tenant).expect("a slug");
    let provisioner = shop.tenancy.provisioner();
    provisioner.provision_with_logins(new, logins).await
}

/// What is wrong, which only operators are told.
fn cause(error: &Error) -> String {
    let source = std::error::Error::source(error);
    source.map_or_else(|| error.to_string(), ToString::to_string)
}

async fn titles(shop: &Served, tenant: &str) -> Vec<String> {
    let rows = shop.tenant(tenant).get("/todos").await.json(200);
    let rows = rows.as_array().expect("rows").clone();
    let titles = rows
        .iter()
        .map(|row| row["title"].as_str().expect("a title"));
    titles.map(str::to_owned).collect()
}

/// Everything that the application's own database keeps, as text.
async fn everything(database: &Database) -> String {
    let tables = "SELECT string_agg(query_to_xml(format('SELECT * FROM tenancy.%I', relname), \
         true, false, '')::text, '') FROM pg_class WHERE relnamespace = 'tenancy'::regnamespace \
         AND relkind = 'r'";
    database.value(tables).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_lives_on_a_server_that_knows_nobody_else() {
    let (elsewhere, database) = (Elsewhere::start().await, Database::empty().await);
    let ring = key("a");
    let shop = open(&database, &ring).await;
    let record = provision(&shop, OWN, elsewhere.logins(OWN)).await.unwrap();
    for tenant in [OWN, SHARING] {
        let todo = json!({ "title": tenant });
        shop.tenant(tenant).post("/todos", todo).await.json(201);
        assert_eq!(titles(&shop, tenant).await, [tenant]);
    }
    // There, and made by its own owner.
    let names = elsewhere.databases().await;
    assert_eq!((names.len(), database.own_databases().await.len()), (1, 1));
    let inside = elsewhere.inside(&names[0]).await;
    let schema = record.locator.as_ref().unwrap().schema().to_string();
    let rows = format!("SELECT title FROM {schema}.todos");
    let row = inside.query_one(&rows, &[]).await.unwrap();
    assert_eq!(row.get::<_, String>(0), OWN);
    let owner = "SELECT tableowner::text FROM pg_tables WHERE tablename = 'todos'";
    let owner = inside.query_one(owner, &[]).await.unwrap();
    assert_eq!(owner.get::<_, String>(0), format!("{OWN}_owner"));
    drop(inside);

    // What is kept shows none of it, nor does what is logged.
    let kept = format!(
        "{}{record:?}{:?}",
        everything(&database).await,
        elsewhere.logins(OWN)
    );
    assert!(kept.contains(OWN) && !kept.contains("hunter2"));
    // The twin: that server takes the deployment's logins from nobody.
    let deployments = elsewhere.url(database.app_role(), "a", "postgres");
    assert!(connect(&deployments).await.is_err());
    let own = elsewhere.url(&format!("{OWN}_app"), "hunter2-app", &names[0]);
    assert!(connect(&own).await.is_ok());

    // So is it for a process that serves and owns nothing, and after a start that
    // brings it up to date.
    for login in [Login::App, Login::Both] {
        let again = open_as(&database, &ring, login).await.unwrap();
        assert_eq!(titles(&again, OWN).await, [OWN]);
        assert_eq!(again.tenancy.verify().await.unwrap(), []);
    }
    let provisioner = shop.tenancy.provisioner();
    provisioner.delete(&record.slug).await.unwrap();
    let receipt = provisioner.destroy(&record.slug).await.unwrap();
    assert_eq!(receipt.rows["todos"], 1);
    assert_eq!(elsewhere.databases().await, [""; 0]);
    let left: i64 = database
        .value(
            "SELECT (SELECT count(*) FROM tenancy.app_logins) \
             + (SELECT count(*) FROM tenancy.owner_logins)",
        )
        .await;
    assert_eq!(left, 0);
    assert_eq!(titles(&shop, SHARING).await, [SHARING]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_one_server_roles_of_its_own_keep_everybody_else_out() {
    let database = Database::empty().await;
    let shop = open(&database, &key("a")).await;
    let (app, owner) = (
        format!("{}_x", database.app_role()),
        format!("{}_x", database.owner_role()),
    );
    database
        .sabotage(&format!(
            "CREATE ROLE {app} LOGIN PASSWORD 'x'; CREATE ROLE {owner} LOGIN CREATEDB PASSWORD 'x'"
        ))
        .await;
    let port = database.app.get_ports()[0];
    let url = |user: &str, password: &str, name: &str| {
        format!("postgres://{user}:{password}@127.0.0.1:{port}/{name}")
    };
    let template = |user: &str| url(user, "x", "{database_name}").into();
    let logins = TenantLogins::new(&template(&app), &template(&owner)).unwrap();
    // Let into the application's own database, they would hear what all tenants hear.
    let refused = provision(&shop, OWN, logins.clone()).await.unwrap_err();
    let told = refused.to_string();
    assert!(told.contains(&app) && told.contains(&owner), "{told}");
    assert!(told.contains("REVOKE CONNECT ON DATABASE"), "{told}");
    let home = database.app.get_dbname().expect("a name").to_owned();
    let roles = [
        database.app_role(),
        database.owner_role(),
        database.system_role(),
    ];
    database
        .sabotage(&format!(
            "GRANT CONNECT ON DATABASE {home} TO {}; REVOKE CONNECT ON DATABASE {home} FROM PUBLIC",
            roles.join(", ")
        ))
        .await;
    let record = provision(&shop, OWN, logins).await.unwrap();
    let todo = json!({ "title": OWN });
    shop.tenant(OWN).post("/todos", todo).await.json(201);
    let names: Vec<String> = vec![
        database
            .value("SELECT database_name FROM tenancy.tenants WHERE database_logins = 1")
            .await,
        database
            .value("SELECT database_name FROM tenancy.tenants WHERE database_logins IS NULL")
            .await,
        home,
    ];
    assert!(
        record
            .locator
            .unwrap()
            .schema()
            .to_string()
            .starts_with(&names[0])
    );
    for (user, password, let_in) in [
        (&*app, "x", [true, false, false]),
        (&*owner, "x", [true, false, false]),
        (database.app_role(), "a", [false, true, true]),
        (database.owner_role(), "o", [false, true, true]),
    ] {
        for (name, let_in) in names.iter().zip(let_in) {
            let outcome = connect(&url(user, password, name)).await;
            assert_eq!(outcome.is_ok(), let_in, "{user} in {name}");
        }
    }
    // The twin: let in, the deployment's role would be in.
    let open_to_all = format!("GRANT CONNECT ON DATABASE {} TO PUBLIC", names[0]);
    database.sabotage(&open_to_all).await;
    let outcome = connect(&url(database.app_role(), "a", &names[0])).await;
    assert!(outcome.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_owners_login_is_read_by_the_owner_only() {
    let (elsewhere, database) = (Elsewhere::start().await, Database::empty().await);
    let ring = key("a");
    let shop = open(&database, &ring).await;
    let own = provision(&shop, OWN, elsewhere.logins(OWN)).await.unwrap();
    let other = provision(&shop, OTHER, elsewhere.logins(OTHER))
        .await
        .unwrap();
    let raw = database.raw().await;
    for (sql, refused) in [
        ("SELECT * FROM tenancy.owner_logins", true),
        ("SELECT * FROM tenancy.app_logins", false),
        ("UPDATE tenancy.app_logins SET value = ''", true),
        ("DELETE FROM tenancy.app_logins", true),
        ("UPDATE tenancy.tenants SET database_logins = 2", true),
    ] {
        assert_eq!(raw.batch_execute(sql).await.is_err(), refused, "{sql}");
    }
    // Without a tenant nothing, and with one its own.
    let seen = "SELECT tenant_id::text FROM tenancy.app_logins";
    assert!(raw.query(seen, &[]).await.unwrap().is_empty());
    let set = "SELECT set_config('tenancy.tenant_id', $1, false)";
    raw.query(set, &[&own.id.to_string()]).await.unwrap();
    let rows = raw.query(seen, &[]).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].get::<_, String>(0), own.id.to_string());
    assert_ne!(own.id, other.id);

    for (sabotage, named) in [
        (
            format!(
                "GRANT SELECT ON tenancy.owner_logins TO {}",
                database.app_role()
            ),
            "tenancy.owner_logins: grants",
        ),
        (
            "ALTER TABLE tenancy.app_logins NO FORCE ROW LEVEL SECURITY".to_owned(),
            "tenancy.app_logins: does not hold its owner",
        ),
        (
            "DROP POLICY tenancy_isolation ON tenancy.app_logins".to_owned(),
            "tenancy.app_logins: has no policy `tenancy_isolation`",
        ),
    ] {
        database.sabotage(&sabotage).await;
        let problems = shop.tenancy.verify().await.unwrap();
        let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert!(problems.iter().any(|it| it.contains(named)), "{problems:?}");
        let refused = open_as(&database, &ring, Login::App)
            .await
            .err()
            .expect("no start");
        assert!(refused.to_string().contains(named), "{refused}");
    }
    // The twin: without its policy all are seen.
    assert_eq!(raw.query(seen, &[]).await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_is_moved_or_missing_leads_nowhere() {
    let (elsewhere, database) = (Elsewhere::start().await, Database::empty().await);
    let ring = key("a");
    let shop = open(&database, &ring).await;
    for tenant in [OWN, OTHER] {
        provision(&shop, tenant, elsewhere.logins(tenant))
            .await
            .unwrap();
        let todo = json!({ "title": tenant });
        shop.tenant(tenant).post("/todos", todo).await.json(201);
    }
    let moved = "UPDATE tenancy.app_logins a SET value = o.value FROM tenancy.{from} o \
         WHERE a.tenant_id <> o.tenant_id";
    let exchanged = "UPDATE tenancy.app_logins a SET value = o.value FROM tenancy.{from} o \
         WHERE a.tenant_id = o.tenant_id";
    let keep = "CREATE TABLE tenancy.kept AS SELECT * FROM tenancy.app_logins";
    database.sabotage(keep).await;
    for sabotage in [
        moved.replace("{from}", "kept"),
        exchanged.replace("{from}", "owner_logins"),
        "DELETE FROM tenancy.app_logins".to_owned(),
    ] {
        database.sabotage(&sabotage).await;
        // As it is read when a database is first connected to.
        let fresh = open(&database, &ring).await;
        for tenant in [OWN, OTHER] {
            let refused = fresh.tenant(tenant).get("/todos").await;
            assert_eq!(refused.problem(500), "internal", "{sabotage}");
        }
        assert_eq!(titles(&fresh, SHARING).await, [""; 0]);
        let problems = fresh.tenancy.verify().await.unwrap();
        assert_eq!(problems.len(), 2, "{problems:?}");
    }
    // The twin: put back, each leads to its own.
    let back = "INSERT INTO tenancy.app_logins SELECT * FROM tenancy.kept; DROP TABLE tenancy.kept";
    database.sabotage(back).await;
    let fresh = open(&database, &ring).await;
    for tenant in [OWN, OTHER] {
        assert_eq!(titles(&fresh, tenant).await, [tenant]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_logins_are_used_by_all_and_bad_ones_by_nobody() {
    let (elsewhere, database) = (Elsewhere::start().await, Database::empty().await);
    let ring = key("a");
    let shops = [open(&database, &ring).await, open(&database, &ring).await];
    database.listening(2).await;
    provision(&shops[0], OWN, elsewhere.logins(OWN))
        .await
        .unwrap();
    for shop in &shops {
        assert_eq!(titles(shop, OWN).await, [""; 0]);
    }
    let provisioner = shops[0].tenancy.provisioner();
    let (own, sharing) = (OWN.parse().unwrap(), SHARING.parse().unwrap());
    elsewhere
        .run(&format!("ALTER ROLE {OWN}_app PASSWORD 'hunter3-app'"))
        .await;
    for (logins, said) in [
        (
            elsewhere.logins(OWN),
            "the login of the application's role: leads to no connection",
        ),
        (
            elsewhere
                .logins_by(OWN, ["hunter3-app", "forgotten"])
                .unwrap(),
            "the owner's login: leads to no connection",
        ),
    ] {
        let refused = provisioner.set_logins(&own, logins).await.unwrap_err();
        assert!(matches!(refused, Error::Unavailable(_)), "{refused:?}");
        assert!(cause(&refused).contains(said), "{refused:?}");
    }
    // Another tenant's roles would be let in nowhere, and a superuser is held by nothing.
    elsewhere
        .run("CREATE ROLE boss_app SUPERUSER LOGIN PASSWORD 'x'")
        .await;
    let changed = elsewhere
        .logins_by(OWN, ["hunter3-app", "hunter2-owner"])
        .unwrap();
    let by = |app: &str, password: &str| {
        let owner = elsewhere.template(&format!("{OWN}_owner"), "hunter2-owner");
        TenantLogins::new(&elsewhere.template(app, password).into(), &owner.into()).unwrap()
    };
    let boss = provisioner
        .set_logins(&own, by("boss_app", "x"))
        .await
        .unwrap_err();
    assert!(boss.to_string().contains("has SUPERUSER"), "{boss}");
    let others = by(&format!("{OTHER}_app"), "hunter2-app");
    assert!(provisioner.set_logins(&own, others).await.is_err());
    // The database stays where it is, and who has none of its own gets none.
    let here = [database.app_url(), database.owner_url()].map(|url| {
        let (server, _) = url.rsplit_once('/').expect("a database");
        format!("{server}/{{database_name}}").into()
    });
    let here = TenantLogins::new(&here[0], &here[1]);
    for (tenant, logins) in [(&own, here.unwrap()), (&sharing, changed.clone())] {
        let refused = provisioner.set_logins(tenant, logins).await.unwrap_err();
        assert!(matches!(refused, Error::InvalidInput(_)), "{refused:?}");
    }
    for shop in &shops {
        assert_eq!(titles(shop, OWN).await, [""; 0]);
    }
    let version = "SELECT database_logins FROM tenancy.tenants WHERE database_logins IS NOT NULL";
    assert_eq!(database.value::<i32>(version).await, 1);

    provisioner.set_logins(&own, changed).await.unwrap();
    assert_eq!(database.value::<i32>(version).await, 2);
    // Who was connected before is not any more, and connects anew.
    for shop in &shops {
        let begun = Instant::now();
        loop {
            elsewhere.end_sessions().await;
            let answer = shop.tenant(OWN).get("/todos").await;
            if answer.status == 200 {
                break;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(10),
                "{}",
                answer.text()
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_another_one_follows_is_let_in_no_more() {
    let (elsewhere, database) = (Elsewhere::start().await, Database::empty().await);
    let ring = key("a");
    let shop = open(&database, &ring).await;
    let own: Slug = OWN.parse().unwrap();
    provision(&shop, OWN, elsewhere.logins(OWN)).await.unwrap();
    assert_eq!(titles(&shop, OWN).await, [""; 0]);
    let name = elsewhere.databases().await.remove(0);
    let before = elsewhere.url(&format!("{OWN}_app"), "hunter2-app", &name);
    let still_there = connect(&before).await.unwrap();

    let next = format!("{OWN}_next");
    elsewhere
        .run(&format!(
            "CREATE ROLE {next} LOGIN PASSWORD 'x'; GRANT CONNECT ON DATABASE {name} TO {next}"
        ))
        .await;
    let owner = elsewhere.template(&format!("{OWN}_owner"), "hunter2-owner");
    let logins = TenantLogins::new(&elsewhere.template(&next, "x").into(), &owner.into()).unwrap();
    let provisioner = shop.tenancy.provisioner();
    // What it lacks is named, with what grants it.
    let inside = elsewhere.inside(&name).await;
    let mut attempts = 0;
    while let Err(refused) = provisioner.set_logins(&own, logins.clone()).await {
        let Error::CannotStart(problems) = refused else {
            panic!("{refused:?}");
        };
        attempts += 1;
        assert!(attempts < 5, "{problems:?}");
        for problem in problems {
            let problem = problem.to_string();
            let (_, remedy) = problem.split_once("run: ").expect("a remedy");
            inside.batch_execute(remedy).await.expect(remedy);
        }
    }
    assert!(attempts > 0);
    drop(inside);
    assert_eq!(titles(&shop, OWN).await, [""; 0]);
    assert!(connect(&before).await.is_err());
    assert!(still_there.batch_execute("SELECT 1").await.is_err());
    // Let in behind our back, it is out at the end at the latest.
    elsewhere
        .run(&format!("GRANT CONNECT ON DATABASE {name} TO {OWN}_app"))
        .await;
    assert!(connect(&before).await.is_ok());
    provisioner.delete(&own).await.unwrap();
    provisioner.destroy(&own).await.unwrap();
    assert_eq!(elsewhere.databases().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handle_of_before_follows_the_logins_of_now() {
    let (elsewhere, database) = (Elsewhere::start().await, Database::empty().await);
    let shop = open(&database, &key("a")).await;
    let own: Slug = OWN.parse().unwrap();
    provision(&shop, OWN, elsewhere.logins(OWN)).await.unwrap();
    let (_, db) = shop.tenancy.tenant(&own).await.unwrap();
    drop(db.conn().await.unwrap());
    elsewhere.change_password(&shop, "hunter3-app").await;
    let mut seen = BTreeSet::new();
    let sessions = format!("SELECT pid FROM pg_stat_activity WHERE usename = '{OWN}_app'");
    for _ in 0..10 {
        assert_eq!(titles(&shop, OWN).await, [""; 0]);
        drop(db.conn().await.unwrap());
        let rows = elsewhere.superuser.query(&sessions, &[]).await.unwrap();
        seen.extend(rows.iter().map(|row| row.get::<_, i32>(0)));
    }
    assert_eq!(shop.tenancy.databases().unwrap().pools(), 1);
    // The twin: with a pool for each of them in turn there would be twenty.
    assert!(seen.len() < 6, "{seen:?}");

    // Alone with a login that is none any more, it has the other at the next attempt.
    elsewhere.change_password(&shop, "hunter4-app").await;
    elsewhere.end_sessions().await;
    let mut attempts = 0;
    while db.conn().await.is_err() {
        attempts += 1;
        assert!(attempts < 5);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_holds_up_its_own_database_holds_up_nobodys_start() {
    let (elsewhere, database) = (Elsewhere::start().await, Database::empty().await);
    let ring = key("a");
    let shop = open(&database, &ring).await;
    provision(&shop, OWN, elsewhere.logins(OWN)).await.unwrap();
    let name = elsewhere.databases().await.remove(0);
    let own = elsewhere.url(&format!("{OWN}_app"), "hunter2-app", &name);
    let holding = connect(&own).await.unwrap();
    holding
        .batch_execute("SELECT pg_advisory_lock(hashtextextended('tenancy.tables', 0))")
        .await
        .unwrap();
    let opened = timeout(Duration::from_secs(40), open(&database, &ring)).await;
    let again = opened.expect("a start");
    assert_eq!(titles(&again, SHARING).await, [""; 0]);
    // The twin: it waits as long as it may, which is why there is an end to it.
    let problems = again.tenancy.migrate().await.unwrap_err().to_string();
    assert!(
        problems.contains(&name) && problems.contains("lock timeout"),
        "{problems}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_half_destroyed_is_finished_by_new_logins() {
    let (elsewhere, database) = (Elsewhere::start().await, Database::empty().await);
    let ring = key("a");
    let shop = open(&database, &ring).await;
    let own: Slug = OWN.parse().unwrap();
    provision(&shop, OWN, elsewhere.logins(OWN)).await.unwrap();
    let provisioner = shop.tenancy.provisioner();
    provisioner.delete(&own).await.unwrap();
    elsewhere
        .run(&format!("ALTER ROLE {OWN}_owner PASSWORD 'hunter3-owner'"))
        .await;
    assert!(provisioner.destroy(&own).await.is_err());
    let there = provisioner.find(&own).await.unwrap().unwrap();
    assert_eq!(there.status, TenantStatus::Destroying);
    let changed = elsewhere
        .logins_by(OWN, ["hunter2-app", "hunter3-owner"])
        .unwrap();
    // By then the application's role may be let in no more.
    elsewhere
        .run(&format!("ALTER ROLE {OWN}_app NOLOGIN"))
        .await;
    provisioner.set_logins(&own, changed).await.unwrap();
    provisioner.destroy(&own).await.unwrap();
    assert_eq!(elsewhere.databases().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_tenant_that_cannot_be_made_nothing_stays() {
    let (elsewhere, database) = (Elsewhere::start().await, Database::empty().await);
    let shop = open(&database, &key("a")).await;
    elsewhere
        .run(&format!(
            "ALTER ROLE {OWN}_app BYPASSRLS; ALTER ROLE {OTHER}_owner NOCREATEDB"
        ))
        .await;
    for (tenant, said) in [(OWN, "has BYPASSRLS"), (OTHER, "may not make databases")] {
        let refused = provision(&shop, tenant, elsewhere.logins(tenant))
            .await
            .unwrap_err();
        assert!(cause(&refused).contains(said), "{refused:?}");
    }
    assert_eq!(elsewhere.databases().await, [""; 0]);
    let left: i64 = database
        .value(
            "SELECT (SELECT count(*) FROM tenancy.tenants WHERE database_logins > 0) \
             + (SELECT count(*) FROM tenancy.app_logins)",
        )
        .await;
    assert_eq!(left, 0);
    // The twin: what was wrong is mended, and it can.
    elsewhere
        .run(&format!("ALTER ROLE {OWN}_app NOBYPASSRLS"))
        .await;
    provision(&shop, OWN, elsewhere.logins(OWN)).await.unwrap();
    let twice = provision(&shop, OWN, elsewhere.logins(OWN))
        .await
        .unwrap_err();
    assert!(matches!(twice, Error::Conflict(_)), "{twice:?}");
    assert_eq!(elsewhere.databases().await.len(), 1);

    let plain = NewTenant::new(OTHER).unwrap().strategy(Strategy::Schema);
    let provisioner = shop.tenancy.provisioner();
    let refused = provisioner
        .provision_with_logins(plain, elsewhere.logins(OTHER))
        .await;
    assert!(
        matches!(refused, Err(Error::InvalidInput(_))),
        "{refused:?}"
    );
    // Nor is anything kept where there is no key to keep it by.
    let app = shop::app(Isolation::single(Strategy::Database));
    let keyless = Served::start(app, &Database::empty().await, &[]).await;
    let refused = provision(&keyless, OWN, elsewhere.logins(OWN))
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("TENANCY_ENCRYPTION_KEY"),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_crash_left_half_made_is_finished_by_its_own_logins() {
    let (elsewhere, database) = (Elsewhere::start().await, Database::empty().await);
    let ring = key("a");
    let shop = open(&database, &ring).await;
    provision(&shop, OWN, elsewhere.logins(OWN)).await.unwrap();
    let names = elsewhere.databases().await;
    drop(shop);
    for status in ["provisioning", "destroying"] {
        let half = format!(
            "UPDATE tenancy.tenants SET status = '{status}' \
             WHERE database_logins IS NOT NULL"
        );
        database.sabotage(&half).await;
        if status == "provisioning" {
            elsewhere
                .run(&format!("DROP DATABASE {} WITH (FORCE)", names[0]))
                .await;
        }
        let again = open(&database, &ring).await;
        match status {
            "provisioning" => assert_eq!(titles(&again, OWN).await, [""; 0]),
            _ => assert_eq!(elsewhere.databases().await, [""; 0]),
        }
    }
    assert_eq!(database.own_databases().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_give_logins_by_commands() {
    let (elsewhere, database) = (Elsewhere::start().await, Database::empty().await);
    let place = Workplace::on(&database);
    let migrated = place.run("quickstart", &["migrate"], &[]).await;
    assert_eq!(migrated.code, Some(0), "{}", migrated.err);
    let ring = key("a");
    let run = async |args: &[&str], passwords: [&str; 2]| {
        let [app, owner] = [("app", passwords[0]), ("owner", passwords[1])]
            .map(|(role, password)| elsewhere.template(&format!("{OWN}_{role}"), password));
        let vars = [("TENANCY_ENCRYPTION_KEY", &*ring)];
        let input = format!("{app}\n{owner}\n");
        let ended = place.run_fed("quickstart", args, &vars, &input);
        let ended = ended.await;
        let said = format!("{}{}", ended.out, ended.err);
        assert!(!said.contains("hunter"), "{said}");
        (ended.code, said)
    };
    let create = ["tenants", "create", OWN, "--own-logins"];
    let set = ["tenants", "set-logins", OWN];
    let (good, bad) = (["hunter2-app", "hunter2-owner"], ["hunter2-app", "hunter4"]);
    for (args, passwords, code, expected) in [
        (
            &create[..],
            bad,
            1,
            "the owner's login: leads to no connection",
        ),
        (&set[..], good, 1, "there is no tenant `initech`"),
        (&create[..], good, 0, "database"),
        (
            &set[..],
            bad,
            1,
            "the owner's login: leads to no connection",
        ),
        (&set[..], good, 0, "database"),
        (
            &["tenants", "set-logins", "acme-corp"],
            good,
            1,
            "was provisioned without logins",
        ),
    ] {
        let (ended, said) = run(args, passwords).await;
        assert!(
            ended == Some(code) && said.contains(expected),
            "{args:?}: {said}"
        );
    }
    assert_eq!(elsewhere.databases().await.len(), 1);
    let with_metadata = [
        "tenants",
        "create",
        OTHER,
        "--own-logins",
        "--metadata",
        "-",
    ];
    let [app, owner] = ["app", "owner"]
        .map(|role| elsewhere.template(&format!("{OTHER}_{role}"), &format!("hunter2-{role}")));
    let input = format!("{app}\n{owner}\n{{\"password\": {{\"$secret\": \"hunter5\"}}}}\n");
    let vars = [("TENANCY_ENCRYPTION_KEY", &*ring)];
    let made = place
        .run_fed("quickstart", &with_metadata, &vars, &input)
        .await;
    assert_eq!(made.code, Some(0), "{}", made.err);
    let stored = everything(&database).await;
    assert!(
        stored.contains("$secret") && !stored.contains("hunter"),
        "{stored}"
    );
    let one = place
        .run_fed("quickstart", &set, &vars, "postgres://a@b/{database_name}")
        .await;
    assert!(
        one.code == Some(1) && one.err.contains("two lines"),
        "{}",
        one.err
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_rotate_under_logins() {
    let (elsewhere, database) = (Elsewhere::start().await, Database::empty().await);
    let (old, new) = (key("old"), key("new"));
    let before = open(&database, &old).await;
    provision(&before, OWN, elsewhere.logins(OWN))
        .await
        .unwrap();
    let both = format!("{new},{old}");
    let refused = open_as(&database, &new, Login::App)
        .await
        .err()
        .expect("no start");
    assert!(
        refused.to_string().contains("has no key `old`"),
        "{refused}"
    );

    // They are the owner's.
    let serving = open_as(&database, &both, Login::App).await.unwrap();
    let rotation = serving
        .tenancy
        .secrets()
        .unwrap()
        .rotate(|_, _| {})
        .await
        .unwrap();
    assert_eq!((rotation.rewritten, rotation.problems.len()), (0, 1));
    assert_eq!(rotation.in_use["old"], 1);
    let problem = rotation.problems[0].to_string();
    assert!(problem.contains("TENANCY_OWNER_DATABASE_URL"), "{problem}");

    let owning = open(&database, &both).await;
    let rotation = owning
        .tenancy
        .secrets()
        .unwrap()
        .rotate(|_, _| {})
        .await
        .unwrap();
    assert_eq!((rotation.rewritten, rotation.in_use["new"]), (1, 1));
    assert_eq!(rotation.forgotten, ["old"]);
    let after = open(&database, &new).await;
    assert_eq!(titles(&after, OWN).await, [""; 0]);
    // The owner's as well.
    let provisioner = after.tenancy.provisioner();
    provisioner.delete(&OWN.parse().unwrap()).await.unwrap();
    provisioner.destroy(&OWN.parse().unwrap()).await.unwrap();
    assert_eq!(elsewhere.databases().await, [""; 0]);
}
