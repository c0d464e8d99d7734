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
    let database = Database::empty().await;
    let place = Workplace::on(&database);
    let timeout = [("TENANCY_SHUTDOWN_TIMEOUT", "1")];
    let app = place.serve("quickstart", &timeout).await;
    lock(&database).await;
    let url = format!("http://{}/todos", app.address);
    let request = reqwest::Client::new().get(url).header("X-Tenant-ID", B);
    let request = tokio::spawn(request.send());
    until_held_up(&database).await;
    let told = Instant::now();
    let ended = app.stop("TERM").await;
    let took = told.elapsed();
    assert_success(&ended);
    assert!(ended.err.contains("cut off"), "{}", ended.err);
    let expected = Duration::from_secs(1)..Duration::from_secs(8);
    assert!(expected.contains(&took), "{took:?}");
    assert!(request.await.unwrap().is_err());
}
