//! Scratch folders of processes that were killed. Each holds a lock for as long
//! as its process runs; one whose lock can be had belongs to nobody any more.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::Duration;

/// The file that is locked.
const LOCK: &str = ".lock";

/// A folder is made a moment before its lock is taken.
const MOMENT: Duration = Duration::from_secs(60);

/// Takes the lock of a folder that was just made; it is held until dropped.
pub(super) fn hold(folder: &Path) -> io::Result<File> {
    let lock = File::create_new(folder.join(LOCK))?;
    lock.lock()?;
    Ok(lock)
}

/// Removes what killed processes of ours left beside `folder`, under names of
/// the same length that begin with `prefix`. What cannot be told or removed
/// stays.
pub(super) fn sweep(folder: &Path, prefix: &str) {
    let (Some(root), Some(own)) = (folder.parent(), folder.file_name()) else {
        return;
    };
    let Ok(entries) = fs::read_dir(root) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let alike = name.len() == own.len() && name.to_string_lossy().starts_with(prefix);
        if alike && name != own && is_ours(&entry.path(), folder) {
            sweep_one(&entry.path());
        }
    }
}

fn sweep_one(folder: &Path) {
    let Ok(lock) = File::open(folder.join(LOCK)) else {
        return;
    };
    let made = lock.metadata().and_then(|file| file.modified());
    let is_old = made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age > MOMENT));
    if is_old && lock.try_lock().is_ok() && fs::remove_dir_all(folder).is_ok() {
        tracing::debug!(path = %folder.display(), "removed what a killed process left behind");
    }
}

/// Whether a folder, and no link to one, belongs to the same user as `own`.
fn is_ours(folder: &Path, own: &Path) -> bool {
    let (Ok(found), Ok(own)) = (fs::symlink_metadata(folder), fs::symlink_metadata(own)) else {
        return false;
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        if found.uid() != own.uid() {
            return false;
        }
    }
    #[cfg(not(unix))]
    let _ = own;
    found.is_dir()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn only_what_nobody_holds_and_is_no_longer_new_is_removed() {
        let root = std::env::temp_dir().join(format!("sweep-{}", uuid::Uuid::now_v7()));
        let old = SystemTime::now() - MOMENT * 2;
        let make = |name: &str, modified: SystemTime| {
            let folder = root.join(name);
            fs::create_dir_all(&folder).unwrap();
            let lock = hold(&folder).unwrap();
            lock.set_modified(modified).unwrap();
            lock
        };
        let _own = make("tenancy-0000", old);
        let _held = make("tenancy-held", old);
        drop(make("tenancy-left", old));
        drop(make("tenancy-just", SystemTime::now()));
        drop(make("tenancy-longer", old));
        drop(make("another-left", old));
        fs::create_dir(root.join("tenancy-bare")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(root.join("another-left"), root.join("tenancy-link")).unwrap();
        let names = || {
            let entries = fs::read_dir(&root).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            names.collect::<std::collections::BTreeSet<_>>()
        };
        let before = names();
        sweep(&root.join("tenancy-0000"), "tenancy-");
        let removed: Vec<_> = before.difference(&names()).cloned().collect();
        assert_eq!(removed, ["tenancy-left"]);
        fs::remove_dir_all(&root).unwrap();
    }
}
