//! Behind a pooler a server connection is everybody's between two transactions.

use diesel_async::SimpleAsyncConnection as _;
use integration::servers::PgBouncer;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use super::*;

async fn house() -> (House, PgBouncer) {
    let database = Database::create(models()).await;
    let user = database.app.get_user().expect("a user");
    let bouncer = PgBouncer::start(&database.app, &[(user, "a")], 1).await;
    let pool = database.pool_behind_pooler(2, bouncer.port);
    (House::with(database, pool).await, bouncer)
}

/// A client of the same pooler that knows nothing of tenants.
async fn stranger(house: &House, bouncer: &PgBouncer) -> Client {
    let app = &house.database.app;
    let mut config = tokio_postgres::Config::new();
    config
        .host("127.0.0.1")
        .port(bouncer.port)
        .user(app.get_user().expect("a user"))
        .password("a")
        .dbname(app.get_dbname().expect("a database"));
    let (client, connection) = config.connect(NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}

/// The first column of the first row; simple, so that one message is all.
async fn value(client: &Client, sql: &str) -> Result<String, String> {
    let messages = client.simple_query(sql).await;
    let messages = messages.map_err(|error| format!("{error:?}"))?;
    let row = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
        _ => None,
    });
    Ok(row.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_stranger_leaves_reaches_no_tenant() {
    let (house, bouncer) = house().await;
    let stranger = stranger(&house, &bouncer).await;
    let leave = "CREATE TEMP TABLE bait AS SELECT 'bait'::text AS text; \
         SET statement_timeout = '50ms'; SET TIME ZONE 'Asia/Tokyo'";
    for db in [&house.b, &house.other] {
        stranger.batch_execute(leave).await.unwrap();
        let seen = value(&stranger, "SELECT text FROM bait").await;
        assert_eq!(
            seen.unwrap(),
            "bait",
            "the twin: others on this connection find it"
        );
        let seen = texts(db, "SELECT text FROM pg_temp.bait").await;
        assert!(says(&seen, "does not exist"), "{seen:?}");
        stranger.batch_execute(leave).await.unwrap();
        execute(db, "SELECT pg_sleep(0.2)").await.unwrap();
        stranger
            .batch_execute("SET TIME ZONE 'Asia/Tokyo'")
            .await
            .unwrap();
        let zone = "SELECT current_setting('TimeZone') AS text";
        assert_eq!(texts(db, zone).await.unwrap(), ["UTC"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_tenant_leaves_reaches_nobody() {
    let (house, bouncer) = house().await;
    let stranger = stranger(&house, &bouncer).await;
    let id = house.id_of_a().await;
    let make = "CREATE TEMP TABLE snap AS SELECT title FROM \"tenant\".todos";
    let set = format!("SELECT set_config('tenancy.tenant_id', '{id}', false)");
    let lock = "SELECT pg_advisory_lock(7)";
    for way in 0..4 {
        let mut conn = house.a.conn().await.unwrap();
        match way {
            0 => {
                let all = format!("{make}; SET tenancy.tenant_id = '{id}'; {lock}");
                conn.batch_execute(&all).await.unwrap();
            }
            1 | 2 => {
                let ended: QueryResult<()> = conn
                    .transaction(async |conn| {
                        for sql in [make, &set, lock] {
                            diesel::sql_query(sql).execute(conn).await?;
                        }
                        match way {
                            1 => Ok(()),
                            _ => Err(diesel::result::Error::RollbackTransaction),
                        }
                    })
                    .await;
                assert_eq!(ended.is_ok(), way == 1);
            }
            _ => {
                for sql in [make, &set, lock] {
                    diesel::sql_query(sql).execute(&mut conn).await.unwrap();
                }
            }
        }
        let seen = value(&stranger, "SELECT title FROM pg_temp.snap").await;
        assert!(seen.is_err(), "{way}: {seen:?}");
        let seen = value(&stranger, "SELECT title FROM shared.todos").await;
        assert_eq!(seen.unwrap(), "", "{way}");
        let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 7 \
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        assert_eq!(house.database.value::<i64>(locks).await, 0, "{way}");
    }
}
