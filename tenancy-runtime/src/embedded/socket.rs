//! The two sockets of the relay: Unix ones where there are any, since over TCP
//! every answer of the server waits 40 ms (it does not set `TCP_NODELAY`), and
//! a port can be reached by every user of the machine.

use std::io;
use std::path::Path;

#[cfg(unix)]
mod system {
    pub(in super::super) use std::os::unix::net::UnixListener;
    pub(in super::super) use std::os::unix::net::UnixStream as Stream;
    pub(in super::super) type Address = std::path::PathBuf;
}

#[cfg(not(unix))]
mod system {
    pub(in super::super) use std::net::TcpListener;
    pub(in super::super) use std::net::TcpStream as Stream;
    pub(in super::super) type Address = std::net::SocketAddr;
}

pub(super) use system::{Address, Stream};

/// The socket that clients connect to.
#[derive(Debug)]
pub(super) struct Listener {
    #[cfg(unix)]
    socket: system::UnixListener,
    #[cfg(not(unix))]
    socket: system::TcpListener,
    address: Address,
}

/// Opens the socket for clients, and says by which URL they find it.
#[cfg(unix)]
pub(super) fn listen(scratch: &Path) -> io::Result<(String, Listener)> {
    use std::os::unix::ffi::OsStrExt;

    // The name that libpq and tokio-postgres give to the socket of port 5432.
    let address = scratch.join(".s.PGSQL.5432");
    let socket = system::UnixListener::bind(&address)?;
    let url = format!(
        "postgresql://postgres@/postgres?host={}&port=5432&sslmode=disable",
        percent_encoded(scratch.as_os_str().as_bytes())
    );
    Ok((url, Listener { socket, address }))
}

#[cfg(unix)]
fn percent_encoded(bytes: &[u8]) -> String {
    let mut encoded = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Opens the socket for clients, and says by which URL they find it.
#[cfg(not(unix))]
pub(super) fn listen(_scratch: &Path) -> io::Result<(String, Listener)> {
    let socket = system::TcpListener::bind(("127.0.0.1", 0))?;
    let address = socket.local_addr()?;
    let url = format!("postgresql://postgres@{address}/postgres?sslmode=disable");
    Ok((url, Listener { socket, address }))
}

/// Connects to the socket at `address`.
pub(super) fn connect(address: &Address) -> io::Result<Stream> {
    let stream = Stream::connect(address)?;
    prompt(&stream)?;
    Ok(stream)
}

impl Listener {
    pub(super) fn address(&self) -> Address {
        self.address.clone()
    }

    pub(super) fn accept(&self) -> io::Result<Stream> {
        let (stream, _) = self.socket.accept()?;
        prompt(&stream)?;
        Ok(stream)
    }
}

/// Sends small packets at once.
#[cfg_attr(unix, expect(clippy::unnecessary_wraps, reason = "TCP's can fail"))]
fn prompt(stream: &Stream) -> io::Result<()> {
    #[cfg(unix)]
    let _ = stream;
    #[cfg(not(unix))]
    stream.set_nodelay(true)?;
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    #[test]
    fn a_folder_s_name_survives_the_url() {
        let encoded = super::percent_encoded("/tmp/a b&c=d?ä".as_bytes());
        let url = format!("postgresql://postgres@/postgres?host={encoded}&port=5432");
        let config: tokio_postgres::Config = url.parse().unwrap();
        let expected = tokio_postgres::config::Host::Unix("/tmp/a b&c=d?ä".into());
        assert_eq!(config.get_hosts(), [expected]);
    }
}
