//! Futures that are dropped before their end, and what is left of them.

use std::time::Duration;

use diesel_async::SimpleAsyncConnection as _;

use super::*;

/// Gives a future up after this time.
const SOON: Duration = Duration::from_millis(100);

const SLOW: &str = "INSERT INTO \"tenant\".todos (id, title) \
     SELECT gen_random_uuid(), 'abandoned' FROM pg_sleep(0.4)";

async fn give_up<T>(work: impl Future<Output = T>) {
    let ended = tokio::time::timeout(SOON, work).await;
    assert!(ended.is_err(), "it was to be abandoned");
}

/// Asserts that every kind of use is refused, more than once.
async fn assert_refused(conn: &mut TenantConn) {
    for _ in 0..2 {
        let one = diesel::sql_query("SELECT 1").execute(conn).await;
        assert!(says(&one, "was abandoned"), "{one:?}");
        let batch = conn.batch_execute("SELECT 1").await;
        assert!(says(&batch, "was abandoned"), "{batch:?}");
        let inserted = new("reported as stored").insert(conn).await;
        assert!(inserted.is_err(), "an insert");
        let outcome: QueryResult<()> = conn.transaction(async |_| Ok(())).await;
        assert!(says(&outcome, "was abandoned"), "{outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_whose_first_statement_is_abandoned_is_not_committed() {
    let house = House::new().await;
    for (db, before) in [(&house.a, "of a"), (&house.own, "of own")] {
        for rolls_back in [true, false] {
            let mut conn = db.conn().await.unwrap();
            let outcome: Result<()> = conn
                .transaction(async |conn| {
                    give_up(diesel::sql_query(SLOW).execute(conn)).await;
                    if rolls_back {
                        Err(Error::NotFound)
                    } else {
                        Ok(())
                    }
                })
                .await;
            match outcome {
                Err(Error::NotFound) if rolls_back => {}
                Err(Error::Internal(cause)) if !rolls_back => {
                    assert!(cause.to_string().contains("was abandoned"), "{cause}");
                }
                other => panic!("{other:?}"),
            }
            assert_refused(&mut conn).await;
            drop(conn);
            tokio::time::sleep(Duration::from_millis(600)).await;
            assert_eq!(titles(db).await, [before]);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_after_a_dropped_transaction_is_refused_and_not_lost() {
    let house = House::new().await;
    for (db, before) in [(&house.a, "of a"), (&house.own, "of own")] {
        for nested in [false, true] {
            let mut conn = db.conn().await.unwrap();
            let wait = async |conn: &mut TenantConn| -> Result<()> {
                new("in dropped transaction").insert(conn).await?;
                tokio::time::sleep(Duration::from_secs(9)).await;
                Ok(())
            };
            if nested {
                let outcome: Result<()> = conn
                    .transaction(async |conn| {
                        let inner = conn.transaction(async |conn| {
                            new("in dropped transaction").insert(conn).await?;
                            tokio::time::sleep(Duration::from_secs(9)).await;
                            Ok::<(), Error>(())
                        });
                        give_up(inner).await;
                        Ok(())
                    })
                    .await;
                assert!(outcome.is_err());
            } else {
                give_up(conn.transaction(wait)).await;
            }
            assert_refused(&mut conn).await;
            drop(conn);
            assert_eq!(titles(db).await, [before]);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abandoned_statement_keeps_its_session_from_the_next() {
    let house = House::new().await;
    let before = session(&house.a).await;
    let mut conn = house.a.conn().await.unwrap();
    give_up(diesel::sql_query("SELECT pg_sleep(0.3)").execute(&mut conn)).await;
    assert_refused(&mut conn).await;
    drop(conn);
    assert_ne!(session(&house.b).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_use_that_panics_keeps_its_session_from_the_next() {
    let house = House::new().await;
    let before = session(&house.a).await;
    let db = house.a.clone();
    let panics = tokio::spawn(async move {
        let mut conn = db.conn().await.expect("a connection");
        diesel::sql_query("SELECT 1")
            .execute(&mut conn)
            .await
            .expect("a row");
        panic!("with the connection in scope");
    });
    assert!(panics.await.unwrap_err().is_panic());
    assert_ne!(session(&house.b).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn abandoned_statements_do_not_pile_up_on_the_server() {
    let house = House::new().await;
    let lock = "UPDATE \"tenant\".todos SET title = title FROM pg_sleep(60)";
    for round in 0..20 {
        let sql = if round % 2 == 0 {
            "SELECT pg_sleep(60)"
        } else {
            lock
        };
        give_up(execute(&house.a, sql)).await;
    }
    let mine = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = '{}'",
        house.database.app_role()
    );
    let mut left = 0;
    for _ in 0..100 {
        left = house.database.value::<i64>(&mine).await;
        if left <= 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(left <= 1, "{left} are left after five seconds");
    // Nor does any of them hold its rows.
    let changes = TodoChanges {
        title: Some("changed".to_owned()),
    };
    let mut conn = house.a.conn().await.unwrap();
    let id: Uuid = todos::table
        .select(todos::id)
        .first(&mut conn)
        .await
        .unwrap();
    changes.update(id, &mut conn).await.unwrap();
}
