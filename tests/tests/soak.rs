//! Many tasks, many tenants, few connections, and everywhere futures that are
//! dropped before their end: ten thousand operations, and not one foreign row,
//! stuck connection or open transaction.

use std::collections::BTreeSet;

use diesel_async::SimpleAsyncConnection as _;
use integration::database::Database;
use integration::http::Served;
use integration::polls::polled;
use tenancy::prelude::*;
use tenancy::{Isolation, Strategy};

use crate::shop::{self, NewTodo, Todo, TodoChanges, todos};

const TENANTS: usize = 20;
const TASKS: usize = 200;
const OPERATIONS: usize = 50;
const CONNECTIONS: u32 = 5;

fn slug(tenant: usize) -> String {
    format!("tenant-{tenant:02}")
}

async fn serve() -> (Database, Served) {
    let database = Database::empty().await;
    let premium = (0..TENANTS).filter(|tenant| tenant % 2 == 0).map(slug);
    let isolation = Isolation::hybrid(Strategy::Schema, Strategy::Rls).premium_tenants(premium);
    let app = (0..TENANTS).fold(shop::app(isolation), |app, tenant| app.seed(&slug(tenant)));
    let size = CONNECTIONS.to_string();
    let vars = [
        ("TENANCY_POOL_SIZE", &*size),
        ("TENANCY_POOL_TIMEOUT", "60"),
    ];
    let shop = Served::start(app, &database, &vars).await;
    (database, shop)
}

/// What a task knows of its own work.
#[derive(Default)]
struct Seen {
    /// Titles whose insert was confirmed.
    confirmed: BTreeSet<String>,
    /// Titles whose insert must not be there.
    rolled_back: BTreeSet<String>,
    /// Rows of other tenants that came into sight.
    foreign: usize,
    cut_off: usize,
    finished: usize,
}

impl Seen {
    fn look(&mut self, tenant: &str, titles: &[String]) {
        let foreign = titles.iter().filter(|title| !title.starts_with(tenant));
        self.foreign += foreign.count();
    }
}

async fn operation(
    db: &TenantDb,
    tenant: &str,
    kind: u32,
    title: &str,
    seen: &mut Seen,
) -> Result<()> {
    let new = || NewTodo {
        id: None,
        title: title.to_owned(),
        done: None,
        project_id: None,
    };
    let mut conn = db.conn().await?;
    match kind {
        0..=2 => {
            let todo = new().insert(&mut conn).await?;
            seen.confirmed.insert(todo.title);
        }
        3..=5 => {
            let all: Vec<Todo> = Todo::query().load(&mut conn).await?;
            let titles: Vec<_> = all.into_iter().map(|todo| todo.title).collect();
            seen.look(tenant, &titles);
        }
        6 => {
            seen.rolled_back.insert(title.to_owned());
            let outcome = conn
                .transaction(async |conn| {
                    new().insert(conn).await?;
                    let titles = todos::table.select(todos::title).load(conn).await?;
                    seen.look(tenant, &titles);
                    Err::<(), _>(Error::NotFound)
                })
                .await;
            assert!(matches!(
                outcome,
                Err(Error::NotFound | Error::Unavailable(_))
            ));
        }
        7 => {
            let outcome: Result<()> = conn
                .transaction(async |conn| {
                    let todo = new().insert(conn).await?;
                    let changes = TodoChanges {
                        done: Some(true),
                        ..TodoChanges::default()
                    };
                    changes.update(todo.id, conn).await?;
                    Ok(())
                })
                .await;
            outcome?;
            seen.confirmed.insert(title.to_owned());
        }
        8 => {
            // Without a condition: it reaches whatever the scope does.
            diesel::update(todos::table)
                .set(todos::done.eq(true))
                .execute(&mut conn)
                .await?;
        }
        _ => {
            conn.batch_execute("SELECT 1; SELECT count(*) FROM \"tenant\".todos")
                .await?;
        }
    }
    Ok(())
}

