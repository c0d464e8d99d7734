//! A read of ten rows by a warm tenant, many tenants in turn, against the same
//! read of a table without tenants by plain diesel-async connections. Databases
//! are read through a connection to each, so these are held against as many
//! plain ones, used in turn: each wakes another process of the server.

use std::time::Duration;

use diesel_async::AsyncPgConnection;
use futures_util::future::join_all;
use integration::database::Database;
use integration::http::Served;
use tenancy::Strategy;
use tenancy::prelude::*;

use crate::measure::{Comparison, time};
use crate::models::{self, ROWS};

const ROUNDS: usize = 40;
/// Readings in one round.
const READS: usize = 200;
/// Those who read at the same time.
const READERS: usize = 8;
const DATABASES: usize = 30;

diesel::table! {
    plain.notes (id) {
        id -> Int8,
        text -> Text,
        done -> Bool,
    }
}

pub(crate) async fn run() {
    let database = Database::empty().await;
    let plain = Database::empty().await;
    let mut plain = without_tenants(&plain, DATABASES).await;
    let shop = Served::start(models::app(), &database, &[]).await;
    let rls = handles(&shop, Strategy::Rls, 100).await;
    let schemas = handles(&shop, Strategy::Schema, 100).await;
    let databases = handles(&shop, Strategy::Database, DATABASES).await;
    let cases = [
        ("without tenants, a connection for each reader", 0),
        ("rls, 100 tenants in turn", 0),
        ("schema, 100 tenants in turn", 0),
        ("without tenants, 30 connections in turn", 3),
        ("database, 30 tenants in turn", 3),
    ];
    for readers in [1, READERS] {
        let title = format!("A read of {ROWS} rows, {readers} at a time");
        let mut comparison = Comparison::new(title, &cases);
        for round in 0..=ROUNDS {
            let times = vec![
                read_plain(&mut plain[..readers], readers).await,
                read_in_turn(&rls, readers).await,
                read_in_turn(&schemas, readers).await,
                read_plain(&mut plain, readers).await,
                read_in_turn(&databases, readers).await,
            ];
            // The first one prepares the statements.
            if round > 0 {
                comparison.round(times);
            }
        }
        comparison.print();
    }
}

/// Plain connections of the application's role to a table without tenants.
async fn without_tenants(database: &Database, count: usize) -> Vec<AsyncPgConnection> {
    let sql = format!(
        "CREATE SCHEMA plain; GRANT USAGE ON SCHEMA plain TO {role}; \
         CREATE TABLE plain.notes (id bigint PRIMARY KEY, text text NOT NULL, \
             done boolean NOT NULL DEFAULT false); \
         GRANT SELECT ON plain.notes TO {role}; \
         INSERT INTO plain.notes SELECT n, 'something to read' FROM generate_series(1, {ROWS}) n",
        role = database.app_role()
    );
    database.owner.batch_execute(&sql).await.expect("a table");
    let url = database.app_url();
    let all = (0..count).map(|_| AsyncPgConnection::establish(&url));
    let all = join_all(all).await.into_iter();
    all.map(|conn| conn.expect("a connection")).collect()
}

async fn handles(shop: &Served, strategy: Strategy, count: usize) -> Vec<TenantDb> {
    let mut all = Vec::new();
    for n in 0..count {
        let new = models::new(&format!("{strategy}-{n}"), strategy);
        let tenant = shop.tenancy.provisioner().provision(new).await;
        let tenant = shop.tenancy.tenant(&tenant.expect("a tenant").slug).await;
        let (_, db) = tenant.expect("admission");
        models::fill(&db).await;
        all.push(db);
    }
    all
}

/// The time of one reading, with each reader at connections of its own in turn.
async fn read_plain(conns: &mut [AsyncPgConnection], readers: usize) -> Duration {
    let each = READS / readers;
    let own = conns.len() / readers;
    let took = time(async {
        let readers = conns
            .chunks_exact_mut(own)
            .take(readers)
            .map(async |conns| {
                for n in 0..each {
                    let query = notes::table.order(notes::id).limit(ROWS);
                    let conn = &mut conns[n % own];
                    let rows: Vec<(i64, String, bool)> = query.load(conn).await.expect("rows");
                    assert_eq!(rows.len(), 10);
                }
            });
        join_all(readers).await;
    });
    took.await / u32::try_from(READS).expect("few")
}

/// The time of one reading, with each reader at another tenant.
async fn read_in_turn(dbs: &[TenantDb], readers: usize) -> Duration {
    let each = READS / readers;
    let took = time(async {
        let readers = (0..readers).map(async |reader| {
            for n in 0..each {
                models::read(&dbs[(reader * each + n) % dbs.len()]).await;
            }
        });
        join_all(readers).await;
    });
    took.await / u32::try_from(READS).expect("few")
}
