//! Processes that are killed, and servers that are, between any two steps of a
//! tenant's life: the next start finds a whole tenant or none.

use std::time::Duration;

use integration::database::Database;
use integration::http::Served;
use integration::process::Workplace;
use integration::servers::Postgres;
use integration::wire::Wire;
use serde_json::json;
use tenancy::prelude::*;
use tenancy::tenant::Slug;
use tenancy::{Isolation, Strategy};

use crate::shop;

const SLUG: &str = "initech";

const STRATEGIES: [Strategy; 3] = [Strategy::Rls, Strategy::Schema, Strategy::Database];

/// Everything that tenants have in the database and on its server, but the
/// entries themselves.
const THINGS: &str = "SELECT (SELECT count(*) FROM pg_namespace WHERE nspname LIKE 't\\_%') \
     + (SELECT count(*) FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba \
        WHERE datname LIKE 't\\_%' AND r.rolname = '{owner}') \
     + (SELECT count(*) FROM shared.tenancy_tenants)";

/// The same model as the one of `quickstart`.
#[tenant_model]
pub struct Todo {
    /// The key.
    pub id: Uuid,
    /// What to do.
    pub title: String,
    /// Whether it is done.
    #[column(default = "false")]
    pub done: bool,
}

/// A database that the program works on through a wire, and this process
/// directly.
struct Bench {
    database: Database,
    place: Workplace,
    wire: Wire,
    strategy: Strategy,
}

impl Bench {
    async fn new(strategy: Strategy) -> Self {
        let database = Database::empty().await;
        let wire = Wire::quick(format!("127.0.0.1:{}", database.app.get_ports()[0])).await;
        let bench = Self {
            place: Workplace::on(&database),
            database,
            wire,
            strategy,
        };
        // The roll is there whatever the strategy, so that things can be counted.
        let roll = Strategy::Rls;
        drop(Served::start(app(roll), &bench.database, &[]).await);
        bench.start().await;
        bench
    }

    /// Starts the application here, which goes on with what was interrupted.
    async fn start(&self) -> Served {
        let shop = Served::start(app(self.strategy), &self.database, &[]).await;
        assert_eq!(lines(&shop).await, Vec::<String>::new());
        shop
    }

    /// Runs a command whose owner's login leads through the wire, which is cut
    /// after so many turns. Whether the command came to its end.
    async fn command(&self, args: &[&str], turns: usize) -> bool {
        let port = format!(":{}/", self.database.app.get_ports()[0]);
        let owner = self.database.owner_url();
        let through = owner.replace(&port, &format!(":{}/", self.wire.port));
        let template = format!(
            "{}/{{database_name}}",
            through.rsplit_once('/').expect("a URL").0
        );
        let strategy = self.strategy.to_string();
        let vars = [
            ("TENANCY_OWNER_DATABASE_URL", &*through),
            ("TENANCY_OWNER_DATABASE_URL_TEMPLATE", &*template),
            ("TENANCY_ISOLATION_STRATEGY", &*strategy),
        ];
        self.wire.cut_after(turns);
        let cut = self.wire.until_cut();
        let ended = self.place.run_until(cut, "quickstart", args, &vars).await;
        self.wire.cut_after(usize::MAX);
        if let Some(ended) = &ended {
            assert_eq!(ended.code, Some(0), "{}", ended.err);
        }
        self.database.idle().await;
        ended.is_some()
    }

    async fn things(&self) -> i64 {
        let sql = THINGS.replace("{owner}", self.database.owner_role());
        self.database.value(&sql).await
    }

    async fn status(&self) -> Option<String> {
        let sql = format!("SELECT max(status) FROM tenancy.tenants WHERE slug = '{SLUG}'");
        self.database.value(&sql).await
    }
}

fn slug() -> Slug {
    SLUG.parse().expect("a slug")
}

fn app(strategy: Strategy) -> App {
    App::new("quickstart", "1.0.0")
        .isolation(Isolation::single(strategy))
        .model::<Todo>()
}

