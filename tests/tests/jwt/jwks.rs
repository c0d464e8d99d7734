//! Keys that are published and change.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};
use tenancy::resolve::{JwtKeys, Rotation};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::token::{ED25519, OTHER_RSA, P256, RSA, Token};
use super::{app, is_let_in, open, ours, refusal, with};
use crate::resolution::Door;

/// The public half of a key, by this name.
pub(crate) fn jwk(kid: &str, pem: &str) -> Value {
    let bytes = pem.as_bytes();
    let key = EncodingKey::from_rsa_pem(bytes)
        .or_else(|_| EncodingKey::from_ec_pem(bytes))
        .or_else(|_| EncodingKey::from_ed_pem(bytes))
        .expect("a private key");
    let algorithm = match pem {
        P256 => Algorithm::ES256,
        ED25519 => Algorithm::EdDSA,
        _ => Algorithm::RS256,
    };
    let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&key, algorithm).expect("a key"))
        .expect("a value");
    jwk["kid"] = json!(kid);
    jwk["use"] = json!("sig");
    jwk
}

fn set(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

fn by(kid: &str, pem: &str) -> String {
    Token::pem(Algorithm::RS256, pem)
        .header("kid", json!(kid))
        .mint()
}

/// An issuer's endpoint: what it answers can be changed, and it counts.
struct Issuer {
    url: String,
    answer: Arc<Mutex<Answer>>,
    asked: Arc<AtomicUsize>,
    server: tokio::task::JoinHandle<()>,
}

#[derive(Clone)]
enum Answer {
    Body(String),
    Status(&'static str, String),
    /// A body that does not end.
    Endless,
    /// No answer.
    Silence,
}

impl Issuer {
    async fn start(body: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let answer = Arc::new(Mutex::new(Answer::Body(body)));
        let asked = Arc::new(AtomicUsize::new(0));
        let (answers, count) = (Arc::clone(&answer), Arc::clone(&asked));
        let server = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let answer = answers.lock().expect("the answer").clone();
                tokio::spawn(async move {
                    let mut request = [0; 1024];
                    let _ = stream.read(&mut request).await;
                    let (status, body) = match answer {
                        Answer::Body(body) => ("200 OK", body),
                        Answer::Status(status, body) => (status, body),
                        Answer::Silence => {
                            tokio::time::sleep(Duration::from_secs(60)).await;
                            return;
                        }
                        Answer::Endless => {
                            let head = "HTTP/1.1 200 OK\r\n\r\n{\"keys\": [";
                            let mut sent = stream.write_all(head.as_bytes()).await;
                            while sent.is_ok() {
                                sent = stream.write_all(&[b' '; 65536]).await;
                            }
                            return;
                        }
                    };
                    let head = format!(
                        "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n",
                        body.len()
                    );
                    let _ = stream.write_all(head.as_bytes()).await;
                    let _ = stream.write_all(body.as_bytes()).await;
                });
            }
        });
        Self {
            url: format!("http://{address}/keys"),
            answer,
            asked,
            server,
        }
    }

    fn says(&self, answer: Answer) {
        *self.answer.lock().expect("the answer") = answer;
    }

    fn publishes(&self, keys: &[Value]) {
        self.says(Answer::Body(set(keys)));
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// An application that fetches its keys here, with these times.
    async fn door(&self, rotation: Rotation) -> Door {
        let keys = JwtKeys::url(&self.url).expect("a URL").rotation(rotation);
        Door::open(app().resolver(ours().keys(keys)), &[]).await
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

/// At most a fetch in this time, here; long enough for the requests before.
const RETRY: Duration = ms(400);

fn refreshing(refresh: Duration) -> Rotation {
    Rotation::new(RETRY, refresh, Duration::from_secs(60))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_key_is_picked_up_and_an_old_one_dropped() {
    let issuer = Issuer::start(set(&[jwk("one", RSA)])).await;
    let door = issuer.door(refreshing(ms(1200))).await;
    let (one, two) = (by("one", RSA), by("two", OTHER_RSA));
    let refused = refusal(&door).await;
    assert_eq!(issuer.asked(), 0, "before there is a token");
    is_let_in(&with(&door, &one).await, "one");
    assert_eq!(with(&door, &two).await, refused);

    issuer.publishes(&[jwk("one", RSA), jwk("two", OTHER_RSA)]);
    pass(RETRY).await;
    is_let_in(&with(&door, &two).await, "two, as soon as a fetch is due");
    is_let_in(&with(&door, &one).await, "one, still there");

    issuer.publishes(&[jwk("two", OTHER_RSA)]);
    pass(ms(1300)).await;
    assert_eq!(with(&door, &one).await, refused, "one is withdrawn");
    is_let_in(&with(&door, &two).await, "two");
    // Another key by the old name is not the old key.
    issuer.publishes(&[jwk("one", OTHER_RSA)]);
    pass(ms(1300)).await;
    assert_eq!(with(&door, &one).await, refused);
    is_let_in(&with(&door, &by("one", OTHER_RSA)).await, "the new one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_endpoint_is_away_keys_are_kept_for_a_time_that_is_stated() {
    let issuer = Issuer::start(set(&[jwk("one", RSA)])).await;
    let door = issuer.door(Rotation::new(ms(50), ms(100), ms(1500))).await;
    let one = by("one", RSA);
    let refused = refusal(&door).await;
    is_let_in(&with(&door, &one).await, "fetched");
    for answer in [
        Answer::Status("500 Internal Server Error", String::new()),
        Answer::Status("302 Found\r\nLocation: http://127.0.0.1:9/", String::new()),
        Answer::Status("404 Not Found", set(&[jwk("two", OTHER_RSA)])),
        Answer::Body("<html>".to_owned()),
        Answer::Body("{\"keys\": {}}".to_owned()),
    ] {
        issuer.says(answer);
        pass(ms(120)).await;
        let before = issuer.asked();
        is_let_in(&with(&door, &one).await, "kept");
        assert!(issuer.asked() > before, "asked again");
        assert_eq!(with(&door, &by("two", OTHER_RSA)).await, refused);
    }
    pass(ms(1600)).await;
    let away = with(&door, &one).await;
    assert!(away.starts_with("HTTP/1.1 503 "), "{away}");
    assert!(away.contains("retry-after"), "{away}");
    // Who sends no token at all, or none that could be one, hears what they
    // always hear.
    assert_eq!(with(&door, "a.b.c").await, refused);
    assert_eq!(refusal(&door).await, refused);
    issuer.publishes(&[jwk("one", RSA)]);
    pass(ms(60)).await;
    is_let_in(&with(&door, &one).await, "it is back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_without_bounds_is_not_read() {
    let good = jwk("one", RSA);
    let mut many = vec![good.clone()];
    many.extend((0..10_000).map(|number| json!({ "kty": "x", "kid": number.to_string() })));
    let rsa = (0..10_000).map(|number| {
        let mut key = good.clone();
        key["kid"] = json!(number.to_string());
        key
    });
    let rsa: Vec<_> = rsa.collect();
    let long = json!({ "keys": [good], "more": " ".repeat(300 * 1024) }).to_string();
    for (what, answer) in [
        ("10,000 names", Answer::Body(set(&many))),
        ("10,000 keys", Answer::Body(set(&rsa))),
        ("a long body", Answer::Body(long)),
        ("an endless body", Answer::Endless),
        ("silence", Answer::Silence),
    ] {
        let issuer = Issuer::start(set(&[])).await;
        issuer.says(answer);
        let door = issuer.door(refreshing(Duration::from_secs(30))).await;
        let answer = with(&door, &by("one", RSA)).await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{what}: {answer}");
        // The twin: a hundred keys are read, and this is the one in the last place.
        let mut hundred = rsa[..99].to_vec();
        hundred.push(good.clone());
        issuer.publishes(&hundred);
        pass(RETRY).await;
        is_let_in(&with(&door, &by("one", RSA)).await, what);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_unknown_keys_is_no_storm_of_fetches() {
    let issuer = Issuer::start(set(&[jwk("one", RSA)])).await;
    let door = issuer.door(refreshing(Duration::from_secs(60))).await;
    let refused = refusal(&door).await;
    let one = by("one", RSA);
    // All at once, before there is any key: one fetch serves them all.
    let answers = join_all((0..50).map(|_| with(&door, &one))).await;
    for answer in answers {
        is_let_in(&answer, "one");
    }
    assert_eq!(issuer.asked(), 1);
    pass(RETRY).await;
    let began = std::time::Instant::now();
    let forged: Vec<_> = (0..300)
        .map(|number| by(&format!("k{number}"), OTHER_RSA))
        .collect();
    for chunk in forged.chunks(50) {
        for answer in join_all(chunk.iter().map(|token| with(&door, token))).await {
            assert_eq!(answer, refused);
        }
    }
    let most = 2 + usize::try_from(began.elapsed().as_millis() / RETRY.as_millis()).unwrap();
    let asked = issuer.asked();
    assert!((2..=1 + most).contains(&asked), "{asked} of at most {most}");
    assert!(asked < 100, "{asked}");
    // Those who hang up at once take no fetch with them.
    pass(RETRY).await;
    issuer.publishes(&[jwk("two", OTHER_RSA)]);
    let two = by("two", OTHER_RSA);
    for _ in 0..20 {
        let abandoned = tokio::time::timeout(ms(1), with(&door, &two)).await;
        drop(abandoned);
    }
    pass(RETRY).await;
    is_let_in(&with(&door, &two).await, "two");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_a_set_verifies_what_it_says_and_nothing_else() {
    let path = std::env::temp_dir().join(format!("tenancy-jwks-{}.json", uuid::Uuid::now_v7()));
    let with_member = |kid: &str, name: &str, value: Value| {
        let mut jwk = jwk(kid, RSA);
        if value.is_null() {
            jwk.as_object_mut().unwrap().remove(name);
        } else {
            jwk[name] = value;
        }
        jwk
    };
    let symmetric = |kid: &str| json!({ "kty": "oct", "kid": kid, "k": "c2VjcmV0".repeat(6) });
    let keys = [
        jwk("rsa", RSA),
        jwk("p256", P256),
        jwk("ed25519", ED25519),
        with_member("any-rsa", "alg", Value::Null),
        with_member("encrypts", "use", json!("enc")),
        with_member("oaep", "alg", json!("RSA-OAEP")),
        with_member("confused", "alg", json!("HS256")),
        with_member("wraps", "key_ops", json!(["wrapKey"])),
        symmetric("symmetric"),
        json!({ "kty": "RSA", "kid": "short", "n": "AQAB", "e": "AQAB" }),
        json!("no key"),
    ];
    std::fs::write(&path, set(&keys)).unwrap();
    let door = open(&[("TENANCY_JWKS", path.to_str().unwrap())]).await;
    let refused = refusal(&door).await;
    let token = |algorithm, pem: &str, kid: &str| {
        Token::pem(algorithm, pem).header("kid", json!(kid)).mint()
    };
    use Algorithm::*;
    for (kid, good) in [
        ("rsa", token(RS256, RSA, "rsa")),
        ("p256", token(ES256, P256, "p256")),
        ("ed25519", token(EdDSA, ED25519, "ed25519")),
        ("any-rsa", token(RS512, RSA, "any-rsa")),
        ("any-rsa", token(PS256, RSA, "any-rsa")),
        // The only key of its kind needs no name.
        ("", Token::pem(ES256, P256).mint()),
    ] {
        is_let_in(&with(&door, &good).await, kid);
    }
    let secret = "secret".repeat(6);
    for (what, forged) in [
        ("another algorithm than it says", token(RS512, RSA, "rsa")),
        ("another padding than it says", token(PS256, RSA, "rsa")),
        ("the name of another key", token(RS256, RSA, "p256")),
        ("a key for encryption", token(RS256, RSA, "encrypts")),
        ("a key for RSA-OAEP", token(RS256, RSA, "oaep")),
        ("a key that says HS256", token(RS256, RSA, "confused")),
        ("a key for wrapping", token(RS256, RSA, "wraps")),
        ("a name in other letters", token(RS256, RSA, "RSA")),
        ("the beginning of a name", token(RS256, RSA, "rs")),
        ("no name", token(RS256, RSA, "")),
        (
            "none where there are several",
            Token::pem(RS256, RSA).mint(),
        ),
        (
            "a secret in a public set",
            Token::hmac(HS256, &secret)
                .header("kid", json!("symmetric"))
                .mint(),
        ),
        (
            "a name that is no text",
            Token::pem(RS256, RSA).header("kid", json!(1)).mint(),
        ),
        (
            "a path to the set",
            token(RS256, RSA, path.to_str().unwrap()),
        ),
        ("another's key", token(RS256, OTHER_RSA, "rsa")),
    ] {
        assert_eq!(with(&door, &forged).await, refused, "{what}");
    }
    // The algorithm that the deployment names holds for all keys.
    let vars = [
        ("TENANCY_JWKS", path.to_str().unwrap()),
        ("TENANCY_JWT_ALGORITHM", "ES256"),
    ];
    let door = open(&vars).await;
    is_let_in(&with(&door, &token(ES256, P256, "p256")).await, "ES256");
    assert_eq!(with(&door, &token(RS256, RSA, "rsa")).await, refused);
    std::fs::remove_file(&path).unwrap();
}
