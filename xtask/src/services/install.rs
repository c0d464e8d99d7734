//! Installing missing programs where that is safe to do.
//!
//! Only root on Debian and Ubuntu installs, since that is what a container of
//! a CI run looks like. Everybody else is told what to install: a developer's
//! machine is not changed behind their back.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::{fs, io};

use anyhow::{Context as _, Result, bail};

use super::tools::Need;
use crate::steps::say;

/// What to type where nothing is installed by us.
pub(super) fn instructions(missing: &[Need]) -> String {
    let described: Vec<_> = missing.iter().map(|need| need.describe()).collect();
    let packages: Vec<_> = missing.iter().map(|need| need.debian_package()).collect();
    let debian = packages.join(" ");
    let homebrew = debian
        .replace("redis-server", "redis")
        .replace("postgresql", "postgresql@17")
        .replace("python3-venv", "python")
        .replace("chromium", "--cask chromium");
    format!(
        "not found: {}\n  Debian, Ubuntu: sudo apt-get install {debian}\n  \
         macOS: brew install {homebrew}\n  elsewhere: the packages of these servers; \
         their programs must be in PATH\nthen run this command again",
        described.join(", ")
    )
}

/// Installs Debian packages.
pub(super) fn install(missing: &[Need]) -> Result<()> {
    let packages: Vec<_> = missing.iter().map(|need| need.debian_package()).collect();
    say(&format!("installing with apt-get: {}", packages.join(" ")));
    let _blocked = ServiceStartBlock::set();
    apt_get(&["update", "--quiet"])?;
    apt_get(
        &[
            &["install", "--yes", "--quiet", "--no-install-recommends"][..],
            &packages,
        ]
        .concat(),
    )
}

fn apt_get(args: &[&str]) -> Result<()> {
    let status = Command::new("apt-get")
        // Another apt run, as on a machine that has just booted, is waited for.
        .args(["-o", "DPkg::Lock::Timeout=300"])
        .args(args)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        // Our own output is for a shell's `eval`.
        .stdout(io::stderr())
        .status()
        .context("cannot run apt-get")?;
    if !status.success() {
        bail!(
            "`apt-get {}` ended with {status}: see its output above",
            args.join(" ")
        );
    }
    Ok(())
}

/// While it lives, Debian's packages do not start the services they install:
/// a package script asks this file first, and 101 means "not allowed".
struct ServiceStartBlock(Option<PathBuf>);

impl ServiceStartBlock {
    fn set() -> Self {
        let path = PathBuf::from("/usr/sbin/policy-rc.d");
        // Container images often bring such a file: theirs stays.
        let written = !path.exists()
            && fs::write(&path, "#!/bin/sh\nexit 101\n").is_ok()
            && fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).is_ok();
        Self(written.then_some(path))
    }
}

impl Drop for ServiceStartBlock {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_name_the_packages() {
        let text = instructions(&[Need::Redis, Need::PgBouncer, Need::Python]);
        assert!(text.contains("sudo apt-get install redis-server pgbouncer python3-venv"));
        assert!(text.contains("brew install redis pgbouncer python"));
    }
}
