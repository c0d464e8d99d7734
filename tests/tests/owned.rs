//! Rows that know their tenant, where knowing the key is not enough: each of
//! two tenants with schemas of their own has a row 1.

use std::sync::Mutex;

use integration::database::Database;
use integration::http::Served;
use integration::wire::Wire;
use serde_json::json;
use tenancy::model::{Model as _, ModelDef};
use tenancy::prelude::*;
use tenancy::{Isolation, Strategy};

/// What tasks belong to.
#[tenant_model]
pub struct Goal {
    /// The key: 1, 2, 3, in every schema.
    pub id: i64,
    /// What is to be reached.
    pub name: String,
}

/// A thing to do.
#[tenant_model]
pub struct Task {
    /// The key: 1, 2, 3, in every schema.
    pub id: i64,
    /// What to do.
    pub title: String,
    /// What for.
    #[column(references = Goal)]
    pub goal_id: Option<i64>,
}

/// A row with a key of two columns.
#[tenant_model]
pub struct Step {
    /// Of what.
    #[column(primary_key, references = Task)]
    pub task_id: i64,
    /// In order.
    #[column(primary_key)]
    pub number: i32,
    /// What to do.
    pub text: String,
}

fn models() -> &'static [&'static ModelDef] {
    Box::leak(Box::new([
        Goal::definition(),
        Task::definition(),
        Step::definition(),
    ]))
}

/// A goal, a task for it and the task's first step, all named after the tenant
/// and read with its connection.
async fn fill(name: &str, db: &mut TenantConn) -> Result<(Owned<Goal>, Owned<Task>, Owned<Step>)> {
    let new = NewGoal {
        id: None,
        name: name.to_owned(),
    };
    let goal = new.insert_owned(db).await?;
    let task = task(name, goal.key_for(db)?).insert_owned(db).await?;
    let step = NewStep {
        task_id: task.key_for(db)?,
        number: 1,
        text: name.to_owned(),
    };
    Ok((goal, task, step.insert_owned(db).await?))
}

fn task(title: &str, goal: i64) -> NewTask {
    NewTask {
        id: None,
        title: title.to_owned(),
        goal_id: Some(goal),
    }
}

fn changed() -> TaskChanges {
    TaskChanges {
        title: Some("changed".to_owned()),
        ..TaskChanges::default()
    }
}

async fn titles(db: &mut TenantConn) -> Vec<String> {
    let titles = tasks::table.select(tasks::title).order(tasks::id);
    titles.load(db).await.expect("rows")
}

