//! PgBouncer in transaction mode, as in front of a large installation.

use std::fmt::Write as _;

use tokio::net::TcpStream;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

use super::child::Child;
use super::folder::Folder;
use super::{free_port, given};

/// How often a start is tried on another port.
const ATTEMPTS: usize = 3;

/// A PgBouncer in front of one database; dropping it stops it.
pub struct PgBouncer {
    /// The port on 127.0.0.1 to connect to.
    pub port: u16,
    // Before the folder: fields drop in this order.
    _child: Child,
    _folder: Folder,
}

impl PgBouncer {
    /// Starts one for the database of `upstream`. Each of `users` logs in, here
    /// and there, with the password beside it and has `pool_size` server
    /// connections, which all its clients share.
    ///
    /// # Panics
    ///
    /// When it does not start, with the end of its log.
    pub async fn start(upstream: &Config, users: &[(&str, &str)], pool_size: u32) -> Self {
        let program = given("TENANCY_TEST_PGBOUNCER");
        let folder = Folder::create();
        // Plain passwords: a hash does not let PgBouncer log in upstream.
        let list = users.iter().fold(String::new(), |mut list, (user, word)| {
            let _ = writeln!(list, "{} {}", quoted('"', user), quoted('"', word));
            list
        });
        folder.write("users", &list);
        let mut log = String::new();
        for _ in 0..ATTEMPTS {
            let port = free_port();
            let settings = folder.write("pgbouncer.ini", &ini(upstream, port, pool_size));
            let mut child = Child::start(&folder, "TERM", &program, &[settings]);
            let answers = async || TcpStream::connect(("127.0.0.1", port)).await.is_ok();
            match child.wait(answers).await {
                Ok(()) => {
                    return Self {
                        port,
                        _child: child,
                        _folder: folder,
                    };
                }
                Err(words) => log = words,
            }
        }
        panic!("PgBouncer does not start; its log ends with\n{log}");
    }
}

fn ini(upstream: &Config, port: u16, pool_size: u32) -> String {
    let host = match &upstream.get_hosts()[0] {
        Host::Tcp(host) => host.clone(),
        Host::Unix(path) => path.display().to_string(),
    };
    let database = upstream.get_dbname().expect("the name of a database");
    format!(
        "[databases]\n\
         {database} = host={} port={} dbname={}\n\
         [pgbouncer]\n\
         pool_mode = transaction\n\
         default_pool_size = {pool_size}\n\
         max_client_conn = 100\n\
         listen_addr = 127.0.0.1\n\
         listen_port = {port}\n\
         unix_socket_dir =\n\
         auth_type = scram-sha-256\n\
         auth_file = users\n\
         ignore_startup_parameters = extra_float_digits,search_path\n",
        quoted('\'', &host),
        upstream.get_ports()[0],
        quoted('\'', database),
    )
}

fn quoted(mark: char, text: &str) -> String {
    format!(
        "{mark}{}{mark}",
        text.replace(mark, &format!("{mark}{mark}"))
    )
}
