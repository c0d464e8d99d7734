//! How an application ends that is told to while requests run. They are held up
//! by a lock that somebody else has on the tenant's table.

use std::time::{Duration, Instant};

use integration::database::Database;
use integration::process::{Served, Workplace};
use tokio::net::TcpStream;

use super::{B, assert_success};

/// Locks the shared todos until `ROLLBACK`.
async fn lock(database: &Database) {
    database
        .sabotage("BEGIN; LOCK TABLE shared.todos IN ACCESS EXCLUSIVE MODE")
        .await;
}

/// Waits until a request of the application's waits for the lock.
async fn until_held_up(database: &Database) {
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted \
         AND relation = 'shared.todos'::regclass";
    let start = Instant::now();
    while database.value::<i64>(waiting).await == 0 {
        assert!(start.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn until_refusing(app: &Served) {
    let start = Instant::now();
    while TcpStream::connect(app.address).await.is_ok() {
        assert!(start.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_runs_at_the_signal_is_answered_before_the_end() {
    let database = Database::empty().await;
    let place = Workplace::on(&database);
    let app = place.serve("quickstart", &[]).await;
    lock(&database).await;
    let answer = {
        let request = app.tenant(B);
        let held_up = async {
            until_held_up(&database).await;
            app.signal("TERM");
            until_refusing(&app).await;
            database.sabotage("ROLLBACK").await;
        };
        tokio::join!(request.get("/todos"), held_up).0
    };
    assert_eq!(answer.json(200), serde_json::json!([]));
    let ended = app.end().await;
    assert_success(&ended);
    assert!(!ended.err.contains("cut off"), "{}", ended.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_never_end_are_cut_off_after_the_timeout() {
    let timeout = [("TENANCY_SHUTDOWN_TIMEOUT", "1")];
    let took = cut_off(&timeout, async |app| app.signal("TERM")).await;
    assert!(took >= Duration::from_secs(1), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_never_end_are_cut_off_by_a_second_signal() {
    let timeout = [("TENANCY_SHUTDOWN_TIMEOUT", "60")];
    cut_off(&timeout, async |app| {
        app.signal("INT");
        until_refusing(app).await;
        app.signal("INT");
    })
    .await;
}

/// Tells an application to stop whose one request never ends; how long it took.
async fn cut_off(vars: &[(&str, &str)], tell: impl AsyncFnOnce(&Served)) -> Duration {
    let database = Database::empty().await;
    let place = Workplace::on(&database);
    let app = place.serve("quickstart", vars).await;
    lock(&database).await;
    let url = format!("http://{}/todos", app.address);
    let request = reqwest::Client::new().get(url).header("X-Tenant-ID", B);
    let request = tokio::spawn(request.send());
    until_held_up(&database).await;
    let told = Instant::now();
    tell(&app).await;
    let ended = app.end().await;
    let took = told.elapsed();
    assert_success(&ended);
    assert!(ended.err.contains("cut off"), "{}", ended.err);
    assert!(took < Duration::from_secs(8), "{took:?}");
    assert!(request.await.expect("no panic").is_err());
    took
}

/// Two jobs of a tenant, of which one runs and one waits, when the application stops:
/// what it wrote, and what it logged.
async fn with_jobs(seconds: u16, timeout: &str) -> (String, String) {
    let database = Database::empty().await;
    let place = Workplace::on(&database);
    let vars = [("TENANCY_SHUTDOWN_TIMEOUT", timeout), ("TENANCY_JOBS", "1")];
    let app = place.serve("renamed", &vars).await;
    for _ in 0..2 {
        let url = format!("http://{}/chores/{seconds}", app.address);
        let request = reqwest::Client::new().post(url).header("X-Library", B);
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), 202);
    }
    let busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
         AND query LIKE 'SELECT pg_sleep%' AND state = 'active'";
    let start = Instant::now();
    while database.value::<i64>(busy).await == 0 {
        assert!(start.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let ended = app.stop("TERM").await;
    assert_success(&ended);
    assert!(
        ended.err.contains("jobs are not begun"),
        "the one that waits: {}",
        ended.err
    );
    (ended.out, ended.err)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_runs_at_the_signal_is_finished_and_one_that_waits_is_not_begun() {
    let (out, err) = with_jobs(2, "60").await;
    assert_eq!(out.matches("a chore is done").count(), 1, "{out}\n{err}");
    assert!(!err.contains("cut off"), "{err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_does_not_end_is_cut_off_after_the_timeout_and_counted() {
    let (out, err) = with_jobs(20, "1").await;
    assert!(!out.contains("a chore is done"), "{out}");
    assert!(err.contains("jobs that still run are cut off"), "{err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_told_to_stop_while_it_starts_leaves_nothing_behind() {
    let place = Workplace::new();
    let temporary = [
        ("TENANCY_EMBEDDED", "temporary"),
        ("TENANCY_LISTEN", "127.0.0.1:0"),
    ];
    // It is some tenths of a second from here to the address, on most machines.
    let starting = "an embedded PostgreSQL starts";
    let ended = place.stop_at(starting, "quickstart", &temporary).await;
    assert_success(&ended);
    let left = std::fs::read_dir(place.path()).expect("own folder");
    let names = left.map(|entry| entry.expect("readable").file_name());
    let folders: Vec<_> = names
        .filter(|name| name.to_string_lossy().starts_with("tenancy-"))
        .collect();
    assert!(folders.is_empty(), "{folders:?}");
}
