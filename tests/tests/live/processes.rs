//! Several processes: one that is killed and comes back, a connection that is cut,
//! and one that is told to stop. The other process is this test's own binary.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use integration::database::Database;
use integration::http::{Served, Site};
use integration::servers::Redis;
use tenancy::events::Overflow;
use tenancy::prelude::*;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::{A, B, Client, LATE, app, events_of, heard, until_heard};

const LISTENING: &str = "listening at ";

/// What the tests below start: an application as a process of its own, which ends at
/// a signal as every application does.
#[test]
#[ignore = "the process that other tests start"]
fn the_process() {
    let app = app().on_listen(|address| println!("\n{LISTENING}{address}"));
    tokio::runtime::Runtime::new()
        .expect("a runtime")
        .block_on(app.serve())
        .expect("it serves");
}

pub(super) struct Process {
    child: Child,
    pub(super) site: Site,
}

impl Process {
    pub(super) async fn start(database: &Database, vars: &[(&str, &str)]) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this binary"));
        let mut child = command
            .args([
                "live::processes::the_process",
                "--exact",
                "--ignored",
                "--nocapture",
            ])
            .env("TENANCY_DATABASE_URL", database.app_url())
            .env("TENANCY_OWNER_DATABASE_URL", database.owner_url())
            .env("TENANCY_LISTEN", "127.0.0.1:0")
            .env("TENANCY_SHUTDOWN_TIMEOUT", "60")
            .env_remove("TENANCY_TEST_POSTGRES_URL")
            .envs(vars.iter().copied())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a process");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let address: SocketAddr = loop {
            let line = lines.next_line().await.expect("text").expect("an address");
            if let Some(address) = line.strip_prefix(LISTENING) {
                break address.parse().expect("an address");
            }
        };
        // Read on, so that it is never held up by what it prints.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self {
            child,
            site: Site::new(address),
        }
    }

    pub(super) async fn say(&self, tenant: &str, data: Value) {
        let said = serde_json::json!({ "kind": "said", "data": data });
        let answer = self.site.tenant(tenant).post("/events", said).await;
        assert_eq!(answer.status, 202);
    }
}

