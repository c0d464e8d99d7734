//! Jobs: whose they are, who is next, and what ends them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use integration::database::Database;
use integration::http::Served;
use tenancy::config::Config;
use tenancy::jobs::JobError;
use tenancy::prelude::*;
use tenancy::{Isolation, Strategy, Tenancy};
use tokio::sync::Semaphore;

use crate::grounds;
use crate::shop::{self, NewTodo, Todo, todos};

const A: &str = "acme-corp";
const B: &str = "globex";

async fn serve(vars: &[(&str, &str)]) -> (Database, Served) {
    let app = shop::app(Isolation::single(Strategy::Rls)).seed(A).seed(B);
    let database = Database::empty().await;
    let shop = Served::start(app, &database, vars).await;
    (database, shop)
}

/// Without anybody who serves it, with two places of which one tenant has one.
async fn started(strategy: Strategy) -> (Database, Tenancy) {
    let database = Database::empty().await;
    let app = shop::app(Isolation::single(strategy)).seed(A);
    let vars = [
        ("TENANCY_DATABASE_URL", database.app_url()),
        ("TENANCY_OWNER_DATABASE_URL", database.owner_url()),
        ("TENANCY_JOBS", "2".to_owned()),
    ];
    let vars = vars.map(|(name, value)| (name.to_owned(), value));
    let config = Config::from_vars(app.defaults(), vars).expect("a configuration");
    let (tenancy, _router) = app.start(config).await.expect("a start");
    (database, tenancy)
}

async fn db(shop: &Served, slug: &str) -> TenantDb {
    shop.tenancy
        .tenant(&slug.parse().expect("a slug"))
        .await
        .expect("a tenant")
        .1
}

async fn add(db: &TenantDb, title: &str) -> Result<Todo> {
    let new = NewTodo {
        id: None,
        title: title.to_owned(),
        done: None,
        project_id: None,
    };
    new.insert(&mut db.conn().await?).await
}

