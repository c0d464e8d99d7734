//! A secret in the application's settings, and how it gets there.
//!
//! serde hands a value from the metadata to whatever type stands at its place, in whose
//! `Debug` it would be seen, and puts it into its errors. So no secret is in what is
//! read: there stands the number of one, and the secrets themselves lie where the
//! thread that reads finds them, for as long as it reads.

use std::cell::RefCell;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::problem::Problem;
use crate::tenant::MARK;

/// A field of the application's settings that is a secret: encrypted wherever it is
/// stored, and shown nowhere. [`ExposeSecret`] shows it to who asks.
///
/// Whoever writes a tenant's metadata marks it, `{"$secret": "hunter2"}`, and is refused
/// otherwise. Shown is `{"$secret": null}`, which keeps the stored one when it is
/// written back.
///
/// ```
/// use serde::Deserialize;
/// use tenancy_runtime::http::TenantConfig;
/// use tenancy_runtime::secrets::{ExposeSecret, SecretSetting};
///
/// #[derive(Debug, Deserialize)]
/// struct Settings {
///     smtp_host: String,
///     smtp_password: SecretSetting,
/// }
///
/// async fn send(config: TenantConfig<Settings>) {
///     let settings = config.settings();
///     log_in(&settings.smtp_host, settings.smtp_password.expose_secret()).await;
/// }
/// # async fn log_in(_: &str, _: &str) {}
///
/// // Outside of an application, from a file say:
/// let text = r#"{"smtp_host": "mx", "smtp_password": {"$secret": "hunter2"}}"#;
/// let settings: Settings = serde_json::from_str(text)?;
/// assert_eq!(settings.smtp_password.expose_secret(), "hunter2");
/// assert!(!format!("{settings:?}").contains("hunter2"));
/// let plain = r#"{"smtp_host": "mx", "smtp_password": "hunter2"}"#;
/// assert!(serde_json::from_str::<Settings>(plain).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone)]
pub struct SecretSetting(SecretString);

/// A secret, opened when somebody asks for it.
pub(super) type Opening = Box<dyn Fn() -> Result<SecretString, Problem>>;

/// The secrets of the metadata that is read, by their numbers.
#[derive(Default)]
struct Readable {
    secrets: Vec<Opening>,
    /// What is wrong with one that was asked for.
    unreadable: Option<Problem>,
}

thread_local! {
    static READABLE: RefCell<Readable> = RefCell::default();
}

/// Lets `read` find the secrets by their numbers; fails where it has asked for one that
/// cannot be read.
pub(super) fn with_secrets<T>(
    secrets: Vec<Opening>,
    read: impl FnOnce() -> T,
) -> Result<T, Problem> {
    /// What another one reads for whom this is a part of it, in its place again.
    struct Before(Readable);

    impl Drop for Before {
        fn drop(&mut self) {
            READABLE.replace(std::mem::take(&mut self.0));
        }
    }

    let readable = Readable {
        secrets,
        unreadable: None,
    };
    let before = Before(READABLE.replace(readable));
    let read = read();
    let unreadable = READABLE.with_borrow_mut(|readable| readable.unreadable.take());
    drop(before);
    match unreadable {
        Some(problem) => Err(problem),
        None => Ok(read),
    }
}

fn numbered(number: u64) -> Option<SecretString> {
    READABLE.with_borrow_mut(|readable| {
        let open = readable.secrets.get(usize::try_from(number).ok()?)?;
        match open() {
            Ok(secret) => Some(secret),
            Err(problem) => {
                readable.unreadable = Some(problem);
                None
            }
        }
    })
}

impl<'de> Deserialize<'de> for SecretSetting {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // As any value: errors of other ways tell what they have found.
        let value = Value::deserialize(from)?;
        let marked = value.as_object().filter(|fields| fields.len() == 1);
        let secret = match marked.and_then(|fields| fields.get(MARK)) {
            Some(Value::String(plain)) => Some(SecretString::from(plain.as_str())),
            Some(Value::Number(number)) => number.as_u64().and_then(numbered),
            _ => None,
        };
        secret.map(Self).ok_or_else(|| {
            D::Error::custom(format!("is a secret: write it as {{\"{MARK}\": \"…\"}}"))
        })
    }
}

