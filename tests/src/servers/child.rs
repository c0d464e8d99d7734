//! The process of a server, or of an application under test.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{self, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::folder::Folder;

/// How long a server may take to answer.
const START: Duration = Duration::from_secs(30);
/// How long a server may take to end once asked.
const STOP: Duration = Duration::from_secs(10);
/// How often a waiting loop looks again.
const TICK: Duration = Duration::from_millis(20);

/// Becomes the server and leaves a watcher behind that reads our end of a pipe.
/// A line says that the server was dealt with; the end of the pipe without one
/// says that the test's process died. The watcher is no child of the server,
/// which would be puzzled by its end.
const WATCHED: &str = r#"
folder=$1 stop=$2
shift 2
exec 3<&0 </dev/null
( {
    read -r over <&3 && exit
    kill -s "$stop" $$
    for second in 1 2 3 4 5; do sleep 1; kill -s 0 $$ || break; done
    kill -s KILL $$
    rm -rf "$folder"
} & )
exec "$@" 3<&-
"#;

/// A running server; dropping it stops it.
pub(crate) struct Child {
    process: process::Child,
    watcher: ChildStdin,
    stop: &'static str,
    log: PathBuf,
}

impl Child {
    /// Starts `program`, which ends at the signal `stop`.
    pub(super) fn start<A: AsRef<OsStr>>(
        folder: &Folder,
        stop: &'static str,
        program: &Path,
        args: &[A],
    ) -> Self {
        let log = folder.path().join("log");
        let out = File::create(&log).expect("own folder");
        let mut shell = folder.command("sh");
        shell
            .stdout(out.try_clone().expect("a second handle"))
            .stderr(out);
        Self::spawn(shell, folder.path(), stop, program, args, log)
    }

    /// Starts `program` through `shell`, an `sh` with all but its arguments.
    /// `folder` is removed with a process that the test cannot end itself.
    pub(crate) fn spawn<A: AsRef<OsStr>>(
        mut shell: Command,
        folder: &Path,
        stop: &'static str,
        program: &Path,
        args: &[A],
        log: PathBuf,
    ) -> Self {
        let mut process = shell
            .args(["-c", WATCHED, "sh"])
            .arg(folder)
            .args([stop.as_ref(), program.as_os_str()])
            .args(args)
            .stdin(Stdio::piped())
            // What ends the test's group must leave the watcher to its work.
            .process_group(0)
            .spawn()
            .expect("the shell `sh`");
        let watcher = process.stdin.take().expect("a piped standard input");
        Self {
            process,
            watcher,
            stop,
            log,
        }
    }

    /// Waits until `ready`; the end of the log if the server ended before.
    ///
    /// # Panics
    ///
    /// When it runs, but does not get ready in time.
    pub(crate) async fn wait(&mut self, ready: impl AsyncFn() -> bool) -> Result<(), String> {
        let start = Instant::now();
        loop {
            // In this order: a port may be answered by somebody else's server.
            let answers = ready().await;
            if self.has_ended() {
                return Err(self.last_words());
            }
            if answers {
                return Ok(());
            }
            assert!(
                start.elapsed() < START,
                "the server did not get ready in {START:?}; its log ends with\n{}",
                self.last_words()
            );
            tokio::time::sleep(TICK).await;
        }
    }

    /// Sends a signal and waits for the end.
    pub(super) fn end(&mut self, signal: &str) {
        for signal in [signal, "KILL"] {
            if self.has_ended() {
                break;
            }
            self.signal(signal);
            let start = Instant::now();
            while !self.has_ended() && start.elapsed() < STOP {
                thread::sleep(TICK);
            }
        }
        let _ = self.watcher.write_all(b"over\n");
    }

    /// Sends a signal, named without `SIG`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        // The standard library can send no signal but SIGKILL.
        let _ = Command::new("sh")
            .args(["-c", "kill -s \"$1\" \"$2\"", "sh", name, &pid])
            .status();
    }

    /// How it ended, if it has.
    pub(crate) fn status(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().expect("a child of our own")
    }

    fn has_ended(&mut self) -> bool {
        !matches!(self.process.try_wait(), Ok(None))
    }

    fn last_words(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.end(self.stop);
    }
}
