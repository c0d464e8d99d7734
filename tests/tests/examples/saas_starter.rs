//! `saas-starter`: posts of tenants that signed tokens name, with limits and a
//! trail, first as it starts with nothing installed.

use integration::curl;
use integration::database::Database;
use integration::process::{Served, Workplace};
use serde_json::Value;

use super::{A, B, assert_success};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_lead_to_posts_and_the_trail_in_the_database_inside() {
    publish_and_read(&Workplace::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_lead_to_posts_and_the_trail_on_a_server() {
    let database = Database::empty().await;
    publish_and_read(&Workplace::on(&database)).await;
}

async fn publish_and_read(place: &Workplace) {
    let starter = Starter::serve(place, &[]).await;
    let tokens = [starter.token(A).await, starter.token(B).await];
    let [_health, make, read, write, trail] = &starter.app.hints()[..] else {
        panic!("{:?}", starter.app.hints());
    };
    assert!(make.contains("generate_token acme-corp"), "{make}");
    let none = starter.follow(read, &tokens[0]).await;
    assert_eq!(none, (200, Value::Array(Vec::new())));
    let (status, post) = starter.follow(write, &tokens[0]).await;
    assert_eq!((status, &post["title"]), (201, &"Hello SaaS!".into()));
    let (_, posts) = starter.follow(read, &tokens[0]).await;
    assert_eq!(posts[0], post);
    let (_, entries) = starter.follow(trail, &tokens[0]).await;
    let [entry] = &entries.as_array().expect("entries")[..] else {
        panic!("{entries}");
    };
    assert_eq!(entry["action"], "publish");
    assert_eq!(
        (&entry["actor"], &entry["detail"]["id"]),
        (&"ada".into(), &post["id"])
    );
    // The other tenant sees neither.
    for hint in [read, trail] {
        let none = starter.follow(hint, &tokens[1]).await;
        assert_eq!(none, (200, Value::Array(Vec::new())));
    }
    let forged = format!("{}x", tokens[0]);
    let (status, refused) = starter.follow(read, &forged).await;
    assert_eq!((status, &refused["code"]), (401, &"invalid_token".into()));
    let nobody = starter.app.nobody().get("/posts").await;
    assert_eq!(nobody.problem(401), "invalid_token");
    // Sixty posts a minute, of which one is there.
    let mut statuses = Vec::new();
    for _ in 0..60 {
        statuses.push(starter.follow(write, &tokens[0]).await.0);
    }
    assert_eq!(statuses.pop(), Some(429));
    assert!(statuses.iter().all(|status| *status == 201), "{statuses:?}");
    assert_success(&starter.app.stop("TERM").await);
}

/// The application, and who makes tokens for it.
pub(super) struct Starter<'a> {
    place: &'a Workplace,
    vars: &'a [(&'a str, &'a str)],
    pub(super) app: Served,
}

impl<'a> Starter<'a> {
    pub(super) async fn serve(place: &'a Workplace, vars: &'a [(&'a str, &'a str)]) -> Self {
        let app = place.serve("saas-starter", vars).await;
        Self { place, vars, app }
    }

    pub(super) async fn token(&self, tenant: &str) -> String {
        let words = [tenant];
        let made = self.place.run("generate_token", &words, self.vars).await;
        assert_success(&made);
        made.out.trim().to_owned()
    }

    /// Sends what a hint says, with a token in the place of the shell's variable.
    pub(super) async fn follow(&self, hint: &str, token: &str) -> (u16, Value) {
        let said = "\"Authorization: Bearer $TOKEN\"";
        assert!(hint.contains(said), "{hint}");
        let line = hint.replace(said, &format!("'Authorization: Bearer {token}'"));
        let (status, body) = curl::run(&line).await;
        (status, serde_json::from_str(&body).expect("JSON"))
    }
}
