//! The servers that tests start for themselves.

use integration::servers::{Postgres, Shutdown};
use tokio_postgres::{Client, NoTls};

async fn connect(postgres: &Postgres) -> Client {
    let (client, connection) = tokio_postgres::connect(&postgres.url(), NoTls)
        .await
        .expect("a connection");
    tokio::spawn(connection);
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_or_killed_server_comes_back_with_its_data() {
    let mut postgres = Postgres::start().await;
    let client = connect(&postgres).await;
    client
        .batch_execute("CREATE TABLE kept (value int); INSERT INTO kept VALUES (1)")
        .await
        .unwrap();
    for how in [Shutdown::Fast, Shutdown::Immediate] {
        let before = connect(&postgres).await;
        postgres.restart(how).await;
        assert!(before.simple_query("SELECT 1").await.is_err());
        let after = connect(&postgres).await;
        after
            .query_one("SELECT value FROM kept", &[])
            .await
            .unwrap();
    }
    postgres.kill();
    assert!(
        tokio_postgres::connect(&postgres.url(), NoTls)
            .await
            .is_err()
    );
    postgres.start_again().await;
    connect(&postgres)
        .await
        .query_one("SELECT value FROM kept", &[])
        .await
        .unwrap();
    postgres.stop();
    assert!(
        tokio_postgres::connect(&postgres.url(), NoTls)
            .await
            .is_err()
    );
}
