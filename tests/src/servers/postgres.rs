//! A PostgreSQL of a test's own, to restart and to kill.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio_postgres::NoTls;
use uuid::Uuid;

use super::child::Child;
use super::folder::Folder;
use super::{free_port, given};

/// How long a start is tried again while something of a former server is there.
const PATIENCE: Duration = Duration::from_secs(20);

/// Nothing has to survive a crash of the machine, and nothing is shared.
const SETTINGS: [&str; 7] = [
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=50",
    "shared_buffers=16MB",
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
];

/// What proves that a server is `localhost`, by `keys/authority.pem`.
pub const SERVER_CERTIFICATE: &str = include_str!("../../keys/server.pem");
/// The key to it.
pub const SERVER_KEY: &str = include_str!("../../keys/server.key.pem");

/// How a server is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// Clients are told and disconnected, open transactions rolled back.
    Fast,
    /// Everything is dropped on the spot; the next start recovers.
    Immediate,
}

impl Shutdown {
    fn signal(self) -> &'static str {
        match self {
            Self::Fast => "INT",
            Self::Immediate => "QUIT",
        }
    }
}

/// A throwaway PostgreSQL; dropping it stops it and removes its data.
pub struct Postgres {
    port: u16,
    password: String,
    bin: PathBuf,
    // Before the folder: fields drop in this order.
    child: Option<Child>,
    folder: Folder,
}

impl Postgres {
    /// Creates one and waits until it answers: a second or two.
    ///
    /// # Panics
    ///
    /// When it cannot be created or started, with what it said.
    pub async fn start() -> Self {
        let mut postgres = Self {
            port: free_port(),
            password: Uuid::now_v7().simple().to_string(),
            bin: given("TENANCY_TEST_POSTGRES_BIN"),
            child: None,
            folder: Folder::create(),
        };
        postgres.init().await;
        while let Err(log) = postgres.try_start().await {
            assert!(in_the_way(&log), "PostgreSQL does not start:\n{log}");
            postgres.port = free_port();
        }
        postgres
    }

    /// Takes encrypted connections from now on as well, with the certificate of
    /// `keys/`, which is `localhost`'s. It can be told while it serves.
    ///
    /// # Panics
    ///
    /// When it does not take them.
    pub async fn encrypt(&self) {
        self.folder.write("server.pem", SERVER_CERTIFICATE);
        self.folder.write_secret("server.key.pem", SERVER_KEY);
        let (client, connection) = tokio_postgres::connect(&self.url(), NoTls)
            .await
            .expect("a connection");
        tokio::spawn(connection);
        for setting in [
            "ssl_cert_file = '../server.pem'",
            "ssl_key_file = '../server.key.pem'",
            "ssl = on",
        ] {
            let sql = format!("ALTER SYSTEM SET {setting}");
            client.batch_execute(&sql).await.expect("a superuser");
        }
        let reload = client.batch_execute("SELECT pg_reload_conf()").await;
        reload.expect("a superuser");
        let start = Instant::now();
        loop {
            let row = client.query_one("SHOW ssl", &[]).await.expect("a setting");
            if row.get::<_, String>(0) == "on" {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "`ssl` is not on");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The port it listens on, the same over restarts.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How a superuser reaches it. The port stays the same over restarts.
    pub fn url(&self) -> String {
        format!(
            "postgres://postgres:{}@127.0.0.1:{}/postgres",
            self.password, self.port
        )
    }

    /// Stops it and starts it again on the same port.
    pub async fn restart(&mut self, how: Shutdown) {
        self.end(how.signal());
        self.start_again().await;
    }

    /// Stops it, as in [`Shutdown::Fast`].
    pub fn stop(&mut self) {
        self.end(Shutdown::Fast.signal());
    }

    /// Kills its first process, as if memory had run out. The others notice.
    pub fn kill(&mut self) {
        self.end("KILL");
    }

    /// Starts it after [`stop`](Self::stop) or [`kill`](Self::kill).
    ///
    /// # Panics
    ///
    /// When it does not start, with the end of its log.
    pub async fn start_again(&mut self) {
        let start = Instant::now();
        while let Err(log) = self.try_start().await {
            // What a killed server leaves running goes by itself, but not at once.
            assert!(
                in_the_way(&log) && start.elapsed() < PATIENCE,
                "PostgreSQL does not start again:\n{log}"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn end(&mut self, signal: &str) {
        if let Some(mut child) = self.child.take() {
            child.end(signal);
        }
    }

    async fn init(&self) {
        let password = self.folder.write("password", &self.password);
        let mut command = self.folder.command(self.bin.join("initdb"));
        command
            .args(["--username=postgres", "--auth=scram-sha-256"])
            .args(["--encoding=UTF8", "--locale=C"])
            .args(["--no-sync", "--no-instructions", "--pgdata=data"])
            .arg("--pwfile")
            .arg(password);
        let output = tokio::process::Command::from(command).output().await;
        let output = output.expect("the program `initdb`");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "initdb failed:\n{errors}");
    }

    async fn try_start(&mut self) -> Result<(), String> {
        let port = self.port.to_string();
        let mut args = vec!["-D", "data", "-p", &port];
        args.extend(SETTINGS.iter().flat_map(|setting| ["-c", setting]));
        let program = self.bin.join("postgres");
        let stop = Shutdown::Immediate.signal();
        let mut child = Child::start(&self.folder, stop, &program, &args);
        let url = self.url();
        let answers = async || tokio_postgres::connect(&url, NoTls).await.is_ok();
        child.wait(answers).await?;
        self.child = Some(child);
        Ok(())
    }
}

/// Whether a start failed for something that passes or can be evaded: a port,
/// a lock file or shared memory that is in use.
fn in_the_way(log: &str) -> bool {
    ["in use", "already exists"]
        .iter()
        .any(|sign| log.contains(sign))
}
