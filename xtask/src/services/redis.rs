//! A throwaway Redis that keeps nothing on disk.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::folder::Folder;
use super::server::{Kind, Server};
use crate::process::{Account, command_as};

/// Starts it and waits until it answers.
pub(crate) fn start(
    program: &Path,
    port: u16,
    folder: &mut Folder,
    account: &Option<Account>,
) -> Result<Server> {
    let mut command = command_as(program, account.as_ref());
    command
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args([
            "--save",
            "",
            "--appendonly",
            "no",
            "--daemonize",
            "no",
            "--dir",
        ])
        .arg(folder.data());
    Server::start(Kind::Redis, port, command, folder, || answers(port))
}

/// How clients reach it.
pub(crate) fn url(port: u16) -> String {
    format!("redis://127.0.0.1:{port}/")
}

/// Whether it answers a ping: a port that accepts may still be loading.
fn answers(port: u16) -> bool {
    let limit = Duration::from_secs(1);
    let ping = || -> std::io::Result<bool> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut stream = TcpStream::connect_timeout(&address, limit)?;
        stream.set_read_timeout(Some(limit))?;
        stream.write_all(b"PING\r\n")?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer)?;
        Ok(&answer == b"+PONG")
    };
    ping().unwrap_or(false)
}
