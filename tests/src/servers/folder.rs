//! The folder of one server, removed with it.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use uuid::Uuid;

/// A folder that only the server's user can enter.
///
/// It lies in the system's folder for temporary files, because a checkout may
/// be where that user cannot go.
pub(super) struct Folder {
    path: PathBuf,
    /// The user and group to run as: the servers refuse to run as root.
    account: Option<(u32, u32)>,
}

impl Folder {
    pub(super) fn create() -> Self {
        let path = env::temp_dir().join(format!("tenancy-test-{}", Uuid::now_v7().simple()));
        let account = env::var("TENANCY_TEST_RUN_AS")
            .ok()
            .map(|user| (id("-u", &user), id("-g", &user)));
        let folder = Self { path, account };
        fs::create_dir(&folder.path).expect("a new folder");
        fs::set_permissions(&folder.path, fs::Permissions::from_mode(0o700)).expect("own folder");
        if let Some((user, group)) = account {
            chown(&folder.path, Some(user), Some(group)).expect("root may hand a folder over");
        }
        folder
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file that the server's user can read; its path.
    pub(super) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path.join(name);
        fs::write(&path, text).expect("own folder");
        path
    }

    /// Writes a file that the server's user alone can read; its path.
    pub(super) fn write_secret(&self, name: &str, text: &str) -> PathBuf {
        let path = self.write(name, text);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("own folder");
        if let Some((user, group)) = self.account {
            chown(&path, Some(user), Some(group)).expect("root may hand a file over");
        }
        path
    }

    /// A command that runs here as the server's user, untouched by what the
    /// environment says about somebody's own PostgreSQL.
    pub(super) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.current_dir(&self.path);
        if let Some((user, group)) = self.account {
            command.uid(user).gid(group);
        }
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        command
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A leftover in a folder for temporary files is no reason to fail.
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn id(what: &str, user: &str) -> u32 {
    let output = Command::new("id")
        .args([what, user])
        .output()
        .expect("the program `id`");
    String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .unwrap_or_else(|_| panic!("TENANCY_TEST_RUN_AS: there is no user `{user}`"))
}