async fn work(db: TenantDb, tenant: String, task: usize, operations: usize) -> Seen {
    let mut random = fastrand::Rng::with_seed(task as u64);
    let mut seen = Seen::default();
    for number in 0..operations {
        let title = format!("{tenant} task {task:03} operation {number:03}");
        let kind = random.u32(0..10);
        let polls = if random.u32(0..3) == 0 {
            random.usize(0..12)
        } else {
            usize::MAX
        };
        let outcome = polled(polls, operation(&db, &tenant, kind, &title, &mut seen)).await;
        match outcome {
            Some(outcome) => {
                outcome.unwrap_or_else(|error| panic!("{title}: {error}"));
                seen.finished += 1;
            }
            None => seen.cut_off += 1,
        }
    }
    seen
}

async fn run(shop: &Served, tasks: usize, operations: usize) -> Seen {
    let mut running = Vec::new();
    for task in 0..tasks {
        let tenant = slug(task % TENANTS);
        let slug = tenant.parse().expect("a slug");
        let (_, db) = shop.tenancy.tenant(&slug).await.expect("a tenant");
        running.push(tokio::spawn(work(db, tenant, task, operations)));
    }
    let mut all = Seen::default();
    for task in running {
        let seen = task.await.expect("a task that ends");
        all.confirmed.extend(seen.confirmed);
        all.rolled_back.extend(seen.rolled_back);
        all.foreign += seen.foreign;
        all.cut_off += seen.cut_off;
        all.finished += seen.finished;
    }
    all
}

/// Every stored title with the slug of the tenant in whose place it lies.
async fn stored(database: &Database, shop: &Served) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    for tenant in shop
        .tenancy
        .provisioner()
        .list(None, 100)
        .await
        .expect("tenants")
    {
        let schema = tenant.locator.as_ref().expect("a place").schema();
        let only = match tenant.strategy() {
            Some(Strategy::Rls) => format!("WHERE tenant_id = '{}'", tenant.id),
            _ => String::new(),
        };
        let sql = format!("SELECT title FROM {schema}.todos {only}");
        let titles = database.superuser.query(&sql, &[]).await.expect("rows");
        rows.extend(
            titles
                .iter()
                .map(|row| (tenant.slug.to_string(), row.get(0))),
        );
    }
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_operations_cut_off_at_random_mix_nothing_up() {
    let (database, shop) = serve().await;
    let seen = run(&shop, TASKS, OPERATIONS).await;
    assert_eq!(seen.cut_off + seen.finished, TASKS * OPERATIONS);
    assert!(
        seen.cut_off > 300 && seen.finished > 1_000,
        "{}",
        seen.cut_off
    );
    assert_eq!(seen.foreign, 0);

    let mut rows = stored(&database, &shop).await;
    for (tenant, title) in &rows {
        assert!(title.starts_with(&**tenant), "{title} lies with {tenant}");
    }
    let titles: BTreeSet<_> = rows.drain(..).map(|(_, title)| title).collect();
    assert!(seen.confirmed.len() > 1_000);
    assert!(
        titles.is_superset(&seen.confirmed),
        "what was confirmed is kept"
    );
    assert!(
        titles.is_disjoint(&seen.rolled_back),
        "what was rolled back is gone"
    );

    database.idle().await;
    let pool = shop.tenancy.pool().unwrap();
    assert!(pool.connections <= CONNECTIONS, "{pool:?}");
    // Not one is stuck: all can be had at once.
    let (_, db) = shop
        .tenancy
        .tenant(&slug(1).parse().unwrap())
        .await
        .unwrap();
    let mut held = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut conn = db.conn().await.unwrap();
        Todo::query()
            .limit(1)
            .load::<Todo>(&mut conn)
            .await
            .unwrap();
        held.push(conn);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_soak_does_find_foreign_rows() {
    // The twin: the same work, with the policy gone.
    let (database, shop) = serve().await;
    let lift = "DROP POLICY tenancy_isolation ON shared.todos";
    database.sabotage(lift).await;
    let seen = run(&shop, TENANTS, 20).await;
    assert!(seen.foreign > 0);
}
