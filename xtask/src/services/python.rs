//! A Python with PyJWT, which makes tokens as other people's issuers do.
//!
//! It lives in `target/` and is made once: the machine's own packages are neither
//! used nor changed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, io};

use anyhow::{Context as _, Result, bail};

use super::folder::target;
use super::install::instructions;
use super::tools::{Need, Tools};
use crate::steps::say;

/// One version, so that a new one does not change what the tests prove.
const PACKAGE: &str = "PyJWT[crypto]==2.15.1";

/// The program, with what is missing installed.
pub(crate) fn with_pyjwt(tools: &Tools) -> Result<PathBuf> {
    let python = tools
        .python
        .as_deref()
        .with_context(|| instructions(&[Need::Python]))?;
    let folder = target()?.join("python");
    let program = folder.join("bin/python");
    let made = folder.join("made");
    // Written last: what is there without it was given up half-way.
    if fs::read_to_string(&made).is_ok_and(|text| text == PACKAGE) && program.is_file() {
        return Ok(program);
    }
    say(&format!("installing {PACKAGE} into {}", folder.display()));
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    run(
        python,
        &["-m".as_ref(), "venv".as_ref(), folder.as_os_str()],
    )?;
    let pip = ["-m", "pip", "--disable-pip-version-check", "install"];
    let pip = pip.iter().copied().chain(["--quiet", PACKAGE]);
    let pip: Vec<_> = pip.map(AsRef::as_ref).collect();
    run(&program, &pip)
        .context("PyJWT comes from PyPI: is there a network, or an index in PIP_INDEX_URL?")?;
    fs::write(&made, PACKAGE).with_context(|| format!("cannot write {}", made.display()))?;
    Ok(program)
}

/// Whether this one can make an environment of its own, which Debian's can only
/// with a package more.
pub(super) fn makes_environments(python: &Path) -> bool {
    Command::new(python)
        .args(["-c", "import ensurepip, venv"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn run(program: &Path, args: &[&std::ffi::OsStr]) -> Result<()> {
    let status = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        // Our own output is for a shell's `eval`.
        .stdout(io::stderr())
        .status()
        .with_context(|| format!("cannot run {}", program.display()))?;
    if !status.success() {
        bail!(
            "{} ended with {status}: see its output above",
            program.display()
        );
    }
    Ok(())
}
