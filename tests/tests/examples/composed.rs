//! The examples with the settings of their `docker-compose.yml`, on servers as it
//! describes them: what a container would run runs here as a process.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use integration::process::Workplace;
use integration::servers::{Postgres, Redis};
use tokio_postgres::NoTls;

use super::saas_starter::Starter;
use super::{A, B, assert_success};

/// The folder of the examples.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

fn read(path: &str) -> String {
    let path = folder().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The settings of an example's container.
fn composed(example: &str) -> BTreeMap<String, String> {
    let text = read(&format!("{example}/docker-compose.yml"));
    assert!(
        text.contains(&format!("EXAMPLE: {example}\n")),
        "{example} builds another one"
    );
    let lines = text.lines().map(str::trim);
    let settings = lines.filter(|line| line.starts_with("TENANCY_"));
    let pair = |line: &str| {
        let (name, value) = line.split_once(": ").expect("NAME: value");
        (name.to_owned(), value.trim_matches('"').to_owned())
    };
    settings.map(pair).collect()
}

/// A server as the container `postgres` has it, after its first start.
async fn postgres() -> Postgres {
    let postgres = Postgres::start().await;
    let run = async |url: &str, sql: &str| {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("a login");
        tokio::spawn(connection);
        client.batch_execute(sql).await.expect("it runs");
    };
    run(&postgres.url(), "CREATE DATABASE example").await;
    let url = postgres.url();
    let (server, _) = url.rsplit_once('/').expect("a database");
    let example = format!("{server}/example");
    run(&example, &read("roles.sql")).await;
    postgres
}

/// The same, for servers that run here.
fn settings(example: &str, postgres: &Postgres, redis: &Redis) -> Vec<(String, String)> {
    let at = |value: String| {
        value
            .replace("@postgres/", &format!("@127.0.0.1:{}/", postgres.port()))
            .replace("//redis", &format!("//{}", redis.address()))
    };
    let settings = composed(example).into_iter();
    settings.map(|(name, value)| (name, at(value))).collect()
}

fn pairs(settings: &[(String, String)]) -> Vec<(&str, &str)> {
    let settings = settings.iter();
    settings
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

#[test]
fn every_example_can_be_composed() {
    let mut examples = 0;
    for entry in fs::read_dir(folder()).expect("the examples") {
        let path = entry.expect("an example").path();
        if path.join("Cargo.toml").exists() {
            let name = path.file_name().and_then(|name| name.to_str());
            composed(name.expect("a name"));
            examples += 1;
        }
    }
    assert!(examples > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_example_serves_on_the_roles_of_its_containers() {
    let (postgres, redis) = (postgres().await, Redis::start().await);
    let settings = settings("quickstart", &postgres, &redis);
    let place = Workplace::new();
    let app = place.serve("quickstart", &pairs(&settings)).await;
    for tenant in [A, B] {
        app.tenant(tenant).get("/todos").await.json(200);
    }
    assert_success(&app.stop("TERM").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_starter_counts_in_the_redis_of_its_containers() {
    let (postgres, redis) = (postgres().await, Redis::start().await);
    let settings = settings("saas-starter", &postgres, &redis);
    let (place, vars) = (Workplace::new(), pairs(&settings));
    let starter = Starter::serve(&place, &vars).await;
    let token = starter.token(A).await;
    let write = &starter.app.hints()[3];
    assert_eq!(starter.follow(write, &token).await.0, 201);
    assert!(!redis.keys().await.is_empty());
    assert_success(&starter.app.stop("TERM").await);
}

/// Containers listen for everybody, which operators' routes without a guard allow where
/// it is said by name only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_anybody_may_administer_says_so_by_name_and_aloud() {
    let (postgres, redis) = (postgres().await, Redis::start().await);
    for example in ["ecommerce-platform", "analytics-platform"] {
        let mut settings = settings(example, &postgres, &redis);
        settings.push(("TENANCY_LISTEN".to_owned(), "0.0.0.0:0".to_owned()));
        let place = Workplace::new();
        let all = pairs(&settings);
        let word = "listening on http://0.0.0.0";
        let ended = place.stop_at(word, example, &all).await;
        assert_success(&ended);
        assert!(ended.err.contains("ANYBODY WHO REACHES"), "{}", ended.err);
        // The twin: where nobody says so, it does not start.
        settings.retain(|(name, _)| name != "TENANCY_ADMIN_OPEN");
        let refused = place.run(example, &[], &pairs(&settings)).await;
        assert_eq!(refused.code, Some(1), "{}", refused.err);
        assert!(
            refused.err.contains("TENANCY_ADMIN_OPEN"),
            "{}",
            refused.err
        );
    }
}
