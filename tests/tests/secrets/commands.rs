//! The same by commands, whose arguments are no place for a secret.

use integration::database::Database;
use integration::process::{Ended, Workplace};

use super::{A, B};

async fn run(place: &Workplace, ring: &str, line: &str, input: &str) -> Ended {
    let args: Vec<_> = line.split_whitespace().collect();
    let vars = [("TENANCY_ENCRYPTION_KEY", ring)];
    place.run_fed("quickstart", &args, &vars, input).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_keep_secrets_and_rotate_keys_by_commands() {
    let database = Database::empty().await;
    let place = Workplace::on(&database);
    let migrated = place.run("quickstart", &["migrate"], &[]).await;
    assert_eq!(migrated.code, Some(0), "{}", migrated.err);

    // A key is made where the configuration lacks just that.
    let new_key = async |line: &str| {
        let made = run(&place, "", line, "").await;
        assert_eq!(made.code, Some(0), "{}", made.err);
        made.out.trim().to_owned()
    };
    let old = new_key("secrets generate-key --id old").await;
    let today = new_key("secrets generate-key").await;
    let (id, _) = today.split_once(':').expect("an id");
    assert!(old.starts_with("old:") && id.len() == "2026-01-01".len());

    let done = async |ring: &str, line: &str, input: &str| {
        let ended = run(&place, ring, line, input).await;
        assert_eq!(ended.code, Some(0), "{line}: {}", ended.err);
        assert!(!format!("{}{}", ended.out, ended.err).contains("hunter2"));
        ended.out
    };
    done(&old, &format!("secrets set {A} smtp"), "hunter2\n").await;
    done(&old, &format!("secrets set {A} hook"), "hunter2").await;
    done(&old, &format!("secrets set {B} smtp"), "hunter2\r\n").await;
    assert_eq!(
        done(&old, &format!("secrets list {A}"), "").await,
        "hook\nsmtp\n"
    );
    let counted = done(&old, "secrets keys", "").await;
    assert_eq!(
        counted.split_whitespace().collect::<Vec<_>>(),
        ["old", "3", "secrets"]
    );
    // What was read, and no line's end behind it: 41 bytes are around a value.
    let lengths: Vec<i32> = database
        .value("SELECT array_agg(DISTINCT octet_length(value)) FROM tenancy.secrets")
        .await;
    assert_eq!(lengths, [41 + 7]);

    for (line, said) in [
        (
            "secrets set nobody-here smtp",
            "there is no tenant `nobody-here`",
        ),
        ("secrets set acme-corp Smtp", "a secret's name is"),
        ("secrets set acme-corp smtp", "is empty"),
        ("secrets remove acme-corp other", "has no secret `other`"),
    ] {
        let refused = run(&place, &old, line, "").await;
        assert_eq!(refused.code, Some(1), "{line}");
        assert!(refused.err.contains(said), "{}", refused.err);
    }
    // Serving without the old key would lose what it encrypted, and so would this.
    let verified = run(&place, &today, "verify", "").await;
    assert_eq!(verified.code, Some(1));
    assert!(
        verified.err.contains("has no key `old`"),
        "{}",
        verified.err
    );
    let rotated = run(&place, &today, "secrets rotate", "").await;
    assert_eq!(rotated.code, Some(1));
    assert!(rotated.err.contains("add the key `old`"), "{}", rotated.err);

    let ring = format!("{today},{old}");
    done(&ring, &format!("secrets remove {A} hook"), "").await;
    let rotated = done(&ring, "secrets rotate", "").await;
    let lines: Vec<_> = rotated.lines().collect();
    assert_eq!(lines[0], "2 secrets re-encrypted.");
    assert!(
        lines[1].starts_with(id) && lines[1].ends_with(" 2 secrets"),
        "{rotated}"
    );
    assert!(
        lines[2].contains("No secret needs the key `old`"),
        "{rotated}"
    );
    done(&today, "verify", "").await;
    assert_eq!(done(&today, "secrets rotate", "").await.lines().count(), 2);
}
