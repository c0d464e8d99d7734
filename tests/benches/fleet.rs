//! One application with many tenants of every strategy: what each of them costs
//! in memory, what their first query takes, and what a start takes.
//!
//! The tenants are made here; what is measured is measured in a process of its
//! own, in which nothing was before. Memory that a start has given back is used
//! again, so tenants that take little seem to take nothing: what a start and all
//! tenants take together, for each of them, is told as well.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use integration::database::Database;
use integration::http::Served;
use tenancy::config::Config;
use tenancy::{Strategy, Tenancy};
use tokio_postgres::{Client, NoTls};

use crate::measure::{percentile, shown, time};
use crate::models;

/// The part that is the measured process.
pub(crate) const PROCESS: &str = "fleet-process";

const FLEET: [(Strategy, usize); 3] = [
    (Strategy::Rls, 1_000),
    (Strategy::Schema, 300),
    (Strategy::Database, 30),
];

fn slug(strategy: Strategy, n: usize) -> String {
    format!("{strategy}-{n}")
}

pub(crate) async fn run() {
    println!("\nA fleet of 1,000 tenants in rls, 300 in schema, 30 in database");
    let database = Database::empty().await;
    let vars = [("TENANCY_SYSTEM_DATABASE_URL", &*database.system_url())];
    let shop = Served::start(models::app(), &database, &vars).await;
    for (strategy, count) in FLEET {
        let made = time(async {
            let tenants = (0..count).map(async |n| {
                let new = models::new(&slug(strategy, n), strategy);
                let tenant = shop.tenancy.provisioner().provision(new).await;
                let slug = tenant.expect("a tenant").slug;
                let (_, db) = shop.tenancy.tenant(&slug).await.expect("admission");
                models::fill(&db).await;
            });
            stream::iter(tenants).buffer_unordered(4).count().await;
        });
        let each = made.await / u32::try_from(count).expect("few");
        say(
            &format!("{strategy}: provision and fill a tenant, 4 at a time"),
            &shown(each),
        );
    }
    drop(shop);
    let program = std::env::current_exe().expect("this program");
    let process = Command::new(program)
        .arg(PROCESS)
        .env("TENANCY_DATABASE_URL", database.app_url())
        .env("TENANCY_OWNER_DATABASE_URL", database.owner_url())
        .env("TENANCY_SYSTEM_DATABASE_URL", database.system_url())
        .status();
    assert!(process.expect("a process").success());
}

/// Starts with the whole fleet there, and asks for every tenant.
pub(crate) async fn process() {
    let app = models::app();
    let vars = [
        "TENANCY_DATABASE_URL",
        "TENANCY_OWNER_DATABASE_URL",
        "TENANCY_SYSTEM_DATABASE_URL",
    ];
    let vars = vars.map(|name| (name.to_owned(), std::env::var(name).expect(name)));
    let url = vars[0].1.clone();
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.expect("a login");
    tokio::spawn(connection);

    let before = resident("self");
    let start = Instant::now();
    let config = Config::from_vars(app.defaults(), vars).expect("a configuration");
    let (tenancy, _router) = app.start(config).await.expect("a start");
    say("a start, prepare and verify", &shown(start.elapsed()));
    say("memory of the process before it", &mebibytes(before));
    say(
        "memory of the process after it",
        &mebibytes(resident("self")),
    );
    print_connections(&client).await;

    for (strategy, count) in FLEET {
        let before = resident("self");
        let cold = first_queries(&tenancy, strategy, count).await;
        let after = resident("self");
        let warm = first_queries(&tenancy, strategy, count).await;
        println!("  {strategy}, {count} tenants, one at a time");
        for (times, which) in [(cold, "first"), (warm, "second")] {
            let (median, p95) = (percentile(times.clone(), 50), percentile(times, 95));
            let times = format!("{} median, {} p95", shown(median), shown(p95));
            say(&format!("  admission and {which} query"), &times);
        }
        let each = after.saturating_sub(before) / count;
        say("  memory for each", &shown_each(each));
        print_connections(&client).await;
    }
    let with_all = resident("self");
    let all: usize = FLEET.iter().map(|(_, count)| count).sum();
    say("memory of the process with all", &mebibytes(with_all));
    let each = with_all.saturating_sub(before) / all;
    say("memory for each, with that of the start", &shown_each(each));
    let verify = time(async { assert!(tenancy.verify().await.expect("a look").is_empty()) });
    say("verify, with all databases", &shown(verify.await));
    let migrate = time(async { tenancy.migrate().await.expect("nothing to do") });
    say("migrate with nothing to do", &shown(migrate.await));
    print_connections(&client).await;
}

async fn first_queries(tenancy: &Tenancy, strategy: Strategy, count: usize) -> Vec<Duration> {
    let mut times = Vec::new();
    for n in 0..count {
        let slug = slug(strategy, n).parse().expect("a slug");
        let query = time(async {
            let (_, db) = tenancy.tenant(&slug).await.expect("admission");
            models::read(&db).await;
        });
        times.push(query.await);
    }
    times
}

fn say(what: &str, value: &str) {
    println!("  {what:<46} {value}");
}

/// The connections of each role, and the memory of the largest of their servers
/// where these run on this machine.
async fn print_connections(client: &Client) {
    let sql = "SELECT usename::text, datname LIKE 't\\_%', pid FROM pg_stat_activity \
         WHERE application_name = 'tenancy' \
         AND regexp_replace(usename::text, '^[a-z]*_', '') = \
             regexp_replace(current_user::text, '^[a-z]*_', '') ORDER BY 1, 2";
    let rows = client.query(sql, &[]).await.expect("the sessions");
    let mut roles: Vec<(String, usize)> = Vec::new();
    let mut largest = 0;
    for row in &rows {
        let role: &str = row.get(0);
        let role = role.split('_').next().unwrap_or_default();
        let place = if row.get(1) {
            "tenants' databases"
        } else {
            "main"
        };
        let name = format!("{role} in {place}");
        match roles.last_mut() {
            Some((last, count)) if *last == name => *count += 1,
            _ => roles.push((name, 1)),
        }
        let pid: i32 = row.get(2);
        largest = largest.max(private(&pid.to_string()));
    }
    let roles = roles.iter().map(|(name, count)| format!("{count} {name}"));
    let roles: Vec<_> = roles.collect();
    say("  connections", &roles.join(", "));
    say(
        "  memory of the largest of their servers",
        &mebibytes(largest),
    );
}

/// The resident memory of a process in bytes, 0 where that cannot be read.
fn resident(process: &str) -> usize {
    statm(process).first().copied().unwrap_or_default()
}

/// Without what it shares with others.
fn private(process: &str) -> usize {
    match *statm(process) {
        [resident, shared, ..] => resident.saturating_sub(shared),
        _ => 0,
    }
}

/// Resident and shared memory in bytes.
fn statm(process: &str) -> Vec<usize> {
    const PAGE: usize = 4_096;
    let text = fs::read_to_string(format!("/proc/{process}/statm")).unwrap_or_default();
    let pages = text.split_whitespace().skip(1).take(2);
    pages
        .filter_map(|n| n.parse().ok())
        .map(|n: usize| n * PAGE)
        .collect()
}

fn kibibytes(bytes: usize) -> f64 {
    f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / 1024.0
}

fn shown_each(bytes: usize) -> String {
    format!("{:.1} KiB", kibibytes(bytes))
}

fn mebibytes(bytes: usize) -> String {
    format!("{:.1} MiB", kibibytes(bytes) / 1024.0)
}
