use super::variables::Variable;

/// One thing that is wrong with the configuration: what it is about, what is
/// wrong with it, and what to write instead. Never holds a secret's value.
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
    pub(super) fn new(
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

    /// A value that does not read as what the variable takes. The value is
    /// shown: not for variables that hold secrets.
    pub(super) fn value(variable: Variable, value: &str, takes: &str, example: &str) -> Self {
        Self::new(
            variable.name,
            format!("`{}` is not {takes}", shown(value)),
            format!("write for example {}={example}", variable.name),
        )
    }

    /// The variable, or the file, that the problem is about.
    #[must_use]
    pub fn about(&self) -> &str {
        &self.about
    }
}

/// A value from outside, escaped and bounded, as it may end in a log.
pub(super) fn shown(value: &str) -> String {
    value
        .chars()
        .take(80)
        .flat_map(char::escape_debug)
        .collect()
}
