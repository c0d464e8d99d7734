//! The logins. What is wrong with a URL is said without quoting it: its
//! parser's own messages may quote a piece of a password that was not
//! percent-encoded.

use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::config::Host;

use super::read::Reader;
use super::variables::{DATABASE_URL, OWNER_DATABASE_URL, SYSTEM_DATABASE_URL, Variable};
use crate::problem::{Problem, shown};
use crate::tls;

const FORM: &str = "postgres://user:password@host:5432/database";

/// The logins of the three roles, as far as they are set and good.
pub(super) struct Logins {
    pub(super) application: Option<SecretString>,
    pub(super) owner: Option<SecretString>,
    pub(super) system: Option<SecretString>,
}

/// Reads the URLs and checks them against each other.
pub(super) fn read(reader: &mut Reader) -> Logins {
    let application = read_one(reader, DATABASE_URL);
    let owner = read_one(reader, OWNER_DATABASE_URL);
    let system = read_one(reader, SYSTEM_DATABASE_URL);
    for (variable, role) in [
        (OWNER_DATABASE_URL, "the owner"),
        (SYSTEM_DATABASE_URL, "the system role"),
    ] {
        if reader.is_set(variable) && !reader.is_set(DATABASE_URL) {
            reader.problem(Problem::new(
                variable.name,
                format!("is set, but {} is not", DATABASE_URL.name),
                format!(
                    "write the application role's login as {}={FORM}: the application never \
                     serves as {role}",
                    DATABASE_URL.name
                ),
            ));
        }
    }
    let pairs = [
        (
            [&application, &owner],
            [DATABASE_URL, OWNER_DATABASE_URL],
            "an owner is not held by row-level security",
            "give the application a role of its own that owns nothing",
        ),
        (
            [&application, &system],
            [DATABASE_URL, SYSTEM_DATABASE_URL],
            "the system role is not held by row-level security",
            "give system access a role of its own",
        ),
        (
            [&owner, &system],
            [OWNER_DATABASE_URL, SYSTEM_DATABASE_URL],
            "an owner can change the trail that system access leaves",
            "give system access a role of its own that owns nothing",
        ),
    ];
    for (logins, variables, why, remedy) in pairs {
        let [Some((_, one)), Some((_, other))] = logins else {
            continue;
        };
        if one.get_user() == other.get_user() {
            let user = one.get_user().unwrap_or("the system's user");
            reader.problem(Problem::new(
                format!("{} and {}", variables[0].name, variables[1].name),
                format!("both log in as `{}`, and {why}", shown(user)),
                remedy,
            ));
        }
    }
    let url = |read: Option<(SecretString, _)>| read.map(|(url, _)| url);
    Logins {
        application: url(application),
        owner: url(owner),
        system: url(system),
    }
}

fn read_one(
    reader: &mut Reader,
    variable: Variable,
) -> Option<(SecretString, tokio_postgres::Config)> {
    let url = reader.secret(variable)?;
    if tls::is_asked_for_in_vain(url.expose_secret()) {
        reader.problem(without_tls(variable));
        return None;
    }
    match parse(url.expose_secret()) {
        Ok(config) => Some((url, config)),
        Err(wrong) => {
            reader.problem(Problem::new(
                variable.name,
                wrong,
                format!(
                    "write {}={FORM}, with special characters of the password percent-encoded",
                    variable.name
                ),
            ));
            None
        }
    }
}

/// What is said of a URL that asks for TLS in vain.
pub(super) fn without_tls(variable: Variable) -> Problem {
    Problem::new(variable.name, tls::NOT_BUILT_IN, tls::WITHOUT)
}

fn parse(url: &str) -> Result<tokio_postgres::Config, String> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(match url.split_once("://") {
            // SQLAlchemy's spelling, `postgresql+asyncpg://`.
            Some((scheme, _)) if scheme.starts_with("postgresql+") => {
                "names a Python driver after `postgresql+`".to_owned()
            }
            _ => "does not begin with postgres:// or postgresql://".to_owned(),
        });
    }
    let config = tls::parse(url).map_err(|error| wrong_part(&error))?;
    let named = |host: &Host| match host {
        Host::Tcp(name) => !name.is_empty(),
        #[cfg(unix)]
        Host::Unix(path) => !path.as_os_str().is_empty(),
    };
    let hosts = config.get_hosts();
    if hosts.iter().all(|host| !named(host)) && config.get_hostaddrs().is_empty() {
        return Err("names no host".to_owned());
    }
    Ok(config)
}

fn wrong_part(error: &tokio_postgres::Error) -> String {
    // Of the parser's messages only this one is made of its own words alone.
    let cause = std::error::Error::source(error).map(ToString::to_string);
    match cause {
        Some(cause) if cause.starts_with("invalid value for option") => {
            format!("is not a PostgreSQL URL: {cause}")
        }
        _ => "is not a PostgreSQL URL".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_message_quotes_the_url() {
        for url in [
            "mysql://app:hunter2@localhost/app",
            "postgresql+asyncpg://app:hunter2@localhost/app",
            "hunter2",
            "postgres://app:x@hunter2?hunter2=1",
            "postgres://app:hunter2@localhost:hunter2/app",
            "postgres://app:hunter2@localhost/app?connect_timeout=hunter2",
            "postgres://app:hunter2@/app",
            "postgres://app:hunter2@[::1/app",
            "postgres://app:hunter2@localhost/%ff",
        ] {
            let wrong = parse(url).unwrap_err();
            assert!(!wrong.contains("hunter2"), "{wrong}");
        }
    }

    #[test]
    fn the_usual_urls_pass() {
        for url in [
            "postgres://app:secret@localhost/app",
            "postgresql://app@db.example.com:6432/app?sslmode=disable",
            "postgres://app:p%40ss@[::1]:5432/app",
            "postgres:///app?host=/run/postgresql&user=app",
        ] {
            assert!(parse(url).is_ok(), "{url}: {:?}", parse(url).err());
        }
    }
}
