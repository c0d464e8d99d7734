//! The logins to the databases that tenants have of their own. Unless they are
//! given, they are those to the application's own database with another name.

use secrecy::{ExposeSecret, SecretString};

use super::database::without_tls;
use super::read::Reader;
use super::variables::{
    DATABASE_URL, DATABASE_URL_TEMPLATE, OWNER_DATABASE_URL, OWNER_DATABASE_URL_TEMPLATE, Variable,
};
use crate::db::{DatabaseLogin, PLACEHOLDER, TenantLogins};
use crate::problem::Problem;
use crate::tls;

/// Reads both templates.
pub(super) fn read(
    reader: &mut Reader,
    declared: Option<SecretString>,
    app_url: Option<&SecretString>,
    owner_url: Option<&SecretString>,
) -> Option<TenantLogins> {
    for (template, url) in [
        (DATABASE_URL_TEMPLATE, DATABASE_URL),
        (OWNER_DATABASE_URL_TEMPLATE, OWNER_DATABASE_URL),
    ] {
        if reader.is_set(template) && !reader.is_set(url) {
            reader.problem(Problem::new(
                template.name,
                format!("is set, but {} is not", url.name),
                format!("set {} as well, or unset it", url.name),
            ));
        }
    }
    let app = read_one(reader, DATABASE_URL_TEMPLATE, declared, app_url);
    let owner = read_one(reader, OWNER_DATABASE_URL_TEMPLATE, None, owner_url);
    Some(TenantLogins::of(app?, owner))
}

fn read_one(
    reader: &mut Reader,
    variable: Variable,
    declared: Option<SecretString>,
    url: Option<&SecretString>,
) -> Option<DatabaseLogin> {
    let given = reader.secret(variable);
    // Without a server there is none for tenants' databases either.
    let url = url?;
    let template = match given.or(declared) {
        Some(template) => template,
        None => with_placeholder(url)?,
    };
    if tls::is_asked_for_in_vain(template.expose_secret()) {
        reader.problem(without_tls(variable));
        return None;
    }
    match DatabaseLogin::from_template(&template) {
        Ok(login) => Some(login),
        Err(wrong) => {
            reader.problem(Problem::new(
                variable.name,
                wrong,
                format!(
                    "write {}=postgres://user:password@host:5432/{PLACEHOLDER}",
                    variable.name
                ),
            ));
            None
        }
    }
}

/// The URL with the placeholder for its database's name; `None` where it names
/// several servers, and no template can be made of it.
fn with_placeholder(url: &SecretString) -> Option<SecretString> {
    let url = url.expose_secret();
    let (scheme, rest) = url.split_once("://")?;
    let (before, query) = match rest.split_once('?') {
        Some((before, query)) => (before, format!("?{query}")),
        None => (rest, String::new()),
    };
    let server = before.split('/').next()?;
    let template = SecretString::from(format!("{scheme}://{server}/{PLACEHOLDER}{query}"));
    DatabaseLogin::from_template(&template).ok()?;
    Some(template)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_all_that_differs() {
        for (url, template) in [
            (
                "postgres://app:p%40ss@db1:6432/shop?connect_timeout=3",
                Some("postgres://app:p%40ss@db1:6432/{database_name}?connect_timeout=3"),
            ),
            (
                "postgres://app@db1",
                Some("postgres://app@db1/{database_name}"),
            ),
            (
                "postgres:///shop?host=/run/postgresql&user=app",
                Some("postgres:///{database_name}?host=/run/postgresql&user=app"),
            ),
            ("postgres://app@db1,db2/shop", None),
        ] {
            let made = with_placeholder(&url.into());
            let made = made.as_ref().map(ExposeSecret::expose_secret);
            assert_eq!(made, template, "{url}");
        }
    }
}
