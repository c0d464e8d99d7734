//! A throwaway PostgreSQL cluster.
//!
//! It is reached over TCP only: a Unix socket's path must fit into 107 bytes,
//! which a deep checkout exceeds. Passwords are on, as in production, so that
//! a test which connects as the wrong role fails here too. What would make
//! data survive a crash is off, since nothing has to.

use std::io::Write as _;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, io};

use anyhow::{Context as _, Result, bail};

use super::folder::Folder;
use super::password;
use super::server::{Kind, Server};
use crate::process::{Account, command_as};

const SUPERUSER: &str = "postgres";
const OWNER: &str = "tenancy_owner";
const SYSTEM: &str = "tenancy_system";
const APP: &str = "tenancy_app";
const DATABASE: &str = "tenancy";

/// Settings for speed, and room for the connections of many parallel tests.
const SETTINGS: [&str; 6] = [
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=200",
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
];

/// A created cluster.
pub(crate) struct Postgres {
    bin: PathBuf,
    cluster: PathBuf,
    account: Option<Account>,
    password: String,
}

/// How an application reaches its database.
pub(crate) struct DevelopmentDatabase {
    pub(crate) app_url: String,
    pub(crate) owner_url: String,
    pub(crate) system_url: String,
}

impl Postgres {
    /// Creates the cluster's files below `data`.
    pub(crate) fn create(bin: &Path, data: &Path, account: &Option<Account>) -> Result<Self> {
        let password = password()?;
        let password_file = data.join("password");
        fs::write(&password_file, &password).context("cannot write a password file")?;
        if let Some(account) = account {
            chown(&password_file, Some(account.uid), Some(account.gid))
                .context("cannot hand over the password file")?;
        }
        let cluster = data.join("postgres");
        let output = without_client_settings(command_as(bin.join("initdb"), account.as_ref()))
            .args(["--username", SUPERUSER, "--auth=scram-sha-256"])
            .args([
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
                "--no-instructions",
            ])
            .arg("--pwfile")
            .arg(&password_file)
            .arg("--pgdata")
            .arg(&cluster)
            .current_dir(data)
            .stdin(Stdio::null())
            .output()
            .context("cannot run initdb")?;
        let _ = fs::remove_file(&password_file);
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            bail!("initdb ended with {}\n{}", output.status, errors.trim_end());
        }
        Ok(Self {
            bin: bin.to_owned(),
            cluster,
            account: account.clone(),
            password,
        })
    }

    /// Starts the server and waits until it answers.
    pub(crate) fn start(&self, port: u16, folder: &mut Folder) -> Result<Server> {
        let program = self.bin.join("postgres");
        let mut command = without_client_settings(command_as(program, self.account.as_ref()));
        command
            .arg("-D")
            .arg(&self.cluster)
            .args(["-p", &port.to_string()]);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        // The server itself writes there when it accepts connections, which
        // `pg_ctl --wait` reads too: no client program is needed to ask.
        let state = self.cluster.join("postmaster.pid");
        Server::start(Kind::Postgres, port, command, folder, || {
            fs::read_to_string(&state).is_ok_and(|text| accepts(&text))
        })
    }

    /// How the superuser reaches it.
    pub(crate) fn superuser_url(&self, port: u16) -> String {
        url(SUPERUSER, &self.password, port, "postgres")
    }

    /// Creates two roles and the database of the one: the owner changes the
    /// schema, the application only works in it.
    pub(crate) fn create_development_database(
        &self,
        bin: &Path,
        port: u16,
    ) -> Result<DevelopmentDatabase> {
        let (owner, app, system) = (password()?, password()?, password()?);
        let plain = "LOGIN NOSUPERUSER NOCREATEROLE NOREPLICATION";
        self.psql(
            bin,
            &self.superuser_url(port),
            &format!(
                "CREATE ROLE {OWNER} {plain} CREATEDB NOBYPASSRLS PASSWORD '{owner}';\n\
                 CREATE ROLE {APP} {plain} NOCREATEDB NOBYPASSRLS PASSWORD '{app}';\n\
                 CREATE ROLE {SYSTEM} {plain} NOCREATEDB BYPASSRLS PASSWORD '{system}';\n\
                 CREATE DATABASE {DATABASE} OWNER {OWNER};\n"
            ),
        )?;
        // Before PostgreSQL 15 everybody may create tables in `public`; from
        // then on its owner is the database's, as made sure of here for all.
        self.psql(
            bin,
            &url(SUPERUSER, &self.password, port, DATABASE),
            &format!(
                "ALTER SCHEMA public OWNER TO {OWNER};\n\
                 REVOKE CREATE ON SCHEMA public FROM PUBLIC;\n"
            ),
        )?;
        Ok(DevelopmentDatabase {
            app_url: url(APP, &app, port, DATABASE),
            owner_url: url(OWNER, &owner, port, DATABASE),
            system_url: url(SYSTEM, &system, port, DATABASE),
        })
    }

    /// Runs SQL. Neither it nor the URL's password is an argument, where every
    /// user of the machine could read them.
    fn psql(&self, bin: &Path, url: &str, sql: &str) -> Result<()> {
        let url = url.replacen(&format!(":{}@", self.password), "@", 1);
        let mut child = without_client_settings(Command::new(bin.join("psql")))
            .args([
                "--no-psqlrc",
                "--quiet",
                "--no-password",
                "-v",
                "ON_ERROR_STOP=1",
                "-f",
                "-",
            ])
            .args(["--dbname", &url])
            .env("PGPASSWORD", &self.password)
            .stdin(Stdio::piped())
            .stdout(io::stderr())
            .spawn()
            .with_context(|| format!("cannot run psql in {}", bin.display()))?;
        let mut stdin = child.stdin.take().context("psql has no standard input")?;
        let written = stdin.write_all(sql.as_bytes());
        drop(stdin);
        let status = child.wait().context("cannot wait for psql")?;
        if !status.success() {
            bail!("psql ended with {status}");
        }
        written.context("cannot hand psql its commands")
    }
}

/// Takes variables like `PGHOST` and `PGOPTIONS` away: what is set for
/// somebody's own database must not change these servers.
fn without_client_settings(mut command: Command) -> Command {
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
    command
}

/// Whether the text of a `postmaster.pid` says that connections are accepted.
fn accepts(postmaster_pid: &str) -> bool {
    postmaster_pid
        .lines()
        .nth(7)
        .is_some_and(|state| state.trim() == "ready")
}

/// A connection URL. Names and passwords are our own and need no escaping.
fn url(user: &str, password: &str, port: u16, database: &str) -> String {
    format!("postgres://{user}:{password}@127.0.0.1:{port}/{database}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_everything() {
        assert_eq!(
            url("me", "secret", 5433, "db"),
            "postgres://me:secret@127.0.0.1:5433/db"
        );
    }

    #[test]
    fn only_a_ready_server_accepts() {
        let seven = "1\n/data\n0\n5433\n\n127.0.0.1\n 1 2\n";
        assert!(accepts(&format!("{seven}ready   \n")));
        assert!(!accepts(&format!("{seven}starting\n")));
        assert!(!accepts(seven));
    }
}
