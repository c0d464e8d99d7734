use std::io::{self, Read, Write};
use std::path::Path;

use pglite_oxide::PgliteServer;

use super::EmbeddedError;
use super::place::Place;
use super::socket::{self, Address, Stream};

/// The server of `pglite-oxide`, started anew when it has died: a trap in the
/// WebAssembly (a stack that overflows in a recursive function, say) ends it
/// for all clients, where a real PostgreSQL loses one.
#[derive(Debug)]
pub(super) struct Postgres {
    // Before the place: it must have ended when the folder is given back.
    server: Option<PgliteServer>,
    place: Place,
}

impl Postgres {
    pub(super) fn start(place: Place) -> Result<Self, EmbeddedError> {
        let server = open(&place).map_err(EmbeddedError::Start)?;
        Ok(Self {
            server: Some(server),
            place,
        })
    }

    /// The folder for sockets.
    pub(super) fn scratch(&self) -> &Path {
        &self.place.scratch.path
    }

    /// Connects to the server, which must have no client at the moment.
    pub(super) fn connect(&mut self) -> io::Result<Stream> {
        if let Some(stream) = self.reach() {
            return Ok(stream);
        }
        if let Err(reason) = self.stop() {
            tracing::warn!(%reason, "the embedded PostgreSQL died and is started anew");
        }
        self.server = Some(open(&self.place).map_err(io::Error::other)?);
        self.reach()
            .ok_or_else(|| io::Error::other("the embedded PostgreSQL does not answer"))
    }

    /// A connection to the server, if it lives. That one could connect proves
    /// nothing: a server about to end still has an open socket. So it is asked
    /// for TLS, which it declines without a thought, and the conversation goes
    /// on from there ([SSLRequest]).
    ///
    /// [SSLRequest]: https://www.postgresql.org/docs/17/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-SSLREQUEST
    fn reach(&self) -> Option<Stream> {
        const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
        let address = address(self.server.as_ref()?)?;
        let mut stream = socket::connect(&address).ok()?;
        stream.write_all(&SSL_REQUEST).ok()?;
        let mut answer = [0];
        stream.read_exact(&mut answer).ok()?;
        (answer == *b"N").then_some(stream)
    }

    /// Ends the server, which must have no client at the moment.
    pub(super) fn stop(&mut self) -> Result<(), String> {
        match self.server.take() {
            Some(server) => server.shutdown().map_err(|error| chain(&error)),
            None => Ok(()),
        }
    }
}

#[cfg(unix)]
fn open(place: &Place) -> Result<PgliteServer, String> {
    let socket = place.scratch.path.join("server");
    let builder = PgliteServer::builder().path(&place.data).unix(socket);
    builder.start().map_err(|error| chain(&error))
}

#[cfg(not(unix))]
fn open(place: &Place) -> Result<PgliteServer, String> {
    let builder = PgliteServer::builder().path(&place.data);
    builder.start().map_err(|error| chain(&error))
}

#[cfg(unix)]
fn address(server: &PgliteServer) -> Option<Address> {
    server.socket_path().map(Path::to_owned)
}

#[cfg(not(unix))]
fn address(server: &PgliteServer) -> Option<Address> {
    server.tcp_addr()
}

/// An error with its causes in one line; the alternate form of the crate's
/// error type, whose plain form is the outermost words alone.
fn chain(error: &impl std::fmt::Display) -> String {
    format!("{error:#}")
}
