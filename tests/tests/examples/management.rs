//! `quickstart` as its own management tool, and what it says when it cannot
//! start.

use integration::database::Database;
use integration::process::{Ended, Workplace};

use super::{A, B, assert_success};

async fn quickstart(place: &Workplace, line: &str) -> Ended {
    let args: Vec<_> = line.split_whitespace().collect();
    place.run("quickstart", &args, &[]).await
}

/// The process failed, and these words are in what it said about it.
fn assert_fails(ended: &Ended, words: &[&str]) {
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for word in words {
        assert!(ended.err.contains(word), "{word} is not in: {}", ended.err);
    }
    assert!(ended.out.is_empty(), "{}", ended.out);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_and_tenants_are_made_listed_and_proved_by_commands() {
    let database = Database::empty().await;
    let place = Workplace::on(&database);
    for line in ["verify", "tenants list", "tenants create initech"] {
        let unprepared = quickstart(&place, line).await;
        assert_fails(&unprepared, &["the registry of tenants", "`migrate`"]);
    }
    assert_success(&quickstart(&place, "migrate").await);
    assert_success(&quickstart(&place, "verify").await);

    // All that serving needs is there, seeds included.
    let seeds = quickstart(&place, "tenants list").await;
    assert_eq!(seeds.out.lines().count(), 3, "{}", seeds.out);
    let bare = Workplace::new();
    let url = database.app_url();
    let app_only = [("TENANCY_DATABASE_URL", &*url)];
    let app = bare.serve("quickstart", &app_only).await;
    assert_eq!(app.tenant(A).get("/todos").await.status, 200);
    assert_success(&app.stop("TERM").await);
    let line = ["tenants", "create", "initech"];
    let refused = bare.run("quickstart", &line, &app_only).await;
    assert_fails(&refused, &["error: TENANCY_OWNER_DATABASE_URL: is not set"]);
    let created = quickstart(&place, "tenants create initech --name Initech --plan pro").await;
    assert_success(&created);
    let list = quickstart(&place, "tenants list").await;
    assert_success(&list);
    let rows: Vec<Vec<&str>> = list
        .out
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let start = |slug: &str| {
        let row = rows.iter().find(|row| row[0] == slug);
        row.unwrap_or_else(|| panic!("{}", list.out))[..4].join(" ")
    };
    assert_eq!(start("slug"), "slug status isolation plan");
    assert_eq!(start(A), "acme-corp active schema -");
    assert_eq!(start(B), "globex active rls -");
    assert_eq!(start("initech"), "initech active rls pro");
    assert_success(&quickstart(&place, "verify").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_suspended_by_command_is_kept_out_of_the_next_start() {
    let database = Database::empty().await;
    let place = Workplace::on(&database);
    assert_success(&place.serve("quickstart", &[]).await.stop("TERM").await);
    for (command, status) in [("suspend", 403), ("activate", 200)] {
        let done = quickstart(&place, &format!("tenants {command} {A}")).await;
        assert_success(&done);
        let app = place.serve("quickstart", &[]).await;
        assert_eq!(app.tenant(A).get("/todos").await.status, status);
        assert_eq!(app.tenant(B).get("/todos").await.status, 200);
        assert_success(&app.stop("TERM").await);
    }
    let unknown = quickstart(&place, "tenants suspend nobody-here").await;
    assert_fails(&unknown, &["error: "]);
    let again = quickstart(&place, &format!("tenants create {A}")).await;
    assert_fails(&again, &[A]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_away_defence_is_named_and_nothing_is_served() {
    let database = Database::empty().await;
    let place = Workplace::on(&database);
    assert_success(&place.serve("quickstart", &[]).await.stop("TERM").await);
    let sabotage = "ALTER TABLE shared.todos NO FORCE ROW LEVEL SECURITY";
    database.sabotage(sabotage).await;
    // With the statement that mends it.
    let mend = "ALTER TABLE \"shared\".\"todos\" FORCE ROW LEVEL SECURITY";
    for command in ["verify", "serve"] {
        assert_fails(&quickstart(&place, command).await, &[mend]);
    }
    database.owner.batch_execute(mend).await.unwrap();
    assert_success(&quickstart(&place, "verify").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn help_names_every_variable_and_needs_no_configuration() {
    let place = Workplace::new();
    let broken = [("TENANCY_POOL_SIZE", "many")];
    let help = place.run("quickstart", &["--help"], &broken).await;
    assert_success(&help);
    for variable in tenancy::config::variables() {
        assert!(help.out.contains(variable.name), "{}", help.out);
        assert!(help.out.contains(variable.what), "{}", help.out);
    }
    for command in ["serve", "migrate", "verify", "tenants"] {
        assert!(help.out.contains(&format!("\n  {command} ")));
    }
    let version = quickstart(&place, "--version").await;
    assert_eq!(version.out, "quickstart 0.1.0\n");
    let wrong = quickstart(&place, "tenants lst").await;
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.err.contains("'list'"), "{}", wrong.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_wrong_with_the_configuration_is_said_in_one_go() {
    let place = Workplace::new();
    let wrong = [
        ("TENANCY_DATABSE_URL", "postgres://app:hunter2@localhost/a"),
        ("TENANCY_OWNER_DATABASE_URL", "mysql://o:hunter2@localhost"),
        ("TENANCY_LISTEN", "8000"),
        ("TENANCY_POOL_SIZE", "0"),
        ("TENANCY_SHUTDOWN_TIMEOUT", ""),
    ];
    let ended = place.run("quickstart", &[], &wrong).await;
    assert_fails(&ended, &["did you mean TENANCY_DATABASE_URL?"]);
    let lines = ended.err.lines().filter(|line| line.starts_with("  - "));
    for (name, _) in wrong {
        let about = |line: &&str| line.starts_with(&format!("  - {name}: "));
        assert!(lines.clone().any(|line| about(&line)), "{}", ended.err);
    }
    assert!(!ended.err.contains("hunter2"), "{}", ended.err);
    assert!(!place.path().join(".tenancy").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_is_taken_is_an_error_with_a_remedy() {
    let place = Workplace::new();
    let first = place.serve("hello-tenant", &[]).await;
    let address = first.address.to_string();
    let taken = [("TENANCY_LISTEN", address.as_str())];
    let second = place.run("hello-tenant", &[], &taken).await;
    assert_fails(&second, &["TENANCY_LISTEN", &address, "free address"]);
    assert_success(&first.stop("TERM").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_on_tenants_that_only_memory_holds_is_refused() {
    let place = Workplace::new();
    for line in [
        "tenants list",
        "tenants create initech",
        "tenants suspend acme-corp",
    ] {
        let args: Vec<_> = line.split_whitespace().collect();
        let refused = place.run("hello-tenant", &args, &[]).await;
        assert_fails(&refused, &["in the memory of the process that serves"]);
    }
}
