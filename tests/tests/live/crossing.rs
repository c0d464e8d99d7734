//! Many tenants, many sockets, two processes: everybody hears all of their own
//! tenant's events, in order, and nothing of another's.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use integration::database::Database;
use integration::http::Served;
use integration::servers::Redis;
use tenancy::prelude::*;
use tokio_postgres::{AsyncMessage, NoTls};

use super::{A, B, Client, app, events_of, heard, slug, until_open};

const TENANTS: usize = 50;
/// Of each tenant's, at each of the two instances.
const SOCKETS: usize = 5;
/// Of each tenant's, published at each of them.
const EVENTS: u64 = 100;

fn name(tenant: usize) -> String {
    format!("tenant-{tenant:02}")
}

/// What one socket has heard.
#[derive(Default)]
struct Heard {
    foreign: usize,
    missed: usize,
    disordered: usize,
    /// The last number of each publisher.
    last: BTreeMap<u64, u64>,
    events: u64,
}

impl Heard {
    fn hear(&mut self, tenant: &str, message: &Value) {
        if message["kind"] == "missed" {
            self.missed += 1;
            return;
        }
        let data = &message["data"];
        if data["tenant"] != tenant {
            self.foreign += 1;
            return;
        }
        self.events += 1;
        let publisher = data["publisher"].as_u64().expect("a publisher");
        let number = data["number"].as_u64().expect("a number");
        let before = self.last.insert(publisher, number);
        if before.map_or(0, |before| before + 1) != number {
            self.disordered += 1;
        }
    }
}

async fn listen(mut client: Client, tenant: String, total: u64) -> Heard {
    let mut all = Heard::default();
    while all.events < total {
        let message = tokio::time::timeout(Duration::from_secs(30), client.message()).await;
        let Ok(Ok(message)) = message else { break };
        if message["kind"] != "begin" {
            all.hear(&tenant, &message);
        }
    }
    all
}

async fn publish(instance: &Served, publisher: u64, tenant: String) {
    let events = events_of(instance, &tenant).await;
    for number in 0..EVENTS {
        let data = serde_json::json!({
            "tenant": tenant, "publisher": publisher, "number": number
        });
        events.publish("count", &data).await.expect("published");
    }
}

/// Opens the sockets, publishes, and returns what each has heard.
async fn hear_all(instances: &[Served; 2]) -> (Vec<Heard>, Duration) {
    let mut clients = Vec::new();
    for tenant in 0..TENANTS {
        for instance in instances {
            for _ in 0..SOCKETS {
                let name = name(tenant);
                let client = Client::open(instance.site.address, &name, "/live").await;
                clients.push((client, name));
            }
        }
    }
    let tenants = join_all(
        (0..TENANTS).map(async |tenant| events_of(&instances[tenant % 2], &name(tenant)).await),
    );
    let tenants = tenants.await;
    let each = 2 * SOCKETS;
    let opened = clients.iter_mut().enumerate();
    join_all(opened.map(|(number, (client, _))| until_open(&tenants[number / each], client))).await;
    let start = Instant::now();
    let total = 2 * EVENTS;
    let listening: Vec<_> = clients
        .into_iter()
        .map(|(client, tenant)| tokio::spawn(listen(client, tenant, total)))
        .collect();
    let publishing = (0..TENANTS).flat_map(|tenant| {
        let of = |publisher: usize| publish(&instances[publisher], publisher as u64, name(tenant));
        [of(0), of(1)]
    });
    join_all(publishing).await;
    eprintln!("published after {:?}", start.elapsed());
    let heard = join_all(listening).await;
    let heard = heard.into_iter().map(|heard| heard.expect("no panic"));
    (heard.collect(), start.elapsed())
}

async fn instances(database: &Database, vars: &[(&str, &str)]) -> [Served; 2] {
    let with_all = || (0..TENANTS).fold(app(), |app, tenant| app.seed(&name(tenant)));
    [
        Served::start(with_all(), database, vars).await,
        Served::start(with_all(), database, vars).await,
    ]
}