async fn killed_and_back(vars: &[(&str, &str)]) {
    let database = Database::empty().await;
    let here = Served::start(app(), &database, vars).await;
    let mut there = Process::start(&database, vars).await;
    let events = events_of(&here, A).await;
    let mut subscription = events.subscribe().await;
    there.say(A, "one".into()).await;
    assert_eq!(heard(&mut subscription).await, "one");
    let mut client = Client::open(there.site.address, A, "/live").await;
    until_heard(&events, &mut client).await;
    events.publish("said", &"two").await.expect("published");
    assert_eq!(client.next().await["data"], "two");

    there.child.kill().await.expect("killed");
    assert_eq!(client.end().await.0, None, "without a word");
    // What this one publishes meanwhile is nobody's there, and holds nobody up here.
    let start = Instant::now();
    for number in 0..100 {
        events.publish("said", &number).await.expect("published");
    }
    assert!(start.elapsed() < LATE, "{:?}", start.elapsed());

    let there = Process::start(&database, vars).await;
    let mut client = Client::open(there.site.address, A, "/live").await;
    until_heard(&events, &mut client).await;
    let mut subscription = events.subscribe().await;
    there.say(A, "three".into()).await;
    assert_eq!(heard(&mut subscription).await, "three");
    assert_eq!(client.next().await["data"], "three");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_killed_hears_again_when_it_is_back() {
    killed_and_back(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_killed_hears_again_over_redis() {
    let redis = Redis::start().await;
    let url = redis.url();
    killed_and_back(&[("TENANCY_REDIS_URL", &*url)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_told_to_stop_says_so_and_waits_for_nobody() {
    let database = Database::empty().await;
    let mut there = Process::start(&database, &[]).await;
    let mut reading = Client::open(there.site.address, A, "/live").await;
    let mut hanging = Client::open(there.site.address, A, "/orders").await;
    hanging.say("\"hold\"").await;
    // One that never reads, not even that it is over.
    let _silent = Client::open(there.site.address, B, "/live").await;
    let answer = there.site.tenant(B).get("/me").await;
    assert_eq!(answer.status, 200);
    let stream = reqwest::Client::new()
        .get(format!("http://{}/events", there.site.address))
        .header("x-tenant-id", A);
    let stream = stream.send().await.expect("a stream");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let start = Instant::now();
    let id = there.child.id().expect("it runs").to_string();
    let told = Command::new("kill").args(["-TERM", &id]).status().await;
    assert!(told.expect("kill").success());
    let restart = Some((1_012, "restart".to_owned()));
    let (one, other) = tokio::join!(reading.end(), hanging.end());
    assert_eq!((one.0, other.0), (restart.clone(), restart));
    // As if it were complete: a client comes back, elsewhere.
    let text = stream.text().await.expect("an end in order");
    assert!(text.contains("retry: "), "{text}");
    let status = tokio::time::timeout(Duration::from_secs(20), there.child.wait()).await;
    assert!(status.expect("an end").expect("a status").success());
    let took = start.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    eprintln!("stopped after {took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_cut_is_made_again_and_the_gap_is_told() {
    let database = Database::empty().await;
    let one = Served::start(app(), &database, &[]).await;
    let other = Served::start(app(), &database, &[]).await;
    let events = events_of(&one, A).await;
    let mut here = events.subscribe().await;
    let mut there = events_of(&other, A)
        .await
        .subscribe_with(Overflow::Close)
        .await;
    for _ in 0..3 {
        events.publish("said", &1).await.expect("published");
        assert_eq!(heard(&mut here).await, 1);
        assert_eq!(heard(&mut there).await, 1);
        let cut = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity \
             WHERE application_name = 'tenancy events' AND datname = current_database()";
        database.sabotage(cut).await;
        // What is published now is in time for this process only.
        events.publish("said", &2).await.expect("published");
        assert_eq!(heard(&mut here).await, 2);
        let missed = serde_json::json!({ "missed": null });
        assert_eq!(heard(&mut here).await, missed);
        assert_eq!(heard(&mut there).await, missed);
    }
    // The twin: untold, nobody would know. What did come did come once.
    events.publish("said", &3).await.expect("published");
    assert_eq!(heard(&mut there).await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_may_go_and_come_back() {
    let database = Database::empty().await;
    let mut redis = Redis::start().await;
    let url = redis.url();
    let vars = [("TENANCY_REDIS_URL", &*url)];
    let one = Served::start(app(), &database, &vars).await;
    let other = Served::start(app(), &database, &vars).await;
    let events = events_of(&one, A).await;
    let mut here = events.subscribe().await;
    let mut there = events_of(&other, A).await.subscribe().await;
    redis.kill();
    // Whoever publishes is not held up for long, and heard in its own process.
    let start = Instant::now();
    for number in 0..50 {
        events.publish("said", &number).await.expect("published");
        assert_eq!(heard(&mut here).await, number);
    }
    assert!(start.elapsed() < 3 * LATE, "{:?}", start.elapsed());
    redis.start_again().await;
    let missed = serde_json::json!({ "missed": null });
    let told = tokio::time::timeout(Duration::from_secs(20), async {
        while heard(&mut there).await != missed {}
    });
    told.await.expect("a gap");
    // Both hear again; what is said from then on arrives.
    let again = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            events.publish("said", &"again").await.expect("published");
            let next = tokio::time::timeout(Duration::from_millis(500), there.next());
            if let Ok(Some(tenancy::events::Delivery::Event(event))) = next.await {
                assert_eq!(event.json(), "\"again\"");
                return;
            }
        }
    });
    again.await.expect("heard again");
}
