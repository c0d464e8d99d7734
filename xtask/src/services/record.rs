//! The note of what a run started, for later runs to find.
//!
//! A process id alone is never trusted, since the system gives it out again:
//! the process must also look like the server that was noted.

use std::path::PathBuf;

use super::server::Kind;
use crate::process;

/// A server's process, as noted in a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) kind: Kind,
    pub(crate) pid: u32,
    pub(crate) port: u16,
}

impl Process {
    /// Whether it still runs, and not another program under its id.
    pub(crate) fn is_running(&self) -> bool {
        process::command_line(self.pid).is_some_and(|line| {
            line.contains(self.kind.program()) && line.contains(&self.port.to_string())
        })
    }
}

/// What one run started.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) kept: bool,
    /// The data folder, when it is not below the record's.
    pub(crate) outside: Option<PathBuf>,
    pub(crate) servers: Vec<Process>,
}

impl Record {
    /// Reads a record; lines that make no sense are left out, since a killed
    /// run may not have come to their end.
    pub(crate) fn parse(text: &str) -> Self {
        let mut record = Self::default();
        for line in text.lines() {
            match line.split_once(' ') {
                None if line == "kept" => record.kept = true,
                Some(("outside", path)) => record.outside = Some(path.into()),
                Some(("server", rest)) => record.servers.extend(parse_server(rest)),
                _ => {}
            }
        }
        record
    }

    /// The reverse of [`Record::parse`].
    pub(crate) fn to_text(&self) -> String {
        let kept = self.kept.then(|| "kept\n".to_owned());
        let outside = self
            .outside
            .iter()
            .map(|path| format!("outside {}\n", path.display()));
        let servers = self
            .servers
            .iter()
            .map(|Process { kind, pid, port }| format!("server {} {pid} {port}\n", kind.program()));
        kept.into_iter().chain(outside).chain(servers).collect()
    }
}

fn parse_server(text: &str) -> Option<Process> {
    let mut words = text.split(' ');
    let kind = Kind::from_program(words.next()?)?;
    Some(Process {
        kind,
        pid: words.next()?.parse().ok()?,
        port: words.next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_as_written() {
        let record = Record {
            kept: true,
            outside: Some("/tmp/tenancy-services-1 2".into()),
            servers: vec![
                Process {
                    kind: Kind::Postgres,
                    pid: 12,
                    port: 5433,
                },
                Process {
                    kind: Kind::Redis,
                    pid: 13,
                    port: 6380,
                },
            ],
        };
        assert_eq!(Record::parse(&record.to_text()), record);
    }

    #[test]
    fn a_cut_record_is_read_as_far_as_it_goes() {
        let record = Record::parse("outside /tmp/x\nserver postgres 12 5433\nserver redis-ser");
        assert_eq!(record.servers.len(), 1);
        assert!(!record.kept);
    }

    #[test]
    fn a_reused_process_id_is_not_taken_for_a_server() {
        let own = Process {
            kind: Kind::Postgres,
            pid: std::process::id(),
            port: 1,
        };
        assert!(!own.is_running());
    }
}