async fn none_crosses(vars: &[(&str, &str)]) {
    let database = Database::empty().await;
    let instances = instances(&database, vars).await;
    let (heard, took) = hear_all(&instances).await;
    let sum = |of: fn(&Heard) -> u64| heard.iter().map(of).sum::<u64>();
    assert_eq!(sum(|heard| heard.foreign as u64), 0, "of another tenant");
    assert_eq!(sum(|heard| heard.missed as u64), 0, "missed");
    assert_eq!(sum(|heard| heard.disordered as u64), 0, "out of order");
    let messages = sum(|heard| heard.events);
    assert_eq!(messages, (heard.len() as u64) * 2 * EVENTS);
    eprintln!("{} sockets, {messages} messages in {took:?}", heard.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn none_of_a_hundred_thousand_messages_crosses_over_postgresql() {
    none_crosses(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn none_of_a_hundred_thousand_messages_crosses_over_redis() {
    let redis = Redis::start().await;
    let url = redis.url();
    none_crosses(&[("TENANCY_REDIS_URL", &*url)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_for_one_tenant_reaches_nobody_else() {
    let database = Database::empty().await;
    let one = Served::start(app(), &database, &[]).await;
    let other = Served::start(app(), &database, &[]).await;
    let mut of_a = events_of(&other, A).await.subscribe().await;
    let mut of_b = events_of(&other, B).await.subscribe().await;
    let said = serde_json::json!({ "kind": "said", "data": "for a" });
    assert_eq!(one.tenant(A).post("/events", said).await.status, 202);
    assert_eq!(heard(&mut of_a).await, "for a");
    // In order, so nothing else came before it.
    let said = serde_json::json!({ "kind": "said", "data": "for b" });
    assert_eq!(one.tenant(B).post("/events", said).await.status, 202);
    assert_eq!(heard(&mut of_b).await, "for b");
    // On a tenant's route nobody has those of all.
    assert_eq!(one.tenant(A).get("/wrong").await.problem(500), "internal");

    // The twin: it is the tenant's id that an event goes by, on the way between
    // processes as well. What says another one comes to that one.
    let id = async |tenant| {
        one.tenancy
            .tenant(&slug(tenant))
            .await
            .expect("there")
            .0
            .id()
    };
    let (a, b) = (id(A).await, id(B).await);
    let (client, mut connection) = database.app.connect(NoTls).await.expect("a connection");
    let (seen, mut payloads) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(message)) =
            std::future::poll_fn(|context| connection.poll_message(context)).await
        {
            if let AsyncMessage::Notification(notification) = message {
                let _ = seen.send(notification.payload().to_owned());
            }
        }
    });
    client
        .batch_execute("LISTEN tenancy_events")
        .await
        .expect("heard");
    let said = serde_json::json!({ "kind": "said", "data": "for a again" });
    one.tenant(A).post("/events", said).await;
    assert_eq!(heard(&mut of_a).await, "for a again");
    let payload = loop {
        let payload = payloads.recv().await.expect("a connection");
        if payload.contains("for a again") {
            break payload;
        }
    };
    let [from, to] = [a, b].map(|id| id.as_uuid().simple().to_string());
    let crossed = payload.replace(&from, &to);
    assert_ne!(crossed, payload);
    // Of a sender whom nobody knows, so that no number is missing.
    let sender = uuid::Uuid::now_v7().simple().to_string();
    let crossed = format!("{sender}{}", &crossed[sender.len()..]);
    let notify = "SELECT pg_notify('tenancy_events', $1)";
    let sent = client.query(notify, &[&crossed]).await;
    sent.expect("sent");
    assert_eq!(heard(&mut of_b).await, "for a again");
    // And the check of the tests above does see what is another tenant's.
    let mut checked = Heard::default();
    checked.hear(
        B,
        &serde_json::json!({ "kind": "count", "data": { "tenant": A } }),
    );
    assert_eq!(checked.foreign, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_of_any_size_that_is_allowed_comes_whole() {
    let database = Database::empty().await;
    let one = Served::start(app(), &database, &[]).await;
    let other = Served::start(app(), &database, &[]).await;
    let mut subscription = events_of(&other, A).await.subscribe().await;
    let events = events_of(&one, A).await;
    for length in [10, 7_900, 8_000, 20_000, 60_000] {
        let text = "ä\n\"".repeat(length / 6);
        events.publish("long", &text).await.expect("published");
        assert_eq!(heard(&mut subscription).await, text, "{length}");
    }
    let refused = events.publish("long", &"x".repeat(70_000)).await;
    assert!(matches!(refused, Err(Error::InvalidInput(_))));
    let refused = events.publish("no kind", &1).await;
    assert!(matches!(refused, Err(Error::InvalidInput(_))));
}
