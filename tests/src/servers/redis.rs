//! A Redis of a test's own, to kill and to look into.

use std::fmt::Write as _;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::child::Child;
use super::folder::Folder;
use super::{SERVER_CERTIFICATE, SERVER_KEY, free_port, given};

/// How often a start is tried on another port.
const ATTEMPTS: usize = 3;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A throwaway Redis that keeps nothing on disk; dropping it stops it.
pub struct Redis {
    port: u16,
    encrypted: Option<u16>,
    // Before the folder: fields drop in this order.
    child: Option<Child>,
    folder: Folder,
}

impl Redis {
    /// Starts one and waits until it answers.
    ///
    /// # Panics
    ///
    /// When it does not start, with the end of its log.
    pub async fn start() -> Self {
        Self::start_with(false).await
    }

    /// Starts one that takes encrypted connections as well, with the certificate of
    /// `keys/`, which is `localhost`'s.
    ///
    /// # Panics
    ///
    /// When it does not start, with the end of its log.
    pub async fn start_encrypted() -> Self {
        Self::start_with(true).await
    }

    async fn start_with(tls: bool) -> Self {
        let mut redis = Self {
            port: 0,
            encrypted: None,
            child: None,
            folder: Folder::create(),
        };
        redis.folder.write("server.pem", SERVER_CERTIFICATE);
        redis.folder.write_secret("server.key.pem", SERVER_KEY);
        let mut log = String::new();
        for _ in 0..ATTEMPTS {
            redis.port = free_port();
            redis.encrypted = tls.then(free_port);
            match redis.try_start().await {
                Ok(()) => return redis,
                Err(words) => log = words,
            }
        }
        panic!("Redis does not start; its log ends with\n{log}");
    }

    /// How clients reach it, the same over restarts.
    pub fn url(&self) -> String {
        format!("redis://{}/", self.address())
    }

    /// How clients that know it by `host` reach it encrypted.
    ///
    /// # Panics
    ///
    /// When it was not [started](Self::start_encrypted) so.
    pub fn encrypted_url(&self, host: &str) -> String {
        let port = self.encrypted.expect("a port for TLS");
        format!("rediss://{host}:{port}/")
    }

    /// Its host and port.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Kills it: all that it knew is gone.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.end("KILL");
        }
    }

    /// Starts it after [`kill`](Self::kill), on the same port.
    ///
    /// # Panics
    ///
    /// When it does not start, with the end of its log.
    pub async fn start_again(&mut self) {
        let started = self.try_start().await;
        started.unwrap_or_else(|log| panic!("Redis does not start again:\n{log}"));
    }

    /// Has it fall silent with all connections open, as behind a network that
    /// fails.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Undoes [`freeze`](Self::freeze).
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let child = self.child.as_ref().expect("a running server");
        child.signal(name);
    }

    /// What it answers to a command, as it goes over the wire.
    ///
    /// # Panics
    ///
    /// When it does not answer, or with an error.
    pub async fn command(&self, words: &[&str]) -> String {
        let answer = tokio::time::timeout(PATIENCE, say(&self.address(), words)).await;
        let answer = answer.expect("an answer in time").expect("an answer");
        assert!(!answer.starts_with('-'), "{words:?}: {answer}");
        answer
    }

    /// The keys it has.
    pub async fn keys(&self) -> Vec<String> {
        let answer = self.command(&["KEYS", "*"]).await;
        let lines = answer.split("\r\n").skip(2).step_by(2);
        let mut keys: Vec<_> = lines.map(ToOwned::to_owned).collect();
        keys.sort();
        keys
    }

    async fn try_start(&mut self) -> Result<(), String> {
        let port = self.port.to_string();
        let mut args = vec![
            "--port",
            &port,
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            ".",
        ];
        let encrypted = self.encrypted.map(|port| port.to_string());
        if let Some(port) = &encrypted {
            args.extend(["--tls-port", port, "--tls-auth-clients", "no"]);
            args.extend(["--tls-cert-file", "server.pem"]);
            args.extend(["--tls-key-file", "server.key.pem"]);
        }
        let program = given("TENANCY_TEST_REDIS_SERVER");
        let mut child = Child::start(&self.folder, "TERM", &program, &args);
        let address = self.address();
        let answers =
            async || matches!(say(&address, &["PING"]).await, Ok(pong) if pong == "+PONG\r\n");
        child.wait(answers).await?;
        self.child = Some(child);
        Ok(())
    }
}

async fn say(address: &str, words: &[&str]) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let mut command = format!("*{}\r\n", words.len());
    for word in words {
        let _ = write!(command, "${}\r\n{word}\r\n", word.len());
    }
    // After this one it closes, and all it has said is there.
    command.push_str("*1\r\n$4\r\nQUIT\r\n");
    stream.write_all(command.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let goodbye = "+OK\r\n";
    Ok(answer.strip_suffix(goodbye).unwrap_or(&answer).to_owned())
}
