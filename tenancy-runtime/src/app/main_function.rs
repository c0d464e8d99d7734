use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use super::builder::App;
use crate::error::{Error, Result};
use crate::problem::Problem;

/// What `main` may return under `#[tenancy::app]`.
#[diagnostic::on_unimplemented(
    message = "`main` cannot return `{Self}`",
    label = "`main` returns nothing or `Result<()>`"
)]
pub trait MainResult {
    /// As a result of the runtime's error.
    ///
    /// # Errors
    ///
    /// What `main` returned.
    fn into_result(self) -> Result<()>;
}

impl MainResult for () {
    fn into_result(self) -> Result<()> {
        Ok(())
    }
}

// The message above says more than which error is not ours.
#[diagnostic::do_not_recommend]
impl<E: Into<Error>> MainResult for std::result::Result<(), E> {
    fn into_result(self) -> Result<()> {
        self.map_err(Into::into)
    }
}

/// Runs an application as a process: reads the command line, starts logging and
/// the asynchronous runtime, and prints the error that ends it. `RUST_LOG` says
/// what is logged, `info` unless set.
pub fn run(app: App, main: impl AsyncFnOnce(App) -> Result<()>) -> ExitCode {
    let app = app.read_command_line();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // An application that has set up its own logging keeps it.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    let outcome = runtime.block_on(main(app));
    // Blocking work that was left behind does not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &Error) -> ExitCode {
    match error {
        // As people read it who run a command, and not as a request's log.
        Error::Unavailable(cause) if cause.is::<Problem>() => eprintln!("error: {cause}"),
        error => eprintln!("error: {error}"),
    }
    ExitCode::FAILURE
}