impl ExposeSecret<str> for SecretSetting {
    fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for SecretSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretSetting(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use serde_json::json;

    use super::*;

    /// As settings are read that have one secret here and one there.
    #[derive(Debug, Deserialize)]
    #[serde(tag = "kind")]
    enum Mail {
        Smtp(Smtp),
    }

    #[derive(Debug, Deserialize)]
    struct Smtp {
        #[serde(flatten)]
        login: Login,
        token: Option<SecretSetting>,
    }

    #[derive(Debug, Deserialize)]
    struct Login {
        password: SecretSetting,
    }

    fn secrets(values: &[&'static str]) -> Vec<Opening> {
        let opening = |value: &'static str| -> Opening { Box::new(|| Ok(value.into())) };
        values.iter().copied().map(opening).collect()
    }

    #[test]
    fn secrets_are_found_by_their_numbers_wherever_a_setting_stands() {
        let read = json!({"kind": "Smtp", "token": {MARK: 1}, "password": {MARK: 0}});
        let mail = with_secrets(secrets(&["hunter2", "hunter3"]), || {
            serde_json::from_value::<Mail>(read.clone())
        });
        let mail = mail.unwrap().unwrap();
        let Mail::Smtp(smtp) = &mail;
        assert_eq!(smtp.login.password.expose_secret(), "hunter2");
        assert_eq!(smtp.token.as_ref().unwrap().expose_secret(), "hunter3");
        assert!(!format!("{mail:?}").contains("hunter"), "{mail:?}");
        // Nobody finds them afterwards, nor in another thread meanwhile.
        assert!(serde_json::from_value::<Mail>(read.clone()).is_err());
        let elsewhere = with_secrets(secrets(&["hunter2", "hunter3"]), || {
            let reading = std::thread::spawn(|| serde_json::from_value::<Mail>(read));
            reading.join().unwrap()
        });
        assert!(elsewhere.unwrap().is_err());
    }

    #[test]
    fn one_that_is_read_within_another_has_its_own() {
        let one = json!({MARK: 0});
        let read = || serde_json::from_value::<SecretSetting>(one.clone()).unwrap();
        let outer = with_secrets(secrets(&["outer"]), || {
            let inner = with_secrets(secrets(&["inner"]), read).unwrap();
            assert_eq!(inner.expose_secret(), "inner");
            read()
        });
        assert_eq!(outer.unwrap().expose_secret(), "outer");
    }

    #[test]
    fn a_secret_is_opened_when_it_is_asked_for_and_no_other_is() {
        let asked: Rc<RefCell<Vec<usize>>> = Rc::default();
        let opening = |number: usize| -> Opening {
            let asked = Rc::clone(&asked);
            Box::new(move || {
                asked.borrow_mut().push(number);
                Ok("hunter2".into())
            })
        };
        let read = json!({"a": {MARK: 0}, "password": {MARK: 1}, "b": [{MARK: 2}]});
        let login = with_secrets((0..3).map(opening).collect(), || {
            serde_json::from_value::<Login>(read).unwrap()
        });
        assert_eq!(login.unwrap().password.expose_secret(), "hunter2");
        assert_eq!(*asked.borrow(), [1]);
    }

    #[test]
    fn only_who_asks_for_one_that_cannot_be_read_fails_by_it() {
        let wrong = || -> Vec<Opening> {
            vec![Box::new(|| Err(Problem::new("it", "is wrong", "mend it")))]
        };
        let one = json!({MARK: 0});
        let asked = with_secrets(wrong(), || {
            serde_json::from_value::<SecretSetting>(one.clone()).is_err()
        });
        assert_eq!(asked.unwrap_err().about(), "it");
        let other = with_secrets(wrong(), || serde_json::from_value::<Value>(one).unwrap());
        assert_eq!(other.unwrap(), json!({MARK: 0}));
    }

    #[test]
    fn what_is_not_marked_is_refused_without_a_word_of_it() {
        for plain in [
            json!("hunter2"),
            json!(["hunter2"]),
            json!({"secret": "hunter2"}),
            json!({MARK: "hunter2", "more": "hunter2"}),
            json!({MARK: ["hunter2"]}),
            json!({MARK: null}),
            json!(41_972),
            json!(true),
            json!(null),
        ] {
            let said = serde_json::from_value::<SecretSetting>(plain.clone());
            let said = said.unwrap_err().to_string();
            assert_eq!(said, "is a secret: write it as {\"$secret\": \"…\"}");
        }
    }
}
