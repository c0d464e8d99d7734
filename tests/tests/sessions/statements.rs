//! What a session keeps prepared: not without bound, not beyond its time, and
//! whatever can be warm is.

use std::io::Write as _;

use diesel::pg::Pg;
use diesel::serialize::{IsNull, Output, ToSql};

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_session_keeps_more_than_a_thousand_statements() {
    let house = House::new().await;
    let before = session(&house.own).await;
    let kept = "SELECT count(*)::text AS text FROM pg_prepared_statements";
    let mut conn = house.own.conn().await.unwrap();
    for number in 0..1_100 {
        // Prepared, and failing: they are kept all the same.
        let sql = format!("SELECT 1/0 AS a{number}");
        assert!(diesel::sql_query(sql).execute(&mut conn).await.is_err());
    }
    let held: usize = texts_on(&mut conn, kept).await.unwrap()[0].parse().unwrap();
    assert!((50..1_010).contains(&held), "{held} while it is held");
    drop(conn);
    assert_eq!(
        session(&house.own).await,
        before,
        "and it goes on being used"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_is_prepared_anew_when_its_table_has_changed() {
    let house = House::new().await;
    let all = || diesel::sql_query("SELECT * FROM \"tenant\".todos");
    for (db, table) in [
        (&house.a, "shared.todos".to_owned()),
        (&house.own, format!("{}.todos", house.schema_of_own().await)),
    ] {
        let mut conn = db.conn().await.unwrap();
        all().execute(&mut conn).await.unwrap();
        all().execute(&mut conn).await.unwrap();
        let more = format!("ALTER TABLE {table} ADD COLUMN extra text");
        house.database.owner.batch_execute(&more).await.unwrap();
        let error = all().execute(&mut conn).await.unwrap_err();
        assert!(error.to_string().contains("cached plan"), "{error}");
        assert_eq!(Error::from(error).code(), "unavailable");
        assert_eq!(
            all().execute(&mut conn).await,
            Ok(1),
            "the next time it is served"
        );
        drop(conn);
        assert_eq!(execute(db, "SELECT * FROM \"tenant\".todos").await, Ok(1));
    }
}

/// A type that PostgreSQL gives its id when it is made.
#[derive(diesel::SqlType, diesel::QueryId)]
#[diesel(postgres_type(name = "mood", schema = "shared"))]
struct MoodType;

#[derive(Debug, diesel::AsExpression)]
#[diesel(sql_type = MoodType)]
struct Mood;

impl ToSql<MoodType, Pg> for Mood {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> diesel::serialize::Result {
        out.write_all(b"ok")?;
        Ok(IsNull::No)
    }
}

/// Another one of the same values.
#[derive(diesel::SqlType, diesel::QueryId)]
#[diesel(postgres_type(name = "temper", schema = "shared"))]
struct TemperType;

#[derive(Debug, diesel::AsExpression)]
#[diesel(sql_type = TemperType)]
struct Temper;

impl ToSql<TemperType, Pg> for Temper {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> diesel::serialize::Result {
        out.write_all(b"ok")?;
        Ok(IsNull::No)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_prepared_costs_one_round_trip_of_whatever_type_and_outcome() {
    let (house, wire) = House::wired().await;
    let types = "CREATE TYPE shared.mood AS ENUM ('ok'); CREATE TYPE shared.temper AS ENUM ('ok')";
    house.database.sabotage(types).await;
    let sql = "SELECT title FROM \"tenant\".todos WHERE 'ok' = $1";
    for db in [&house.a, &house.own] {
        let mut conn = db.conn().await.unwrap();
        let mut turns = Vec::new();
        for _ in 0..3 {
            wire.take();
            let found = diesel::sql_query(sql).bind::<MoodType, _>(Mood);
            assert_eq!(found.execute(&mut conn).await, Ok(1));
            turns.push(wire.take());
        }
        assert!(turns[0] > 1, "{turns:?}");
        assert_eq!(turns[1..], [1, 1], "of a type of its own");
        // The same text with another type is another statement: sent as if it were
        // warm, its COMMIT would leave before it.
        let found = diesel::sql_query(sql).bind::<TemperType, _>(Temper);
        assert_eq!(found.execute(&mut conn).await, Ok(1));

        let mut turns = Vec::new();
        for _ in 0..3 {
            wire.take();
            let twice = diesel::insert_into(todos::table)
                .values([todos::title.eq("twice"), todos::title.eq("twice")]);
            assert!(twice.execute(&mut conn).await.is_err());
            turns.push(wire.take());
        }
        assert_eq!(turns[1..], [1, 1], "that has never succeeded");

        let count =
            async |conn: &mut TenantConn| todos::table.count().get_result::<i64>(conn).await;
        count(&mut conn).await.unwrap();
        wire.take();
        let nested = conn.transaction(async |conn| conn.transaction(count).await);
        assert_eq!(nested.await, Ok(1));
        assert_eq!(wire.take(), 4, "savepoint, statement, release, commit");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_savepoint_that_rolls_back_keeps_the_scope() {
    let house = House::new().await;
    // A session that has set nothing yet: the settings stand before the savepoint.
    let pool = house.database.pool(1, None);
    let db = house.database.in_shared_tables(&pool).await;
    for title in ["cold", "warm"] {
        let mut conn = db.conn().await.unwrap();
        let stored: Result<Todo> = conn
            .transaction(async |conn| {
                let inner: QueryResult<()> = conn
                    .transaction(async |_| Err(diesel::result::Error::RollbackTransaction))
                    .await;
                assert!(inner.is_err());
                new(title).insert(conn).await
            })
            .await;
        assert_eq!(stored.unwrap().title, title);
    }
}
