//! The whole of Diesel on a scoped connection, in both layouts at once: what
//! compiles to SQL names the tenant's tables and finds the tenant's rows only.

use diesel::upsert::{excluded, on_constraint};
use diesel::{alias, debug_query};
use futures_util::TryStreamExt as _;
use integration::database::Database;
use integration::http::Served;
use tenancy::db::TenantDb;
use tenancy::prelude::*;
use tenancy::{Isolation, Strategy};

use crate::shop::{self, NewProject, NewTodo, Project, Todo, projects, todos};

/// Two tenants with a schema each and two in the shared tables, each with one
/// project and three todos that carry its name.
async fn tenants() -> (Database, Served, Vec<(&'static str, TenantDb)>) {
    const SLUGS: [&str; 4] = ["own-a", "own-b", "rls-a", "rls-b"];
    let database = Database::empty().await;
    let isolation =
        Isolation::hybrid(Strategy::Schema, Strategy::Rls).premium_tenants(["own-a", "own-b"]);
    let app = SLUGS
        .iter()
        .fold(shop::app(isolation), |app, slug| app.seed(slug));
    // One connection serves them all in turn.
    let served = Served::start(app, &database, &[("TENANCY_POOL_SIZE", "1")]).await;
    let mut dbs = Vec::new();
    for slug in SLUGS {
        let name = slug.parse().expect("a slug");
        let (_, db) = served.tenancy.tenant(&name).await.expect("a tenant");
        let mut conn = db.conn().await.expect("a connection");
        let project = NewProject {
            id: None,
            name: slug.to_owned(),
        };
        let project = project.insert(&mut conn).await.expect("a project");
        let new = |n: i32| NewTodo {
            id: None,
            title: format!("{slug} {n}"),
            done: Some(n == 3),
            project_id: (n > 1).then_some(project.id),
        };
        // A batch, in one statement.
        let rows: Vec<Todo> = diesel::insert_into(todos::table)
            .values(vec![new(1), new(2), new(3)])
            .returning(Todo::as_returning())
            .get_results(&mut conn)
            .await
            .expect("todos");
        assert_eq!(rows.len(), 3);
        drop(conn);
        dbs.push((slug, db));
    }
    (database, served, dbs)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn joins_aliases_and_subqueries_stay_with_the_tenant() {
    let (_database, _served, dbs) = tenants().await;
    for (slug, db) in &dbs {
        let mut conn = db.conn().await.unwrap();
        let titles = |numbers: &[i32]| -> Vec<String> {
            numbers.iter().map(|n| format!("{slug} {n}")).collect()
        };
        let joined: Vec<(String, String)> = todos::table
            .inner_join(projects::table)
            .filter(projects::name.eq(*slug))
            .select((projects::name, todos::title))
            .order(todos::title)
            .load(&mut conn)
            .await
            .unwrap();
        assert_eq!(joined.len(), 2);
        assert!(joined.iter().all(|(name, _)| name == slug), "{joined:?}");

        let left: Vec<(Todo, Option<Project>)> = todos::table
            .left_join(projects::table)
            .select((Todo::as_select(), Option::<Project>::as_select()))
            .load(&mut conn)
            .await
            .unwrap();
        assert_eq!(left.len(), 3);
        assert_eq!(
            left.iter().filter(|(_, project)| project.is_none()).count(),
            1
        );

        let other = alias!(todos as other);
        let pairs: i64 = todos::table
            .inner_join(other.on(other.field(todos::title).gt(todos::title)))
            .count()
            .get_result(&mut conn)
            .await
            .unwrap();
        assert_eq!(pairs, 3);

        let of_projects: Vec<String> = todos::table
            .filter(todos::project_id.eq_any(projects::table.select(projects::id.nullable())))
            .select(todos::title)
            .order(todos::title)
            .load(&mut conn)
            .await
            .unwrap();
        assert_eq!(of_projects, titles(&[2, 3]));

        let grouped: Vec<(bool, i64)> = todos::table
            .group_by(todos::done)
            .select((todos::done, diesel::dsl::count_star()))
            .order(todos::done)
            .load(&mut conn)
            .await
            .unwrap();
        assert_eq!(grouped, [(false, 2), (true, 1)]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_of_every_kind_stay_with_the_tenant() {
    let (_database, _served, dbs) = tenants().await;
    for (slug, db) in &dbs {
        let mut conn = db.conn().await.unwrap();
        let first = || NewTodo {
            id: None,
            title: format!("{slug} 1"),
            done: Some(true),
            project_id: None,
        };
        let upserted: Todo = diesel::insert_into(todos::table)
            .values(first())
            .on_conflict(on_constraint(Todo::TITLE_KEY))
            .do_update()
            .set(todos::done.eq(excluded(todos::done)))
            .returning(Todo::as_returning())
            .get_result(&mut conn)
            .await
            .unwrap();
        assert!(upserted.done);
        let ignored = diesel::insert_into(todos::table)
            .values(first())
            .on_conflict_do_nothing()
            .execute(&mut conn)
            .await
            .unwrap();
        assert_eq!(ignored, 0);
        // Without a condition: everything, of this tenant.
        let titles: Vec<String> = diesel::update(todos::table)
            .set(todos::done.eq(false))
            .returning(todos::title)
            .get_results(&mut conn)
            .await
            .unwrap();
        assert_eq!(titles.len(), 3);
        assert!(titles.iter().all(|title| title.starts_with(slug)));
        let copied = todos::table
            .select((todos::title.concat(" copied"), todos::done))
            .insert_into(todos::table)
            .into_columns((todos::title, todos::done))
            .execute(&mut conn)
            .await
            .unwrap();
        assert_eq!(copied, 3);
        let gone = diesel::delete(todos::table)
            .execute(&mut conn)
            .await
            .unwrap();
        assert_eq!(gone, 6);
        drop(conn);
        // Everybody behind this one still has its own.
        for (other, db) in dbs.iter().skip_while(|(other, _)| other != slug).skip(1) {
            let mut conn = db.conn().await.unwrap();
            let left: i64 = todos::table.count().get_result(&mut conn).await.unwrap();
            assert_eq!(left, 3, "{other}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn raw_sql_names_the_tenant_s_tables_by_the_placeholder() {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::Text)]
        title: String,
    }
    let (_database, _served, dbs) = tenants().await;
    for (slug, db) in &dbs {
        let mut conn = db.conn().await.unwrap();
        let rows: Vec<Row> = diesel::sql_query(
            "WITH named AS (SELECT t.title, p.name FROM \"tenant\".todos t \
             LEFT JOIN \"tenant\".projects p ON p.id = t.project_id) \
             SELECT title FROM named WHERE name IS NULL AND title <> $1",
        )
        .bind::<diesel::sql_types::Text, _>("\"tenant\".todos")
        .load(&mut conn)
        .await
        .unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].title, format!("{slug} 1"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_left_halfway_leaves_a_clean_connection() {
    let (_database, served, dbs) = tenants().await;
    for (slug, db) in &dbs {
        let mut conn = db.conn().await.unwrap();
        let stream = Todo::query().load_stream::<Todo>(&mut conn).await.unwrap();
        let all: Vec<Todo> = stream.try_collect().await.unwrap();
        assert_eq!(all.len(), 3);
        let mut stream = Todo::query().load_stream::<Todo>(&mut conn).await.unwrap();
        let one = stream.try_next().await.unwrap().unwrap();
        assert!(one.title.starts_with(slug));
        drop(stream);
        let count: i64 = todos::table.count().get_result(&mut conn).await.unwrap();
        assert_eq!(count, 3);
    }
    assert_eq!(served.tenancy.pool().unwrap().connections, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn savepoints_roll_back_what_is_theirs() {
    let (_database, _served, dbs) = tenants().await;
    for (slug, db) in &dbs {
        let mut conn = db.conn().await.unwrap();
        let new = |title: &str| NewTodo {
            id: None,
            title: title.to_owned(),
            done: None,
            project_id: None,
        };
        let outcome: Result<()> = conn
            .transaction(async |conn| {
                new("kept").insert(conn).await?;
                let inner: Result<()> = conn
                    .transaction(async |conn| {
                        new("dropped").insert(conn).await?;
                        // Not unique: the savepoint fails, the transaction goes on.
                        new("kept").insert(conn).await?;
                        Ok(())
                    })
                    .await;
                assert!(matches!(inner, Err(Error::Conflict(_))), "{inner:?}");
                let inner: Result<()> = conn
                    .transaction(async |conn| {
                        new("kept as well").insert(conn).await?;
                        Ok(())
                    })
                    .await;
                inner
            })
            .await;
        outcome.unwrap();
        let titles: Vec<String> = todos::table
            .filter(todos::title.not_like(format!("{slug}%")))
            .select(todos::title)
            .order(todos::title)
            .load(&mut conn)
            .await
            .unwrap();
        assert_eq!(titles, ["kept", "kept as well"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_place_is_written_where_the_statement_goes_out_and_nowhere_before() {
    let sql = debug_query::<diesel::pg::Pg, _>(&Todo::query()).to_string();
    assert!(sql.contains("FROM \"tenant\".\"todos\""), "{sql}");
}
