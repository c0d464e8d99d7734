use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::signal;
use tokio::sync::watch;

use super::builder::App;
use super::start::{OnListen, Tenancy};
use crate::cli::{self, Command};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::problem::Problem;

impl App {
    /// Does what the command line asks for; without arguments that is to serve,
    /// until Ctrl-C or SIGTERM. Then no new connection is taken, requests that
    /// run are finished within `TENANCY_SHUTDOWN_TIMEOUT`, and the pools close.
    ///
    /// # Errors
    ///
    /// [`Error::CannotStart`] with everything that stands in the way, and those
    /// of the database.
    pub async fn serve(self) -> Result<()> {
        let config = self.config()?;
        match self.command {
            Command::Serve => {
                let (tenancy, router, on_listen) = self.start_parts(config.clone()).await?;
                serve(&config, router, on_listen).await?;
                tenancy.stop().await
            }
            command => {
                let tenancy =
                    Tenancy::connect(&config, self.models, self.resolver, self.registry).await?;
                let outcome = cli::manage(command, &tenancy).await;
                tenancy.stop().await?;
                outcome
            }
        }
    }
}

async fn serve(config: &Config, router: Router, on_listen: OnListen) -> Result<()> {
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
    let (stopping, mut stop) = watch::channel(false);
    let told = async move {
        told_to_stop().await;
        tracing::info!("stopping: no new requests, those that run are finished");
        let _ = stopping.send(true);
    };
    let serving = axum::serve(listener, router).with_graceful_shutdown(told);
    let too_long = async {
        let _ = stop.wait_for(|stop| *stop).await;
        tokio::time::sleep(config.shutdown_timeout).await;
    };
    tokio::select! {
        outcome = serving => outcome?,
        () = too_long => {
            tracing::warn!(
                after = ?config.shutdown_timeout,
                "requests that still run are cut off"
            );
        }
    }
    Ok(())
}

/// Waits for Ctrl-C, or for SIGTERM where there is one.
async fn told_to_stop() {
    #[cfg(unix)]
    {
        let terminate = signal::unix::signal(signal::unix::SignalKind::terminate());
        if let Ok(mut terminate) = terminate {
            tokio::select! {
                _ = terminate.recv() => return,
                Ok(()) = signal::ctrl_c() => return,
            }
        }
    }
    if signal::ctrl_c().await.is_err() {
        // Nobody can tell us to stop, so nothing does but the end of the process.
        tokio::time::sleep(Duration::MAX).await;
    }
}
