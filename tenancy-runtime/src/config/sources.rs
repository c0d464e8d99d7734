//! Where variables come from: the process, and beneath it a `.env` file. The
//! file is read and not exported: changing a process's environment is unsound
//! beside other threads, and only our own names are of interest.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::variables;
use crate::problem::{Problem, shown};

/// What the sources hold, with a problem for all that cannot be read.
#[derive(Default)]
pub(super) struct Sources {
    pub(super) vars: BTreeMap<String, String>,
    pub(super) problems: Vec<Problem>,
}

impl Sources {
    /// The process's environment over the `.env` file of the working directory
    /// or of the nearest folder above it that has one.
    pub(super) fn of_process() -> Self {
        let mut sources = Self::default();
        sources.add_process(std::env::vars_os());
        match std::env::current_dir() {
            Ok(here) => sources.add_file(nearest_env_file(&here).as_deref()),
            Err(error) => sources.problems.push(Problem::new(
                ".env",
                format!("the working directory cannot be found: {error}"),
                "start the application in a folder that exists",
            )),
        }
        sources
    }

    fn add_process(&mut self, vars: impl IntoIterator<Item = (OsString, OsString)>) {
        for (name, value) in vars {
            let name = name.to_string_lossy().into_owned();
            if !variables::is_ours(&name) {
                continue;
            }
            match value.into_string() {
                Ok(value) => {
                    self.vars.insert(name, value);
                }
                Err(_) => self.problems.push(Problem::new(
                    shown(&name),
                    "is not Unicode text",
                    "write it in UTF-8",
                )),
            }
        }
    }

    fn add_file(&mut self, path: Option<&Path>) {
        let Some(path) = path else { return };
        match std::fs::read(path) {
            Ok(bytes) => self.add_lines(path, &bytes),
            Err(error) => self.problems.push(Problem::new(
                path.display().to_string(),
                format!("cannot be read: {error}"),
                "make it readable, or remove it",
            )),
        }
    }

    pub(super) fn add_lines(&mut self, path: &Path, bytes: &[u8]) {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        for item in dotenvy::from_read_iter(bytes) {
            match item {
                // The process has the last word, and within a file the first line.
                Ok((name, value)) if variables::is_ours(&name) => {
                    self.vars.entry(name).or_insert(value);
                }
                Ok(_) => {}
                Err(error) => {
                    let place = place_of(path, bytes, &error);
                    self.problems.push(Problem::new(
                        place,
                        "is not a line that can be read",
                        "write NAME=value, with single quotes around a value that has spaces, \
                         `#` or `$`",
                    ));
                    // After bytes that are no text the same error could come for ever.
                    if matches!(error, dotenvy::Error::Io(_)) {
                        break;
                    }
                }
            }
        }
    }
}

fn nearest_env_file(folder: &Path) -> Option<PathBuf> {
    let mut files = folder.ancestors().map(|folder| folder.join(".env"));
    files.find(|path| path.is_file())
}

/// `path:line` of an error. The line itself may hold a secret, so it is only
/// used to count.
fn place_of(path: &Path, bytes: &[u8], error: &dotenvy::Error) -> String {
    let text = String::from_utf8_lossy(bytes);
    let before = match error {
        dotenvy::Error::LineParse(line, _) => text.find(line.as_str()),
        _ => None,
    };
    match before {
        Some(before) => {
            let line = text[..before].matches('\n').count() + 1;
            format!("{}:{line}", path.display())
        }
        None => path.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8]) -> Sources {
        let mut sources = Sources::default();
        let process = [("TENANCY_LISTEN", "127.0.0.1:1")];
        sources.add_process(process.map(|(name, value)| (name.into(), value.into())));
        sources.add_lines(Path::new("/app/.env"), text);
        sources
    }

    #[test]
    fn the_process_comes_before_the_file_and_others_are_left_alone() {
        let sources = lines(
            b"\xef\xbb\xbfTENANCY_LISTEN=0.0.0.0:2\nexport TENANCY_POOL_SIZE='3' # three\n\
              TENANCY_POOL_SIZE=4\nRUST_LOG=info\n\n# a comment\n",
        );
        assert!(sources.problems.is_empty(), "{:?}", sources.problems);
        let vars: Vec<_> = sources.vars.iter().map(|(n, v)| (&**n, &**v)).collect();
        let expected = [
            ("TENANCY_LISTEN", "127.0.0.1:1"),
            ("TENANCY_POOL_SIZE", "3"),
        ];
        assert_eq!(vars, expected);
    }

    #[test]
    fn malformed_lines_are_named_by_number_and_not_quoted() {
        let sources = lines(
            b"TENANCY_POOL_SIZE=3\nTENANCY_DATABASE_URL postgres://a:hunter2@h/d\n\
              TENANCY_EMBEDDED='hunter2\n",
        );
        let problems: Vec<_> = sources.problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].starts_with("/app/.env:2: "), "{problems:?}");
        assert!(problems[1].starts_with("/app/.env:3: "), "{problems:?}");
        assert!(!problems.concat().contains("hunter2"), "{problems:?}");
        assert_eq!(sources.vars["TENANCY_POOL_SIZE"], "3");
    }

    #[test]
    fn bytes_that_are_no_text_are_a_problem() {
        assert_eq!(lines(b"TENANCY_POOL_SIZE=\xff\n").problems.len(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_no_text_is_a_problem_unless_it_is_not_ours() {
        use std::os::unix::ffi::OsStringExt;

        let mut sources = Sources::default();
        let value = OsString::from_vec(b"hunter2\xff".to_vec());
        sources.add_process([
            ("TENANCY_DATABASE_URL".into(), value.clone()),
            ("LS_COLORS".into(), value),
        ]);
        let problems: Vec<_> = sources.problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            ["TENANCY_DATABASE_URL: is not Unicode text; write it in UTF-8"]
        );
    }

    #[test]
    fn the_nearest_file_upwards_is_found() {
        let root = std::env::temp_dir().join(format!("tenancy-env-{}", uuid::Uuid::now_v7()));
        let inner = root.join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::write(root.join(".env"), "").unwrap();
        assert_eq!(nearest_env_file(&inner), Some(root.join(".env")));
        std::fs::write(root.join("a/.env"), "").unwrap();
        assert_eq!(nearest_env_file(&inner), Some(root.join("a/.env")));
        std::fs::remove_dir_all(&root).unwrap();
    }
}