async fn lines(shop: &Served) -> Vec<String> {
    let problems = shop.tenancy.verify().await.expect("the catalog");
    problems.iter().map(ToString::to_string).collect()
}

async fn titles(shop: &Served) -> Vec<String> {
    let (_, db) = shop.tenancy.tenant(&slug()).await.expect("it works");
    let mut conn = db.conn().await.expect("it works");
    todos::table
        .select(todos::title)
        .load(&mut conn)
        .await
        .expect("it works")
}

/// Has a tenant with one row.
async fn tenant_with_a_row(shop: &Served) {
    let new = NewTenant::new(SLUG).expect("a slug");
    shop.tenancy
        .provisioner()
        .ensure(new)
        .await
        .expect("it works");
    let (_, db) = shop.tenancy.tenant(&slug()).await.expect("it works");
    if titles(shop).await.is_empty() {
        let row = NewTodo {
            id: None,
            title: "kept".to_owned(),
            done: None,
        };
        row.insert(&mut db.conn().await.expect("it works"))
            .await
            .expect("it works");
    }
}

async fn destroy(shop: &Served) {
    let slug = slug();
    let provisioner = shop.tenancy.provisioner();
    provisioner.delete(&slug).await.expect("it works");
    provisioner.destroy(&slug).await.expect("it works");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_while_it_provisions_leaves_a_whole_tenant_or_none() {
    for strategy in STRATEGIES {
        let bench = Bench::new(strategy).await;
        let (mut whole, mut none) = (0, 0);
        for turns in 0.. {
            let finished = bench.command(&["tenants", "create", SLUG], turns).await;
            let shop = bench.start().await;
            match bench.status().await.as_deref() {
                Some("active") => {
                    whole += 1;
                    assert_eq!(bench.things().await, 1);
                    tenant_with_a_row(&shop).await;
                    assert_eq!(titles(&shop).await, ["kept"]);
                    destroy(&shop).await;
                }
                None => none += 1,
                Some(other) => panic!("{other} after {turns} turns"),
            }
            assert_eq!(bench.things().await, 0, "{strategy} after {turns} turns");
            if finished {
                break;
            }
        }
        assert!(
            whole > 0 && none > 5,
            "{strategy}: {whole} whole, {none} none"
        );
        if strategy == Strategy::Database {
            assert!(whole > 3, "some were finished by the next start: {whole}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_while_it_destroys_leaves_a_whole_tenant_or_none() {
    for strategy in STRATEGIES {
        let bench = Bench::new(strategy).await;
        let slug = SLUG.parse().unwrap();
        let mut kept = 0;
        for turns in 0.. {
            let shop = bench.start().await;
            let provisioner = shop.tenancy.provisioner();
            if bench.status().await.as_deref() == Some("deleted") {
                provisioner.restore(&slug).await.unwrap();
            }
            tenant_with_a_row(&shop).await;
            provisioner.delete(&slug).await.unwrap();
            drop(shop);
            let destroy = ["tenants", "destroy", SLUG, "--yes"];
            let finished = bench.command(&destroy, turns).await;
            let shop = bench.start().await;
            match bench.status().await.as_deref() {
                Some("deleted") => {
                    kept += 1;
                    shop.tenancy.provisioner().restore(&slug).await.unwrap();
                    assert_eq!(titles(&shop).await, ["kept"], "{strategy} {turns}");
                }
                None => {
                    assert_eq!(bench.things().await, 0, "{strategy} after {turns} turns");
                    let receipt = shop.tenancy.provisioner().receipt(&slug).await.unwrap();
                    assert_eq!(receipt.rows["todos"], 1, "{strategy} after {turns} turns");
                }
                Some(other) => panic!("{other} after {turns} turns"),
            }
            if finished {
                break;
            }
        }
        assert!(kept > 3, "{strategy}: {kept}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_while_it_renames_leaves_one_name() {
    let bench = Bench::new(Strategy::Database).await;
    let shop = bench.start().await;
    tenant_with_a_row(&shop).await;
    for turns in 0.. {
        let finished = bench
            .command(&["tenants", "rename", SLUG, "initrode"], turns)
            .await;
        let names = "SELECT string_agg(slug, ' ') FROM tenancy.tenants";
        let name: String = bench.database.value(names).await;
        assert!([SLUG, "initrode"].contains(&&*name), "{name}");
        if name != SLUG {
            let (from, to) = (name.parse().unwrap(), SLUG.parse().unwrap());
            shop.tenancy.provisioner().rename(&from, &to).await.unwrap();
        }
        assert_eq!(titles(&shop).await, ["kept"]);
        if finished {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_while_it_migrates_is_followed_by_one_that_finishes() {
    for strategy in [Strategy::Rls, Strategy::Database] {
        // A table that comes later, for tenants that are there.
        let bench = Bench::new(strategy).await;
        let shop = bench.start().await;
        tenant_with_a_row(&shop).await;
        let (tenant, _) = shop.tenancy.tenant(&SLUG.parse().unwrap()).await.unwrap();
        let schema = tenant.record().locator.as_ref().unwrap().schema().clone();
        let superuser = bench.database.superuser_at(tenant.record()).await;
        for turns in 0.. {
            let lose = format!("DROP TABLE IF EXISTS {schema}.todos CASCADE");
            superuser.batch_execute(&lose).await.unwrap();
            let finished = bench.command(&["migrate"], turns).await;
            // With everything that belongs to it, or not there.
            let whole = format!(
                "SELECT count(*) FROM pg_class c WHERE c.oid = to_regclass('{schema}.todos') \
                 AND (NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid \
                     AND k.contype = 'p') OR c.relacl IS NULL \
                     OR '{strategy}' = 'rls' AND (NOT c.relforcerowsecurity \
                     OR (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid) <> 2))"
            );
            let half: i64 = superuser.query_one(&whole, &[]).await.unwrap().get(0);
            assert_eq!(half, 0, "{strategy} after {turns} turns");
            if finished {
                break;
            }
        }
        bench.start().await;
        assert!(titles(&shop).await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_in_the_middle_leaves_whole_tenants_or_none() {
    let mut postgres = Postgres::start().await;
    let database = Database::empty_on(&postgres.url()).await;
    let vars = [("TENANCY_POOL_TIMEOUT", "1"), ("TENANCY_POOL_SIZE", "4")];
    let app = |strategy| shop::app(Isolation::single(strategy));
    for round in 0..6u64 {
        let strategy = STRATEGIES[(round % 3) as usize];
        let shop = Served::start(app(strategy), &database, &vars).await;
        let provisioner = shop.tenancy.provisioner().clone();
        let work = tokio::spawn(async move {
            for n in 0..20 {
                let slug = format!("t-{round}-{n}");
                let tenant = provisioner.provision(NewTenant::new(&slug)?).await?;
                if n % 2 == 1 {
                    let other = format!("r-{round}-{n}").parse()?;
                    provisioner.rename(&tenant.slug, &other).await?;
                } else {
                    provisioner.delete(&tenant.slug).await?;
                    provisioner.destroy(&tenant.slug).await?;
                }
            }
            Ok::<(), Error>(())
        });
        tokio::time::sleep(Duration::from_millis(150 + round * 90)).await;
        postgres.kill();
        let _ = work.await.unwrap();
        drop(shop);
        postgres.start_again().await;
        let shop = Served::start(app(strategy), &database, &vars).await;
        assert_eq!(lines(&shop).await, Vec::<String>::new(), "round {round}");
        for tenant in shop.tenancy.provisioner().list(None, 1_000).await.unwrap() {
            let status = tenant.status.as_str();
            assert!(
                ["active", "deleted"].contains(&status),
                "{} {status}",
                tenant.slug
            );
            if status == "active" {
                let todos = shop.tenant(tenant.slug.as_str()).get("/todos").await;
                assert_eq!(todos.json(200), json!([]), "{}", tenant.slug);
            }
        }
    }
}
