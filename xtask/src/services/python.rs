//! A Python with what judges us from outside: PyJWT, which makes tokens as other
//! people's issuers do; Schemathesis, which calls an API as its OpenAPI description says
//! and compares; and a check of such descriptions.
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

/// One version of each, so that a new one does not change what the tests prove.
const PACKAGES: [&str; 3] = [
    "PyJWT[crypto]==2.15.1",
    "openapi-spec-validator==0.9.0",
    "schemathesis==4.32.5",
];

/// The program, with what is missing installed.
pub(crate) fn with_packages(tools: &Tools) -> Result<PathBuf> {
    let python = tools
        .python
        .as_deref()
        .with_context(|| instructions(&[Need::Python]))?;
    let folder = target()?.join("python");
    let program = folder.join("bin/python");
    let made = folder.join("made");
    // Written last: what is there without it was given up half-way.
    let packages = PACKAGES.join(" ");
    if fs::read_to_string(&made).is_ok_and(|text| text == packages) && program.is_file() {
        return Ok(program);
    }
    say(&format!("installing {packages} into {}", folder.display()));
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    run(
        python,
        &["-m".as_ref(), "venv".as_ref(), folder.as_os_str()],
    )?;
    let pip = ["-m", "pip", "--disable-pip-version-check", "install"];
    let pip = pip.into_iter().chain(["--quiet"]).chain(PACKAGES);
    let pip: Vec<_> = pip.map(AsRef::as_ref).collect();
    run(&program, &pip)
        .context("they come from PyPI: is there a network, or an index in PIP_INDEX_URL?")?;
    fs::write(&made, packages).with_context(|| format!("cannot write {}", made.display()))?;
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
