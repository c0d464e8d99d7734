use std::io;
use std::path::PathBuf;

/// Why the embedded PostgreSQL does not start or stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbeddedError {
    /// The folder cannot be made or written to.
    #[error(
        "the folder `{}` for the embedded PostgreSQL cannot be used: {source}; name another with \
         TENANCY_EMBEDDED, or write TENANCY_EMBEDDED=temporary", folder.display()
    )]
    Folder {
        /// The folder, as it was named.
        folder: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Another embedded PostgreSQL, of another process or of this one, has the
    /// folder.
    #[error(
        "the folder `{}` is in use by another embedded PostgreSQL; stop the process that runs it, \
         or name another folder with TENANCY_EMBEDDED", folder.display()
    )]
    InUse {
        /// The folder, as it was named.
        folder: PathBuf,
    },
    /// There is no place for the socket and for temporary files.
    #[error(
        "the embedded PostgreSQL finds no place for its socket: {0}; the system's folder for \
         temporary files (TMPDIR) must be writable and its path short"
    )]
    Socket(#[source] io::Error),
    /// PostgreSQL itself does not start.
    #[error(
        "the embedded PostgreSQL does not start: {0}. It unpacks itself once per user into the \
         cache folder (XDG_CACHE_HOME or ~/.cache), which must be writable; data of another \
         PostgreSQL version does not open, and its folder must be removed"
    )]
    Start(String),
    /// PostgreSQL ended badly.
    #[error("the embedded PostgreSQL did not stop in order: {0}")]
    Stop(String),
    /// A statement was still running when the time for the stop was over.
    #[error("the embedded PostgreSQL did not stop: a statement is still running")]
    StillBusy,
}
