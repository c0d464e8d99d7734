//! Processes that are killed, and servers that are, between any two steps of a
//! tenant's life: the next start finds a whole tenant or none.

mod processes;
mod servers;

use integration::database::Database;
use integration::http::Served;
use integration::process::Workplace;
use integration::wire::Wire;
use tenancy::prelude::*;
use tenancy::tenant::Slug;
use tenancy::{Isolation, Strategy};

const SLUG: &str = "initech";

const STRATEGIES: [Strategy; 3] = [Strategy::Rls, Strategy::Schema, Strategy::Database];

/// Has a row in the shared tables all the time, which nothing happens to.
const NEIGHBOUR: &str = "neighbour";

/// Everything that tenants have in the database and on its server, but the
/// entries themselves and what is the neighbour's.
const THINGS: &str = "SELECT (SELECT count(*) FROM pg_namespace WHERE nspname LIKE 't\\_%') \
     + (SELECT count(*) FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba \
        WHERE datname LIKE 't\\_%' AND r.rolname = '{owner}') \
     + (SELECT count(*) - 1 FROM shared.tenancy_tenants)";

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
/// directly. The program makes every tenant in the strategy; here that is the
/// premium one of a hybrid, beside a standard tenant.
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
        let shop = bench.start().await;
        tenant_with_a_row(&shop, NEIGHBOUR).await;
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
    let isolation = match strategy {
        Strategy::Rls => Isolation::single(strategy),
        own => Isolation::hybrid(own, Strategy::Rls).premium_tenants([SLUG]),
    };
    App::new("quickstart", "1.0.0")
        .membership(tenancy::admit::Gateway)
        .isolation(isolation)
        .model::<Todo>()
}

async fn lines(shop: &Served) -> Vec<String> {
    let problems = shop.tenancy.verify().await.expect("the catalog");
    problems.iter().map(ToString::to_string).collect()
}

async fn titles(shop: &Served, slug: &str) -> Vec<String> {
    let slug = slug.parse().expect("a slug");
    let (_, db) = shop.tenancy.tenant(&slug).await.expect("it works");
    let mut conn = db.conn().await.expect("it works");
    let titles = todos::table.select(todos::title);
    titles.load(&mut conn).await.expect("it works")
}

/// Has a tenant with one row.
async fn tenant_with_a_row(shop: &Served, slug: &str) {
    let new = NewTenant::new(slug).expect("a slug");
    let tenant = shop.tenancy.provisioner().ensure(new).await;
    let tenant = tenant.expect("it works");
    if titles(shop, slug).await.is_empty() {
        let row = NewTodo {
            id: None,
            title: "kept".to_owned(),
            done: None,
        };
        let (_, db) = shop.tenancy.tenant(&tenant.slug).await.expect("it works");
        let mut conn = db.conn().await.expect("it works");
        row.insert(&mut conn).await.expect("it works");
    }
}

async fn destroy(shop: &Served) {
    let slug = slug();
    let provisioner = shop.tenancy.provisioner();
    provisioner.delete(&slug).await.expect("it works");
    provisioner.destroy(&slug).await.expect("it works");
}
