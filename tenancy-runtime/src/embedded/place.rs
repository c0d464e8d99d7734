//! Where the database lives on disk: its folder, held by a lock for as long as
//! the server runs, and beside it a scratch folder for the sockets. The sockets
//! are not in the folder itself because a socket's path is limited to about
//! 100 bytes and a folder's is not.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::{EmbeddedError, stale};
use crate::config::Embedded;

/// What a socket's path may measure everywhere: the smallest limit in use is
/// 104 bytes with the closing NUL, on macOS ([unix(4)]).
///
/// [unix(4)]: https://man.freebsd.org/cgi/man.cgi?query=unix&sektion=4
#[cfg(unix)]
const LONGEST_SOCKET: usize = 103;

/// The longest name given to a socket inside the scratch folder.
#[cfg(unix)]
const LONGEST_NAME: usize = "/.s.PGSQL.5432".len();

/// A folder for the data and one for the sockets, ours until dropped.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) data: PathBuf,
    pub(super) scratch: Scratch,
    /// Held, never read: closing the file gives the folder back.
    _lock: Option<File>,
}

impl Place {
    pub(super) fn take(place: &Embedded) -> Result<Self, EmbeddedError> {
        let scratch = Scratch::new().map_err(EmbeddedError::Socket)?;
        let (data, lock) = match place {
            Embedded::Temporary => (scratch.path.join("data"), None),
            Embedded::Folder(folder) => {
                let lock = take_folder(folder)?;
                (folder.join("postgres"), Some(lock))
            }
        };
        Ok(Self {
            data,
            scratch,
            _lock: lock,
        })
    }
}

fn take_folder(folder: &Path) -> Result<File, EmbeddedError> {
    let unusable = |source| EmbeddedError::Folder {
        folder: folder.to_owned(),
        source,
    };
    private().recursive(true).create(folder).map_err(unusable)?;
    // Only into a folder that is all ours: `*` in a folder of sources would
    // hide them from version control.
    let mut entries = fs::read_dir(folder).map_err(unusable)?;
    if entries.next().is_none() {
        fs::write(folder.join(".gitignore"), "*\n").map_err(unusable)?;
    }
    let lock = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(folder.join("lock"))
        .map_err(unusable)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(EmbeddedError::InUse {
            folder: folder.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(unusable(source)),
    }
}

/// A folder of our own for the length of a run; nobody else can look into it.
#[derive(Debug)]
pub(super) struct Scratch {
    pub(super) path: PathBuf,
    /// Held, never read: it tells others that the folder is in use.
    _lock: File,
}

const SCRATCH_PREFIX: &str = "tenancy-";

impl Scratch {
    fn new() -> io::Result<Self> {
        // The random half of the UUID; a name that exists makes `create` fail.
        let random = uuid::Uuid::now_v7().simple().to_string().split_off(16);
        let path = scratch_root().join(format!("{SCRATCH_PREFIX}{random}"));
        private().create(&path)?;
        let lock = stale::hold(&path)?;
        stale::sweep(&path, SCRATCH_PREFIX);
        Ok(Self { path, _lock: lock })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "a temporary folder stays behind");
        }
    }
}

fn scratch_root() -> PathBuf {
    let usual = std::env::temp_dir();
    #[cfg(unix)]
    {
        let name = "/tenancy-0123456789abcdef".len();
        if usual.as_os_str().len() + name + LONGEST_NAME > LONGEST_SOCKET {
            return PathBuf::from("/tmp");
        }
    }
    usual
}

fn private() -> DirBuilder {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only Unix has a mode to set"))]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_taken_once_and_kept_out_of_version_control() {
        let scratch = Scratch::new().unwrap();
        let folder = scratch.path.join("deep/er");
        let embedded = Embedded::Folder(folder.clone());
        let first = Place::take(&embedded).unwrap();
        let second = Place::take(&embedded).unwrap_err().to_string();
        assert!(second.contains(folder.to_str().unwrap()), "{second}");
        assert!(second.contains("in use"), "{second}");
        drop(first);
        Place::take(&embedded).unwrap();
        let ignored = fs::read_to_string(folder.join(".gitignore")).unwrap();
        assert_eq!(ignored, "*\n");
    }

    #[test]
    fn a_folder_with_other_things_in_it_gets_no_gitignore() {
        let scratch = Scratch::new().unwrap();
        fs::write(scratch.path.join("main.rs"), "").unwrap();
        Place::take(&Embedded::Folder(scratch.path.clone())).unwrap();
        assert!(!scratch.path.join(".gitignore").exists());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let scratch = Scratch::new().unwrap();
        let file = scratch.path.join("file");
        fs::write(&file, "").unwrap();
        let folder = file.join("data");
        let error = Place::take(&Embedded::Folder(folder.clone())).unwrap_err();
        assert!(matches!(error, EmbeddedError::Folder { .. }));
        assert!(error.to_string().contains(folder.to_str().unwrap()));
    }
}
