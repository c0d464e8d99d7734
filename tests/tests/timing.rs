//! What the time of an answer tells of tenants: nothing that its bytes do not.
//! Unknown, malformed and missing tenants are refused after the same work.

use std::time::{Duration, Instant};

use integration::database::Database;
use integration::http::{Served, raw};
use integration::wire::Wire;
use tenancy::{Isolation, Strategy};

use crate::shop;

const ROUNDS: usize = 200;

/// The median time of a refusal of each kind, asked in turn so that what the
/// machine does beside meets all alike.
async fn medians(shop: &Served) -> [Duration; 3] {
    let lines = [
        "",
        "X-Tenant-ID: Not-A-Slug!\r\n",
        "X-Tenant-ID: nobody-here\r\n",
    ];
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        for (line, times) in lines.iter().zip(&mut times) {
            let request = format!("GET /me HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{line}\r\n");
            let start = Instant::now();
            let answer = raw(shop.site.address, request.as_bytes()).await;
            times.push(start.elapsed());
            assert!(answer.starts_with(b"HTTP/1.1 400 "));
        }
    }
    times.map(|mut times| {
        times.sort_unstable();
        times[ROUNDS / 2]
    })
}

fn spread(medians: [Duration; 3]) -> Duration {
    let longest = medians.iter().max().expect("three");
    let shortest = medians.iter().min().expect("three");
    *longest - *shortest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_refusal_takes_longer_than_another() {
    let database = Database::empty().await;
    // Each turn to the registry takes 15 milliseconds here.
    let wire = Wire::to(format!("127.0.0.1:{}", database.app.get_ports()[0])).await;
    let app = || shop::app(Isolation::single(Strategy::Rls)).seed("acme-corp");
    let port = format!(":{}/", database.app.get_ports()[0]);
    let slow = database
        .app_url()
        .replace(&port, &format!(":{}/", wire.port));
    let shop = Served::start(app(), &database, &[("TENANCY_DATABASE_URL", &slow)]).await;
    let found = spread(medians(&shop).await);
    assert!(found < Duration::from_millis(5), "{found:?}");
    drop(shop);
    // The twin: where a look-up is not remembered, an unknown tenant takes longer,
    // and that is seen.
    let vars = [
        ("TENANCY_DATABASE_URL", &*slow),
        ("TENANCY_CACHE_ENABLED", "false"),
    ];
    let shop = Served::start(app(), &database, &vars).await;
    let found = spread(medians(&shop).await);
    assert!(found > Duration::from_millis(8), "{found:?}");
}
