//! Keys that rotate without a pause, and a rotation that is cut off anywhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use integration::database::Database;
use integration::http::{Login, Served, start};
use integration::wire::Wire;
use tenancy::Strategy;
use tenancy::prelude::*;
use tenancy::secrets::{ExposeSecret as _, Rotation};

use super::{A, B, app, key, set, value};

async fn open(database: &Database, ring: &str) -> Result<Served> {
    let vars = [("TENANCY_ENCRYPTION_KEY", ring)];
    start(app(Strategy::Rls), database, Login::Both, &vars).await
}

async fn rotate(vault: &Served) -> Result<Rotation> {
    vault.tenancy.secrets()?.rotate(|_, _| {}).await
}

/// The keys in use, as `id:count`.
fn counts(rotation: &Rotation) -> Vec<String> {
    let keys = rotation.in_use.iter();
    keys.map(|(key, count)| format!("{key}:{count}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_rotate_while_everybody_serves() {
    let database = Database::empty().await;
    let (old, new) = (key("old"), key("new"));
    let before = open(&database, &old).await.unwrap();
    for tenant in [A, B] {
        set(before.tenant(tenant), "smtp", tenant).await;
    }
    // The new key behind the old one, everywhere; then before it, one by one.
    let first = open(&database, &format!("{old},{new}")).await.unwrap();
    let second = open(&database, &format!("{new},{old}")).await.unwrap();
    set(first.tenant(A), "of-first", "by the old key").await;
    set(second.tenant(B), "of-second", "by the new key").await;
    for vault in [&first, &second] {
        assert_eq!(value(vault.tenant(A), "smtp").await, A);
        assert_eq!(value(vault.tenant(A), "of-first").await, "by the old key");
        assert_eq!(value(vault.tenant(B), "of-second").await, "by the new key");
    }
    // The twin: too early, and secrets of the old key would be lost.
    let refused = open(&database, &new).await.err().expect("no start");
    assert!(
        refused.to_string().contains("has no key `old`"),
        "{refused}"
    );

    let rotation = rotate(&second).await.unwrap();
    assert_eq!(
        (rotation.rewritten, counts(&rotation)),
        (3, vec!["new:4".to_owned()])
    );
    assert_eq!(rotation.forgotten, ["old"]);
    let again = rotate(&second).await.unwrap();
    assert_eq!((again.rewritten, again.forgotten.len()), (0, 0));

    // A straggler that still has the old key first puts it back on the list.
    set(first.tenant(A), "late", "by the old key").await;
    assert!(open(&database, &new).await.is_err());
    assert_eq!(counts(&rotate(&second).await.unwrap()), ["new:5"]);
    let after = open(&database, &new).await.unwrap();
    for vault in [&first, &second, &after] {
        assert_eq!(value(vault.tenant(A), "late").await, "by the old key");
        assert_eq!(value(vault.tenant(B), "smtp").await, B);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_that_is_cut_off_anywhere_goes_on_from_there() {
    const SECRETS: usize = 120;

    let database = Database::empty().await;
    let (old, new) = (key("old"), key("new"));
    let before = open(&database, &old).await.unwrap();
    let (tenant, _) = before.tenancy.tenant(&B.parse().unwrap()).await.unwrap();
    let secrets = before.tenancy.secrets().unwrap().of(&tenant);
    for n in 0..SECRETS {
        let secret = format!("secret {n}").into();
        secrets.set(&format!("s{n}"), secret).await.unwrap();
    }
    set(before.tenant(A), "smtp", A).await;
    let wire = Wire::quick(format!("127.0.0.1:{}", database.app.get_ports()[0])).await;
    let port = format!(":{}/", database.app.get_ports()[0]);
    let through = database
        .app_url()
        .replace(&port, &format!(":{}/", wire.port));
    let ring = format!("{new},{old}");
    let vars = [
        ("TENANCY_ENCRYPTION_KEY", &*ring),
        ("TENANCY_DATABASE_URL", &*through),
        // Nobody else speaks on the wire.
        ("TENANCY_CACHE_ENABLED", "false"),
    ];
    let vault = Served::start(app(Strategy::Rls), &database, &vars).await;
    let mut cut = 0;
    for turns in 0.. {
        wire.cut_after(turns);
        // Who waits for an answer that does not come is dropped.
        let finished = tokio::select! {
            outcome = rotate(&vault) => outcome.is_ok(),
            () = wire.until_cut() => false,
        };
        wire.cut_after(usize::MAX);
        for (n, name) in [(0, "s0"), (77, "s77"), (119, "s119")] {
            let secret = secrets_of(&vault, B, name).await;
            assert_eq!(secret, format!("secret {n}"), "after {turns} turns");
        }
        if finished {
            break;
        }
        cut += 1;
    }
    // One for each step: list, count, read, replace, and the keys that are left.
    assert!(cut > 5, "cut {cut} times");
    let after = open(&database, &ring).await.unwrap();
    let rotation = rotate(&after).await.unwrap();
    assert_eq!(
        (rotation.rewritten, counts(&rotation)),
        (0, vec!["new:121".to_owned()])
    );
    let alone = open(&database, &new).await.unwrap();
    for n in 0..SECRETS {
        let secret = secrets_of(&alone, B, &format!("s{n}")).await;
        assert_eq!(secret, format!("secret {n}"));
    }
}

async fn secrets_of(vault: &Served, tenant: &str, name: &str) -> String {
    let slug = tenant.parse().expect("a slug");
    let (tenant, _) = vault.tenancy.tenant(&slug).await.expect("a tenant");
    let secrets = vault.tenancy.secrets().expect("keys").of(&tenant);
    let secret = secrets.get(name).await.expect("its key");
    secret.expect("a secret").expose_secret().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_meanwhile_is_not_undone() {
    let database = Database::empty().await;
    let (old, new) = (key("old"), key("new"));
    let writing = open(&database, &format!("{old},{new}")).await.unwrap();
    let rotating = open(&database, &format!("{new},{old}")).await.unwrap();
    let (tenant, _) = writing.tenancy.tenant(&A.parse().unwrap()).await.unwrap();
    let secrets = writing.tenancy.secrets().unwrap().of(&tenant);
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (secrets, stop) = (secrets.clone(), stop.clone());
        async move {
            let mut last = 0_u32;
            while !AtomicBool::load(&stop, Ordering::Relaxed) {
                last += 1;
                secrets.set("n", last.to_string().into()).await.unwrap();
                // Nobody else writes: what was written is what is there.
                let read = secrets.get("n").await.unwrap().expect("a secret");
                assert_eq!(read.expose_secret(), last.to_string());
            }
        }
    });
    let mut rewritten = 0;
    while rewritten < 20 {
        rewritten += rotate(&rotating).await.unwrap().rewritten;
        assert!(!writer.is_finished());
    }
    stop.store(true, Ordering::Relaxed);
    writer.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_does_not_decrypt_stays_and_stops_no_other() {
    let database = Database::empty().await;
    let (old, new) = (key("old"), key("new"));
    let vault = open(&database, &format!("{old},{new}")).await.unwrap();
    for name in ["good", "bad"] {
        set(vault.tenant(A), name, "correct horse").await;
    }
    let spoil = "UPDATE tenancy.secrets SET value = '\\x01' WHERE name = 'bad'";
    database.sabotage(spoil).await;
    let ring = format!("{new},{old}");
    let rotating = open(&database, &ring).await.unwrap();
    let rotation = rotate(&rotating).await.unwrap();
    assert_eq!((rotation.rewritten, rotation.forgotten.len()), (1, 0));
    assert_eq!(counts(&rotation), ["new:1", "old:1"]);
    let [problem] = &rotation.problems[..] else {
        panic!("{:?}", rotation.problems);
    };
    assert_eq!(
        problem.about(),
        format!("the secret `bad` of the tenant `{A}`")
    );
    assert!(!problem.to_string().contains("horse"), "{problem}");
    assert_eq!(value(rotating.tenant(A), "good").await, "correct horse");
}
