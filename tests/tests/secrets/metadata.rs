//! Secrets in the metadata of tenants: sealed wherever they are stored, open in the
//! application's settings, and shown to nobody.

use integration::database::Database;
use integration::http::{Login, Served, start};
use integration::process::Workplace;
use integration::servers::Redis;
use serde::Deserialize;
use serde_json::json;
use tenancy::Strategy;
use tenancy::admin::OpenGuard;
use tenancy::prelude::*;
use tenancy::secrets::{ExposeSecret as _, Rotation, SecretSetting};
use tenancy::tenant::Slug;

use super::{A, B, key};

const MAIL: &str = "initech";
const TENANTS: &str = "/admin/tenants";

/// What is kept with each tenant.
#[derive(Debug, Deserialize)]
struct Settings {
    #[serde(default)]
    theme: String,
    smtp: Option<Smtp>,
    #[serde(default)]
    hooks: Vec<Hook>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind")]
enum Smtp {
    Login { password: SecretSetting },
}

#[derive(Debug, Deserialize)]
struct Hook {
    url: String,
    key: SecretSetting,
}

#[tenant_handler(get, "/mail")]
async fn mail(config: TenantConfig<Settings>) -> Json<Value> {
    let settings = config.settings();
    let Some(Smtp::Login { password }) = &settings.smtp else {
        return Json(Value::Null);
    };
    let hooks = settings.hooks.iter();
    let hooks = hooks.map(|hook| format!("{} {}", hook.url, hook.key.expose_secret()));
    let hooks: Vec<_> = hooks.collect();
    Json(json!({
        "theme": settings.theme, "password": password.expose_secret(), "hooks": hooks,
    }))
}

/// All that can be seen of a tenant by who does not ask for its secrets.
#[tenant_handler(get, "/seen")]
async fn seen(tenant: Tenant, config: TenantConfig<Settings>) -> Result<String> {
    let other = TenantConfig::<Value>::of(&tenant)?;
    let record = serde_json::to_string(&tenant).map_err(Error::internal)?;
    let metadata = serde_json::to_string(&tenant.record().metadata).map_err(Error::internal)?;
    Ok(format!(
        "{config:?} {other:?} {tenant:#?} {record} {metadata}"
    ))
}

fn app(strategy: Strategy) -> App {
    super::app(strategy)
        .settings::<Settings>()
        .admin(OpenGuard::default())
        .route::<mail>()
        .route::<seen>()
}

fn settings(password: &str) -> Value {
    json!({
        "theme": "dark",
        "smtp": {"kind": "Login", "password": {"$secret": password}},
        "hooks": [{"url": "a", "key": {"$secret": "key of a"}}],
    })
}

fn tenant(slug: &str, password: &str) -> NewTenant {
    let new = NewTenant::new(slug).expect("a slug");
    new.metadata(settings(password))
}

fn slug(text: &str) -> Slug {
    text.parse().expect("a slug")
}

/// Nothing is remembered, so that what others change is seen at once.
async fn open(database: &Database, strategy: Strategy, login: Login, ring: &str) -> Result<Served> {
    let vars = [
        ("TENANCY_ENCRYPTION_KEY", ring),
        ("TENANCY_CACHE_ENABLED", "false"),
    ];
    start(app(strategy), database, login, &vars).await
}

async fn password(shop: &Served, slug: &str) -> Value {
    shop.tenant(slug).get("/mail").await.json(200)["password"].clone()
}

/// All that is stored of tenants.
async fn dump(database: &Database) -> String {
    let sql = "SELECT string_agg(t::text, ' ') FROM tenancy.tenants t";
    database.value(sql).await
}

fn shows_nothing(text: &str) {
    // As it is, in base64 and in hexadecimal.
    for secret in ["hunter", "key of a", "aHVudGVy", "68756e746572"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_in_metadata_is_stored_sealed_and_opens_for_its_tenant() {
    for (strategy, standby) in [
        (Strategy::Rls, "0"),
        (Strategy::Schema, "0"),
        (Strategy::Schema, "1"),
        (Strategy::Database, "0"),
        (Strategy::Database, "1"),
    ] {
        let database = Database::empty().await;
        let ring = key("a");
        let vars = [
            ("TENANCY_ENCRYPTION_KEY", &*ring),
            ("TENANCY_STANDBY", standby),
        ];
        let shop = Served::start(app(strategy), &database, &vars).await;
        let provisioner = shop.tenancy.provisioner();
        provisioner.refill().await.unwrap();
        let made = provisioner.provision(tenant(MAIL, "hunter2")).await;
        shows_nothing(&format!("{:?} {made:?}", tenant(MAIL, "hunter2")));
        provisioner
            .provision(tenant("hooli", "hunter3"))
            .await
            .unwrap();
        let told = json!({"theme": "dark", "password": "hunter2", "hooks": ["a key of a"]});
        assert_eq!(shop.tenant(MAIL).get("/mail").await.json(200), told);
        assert_eq!(password(&shop, "hooli").await, "hunter3");
        assert_eq!(shop.tenant(A).get("/mail").await.json(200), json!(null));
        let stored = dump(&database).await;
        assert_eq!(stored.matches("sealed").count(), 4, "{stored}");
        shows_nothing(&stored);
        let seen = shop.tenant(MAIL).get("/seen").await.text();
        assert!(seen.contains("dark"), "{seen}");
        shows_nothing(&seen);
        assert!(shop.tenancy.verify().await.unwrap().is_empty());

        // By whatever name, and as long as it is there.
        provisioner
            .rename(&slug(MAIL), &slug("umbrella"))
            .await
            .unwrap();
        assert_eq!(password(&shop, "umbrella").await, "hunter2");
        let needed = "SELECT count(*) FROM tenancy.metadata_keys";
        assert_eq!(database.value::<i64>(needed).await, 2);
        provisioner.delete(&slug("umbrella")).await.unwrap();
        provisioner.destroy(&slug("umbrella")).await.unwrap();
        assert_eq!(database.value::<i64>(needed).await, 1);
        provisioner
            .set_metadata(&slug("hooli"), json!({}))
            .await
            .unwrap();
        assert_eq!(database.value::<i64>(needed).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_database_keeps_secrets_in_metadata_as_well() {
    let ring = key("a");
    let vars = [("TENANCY_ENCRYPTION_KEY", &*ring)];
    let app = app(Strategy::Rls).seed_tenant(tenant(MAIL, "hunter2"));
    let shop = Served::embedded(app, &vars).await;
    assert_eq!(password(&shop, MAIL).await, "hunter2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_operators_see_and_write_back_shows_no_secret_and_loses_none() {
    let database = Database::empty().await;
    let ring = key("a");
    let shop = open(&database, Strategy::Rls, Login::Both, &ring)
        .await
        .unwrap();
    let operator = shop.nobody();
    let path = format!("{TENANTS}/{MAIL}");
    let new = json!({"identifier": MAIL, "metadata": settings("hunter2")});
    let made = operator.post(TENANTS, new).await.json(201);
    let none = json!({"$secret": null});
    assert_eq!(made["metadata"]["smtp"]["password"], none);
    assert_eq!(made["metadata"]["hooks"][0]["key"], none);
    let listed = operator.get(TENANTS).await.json(200);
    shows_nothing(&format!("{made} {listed}"));
    assert!(!listed.to_string().contains("sealed"), "{listed}");

    // Read, edited and written back.
    let mut metadata = operator.get(&path).await.json(200)["metadata"].clone();
    metadata["theme"] = json!("light");
    let changed = operator.patch(&path, json!({"metadata": metadata})).await;
    assert_eq!(changed.json(200)["metadata"], metadata);
    let told = json!({"theme": "light", "password": "hunter2", "hooks": ["a key of a"]});
    assert_eq!(shop.tenant(MAIL).get("/mail").await.json(200), told);
    metadata["smtp"]["password"] = json!({"$secret": "hunter3"});
    let changed = operator.patch(&path, json!({"metadata": metadata})).await;
    shows_nothing(&changed.json(200).to_string());
    let told = json!({"theme": "light", "password": "hunter3", "hooks": ["a key of a"]});
    assert_eq!(shop.tenant(MAIL).get("/mail").await.json(200), told);

    // What is in the way of a secret is refused, without a word of it.
    let stored = shop.tenancy.provisioner().find(&slug(MAIL)).await.unwrap();
    let sealed = stored.unwrap().metadata["smtp"]["password"].clone();
    let before = dump(&database).await;
    for (place, wrong, said) in [
        (
            "/smtp/password",
            json!("hunter4"),
            "write it as {\\\"$secret\\\": \\\"…\\\"}",
        ),
        (
            "/smtp/password",
            json!({"$secret": 4}),
            "the secret `/smtp/password` is none",
        ),
        (
            "/smtp/password",
            json!({"$secret": "hunter4", "a": 1}),
            "is none",
        ),
        (
            "/smtp/password",
            sealed,
            "the secret `/smtp/password` is none",
        ),
        ("/theme", none.clone(), "the secret `/theme` is to stay"),
        (
            "/theme",
            json!({"$secret": "hunter4"}),
            "`theme`: invalid type",
        ),
        (
            "/hooks/0/url",
            json!("elsewhere"),
            "in a list that has changed",
        ),
    ] {
        let mut metadata = operator.get(&path).await.json(200)["metadata"].clone();
        *metadata.pointer_mut(place).unwrap() = wrong;
        let refused = operator.patch(&path, json!({"metadata": metadata})).await;
        assert_eq!(refused.problem(422), "invalid_input");
        let text = refused.text();
        assert!(text.contains(said), "{said}: {text}");
        shows_nothing(&text);
    }
    assert_eq!(dump(&database).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sealed_value_that_is_moved_does_not_open() {
    let database = Database::empty().await;
    let ring = key("a");
    let shop = open(&database, Strategy::Rls, Login::Both, &ring)
        .await
        .unwrap();
    let provisioner = shop.tenancy.provisioner();
    for (name, secret) in [(MAIL, "hunter2"), ("hooli", "hunter3")] {
        provisioner.provision(tenant(name, secret)).await.unwrap();
    }
    let at = "'{smtp,password}'";
    let of = |slug: &str, place: &str| {
        format!("(SELECT metadata #> {place} FROM tenancy.tenants WHERE slug = '{slug}')")
    };
    let stored = format!("SELECT {}::text", of(MAIL, at));
    let stored: String = database.value(&stored).await;
    for (moved, why) in [
        (of("hooli", at), "another tenant's"),
        (of(MAIL, "'{hooks,0,key}'"), "of another field"),
        ("'{\"$secret\": \"hunter2\"}'::jsonb".to_owned(), "in plain"),
    ] {
        let put = |value: &str| {
            format!(
                "UPDATE tenancy.tenants SET metadata = jsonb_set(metadata, {at}, {value}) \
                 WHERE slug = '{MAIL}'"
            )
        };
        database.sabotage(&put(&moved)).await;
        let refused = shop.tenant(MAIL).get("/mail").await;
        assert_eq!(refused.problem(500), "internal", "{why}");
        shows_nothing(&refused.text());
        let (admitted, _) = shop.tenancy.tenant(&slug(MAIL)).await.unwrap();
        let said = TenantConfig::<Settings>::of(&admitted)
            .unwrap_err()
            .to_string();
        let about = "the secret `/smtp/password` in the metadata of the tenant `initech`";
        assert!(said.contains(about), "{said}");
        let problems = shop.tenancy.verify().await.unwrap();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(problems[0].about(), about);
        // Nobody else is hurt, and neither is who does not ask for it.
        assert_eq!(password(&shop, "hooli").await, "hunter3");
        assert!(TenantConfig::<Value>::of(&admitted).is_ok());
        // The twin: where it was, it opens.
        database.sabotage(&put(&format!("'{stored}'"))).await;
        assert_eq!(password(&shop, MAIL).await, "hunter2");
    }
}

/// So many levels, the innermost of which is this.
fn nested(levels: usize, innermost: Value) -> Value {
    (1..levels).fold(innermost, |inner, _| json!({ "a": inner }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_is_stored_as_deep_as_it_can_be_read_again_and_no_deeper() {
    let database = Database::empty().await;
    let ring = key("a");
    let vars = [("TENANCY_ENCRYPTION_KEY", &*ring)];
    let shop = Served::start(super::app(Strategy::Rls), &database, &vars).await;
    let (provisioner, slug) = (shop.tenancy.provisioner(), slug(A));
    let secret = json!({"$secret": "hunter2"});
    let set = provisioner.set_metadata(&slug, nested(64, secret.clone()));
    let shown = set.await.unwrap().metadata.shown();
    assert_eq!(shown, nested(64, json!({"$secret": null})));
    // Given back as it is shown, and read by all who read it.
    provisioner.set_metadata(&slug, shown).await.unwrap();
    let (admitted, _) = shop.tenancy.tenant(&slug).await.unwrap();
    let config = TenantConfig::<Value>::of(&admitted).unwrap();
    let (mut settings, mut levels) = (config.settings(), 0);
    while let Some(inner) = settings.get("a") {
        (settings, levels) = (inner, levels + 1);
    }
    assert_eq!(levels, 63);
    for innermost in [secret, json!({}), json!([])] {
        let refused = provisioner.set_metadata(&slug, nested(65, innermost)).await;
        let Err(Error::InvalidInput(said)) = refused else {
            panic!("{refused:?}");
        };
        assert!(said.contains("more than 64 levels"), "{said}");
        shows_nothing(&said);
    }
    assert!(provisioner.find(&slug).await.unwrap().is_some());
    provisioner.list(None, 10).await.unwrap();
    assert!(shop.tenancy.verify().await.unwrap().is_empty());
    // The twin: were it stored, nobody could read it.
    let put = |levels: usize| {
        let sealed = json!({"$secret": {"key": "a", "sealed": ""}});
        let metadata = nested(levels, sealed);
        format!("UPDATE tenancy.tenants SET metadata = '{metadata}' WHERE slug = '{A}'")
    };
    database.sabotage(&put(127)).await;
    provisioner.find(&slug).await.unwrap_err();
    database.sabotage(&put(64)).await;
    assert!(provisioner.find(&slug).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verify_names_every_secret_that_does_not_open_whatever_the_settings_ask_for() {
    let database = Database::empty().await;
    let ring = key("a");
    // It names no type of its settings, and handlers may read any.
    let app = super::app(Strategy::Rls).seed_tenant(tenant(MAIL, "hunter2"));
    let vars = [("TENANCY_ENCRYPTION_KEY", &*ring)];
    let shop = Served::start(app, &database, &vars).await;
    // The twin: as long as they open, there is nothing to name.
    assert!(shop.tenancy.verify().await.unwrap().is_empty());
    let swapped = format!(
        "UPDATE tenancy.tenants SET metadata = jsonb_set(jsonb_set(metadata, \
         '{{smtp,password}}', metadata #> '{{hooks,0,key}}'), \
         '{{hooks,0,key}}', metadata #> '{{smtp,password}}') WHERE slug = '{MAIL}'"
    );
    database.sabotage(&swapped).await;
    let problems = shop.tenancy.verify().await.unwrap();
    let about: Vec<_> = problems
        .iter()
        .map(tenancy::problem::Problem::about)
        .collect();
    let of = |place: &str| format!("the secret `{place}` in the metadata of the tenant `{MAIL}`");
    assert_eq!(about, [of("/hooks/0/key"), of("/smtp/password")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_processes_share_of_a_tenant_has_its_secrets_sealed() {
    let (database, redis) = (Database::empty().await, Redis::start().await);
    let (ring, url) = (key("a"), redis.url());
    let vars = [
        ("TENANCY_ENCRYPTION_KEY", &*ring),
        ("TENANCY_REDIS_URL", &*url),
        ("TENANCY_CACHE_SECOND_LEVEL", "true"),
    ];
    let app = || app(Strategy::Rls).seed_tenant(tenant(MAIL, "hunter2"));
    let one = Served::start(app(), &database, &vars).await;
    let other = Served::start(app(), &database, &vars).await;
    // It is there for half a second, which a busy machine may take for one request.
    let mut shared = None;
    for _ in 0..20 {
        // Longer than anything is remembered, here or there.
        tokio::time::sleep(std::time::Duration::from_millis(1_300)).await;
        assert_eq!(password(&one, MAIL).await, "hunter2");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        assert_eq!(password(&other, MAIL).await, "hunter2");
        for key in redis.keys().await {
            let value = redis.command(&["GET", &key]).await;
            shared = Some(value)
                .filter(|value| value.contains("sealed"))
                .or(shared);
        }
        if shared.is_some() {
            break;
        }
    }
    shows_nothing(&shared.expect("a look-up that is shared"));
}

async fn rotate(shop: &Served) -> Result<Rotation> {
    shop.tenancy.secrets()?.rotate(|_, _| {}).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_metadata_rotate_while_everybody_serves_and_are_not_forgotten_before() {
    let database = Database::empty().await;
    let (old, new) = (key("old"), key("new"));
    let both = format!("{new},{old}");
    let open = async |login, ring: &str| open(&database, Strategy::Rls, login, ring).await;
    let first = open(Login::Both, &format!("{old},{new}")).await.unwrap();
    for (name, secret) in [(MAIL, "hunter2"), ("hooli", "hunter3")] {
        let made = first.tenancy.provisioner().provision(tenant(name, secret));
        made.await.unwrap();
    }
    // The twin: too early, and what the old key sealed would be lost.
    for ring in [&*new, ""] {
        let vars = [("TENANCY_ENCRYPTION_KEY", ring)];
        let vars = if ring.is_empty() { &[][..] } else { &vars };
        let refused = start(app(Strategy::Rls), &database, Login::App, vars).await;
        let refused = refused.err().expect("no start").to_string();
        assert!(refused.contains("has no key `old`"), "{refused}");
    }
    // Only the owner changes metadata.
    let without = open(Login::App, &both).await.unwrap();
    let rotation = rotate(&without).await.unwrap();
    assert_eq!((rotation.rewritten, rotation.problems.len()), (0, 2));
    let said = rotation.problems[0].to_string();
    assert!(said.contains("TENANCY_OWNER_DATABASE_URL"), "{said}");
    assert_eq!(rotation.in_use, [("old".to_owned(), 4)].into());
    assert!(rotation.forgotten.is_empty(), "{:?}", rotation.forgotten);

    let second = open(Login::Both, &both).await.unwrap();
    let in_use = second
        .tenancy
        .secrets()
        .unwrap()
        .keys_in_use()
        .await
        .unwrap();
    assert_eq!(in_use, [("old".to_owned(), 4)].into());
    let rotation = rotate(&second).await.unwrap();
    assert_eq!((rotation.rewritten, rotation.problems.len()), (4, 0));
    assert_eq!(rotation.in_use, [("new".to_owned(), 4)].into());
    assert_eq!(rotation.forgotten, ["old"]);
    for shop in [&first, &second, &without] {
        assert_eq!(password(shop, MAIL).await, "hunter2");
    }
    // A straggler that still has the old key first puts it back on the list.
    let late = first.tenancy.provisioner();
    late.set_metadata(&slug(MAIL), settings("hunter4"))
        .await
        .unwrap();
    assert!(open(Login::App, &new).await.is_err());
    let forget = "DELETE FROM tenancy.secret_keys WHERE id = 'old'";
    let refused = database.owner.batch_execute(forget).await.unwrap_err();
    let refused = refused.as_db_error().unwrap().message().to_owned();
    assert!(refused.contains("metadata_keys"), "{refused}");
    assert_eq!(rotate(&second).await.unwrap().forgotten, ["old"]);
    let after = open(Login::App, &new).await.unwrap();
    assert_eq!(password(&after, MAIL).await, "hunter4");
    // The twin: were its key not noted, it would be gone with the list.
    late.set_metadata(&slug(MAIL), settings("hunter5"))
        .await
        .unwrap();
    let sabotage = format!("DELETE FROM tenancy.metadata_keys; {forget}");
    database.owner.batch_execute(&sabotage).await.unwrap();
    let lost = open(Login::App, &new).await.unwrap();
    assert_eq!(
        lost.tenant(MAIL).get("/mail").await.problem(500),
        "internal"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_old_key_seals_while_it_is_forgotten_is_there_afterwards() {
    let database = Database::empty().await;
    let (old, new) = (key("old"), key("new"));
    let open = async |ring: &str| open(&database, Strategy::Rls, Login::Both, ring).await;
    let writing = open(&format!("{old},{new}")).await.unwrap();
    let rotating = open(&format!("{new},{old}")).await.unwrap();
    let provisioner = writing.tenancy.provisioner();
    provisioner
        .provision(tenant(MAIL, "hunter0"))
        .await
        .unwrap();
    let write = async {
        let mut written = 0_u32;
        while written < 60 {
            let secret = format!("hunter{written}");
            match provisioner
                .set_metadata(&slug(MAIL), settings(&secret))
                .await
            {
                Ok(_) => {
                    assert_eq!(password(&writing, MAIL).await, *secret);
                    written += 1;
                }
                // Its key was taken off the list in this very moment.
                Err(Error::Unavailable(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    };
    let mut forgotten = 0;
    let rotating_on = async {
        loop {
            let rotation = rotate(&rotating).await.unwrap();
            assert!(rotation.problems.is_empty(), "{:?}", rotation.problems);
            // What is needed is on the list, at any moment.
            let lost = "SELECT count(*) FROM tenancy.tenants t, \
                 jsonb_path_query(t.metadata, '$.**.\"$secret\".key') AS k (id) \
                 WHERE NOT EXISTS (SELECT FROM tenancy.secret_keys s WHERE s.id = k.id #>> '{}')";
            assert_eq!(database.value::<i64>(lost).await, 0);
            if rotation.forgotten == ["old"] {
                forgotten += 1;
            }
        }
    };
    tokio::select! {
        () = write => {}
        () = rotating_on => {}
    }
    assert!(forgotten > 0, "the old key was never taken off the list");
    let rotation = rotate(&rotating).await.unwrap();
    assert_eq!(rotation.in_use, [("new".to_owned(), 2)].into());
    let after = open(&new).await.unwrap();
    assert_eq!(password(&after, MAIL).await, "hunter59");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_keys_no_secret_is_stored() {
    let database = Database::empty().await;
    let plain = || super::app(Strategy::Rls).settings::<Settings>();
    let shop = Served::start(plain(), &database, &[]).await;
    let memory = App::new("memory", "1.0.0")
        .membership(tenancy::admit::Gateway)
        .seed(A);
    let memory = Served::in_memory(memory, &[]).await;
    for shop in [&shop, &memory] {
        let provisioner = shop.tenancy.provisioner();
        for refused in [
            provisioner.provision(tenant(MAIL, "hunter2")).await,
            provisioner
                .set_metadata(&slug(A), settings("hunter2"))
                .await,
        ] {
            let Err(Error::InvalidInput(said)) = refused else {
                panic!("{refused:?}");
            };
            assert!(
                said.contains("cannot be kept: TENANCY_ENCRYPTION_KEY"),
                "{said}"
            );
            assert!(said.contains("secrets generate-key"), "{said}");
            shows_nothing(&said);
        }
        assert!(provisioner.find(&slug(MAIL)).await.unwrap().is_none());
    }
    shows_nothing(&dump(&database).await);
    let seeded = plain().seed_tenant(tenant(MAIL, "hunter2"));
    let refused = start(seeded, &database, Login::Both, &[]).await;
    let refused = refused.err().expect("no start").to_string();
    assert!(refused.contains("cannot be kept"), "{refused}");
    // The twin: with one it is, and opens.
    let ring = key("a");
    let seeded = plain().route::<mail>().seed_tenant(tenant(MAIL, "hunter2"));
    let vars = [("TENANCY_ENCRYPTION_KEY", &*ring)];
    let shop = start(seeded, &database, Login::Both, &vars).await.unwrap();
    assert_eq!(password(&shop, MAIL).await, "hunter2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_take_secrets_from_the_standard_input_and_show_none() {
    let database = Database::empty().await;
    let place = Workplace::on(&database);
    let migrated = place.run("quickstart", &["migrate"], &[]).await;
    assert_eq!(migrated.code, Some(0), "{}", migrated.err);
    let ring = key("a");
    let vars = [("TENANCY_ENCRYPTION_KEY", &*ring)];
    let given = settings("hunter2").to_string();
    let run = async |args: &[&str], input: &str, code: i32| {
        let ended = place.run_fed("quickstart", args, &vars, input).await;
        assert_eq!(ended.code, Some(code), "{args:?}: {}", ended.err);
        let said = format!("{}{}", ended.out, ended.err);
        shows_nothing(&said);
        said
    };
    let create = ["tenants", "create", MAIL, "--metadata"];
    let said = run(&[&create[..], &[&given]].concat(), "", 1).await;
    assert!(said.contains("seen by every process"), "{said}");
    let broken = given.trim_end_matches('}');
    let said = run(&["tenants", "metadata", B, broken], "", 1).await;
    assert!(said.contains("is no JSON"), "{said}");
    run(&[&create[..], &["-"]].concat(), &given, 0).await;
    run(&["tenants", "metadata", B, "-"], &given, 0).await;
    run(&["tenants", "list"], "", 0).await;
    // What is stored may be kept in as many words.
    let kept = r#"{"theme": "light", "smtp": {"password": {"$secret": null}}}"#;
    run(&["tenants", "metadata", B, kept], "", 0).await;
    let counted = run(&["secrets", "keys"], "", 0).await;
    assert!(counted.contains("3 secrets"), "{counted}");
    let stored = dump(&database).await;
    assert!(
        stored.contains("light") && stored.contains("sealed"),
        "{stored}"
    );
    shows_nothing(&stored);
}