async fn titles(shop: &Served, slug: &str) -> Vec<String> {
    let mut conn = db(shop, slug).await.conn().await.expect("a connection");
    let titles = todos::table.select(todos::title).order(todos::title);
    titles.load(&mut conn).await.expect("titles")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_works_for_who_handed_it_in_and_for_no_other() {
    for ground in grounds::grounds() {
        let stand = ground.serve(&[A, B]).await;
        let shop = &stand.shop;
        let [of_a, of_b] = [db(shop, A).await, db(shop, B).await];
        let jobs = [(&of_a, "of A"), (&of_b, "of B")].map(|(db, title)| {
            db.spawn(async move |db: TenantDb| add(&db, title).await)
                .unwrap()
        });
        for job in jobs {
            job.await.unwrap();
        }
        assert_eq!(titles(shop, A).await, ["of A"], "{ground}");
        assert_eq!(titles(shop, B).await, ["of B"], "{ground}");
        // The twin: a job that works with the handle of another reaches the other. What
        // it works for is the handle's, and nothing that the scheduler knows or guesses.
        let job = of_a.spawn(async move |_| add(&of_b, "by a job of A's").await);
        job.unwrap().await.unwrap();
        assert_eq!(titles(shop, A).await, ["of A"], "{ground}");
        let both = ["by a job of A's", "of B"];
        assert_eq!(titles(shop, B).await, both, "{ground}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_of_one_tenant_s_jobs_delays_another_s_by_a_turn() {
    const CROWD: usize = 2_000;
    let one_place = [("TENANCY_JOBS", "1"), ("TENANCY_JOBS_WAITING", "2000")];
    let (_database, shop) = serve(&one_place).await;
    let [of_a, of_b] = [db(&shop, A).await, db(&shop, B).await];
    let gate = Arc::new(Semaphore::new(0));
    let order = Arc::new(Mutex::new(Vec::new()));
    let hand_in = |db: &TenantDb| {
        let (gate, order) = (Arc::clone(&gate), Arc::clone(&order));
        let name = if std::ptr::eq(db, &of_a) { A } else { B };
        db.spawn(async move |_| {
            gate.acquire().await.map_err(Error::internal)?.forget();
            order.lock().unwrap().push(name);
            Ok(())
        })
    };
    let mut jobs: Vec<_> = (0..CROWD).map(|_| hand_in(&of_a).unwrap()).collect();
    while shop.tenancy.jobs().unwrap().running == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    jobs.push(hand_in(&of_b).unwrap());
    let numbers = shop.tenancy.jobs().unwrap();
    assert_eq!((numbers.running, numbers.waiting), (1, CROWD));
    gate.add_permits(CROWD + 1);
    for job in jobs {
        job.await.unwrap();
    }
    let turn = order.lock().unwrap().iter().position(|who| *who == B);
    // Behind the one that ran, and perhaps one that was next.
    assert!(turn.unwrap() <= 2, "{turn:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_holds_no_connection_and_its_number_is_bounded() {
    let vars = [
        ("TENANCY_JOBS", "1"),
        ("TENANCY_JOBS_WAITING", "40"),
        ("TENANCY_POOL_SIZE", "2"),
        ("TENANCY_POOL_TIMEOUT", "2"),
    ];
    let (_database, shop) = serve(&vars).await;
    let [of_a, of_b] = [db(&shop, A).await, db(&shop, B).await];
    let gate = Arc::new(Semaphore::new(0));
    let hand_in = |db: &TenantDb| {
        let gate = Arc::clone(&gate);
        db.spawn(async move |db: TenantDb| {
            let _conn = db.conn().await?;
            gate.acquire().await.map_err(Error::internal)?.forget();
            Ok(())
        })
    };
    let first = hand_in(&of_a).unwrap();
    while shop.tenancy.jobs().unwrap().running == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let waiting: Vec<_> = (0..40).map(|_| hand_in(&of_a).unwrap()).collect();
    let refused = hand_in(&of_a).unwrap_err();
    assert_eq!(refused.code(), "unavailable");
    let why = refused.to_string();
    assert!(
        why.contains("TENANCY_JOBS_WAITING") && why.contains("jobs.rs"),
        "{why}"
    );
    // Another tenant's queue is its own.
    let other = hand_in(&of_b).unwrap();
    // One connection is the running job's, and the other is free for requests.
    for _ in 0..5 {
        shop.tenant(B).get("/todos").await.json(200);
    }
    // The twin: tasks that are merely spawned take it, and requests are shut out.
    let tasks: Vec<_> = (0..2)
        .map(|_| {
            let (db, gate) = (of_a.clone(), Arc::clone(&gate));
            tokio::spawn(async move {
                let conn = db.conn().await;
                gate.acquire().await.unwrap().forget();
                drop(conn);
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let shut_out = shop.tenant(B).get("/todos").await;
    assert_eq!(shut_out.status, 503);
    gate.add_permits(100);
    for task in tasks {
        task.await.unwrap();
    }
    for job in waiting.into_iter().chain([first, other]) {
        job.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspension_ends_the_job_that_runs_and_the_one_that_waits() {
    let (database, shop) = serve(&[("TENANCY_JOBS", "1")]).await;
    database.listening(1).await;
    let [of_a, of_b] = [db(&shop, A).await, db(&shop, B).await];
    let held = Arc::new(());
    let dropped = Arc::downgrade(&held);
    let begun = Arc::new(Semaphore::new(0));
    let runs = {
        let begun = Arc::clone(&begun);
        of_a.spawn(async move |db: TenantDb| {
            let _held = held;
            let mut conn = db.conn().await?;
            conn.transaction(async |conn| {
                let new = NewTodo {
                    id: None,
                    title: "half done".to_owned(),
                    done: None,
                    project_id: None,
                };
                new.insert(conn).await?;
                begun.add_permits(1);
                std::future::pending::<Result<()>>().await
            })
            .await
        })
    };
    let runs = runs.unwrap();
    begun.acquire().await.unwrap().forget();
    let waits = of_a.spawn(async |db: TenantDb| add(&db, "never").await);
    let waits = waits.unwrap();
    let other = of_b.spawn(async |db: TenantDb| add(&db, "later").await);
    let other = other.unwrap();
    // The twin: a task that is merely spawned works on for the suspended tenant.
    let task = {
        let (db, begun) = (of_a.clone(), Arc::clone(&begun));
        tokio::spawn(async move {
            begun.acquire().await.unwrap().forget();
            add(&db, "of a suspended tenant").await
        })
    };
    let slug = A.parse().unwrap();
    shop.tenancy.provisioner().suspend(&slug).await.unwrap();
    assert!(matches!(runs.await, Err(JobError::Revoked)));
    assert!(dropped.upgrade().is_none());
    let refusal = Error::from(waits.await.unwrap_err());
    assert_eq!(refusal.code(), "tenant_inactive");
    other.await.unwrap();
    begun.add_permits(1);
    task.await.unwrap().unwrap();
    database.idle().await;
    shop.tenancy.provisioner().activate(&slug).await.unwrap();
    assert_eq!(titles(&shop, A).await, ["of a suspended tenant"]);
    assert_eq!(titles(&shop, B).await, ["later"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_and_an_error_are_the_job_s_own() {
    let (database, shop) = serve(&[("TENANCY_JOBS", "1")]).await;
    let of_a = db(&shop, A).await;
    let at_once = of_a.spawn::<(), _>(|_| -> std::future::Ready<_> { panic!("at once") });
    let later = of_a.spawn(async |db: TenantDb| {
        let mut conn = db.conn().await?;
        conn.transaction(async |conn| {
            let new = NewTodo {
                id: None,
                title: "never".to_owned(),
                done: None,
                project_id: None,
            };
            new.insert(conn).await?;
            panic!("half way");
            #[expect(unreachable_code, reason = "the type of what panics")]
            Result::Ok(())
        })
        .await
    });
    let fails = of_a.spawn(async |_| Err::<(), _>(Error::Conflict("as planned".to_owned())));
    let works = of_a.spawn(async |db: TenantDb| add(&db, "still there").await);
    assert!(matches!(at_once.unwrap().await, Err(JobError::Panicked)));
    assert!(matches!(later.unwrap().await, Err(JobError::Panicked)));
    let failed = fails.unwrap().await;
    assert!(matches!(failed, Err(JobError::Failed(Error::Conflict(_)))));
    works.unwrap().await.unwrap();
    assert_eq!(titles(&shop, A).await, ["still there"]);
    // Its place is free again, and its connection carries nothing.
    assert_eq!(shop.tenancy.jobs().unwrap().running, 0);
    database.idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_cuts_off_what_runs_and_begins_nothing_that_waits() {
    for strategy in [Strategy::Rls, Strategy::Database] {
        let (database, tenancy) = started(strategy).await;
        let (_, of_a) = tenancy.tenant(&A.parse().unwrap()).await.unwrap();
        let held = Arc::new(());
        let dropped = Arc::downgrade(&held);
        let hand_in = |held: Arc<()>| {
            of_a.spawn(async move |db: TenantDb| {
                let _held = held;
                let _conn = db.conn().await?;
                std::future::pending::<Result<()>>().await
            })
        };
        let runs = hand_in(held).unwrap();
        while tenancy.jobs().unwrap().running == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let waits = hand_in(Arc::default()).unwrap();
        let left = hand_in(Arc::default()).unwrap();
        drop(left);
        tenancy.stop().await.unwrap();
        assert!(dropped.upgrade().is_none());
        assert!(matches!(runs.await, Err(JobError::CutOff)));
        assert!(matches!(waits.await, Err(JobError::NotBegun)));
        let refused = of_a.spawn(async |_| Ok(())).unwrap_err().to_string();
        assert!(refused.contains("the application stops"), "{refused}");
        database.idle().await;
    }
}

/// What waits holds a way to hand in jobs, and must not keep itself alive by it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_end_with_the_application_that_is_dropped() {
    let (_database, tenancy) = started(Strategy::Rls).await;
    let (_, of_a) = tenancy.tenant(&A.parse().unwrap()).await.unwrap();
    let held = Arc::new(());
    let dropped = Arc::downgrade(&held);
    let runs = of_a.spawn(async |_| std::future::pending::<Result<()>>().await);
    let runs = runs.unwrap();
    let waits = of_a.spawn(async move |_| {
        drop(held);
        Ok(())
    });
    let waits = waits.unwrap();
    drop(tenancy);
    assert!(matches!(waits.await, Err(JobError::NotBegun)));
    assert!(dropped.upgrade().is_none());
    let runs = runs.await;
    assert!(matches!(runs, Err(JobError::CutOff | JobError::NotBegun)));
    assert!(of_a.spawn(async |_| Ok(())).is_err());
}
