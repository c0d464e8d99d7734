//! One thing that keeps an application from starting, in words that say what to
//! do about it: configuration, roles, tables and embedded database all report
//! in this form, so that everything wrong is listed at once.

/// What it is about, what is wrong with it, and what to do. Never holds a
/// secret's value.
///
/// ```
/// use tenancy_runtime::config::{Config, Defaults};
///
/// let vars = [("TENANCY_POOL_SIZE".to_owned(), "many".to_owned())];
/// let problems = Config::from_vars(Defaults::default(), vars).unwrap_err();
/// assert_eq!(
///     problems[0].to_string(),
///     "TENANCY_POOL_SIZE: `many` is not a whole number from 1 to 1000; \
///      write for example TENANCY_POOL_SIZE=10",
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{about}: {wrong}; {remedy}")]
pub struct Problem {
    about: String,
    wrong: String,
    remedy: String,
}

impl Problem {
    /// Composes one: the parts are joined as `about: wrong; remedy`.
    pub fn new(
        about: impl Into<String>,
        wrong: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            about: about.into(),
            wrong: wrong.into(),
            remedy: remedy.into(),
        }
    }

    /// The variable, file, role or table that the problem is about.
    #[must_use]
    pub fn about(&self) -> &str {
        &self.about
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &str {
        &self.remedy
    }
}

/// The message of a panic.
pub(crate) fn said(payload: &(dyn std::any::Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}

/// A value from outside, escaped and bounded, as it may end in a log.
pub(crate) fn shown(value: &str) -> String {
    value
        .chars()
        .take(80)
        .flat_map(char::escape_debug)
        .collect()
}

/// A message with values from outside in it, escaped and bounded likewise. Its quotes
/// stay as they are.
pub(crate) fn shown_within(message: &str) -> String {
    let mut shown = String::new();
    for letter in message.chars().take(1_000) {
        match letter {
            '"' | '\'' | '\\' => shown.push(letter),
            _ => shown.extend(letter.escape_debug()),
        }
    }
    shown
}
