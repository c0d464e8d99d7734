//! The programs of the servers and where they are found.
//!
//! PATH is not enough: Debian keeps the PostgreSQL server's programs out of
//! it, one folder for each version, and so does Homebrew.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context as _, Result, bail};

use super::install::{install, instructions};
use super::python::makes_environments;
use crate::process;

/// A program that may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    Postgres,
    Redis,
    PgBouncer,
    Python,
    Chromium,
}

impl Need {
    /// Its package on Debian and Ubuntu.
    pub(super) fn debian_package(self) -> &'static str {
        match self {
            Self::Postgres => "postgresql",
            Self::Redis => "redis-server",
            Self::PgBouncer => "pgbouncer",
            Self::Python => "python3-venv",
            Self::Chromium => "chromium",
        }
    }

    /// Its name for people.
    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::Postgres => "the PostgreSQL server (`initdb`, `postgres`)",
            Self::Redis => "Redis (`redis-server`)",
            Self::PgBouncer => "PgBouncer (`pgbouncer`)",
            Self::Python => "Python 3 with venv (`python3`)",
            Self::Chromium => "Chromium (`chromium`) or Chrome",
        }
    }
}

/// Where the programs are.
pub(crate) struct Tools {
    /// The folder that holds `initdb` and `postgres`.
    pub(crate) postgres: Option<PathBuf>,
    pub(crate) redis: Option<PathBuf>,
    pub(crate) pgbouncer: Option<PathBuf>,
    /// One that can make environments of its own.
    pub(super) python: Option<PathBuf>,
    pub(super) chromium: Option<PathBuf>,
}

impl Tools {
    /// Finds all programs; those in `needs` are installed or asked for.
    pub(crate) fn find_or_install(needs: &[Need]) -> Result<Self> {
        let tools = Self::find();
        let missing = tools.missing(needs);
        if missing.is_empty() {
            return Ok(tools);
        }
        if find_program("apt-get").is_none() || !process::is_root() {
            bail!("{}", instructions(&missing));
        }
        install(&missing)?;
        let tools = Self::find();
        let missing = tools.missing(needs);
        if !missing.is_empty() {
            bail!("installed, but still not found: {}", instructions(&missing));
        }
        Ok(tools)
    }

    fn find() -> Self {
        Self {
            postgres: find_postgres(),
            redis: find_program("redis-server"),
            pgbouncer: find_program("pgbouncer"),
            python: find_program("python3").filter(|path| makes_environments(path)),
            chromium: find_chromium(),
        }
    }

    fn missing(&self, needs: &[Need]) -> Vec<Need> {
        let lacks = |need: &Need| match need {
            Need::Postgres => self.postgres.is_none(),
            Need::Redis => self.redis.is_none(),
            Need::PgBouncer => self.pgbouncer.is_none(),
            Need::Python => self.python.is_none(),
            Need::Chromium => self.chromium.is_none(),
        };
        needs.iter().copied().filter(lacks).collect()
    }

    pub(crate) fn postgres(&self) -> Result<&Path> {
        self.postgres
            .as_deref()
            .with_context(|| instructions(&[Need::Postgres]))
    }

    pub(crate) fn redis(&self) -> Result<&Path> {
        self.redis
            .as_deref()
            .with_context(|| instructions(&[Need::Redis]))
    }
}

/// The folders that programs are looked for in. A user's PATH often lacks the
/// administrator's folders, where pgbouncer is.
fn program_folders() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let usual = [
        "/usr/local/bin",
        "/opt/homebrew/bin",
        "/usr/sbin",
        "/usr/local/sbin",
    ];
    env::split_paths(&path)
        .chain(usual.map(PathBuf::from))
        .collect()
}

fn find_program(name: &str) -> Option<PathBuf> {
    program_folders()
        .into_iter()
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// Under any of its names. On Ubuntu `chromium-browser` is a script that asks for a
/// snap, and no browser where there are none.
fn find_chromium() -> Option<PathBuf> {
    let names = ["chromium", "google-chrome", "google-chrome-stable"];
    let of_macos = [
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    ];
    let in_path = names.into_iter().find_map(find_program);
    in_path.or_else(|| {
        of_macos
            .map(PathBuf::from)
            .into_iter()
            .find(|path| path.is_file())
    })
}

/// The first folder with a complete server. A link in PATH is followed, since
/// the server's other programs are next to the real file.
fn find_postgres() -> Option<PathBuf> {
    let in_path = find_program("initdb").and_then(|path| fs::canonicalize(path).ok());
    let mut folders: Vec<_> = in_path.iter().filter_map(|path| path.parent()).collect();
    let installed = [
        versions("/usr/lib/postgresql", ""),
        versions("/usr", "pgsql-"),
        pg_config().into_iter().collect(),
        versions("/opt/homebrew/opt", "postgresql@"),
        versions("/usr/local/opt", "postgresql@"),
    ]
    .concat();
    folders.extend(installed.iter().map(PathBuf::as_path));
    let complete = |folder: &&&Path| {
        ["initdb", "postgres"]
            .iter()
            .all(|name| folder.join(name).is_file())
    };
    folders
        .iter()
        .find(complete)
        .map(|folder| folder.to_path_buf())
}

fn pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()))
}

/// `<parent>/<prefix><version>/bin`, newest version first.
fn versions(parent: &str, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let names = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    newest_first(names, prefix)
        .into_iter()
        .map(|name| Path::new(parent).join(name).join("bin"))
        .collect()
}

fn newest_first(names: Vec<String>, prefix: &str) -> Vec<String> {
    let version = |name: &str| -> Option<Vec<u32>> {
        name.strip_prefix(prefix)?
            .split('.')
            .map(|part| part.parse().ok())
            .collect()
    };
    let mut versions: Vec<_> = names
        .into_iter()
        .filter_map(|name| Some((version(&name)?, name)))
        .collect();
    versions.sort();
    versions.into_iter().rev().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_comes_first_by_number() {
        let names = ["9.6", "17", "15", "common", "10"]
            .map(str::to_owned)
            .to_vec();
        assert_eq!(newest_first(names, ""), ["17", "15", "10", "9.6"]);
        let names = ["postgresql@9.6", "postgresql@14", "redis"]
            .map(str::to_owned)
            .to_vec();
        assert_eq!(
            newest_first(names, "postgresql@"),
            ["postgresql@14", "postgresql@9.6"]
        );
    }
}