#[track_caller]
fn refused<T: std::fmt::Debug>(outcome: &Result<T>) {
    let is_refused = matches!(outcome, Err(Error::WrongTenant { .. }));
    assert!(is_refused, "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_of_one_tenant_names_none_of_another() {
    let database = Database::create(models()).await;
    let wire = Wire::to(format!("127.0.0.1:{}", database.app.get_ports()[0])).await;
    let pool = database.pool(2, Some(wire.port));
    let (a, b) = (
        database.in_own_schema(&pool).await,
        database.in_own_schema(&pool).await,
    );
    let (mut a, mut b) = (a.conn().await.unwrap(), b.conn().await.unwrap());
    let (goal, of_a, step) = fill("a", &mut a).await.unwrap();
    let (_, of_b, _) = fill("b", &mut b).await.unwrap();
    assert_eq!((of_a.id, of_b.id), (1, 1), "the keys are the same");

    wire.take();
    refused(&changed().update(&of_a, &mut b).await);
    refused(&Task::delete(&of_a, &mut b).await);
    refused(&Task::find(&of_a, &mut b).await);
    refused(&Step::delete(&step, &mut b).await);
    refused(&goal.key_for(&b));
    let work = b.transaction(async |b| Task::delete(&of_a, b).await);
    refused(&work.await);
    assert_eq!(wire.take(), 0, "nothing was sent");
    assert_eq!(titles(&mut b).await, ["b"]);

    // The twin: as plain values the same keys name rows of b.
    let row = changed().update(of_a.id, &mut b).await.unwrap();
    assert_eq!(row.title, "changed");
    let more = task("more", goal.id).insert(&mut b).await.unwrap();
    assert_eq!(more.goal_id, Some(1));
    Step::delete((step.task_id, step.number), &mut b)
        .await
        .unwrap();
    Task::delete(of_a.into_inner().id, &mut b).await.unwrap();
    assert_eq!(titles(&mut b).await, ["more"]);
    assert_eq!(titles(&mut a).await, ["a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_tables_are_shared_a_row_names_none_of_another_either() {
    let database = Database::create(models()).await;
    let pool = database.pool(2, None);
    let (a, b) = (
        database.in_shared_tables(&pool).await,
        database.in_shared_tables(&pool).await,
    );
    let (mut a, mut b) = (a.conn().await.unwrap(), b.conn().await.unwrap());
    let (_, of_a, _) = fill("a", &mut a).await.unwrap();
    refused(&changed().update(&of_a, &mut b).await);
    refused(&Task::find(&of_a, &mut b).await);
    // The twin: beside it there is the policy, and beside the policy only this.
    let plain = changed().update(of_a.id, &mut b).await;
    assert!(matches!(plain, Err(Error::NotFound)), "{plain:?}");
    let drop_policy = "DROP POLICY tenancy_isolation ON shared.tasks";
    database.sabotage(drop_policy).await;
    refused(&changed().update(&of_a, &mut b).await);
    assert_eq!(titles(&mut a).await, ["a"]);
    changed().update(of_a.id, &mut b).await.unwrap();
    assert_eq!(titles(&mut a).await, ["changed"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_its_own_tenant_a_row_is_as_good_as_its_key() {
    let database = Database::create(models()).await;
    let pool = database.pool(1, None);
    for db in [
        database.in_own_schema(&pool).await,
        database.in_shared_tables(&pool).await,
    ] {
        let mut conn = db.conn().await.unwrap();
        let (goal, row, step) = fill("one", &mut conn).await.unwrap();
        drop(conn);
        // Any connection of the tenant's will do.
        let mut conn = db.conn().await.unwrap();
        changed().update(&row, &mut conn).await.unwrap();
        let again = Task::find(&row, &mut conn).await.unwrap();
        assert_eq!(again.title, "changed");
        assert_eq!(again.goal_id, Some(goal.key_for(&conn).unwrap()));
        assert_eq!(Step::find(&step, &mut conn).await.unwrap().text, "one");
        let of_goal = tasks::goal_id.eq(goal.key_for(&conn).unwrap());
        let tasks = Owned::load(Task::query().filter(of_goal), &mut conn);
        let tasks = tasks.await.unwrap();
        assert_eq!(tasks.len(), 1);
        assert_eq!(json!(tasks[0]), json!(again.clone().into_inner()));
        assert_eq!(
            format!("{again:?}"),
            format!("{:?}", again.clone().into_inner())
        );
        Step::delete(&step, &mut conn).await.unwrap();
        Task::delete(&tasks[0], &mut conn).await.unwrap();
        let gone = Task::find(&row, &mut conn).await;
        assert!(matches!(gone, Err(Error::NotFound)), "{gone:?}");
    }
}

/// A cache that does not tell tenants apart.
static LAST: Mutex<Option<Owned<Goal>>> = Mutex::new(None);

#[tenant_handler(post, "/goals")]
async fn create(
    mut db: TenantConn,
    Json(new): Json<NewGoal>,
) -> Result<(StatusCode, Json<Owned<Goal>>)> {
    let goal = new.insert_owned(&mut db).await?;
    *LAST.lock().expect("no panic") = Some(goal.clone());
    Ok((StatusCode::CREATED, Json(goal)))
}

#[tenant_handler(get, "/goals/{id}")]
async fn show(Path(id): Path<i64>, mut db: TenantConn) -> Result<Json<Owned<Goal>>> {
    Ok(Json(Goal::find(id, &mut db).await?))
}

#[tenant_handler(delete, "/goals/last")]
async fn remove_last(mut db: TenantConn) -> Result<StatusCode> {
    let last = LAST.lock().expect("no panic").clone();
    Goal::delete(&last.ok_or(Error::NotFound)?, &mut db).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mixture_is_answered_as_our_mistake_and_named_in_the_log() {
    for strategy in [Strategy::Schema, Strategy::Database] {
        let database = Database::empty().await;
        let app = App::new("goals", "1.0.0")
            .membership(tenancy::admit::Gateway)
            .isolation(Isolation::single(strategy))
            .model::<Goal>()
            .route::<create>()
            .route::<show>()
            .route::<remove_last>()
            .seed("acme")
            .seed("globex");
        let served = Served::start(app, &database, &[]).await;
        let (acme, globex) = (served.tenant("acme"), served.tenant("globex"));
        let of = |name: &str| json!({ "id": 1, "name": name });
        let answer = globex.post("/goals", json!({ "name": "of globex" })).await;
        assert_eq!(answer.json(201), of("of globex"));
        let answer = acme.post("/goals", json!({ "name": "of acme" })).await;
        assert_eq!(answer.json(201), of("of acme"));

        let answer = globex.delete("/goals/last").await;
        assert_eq!(answer.problem(500), "internal");
        assert!(!answer.text().contains("acme"), "{}", answer.text());
        let kept = globex.get("/goals/1").await;
        assert_eq!(kept.json(200), of("of globex"));
        assert_eq!(acme.delete("/goals/last").await.status, 204);
        assert_eq!(acme.get("/goals/1").await.problem(404), "not_found");

        let globex = "globex".parse().unwrap();
        let (_, db) = served.tenancy.tenant(&globex).await.unwrap();
        let last = LAST.lock().unwrap().clone().expect("a goal");
        let error = last.key_for(&db.conn().await.unwrap()).unwrap_err();
        let error = error.to_string();
        assert!(error.starts_with("a row of tenant `acme` ("), "{error}");
        assert!(error.contains("connection of tenant `globex` ("), "{error}");
    }
}
