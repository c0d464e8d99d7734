//! Transactions: who may begin and end them, and of which kind.

use diesel::pg::Pg;
use diesel::serialize::{Output, ToSql};
use diesel_async::SimpleAsyncConnection as _;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn raw_transaction_control_is_refused_before_it_is_sent() {
    let house = House::new().await;
    for db in [&house.a, &house.own] {
        for sql in [
            "BEGIN",
            "START TRANSACTION",
            "COMMIT",
            "END",
            "ROLLBACK",
            "ABORT",
            "SAVEPOINT a",
            "RELEASE a",
            "PREPARE TRANSACTION 'a'",
        ] {
            let mut conn = db.conn().await.unwrap();
            let refused = diesel::sql_query(sql).execute(&mut conn).await;
            assert!(says(&refused, "conn.transaction(…)"), "{sql}: {refused:?}");
            let batch = format!("DELETE FROM \"tenant\".todos; {sql}; SELECT 1");
            let refused = conn.batch_execute(&batch).await;
            assert!(says(&refused, "conn.transaction(…)"), "{sql}: {refused:?}");
            // The transaction goes on as if nothing had been asked.
            let seen: QueryResult<i64> = conn
                .transaction(async |conn| {
                    assert!(diesel::sql_query(sql).execute(conn).await.is_err());
                    todos::table.count().get_result(conn).await
                })
                .await;
            assert_eq!(seen, Ok(1), "{sql}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_drops_the_role_that_the_transaction_acts_as() {
    let house = House::new().await;
    let role = Box::leak(house.database.app_role().to_owned().into_boxed_str());
    let pool = house.database.superuser_pool(1).acting_as(role);
    let b = house.database.in_shared_tables(&pool).await;
    let mut conn = b.conn().await.unwrap();
    let seen: QueryResult<Vec<String>> = conn
        .transaction(async |conn| {
            let refused = diesel::sql_query("COMMIT").execute(conn).await;
            assert!(says(&refused, "COMMIT is not sent"), "{refused:?}");
            todos::table.select(todos::title).load(conn).await
        })
        .await;
    assert_eq!(seen, Ok(Vec::new()));
    // The twin: once the transaction is over, so is the role.
    let plain = &house.database.superuser;
    let begin = format!("BEGIN; SET LOCAL ROLE {role}; COMMIT");
    plain.batch_execute(&begin).await.unwrap();
    let rows = plain.query("SELECT title FROM shared.todos", &[]).await;
    assert_eq!(rows.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_is_of_the_kind_that_was_asked_for() {
    let (house, wire) = House::wired().await;
    let kind = "SELECT current_setting('transaction_isolation') || ' ' \
         || current_setting('transaction_read_only') AS text";
    for db in [&house.a, &house.own] {
        let mut conn = db.conn().await.unwrap();
        texts_on(&mut conn, kind).await.unwrap();
        wire.take();
        let ask = async |conn: &mut TenantConn| texts_on(conn, kind).await;
        let seen = conn.build_transaction().serializable().run(ask).await;
        assert_eq!(seen.unwrap(), ["serializable off"]);
        assert_eq!(wire.take(), 2, "the statement and the commit");
        let seen = conn
            .build_transaction()
            .repeatable_read()
            .read_only()
            .run(ask)
            .await;
        assert_eq!(seen.unwrap(), ["repeatable read on"]);
        let refused = conn
            .build_transaction()
            .read_only()
            .run(async |conn| new("written").insert(conn).await)
            .await;
        assert!(refused.is_err(), "nothing is written in it");
        // The next is as ever.
        let seen = conn.transaction(async |conn| {
            let inner = conn
                .build_transaction()
                .serializable()
                .run(async |_| Ok(()))
                .await;
            assert_eq!(inner, Err(diesel::result::Error::AlreadyInTransaction));
            texts_on(conn, kind).await
        });
        assert_eq!(seen.await.unwrap(), ["read committed off"]);
        assert_eq!(
            texts_on(&mut conn, kind).await.unwrap(),
            ["read committed off"]
        );
        new("written").insert(&mut conn).await.unwrap();
    }
}

/// A text that cannot be sent.
#[derive(Debug, diesel::AsExpression)]
#[diesel(sql_type = Text)]
struct Unsendable;

impl ToSql<Text, Pg> for Unsendable {
    fn to_sql<'b>(&'b self, _: &mut Output<'b, '_, Pg>) -> diesel::serialize::Result {
        Err("not to be sent".into())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_failed_on_this_side_only_is_rolled_back_as_reported() {
    let house = House::new().await;
    for (db, before) in [(&house.a, "of a"), (&house.own, "of own")] {
        let mut conn = db.conn().await.unwrap();
        let outcome: QueryResult<()> = conn
            .transaction(async |conn| {
                diesel::insert_into(todos::table)
                    .values(todos::title.eq("lost"))
                    .execute(conn)
                    .await?;
                let all = todos::table.filter(todos::title.eq(Unsendable));
                assert!(all.count().get_result::<i64>(conn).await.is_err());
                Ok(())
            })
            .await;
        assert!(says(&outcome, "was rolled back"), "{outcome:?}");
        drop(conn);
        assert_eq!(titles(db).await, [before]);
    }
}
