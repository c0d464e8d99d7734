//! A name server that knows what a test says, over UDP on a free port.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use hickory_resolver::proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

/// A name server that answers until it is dropped.
pub struct NameServer {
    /// Where it is asked.
    pub address: SocketAddr,
    zone: Zone,
    _serving: JoinSet<()>,
}

type Zone = Arc<Mutex<HashMap<String, Vec<RData>>>>;

impl NameServer {
    /// Starts one that knows nothing.
    ///
    /// # Panics
    ///
    /// When no port can be had.
    pub async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        let address = socket.local_addr().expect("an address");
        let zone = Zone::default();
        let mut serving = JoinSet::new();
        serving.spawn(serve(socket, Arc::clone(&zone)));
        Self {
            address,
            zone,
            _serving: serving,
        }
    }

    /// Adds a TXT record, in parts as long ones are written.
    pub fn txt(&self, name: &str, value: &str) {
        let (one, other) = value.split_at(value.len() / 2);
        let text = TXT::new(vec![one.to_owned(), other.to_owned()]);
        self.add(name, RData::TXT(text));
    }

    /// Adds an address.
    pub fn address(&self, name: &str, address: IpAddr) {
        self.add(
            name,
            match address {
                IpAddr::V4(address) => RData::A(A(address)),
                IpAddr::V6(address) => RData::AAAA(AAAA(address)),
            },
        );
    }

    /// Has one name stand for another.
    ///
    /// # Panics
    ///
    /// When `target` is no name.
    pub fn alias(&self, name: &str, target: &str) {
        let target = Name::from_ascii(format!("{target}.")).expect("a name");
        self.add(name, RData::CNAME(CNAME(target)));
    }

    /// Forgets a name.
    pub fn forget(&self, name: &str) {
        lock(&self.zone).remove(name);
    }

    fn add(&self, name: &str, data: RData) {
        let mut zone = lock(&self.zone);
        zone.entry(name.to_owned()).or_default().push(data);
    }
}

fn lock(zone: &Zone) -> std::sync::MutexGuard<'_, HashMap<String, Vec<RData>>> {
    zone.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(socket: UdpSocket, zone: Zone) {
    let mut buffer = [0; 4_096];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await.expect("a question");
        let Ok(question) = Message::from_vec(&buffer[..length]) else {
            continue;
        };
        let answer = answer(&question, &zone).to_vec().expect("an answer");
        let _ = socket.send_to(&answer, from).await;
    }
}

/// A name of the top-level domain `broken` makes the server fail.
fn answer(question: &Message, zone: &Zone) -> Message {
    let mut message = Message::response(question.metadata.id, OpCode::Query);
    message.metadata.message_type = MessageType::Response;
    message.metadata.authoritative = true;
    message.metadata.recursion_available = true;
    let Some(query) = question.queries.first() else {
        message.metadata.response_code = ResponseCode::FormErr;
        return message;
    };
    message.add_query(query.clone());
    let mut name = query.name().clone();
    let text = |name: &Name| name.to_ascii().trim_end_matches('.').to_lowercase();
    if text(&name).ends_with(".broken") {
        message.metadata.response_code = ResponseCode::ServFail;
        return message;
    }
    let zone = lock(zone);
    let mut known = false;
    while let Some(all) = zone.get(&text(&name)) {
        known = true;
        let mut next = None;
        for data in all {
            let wanted = data.record_type() == query.query_type();
            if let RData::CNAME(CNAME(target)) = data {
                next = Some(target.clone());
            }
            if wanted || data.record_type() == RecordType::CNAME {
                message.add_answer(Record::from_rdata(name.clone(), 3_600, data.clone()));
            }
        }
        match next {
            Some(target) => name = target,
            None => break,
        }
    }
    if !known {
        message.metadata.response_code = ResponseCode::NXDomain;
    }
    message
}
