//! The workspace's applications as processes of their own, each in a fresh
//! folder and with none of this process's own settings.

use std::cell::Cell;
use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::database::Database;
use crate::http::Site;
use crate::servers::child::Child;

/// The applications that are built to be run.
const PROGRAMS: [&str; 11] = [
    "analytics-platform",
    "custom-resolver",
    "ecommerce-platform",
    "generate_token",
    "hello-tenant",
    "hybrid-isolation",
    "quickstart",
    "saas-starter",
    "schema-isolation",
    "subdomain",
    "renamed",
];

/// The longest that a process may take to end.
const END: Duration = Duration::from_secs(30);

/// A folder in which applications are started; it is removed with all they left.
pub struct Workplace {
    path: PathBuf,
    started: Cell<u32>,
    vars: Vec<(&'static str, String)>,
}

impl Workplace {
    /// A new folder, without a database's address.
    ///
    /// # Panics
    ///
    /// When none can be made.
    pub fn new() -> Self {
        // The random end of it: sockets below need a short path.
        let name = format!("work-{}", &Uuid::now_v7().simple().to_string()[20..]);
        // Beside the binaries, and so on the disk and not in memory.
        let path = binaries().with_file_name("tmp").join(name);
        fs::create_dir_all(&path).expect("a new folder");
        // Keeps a developer's own, in the folders above, from being read.
        fs::write(path.join(".env"), "").expect("own folder");
        Self {
            path,
            started: Cell::new(0),
            vars: Vec::new(),
        }
    }

    /// A new folder whose applications use `database`, with the owner's login.
    pub fn on(database: &Database) -> Self {
        let mut place = Self::new();
        place.vars = vec![
            ("TENANCY_DATABASE_URL", database.app_url()),
            ("TENANCY_OWNER_DATABASE_URL", database.owner_url()),
        ];
        place
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Starts `program` on a free port, and waits until it serves.
    ///
    /// # Panics
    ///
    /// With the end of its log, when it does not.
    pub async fn serve(&self, program: &str, vars: &[(&str, &str)]) -> Served {
        let mut vars = vars.to_vec();
        vars.push(("TENANCY_LISTEN", "127.0.0.1:0"));
        let mut process = self.start(program, &[], &vars).await;
        let out = process.out.clone();
        let ready = async || address_in(&read(&out)).is_some();
        if let Err(log) = process.child.wait(ready).await {
            panic!("{program} did not start; its log ends with\n{log}");
        }
        let address = address_in(&read(&out)).expect("printed");
        let served = Served {
            process,
            site: Site::new(address),
        };
        // A first answer, so that all hints are printed.
        served.nobody().get("/").await;
        served
    }

    /// Runs `program` until it ends by itself.
    pub async fn run(&self, program: &str, args: &[&str], vars: &[(&str, &str)]) -> Ended {
        self.start(program, args, vars).await.end().await
    }

    /// Runs `program` until it ends by itself, with `input` on its standard input.
    ///
    /// # Panics
    ///
    /// When the input cannot be written down.
    pub async fn run_fed(
        &self,
        program: &str,
        args: &[&str],
        vars: &[(&str, &str)],
        input: &str,
    ) -> Ended {
        let file = self.path.join("input");
        fs::write(&file, input).expect("own folder");
        let (file, program) = (file.to_string_lossy(), binaries().join(program));
        let program = program.to_string_lossy();
        let feed = [
            "-c",
            "file=$1; shift; exec \"$@\" <\"$file\"",
            "sh",
            &*file,
            &*program,
        ];
        let args = [&feed, args].concat();
        self.run("/bin/sh", &args, vars).await
    }

    /// Runs `program` until it ends by itself or `moment` has come: then it is
    /// killed on the spot, and there is no end to tell of.
    pub async fn run_until(
        &self,
        moment: impl Future<Output = ()>,
        program: &str,
        args: &[&str],
        vars: &[(&str, &str)],
    ) -> Option<Ended> {
        let mut process = self.start(program, args, vars).await;
        let mut moment = std::pin::pin!(moment);
        loop {
            if process.child.status().is_some() {
                return Some(process.end().await);
            }
            let tick = tokio::time::sleep(Duration::from_millis(5));
            tokio::select! {
                () = &mut moment => break,
                () = tick => {}
            }
        }
        process.child.signal("KILL");
        process.end().await;
        None
    }

    /// Starts `program`, and tells it to stop once it has logged `word`.
    ///
    /// # Panics
    ///
    /// With the end of its log, when it ends before.
    pub async fn stop_at(&self, word: &str, program: &str, vars: &[(&str, &str)]) -> Ended {
        let mut process = self.start(program, &[], vars).await;
        let err = process.err.clone();
        let logged = process.child.wait(async || read(&err).contains(word));
        logged.await.unwrap_or_else(|log| panic!("{log}"));
        process.child.signal("TERM");
        process.end().await
    }

    async fn start(&self, program: &str, args: &[&str], vars: &[(&str, &str)]) -> Process {
        build().await;
        let number = self.started.replace(self.started.get() + 1);
        let log = |kind| self.path.join(format!("{number}.{kind}"));
        let (out, err) = (log("out"), log("err"));
        let mut shell = Command::new("sh");
        for (name, _) in env::vars_os().filter(|(name, _)| is_setting(name)) {
            shell.env_remove(name);
        }
        shell
            .current_dir(&self.path)
            // So that what is left behind is left here.
            .env("TMPDIR", &self.path)
            .envs(self.vars.iter().map(|(name, value)| (name, value)))
            .envs(vars.iter().copied())
            .stdout(File::create(&out).expect("own folder"))
            .stderr(File::create(&err).expect("own folder"));
        let program = binaries().join(program);
        let child = Child::spawn(shell, &self.path, "TERM", &program, args, err.clone());
        Process { child, out, err }
    }
}

impl Default for Workplace {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        // What stays behind lies among the build's own output.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// An application that serves; dropping it ends it.
pub struct Served {
    process: Process,
    site: Site,
}

impl Served {
    /// The hints it printed, one a line.
    pub fn hints(&self) -> Vec<String> {
        let printed = self.process.out();
        printed.lines().map(ToOwned::to_owned).collect()
    }

