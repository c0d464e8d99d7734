use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::signal;
use tokio::sync::oneshot;

use super::builder::App;
use super::start::OnListen;
use super::tenancy::Tenancy;
#[cfg(feature = "encryption")]
use crate::cli::SecretsCommand;
use crate::cli::{self, Command};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::problem::Problem;

impl App {
    /// Does what the command line asks for; without arguments that is to serve,
    /// until Ctrl-C or SIGTERM. Then no new connection is taken, requests that
    /// run are finished within `TENANCY_SHUTDOWN_TIMEOUT` or until a second
    /// signal, jobs that run and what operators have begun likewise, jobs that wait are
    /// not begun, and the pools close.
    ///
    /// # Errors
    ///
    /// [`Error::CannotStart`] with everything that stands in the way, and those
    /// of the database.
    pub async fn serve(self) -> Result<()> {
        #[cfg(feature = "encryption")]
        if let Command::Secrets(SecretsCommand::GenerateKey(id)) = &self.command {
            return cli::generate_key(id.as_deref());
        }
        let config = self.config()?;
        match self.command {
            Command::Serve => {
                // From here on a signal ends nothing on the spot: an embedded
                // database that starts is stopped in order, too.
                let mut signals = StopSignals::hear()?;
                let (tenancy, router, on_listen) = tokio::select! {
                    started = self.start_parts(config.clone()) => started?,
                    () = signals.next() => {
                        tracing::info!("told to stop before it served");
                        return Ok(());
                    }
                };
                serve(&config, &tenancy, router, on_listen, signals).await?;
                tenancy.stop().await
            }
            command => {
                if !self.problems.is_empty() {
                    return Err(Error::CannotStart(self.problems));
                }
                let tenancy = Tenancy::connect(&config, &self.declared).await?;
                let outcome = cli::manage(command, &tenancy).await;
                // Of tenants that it has registered.
                if let Some(jobs) = &tenancy.jobs {
                    jobs.done().await;
                }
                tenancy.stop().await?;
                outcome
            }
        }
    }
}

async fn serve(
    config: &Config,
    tenancy: &Tenancy,
    router: Router,
    on_listen: OnListen,
    mut signals: StopSignals,
) -> Result<()> {
    let listener = TcpListener::bind(config.listen).await.map_err(|error| {
        Error::from(Problem::new(
            "TENANCY_LISTEN",
            format!("{} cannot be listened on: {error}", config.listen),
            "set it to a free address, for example 127.0.0.1:8001",
        ))
    })?;
    let address = listener.local_addr()?;
    tracing::info!("listening on http://{address}");
    if let Some(hook) = on_listen {
        hook(address);
    }
    let (stopping, stop) = oneshot::channel();
    let stop = async {
        let _ = stop.await;
    };
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    // What is small is sent at once: an event does not wait for the next one.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY");
        }
    });
    let serving = axum::serve(listener, service).with_graceful_shutdown(stop);
    let jobs = tenancy.jobs.as_ref();
    let cut_off = async {
        signals.next().await;
        tracing::info!("stopping: no new requests and jobs, those that run are finished");
        let _ = stopping.send(());
        tenancy.events().stop();
        if let Some(jobs) = jobs {
            jobs.close();
        }
        tokio::select! {
            () = tokio::time::sleep(config.shutdown_timeout) => tracing::warn!(
                after = ?config.shutdown_timeout,
                "requests and jobs that still run are cut off"
            ),
            () = signals.next() => {
                tracing::warn!(
                    "told to stop again: requests and jobs that still run are cut off"
                );
            }
        }
    };
    let finished = async {
        serving.await?;
        // A WebSocket is no request any more: it ends by itself.
        tenancy.events().finish(config.shutdown_timeout).await;
        tenancy.operators.done().await;
        if let Some(jobs) = jobs {
            jobs.done().await;
        }
        Ok(())
    };
    tokio::select! {
        outcome = finished => outcome,
        () = cut_off => Ok(()),
    }
}

/// Ctrl-C, and SIGTERM where there is one. They are heard from the moment this
/// is made; before, they end the process on the spot.
struct StopSignals {
    #[cfg(unix)]
    interrupt: signal::unix::Signal,
    #[cfg(unix)]
    terminate: signal::unix::Signal,
    #[cfg(windows)]
    interrupt: signal::windows::CtrlC,
}

impl StopSignals {
    #[cfg(unix)]
    fn hear() -> io::Result<Self> {
        use signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    #[cfg(windows)]
    fn hear() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal::windows::ctrl_c()?,
        })
    }

    /// Waits for the next one.
    async fn next(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        #[cfg(windows)]
        self.interrupt.recv().await;
    }
}