    /// Sends a signal, named without `SIG`, and waits for nothing.
    pub fn signal(&self, name: &str) {
        self.process.child.signal(name);
    }

    /// Waits for the end.
    pub async fn end(self) -> Ended {
        self.process.end().await
    }

    /// Sends a signal, and waits for the end.
    pub async fn stop(self, signal: &str) -> Ended {
        self.signal(signal);
        self.end().await
    }
}

impl Deref for Served {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

/// A process that has ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; `None` when a signal killed it.
    pub code: Option<i32>,
    /// What it wrote to the standard output.
    pub out: String,
    /// What it wrote to the standard error.
    pub err: String,
}

struct Process {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Process {
    fn out(&self) -> String {
        read(&self.out)
    }

    async fn end(mut self) -> Ended {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.status() {
                break status;
            }
            let err = read(&self.err);
            assert!(start.elapsed() < END, "still there after {END:?}:\n{err}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        Ended {
            code: status.code(),
            out: self.out(),
            err: read(&self.err),
        }
    }
}

fn read(path: &Path) -> String {
    let bytes = fs::read(path).expect("own folder");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The address in the first hint, once that is complete.
fn address_in(printed: &str) -> Option<SocketAddr> {
    let (first, _) = printed.split_once('\n')?;
    let (_, url) = first.split_once("http://")?;
    let address = url.split('/').next()?;
    Some(address.parse().expect("an address in the hint"))
}

/// Whether a variable would tell an application what to do.
fn is_setting(name: &OsString) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("TENANCY_") || name == "RUST_LOG"
}

/// The folder of this build's binaries.
fn binaries() -> PathBuf {
    let test = env::current_exe().expect("the test's own path");
    let folder = test.ancestors().nth(2).expect("a folder above `deps`");
    folder.to_owned()
}

/// Builds the applications, as cargo builds only the binaries of the test's own
/// package beside it.
///
/// The selection is that of `cargo xtask test`, tests included: with another,
/// dependencies would have other features, and be built over again.
async fn build() {
    static BUILT: OnceCell<()> = OnceCell::const_new();
    BUILT.get_or_init(run_cargo).await;
}

async fn run_cargo() {
    let mut cargo = tokio::process::Command::new(env!("CARGO"));
    // What describes this test to itself would make build scripts run again.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    cargo
        .args(["build", "--quiet", "--workspace", "--all-features"])
        .args(["--locked", "--tests"])
        .args(PROGRAMS.map(|program| format!("--bin={program}")))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    if binaries().ends_with("release") {
        cargo.arg("--release");
    }
    let status = cargo.status().await.expect("cargo");
    assert!(status.success(), "the applications could not be built");
}
