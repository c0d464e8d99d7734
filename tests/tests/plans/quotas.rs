use std::time::Duration;

use futures_util::future::join_all;
use integration::database::Database;
use integration::http::{Answer, Login, Served, start};
use integration::wire::Wire;
use serde_json::json;
use tenancy::admit::Gateway;
use tenancy::plan::{QuotaLimit, Usage};
use tenancy::prelude::*;
use tenancy::{Isolation, Strategy};

use super::{A, B, slug};
use crate::quotas;

/// Who counts.
#[tenant_model(quota = "users")]
pub struct Member {
    /// The key.
    pub id: Uuid,
    /// Unique for the tenant.
    #[column(unique)]
    pub name: String,
}

/// The same table, before anybody thought of counting.
mod before {
    use tenancy::prelude::*;

    /// Who does not count.
    #[tenant_model]
    pub struct Member {
        /// The key.
        pub id: Uuid,
        /// Unique for the tenant.
        #[column(unique)]
        pub name: String,
    }

    #[tenant_handler(post, "/members")]
    pub(super) async fn add(
        mut db: TenantConn,
        Json(new): Json<NewMember>,
    ) -> Result<Json<Member>> {
        Ok(Json(new.insert(&mut db).await?))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Plans)]
enum Size {
    #[plan(default, quotas(users = 10))]
    Small,
    #[plan(quotas(users = 12))]
    Large,
    #[plan(quotas(users = unlimited))]
    Endless,
}

#[tenant_handler(post, "/members")]
async fn add(mut db: TenantConn, Json(new): Json<NewMember>) -> Result<(StatusCode, Json<Member>)> {
    Ok((StatusCode::CREATED, Json(new.insert(&mut db).await?)))
}

/// Several at once, or none.
#[tenant_handler(post, "/members/batch")]
async fn batch(mut db: TenantConn, Json(new): Json<Vec<NewMember>>) -> Result<Json<usize>> {
    let added = diesel::insert_into(members::table).values(&new);
    Ok(Json(added.execute(&mut db).await?))
}

/// In SQL of its own.
#[tenant_handler(post, "/members/raw")]
async fn raw(mut db: TenantConn) -> Result<Json<usize>> {
    let sql = "INSERT INTO \"tenant\".members (name) VALUES ('raw')";
    Ok(Json(diesel::sql_query(sql).execute(&mut db).await?))
}

/// Adds one and thinks better of it.
#[tenant_handler(post, "/members/undone")]
async fn undone(mut db: TenantConn) -> Result<Json<u64>> {
    let outcome: Result<()> = db
        .transaction(async |conn| {
            let new = "INSERT INTO \"tenant\".members (name) VALUES ('undone')";
            diesel::sql_query(new).execute(conn).await?;
            Err(Error::Conflict(
                conn.usage(quotas::users).await?.used.to_string(),
            ))
        })
        .await;
    let Err(Error::Conflict(within)) = outcome else {
        return Err(Error::internal("it was to be undone"));
    };
    Ok(Json(within.parse().map_err(Error::internal)?))
}

#[tenant_handler(delete, "/members/{name}")]
async fn remove(Path(name): Path<String>, mut db: TenantConn) -> Result<Json<usize>> {
    let gone = diesel::delete(members::table.filter(members::name.eq(name)));
    Ok(Json(gone.execute(&mut db).await?))
}

/// What is used, what may be, and what there is.
#[tenant_handler(get, "/usage")]
async fn usage(config: TenantConfig, mut db: TenantConn) -> Result<Json<Value>> {
    let Usage { used, limit } = db.usage(quotas::users).await?;
    let rows: i64 = members::table.count().get_result(&mut db).await?;
    if config.quota(quotas::users) != Some(limit) {
        return Err(Error::internal("the plan says otherwise"));
    }
    let limit = limit.most();
    Ok(Json(json!({ "used": used, "limit": limit, "rows": rows })))
}

fn bare(isolation: Isolation) -> App {
    App::new("seats", "1.0.0")
        .isolation(isolation)
        .membership(Gateway)
        .seed(A)
        .seed(B)
}

fn app(strategy: Strategy) -> App {
    bare(Isolation::single(strategy))
        .plans::<Size>()
        .model::<Member>()
        .route::<add>()
        .route::<batch>()
        .route::<raw>()
        .route::<undone>()
        .route::<remove>()
        .route::<usage>()
}

const STRATEGIES: [Strategy; 3] = [Strategy::Rls, Strategy::Schema, Strategy::Database];

async fn usage_of(served: &Served, tenant: &str) -> [Value; 3] {
    let said = served.tenant(tenant).get("/usage").await.json(200);
    ["used", "limit", "rows"].map(|name| said[name].clone())
}

async fn add_one(served: &Served, tenant: &str, name: &str) -> Answer {
    let member = json!({ "name": name });
    served.tenant(tenant).post("/members", member).await
}

/// Adds so many at once, in turn by each process; how many came in.
async fn storm(served: [&Served; 2], tenant: &str, count: usize) -> usize {
    let names: Vec<_> = (0..count).map(|_| Uuid::now_v7().to_string()).collect();
    let one = names
        .iter()
        .enumerate()
        .map(|(at, name)| add_one(served[at % 2], tenant, name));
    let answers = join_all(one).await;
    for refused in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!(refused.problem(409), "quota_exceeded");
    }
    answers.iter().filter(|answer| answer.status == 201).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_many_come_in_as_the_plan_says_and_not_one_more() {
    for strategy in STRATEGIES {
        let database = Database::empty().await;
        let one = Served::start(app(strategy), &database, &[]).await;
        let other = Served::start(app(strategy), &database, &[]).await;
        assert_eq!(usage_of(&one, A).await, [json!(0), json!(10), json!(0)]);
        assert_eq!(storm([&one, &other], A, 50).await, 10, "{strategy}");
        assert_eq!(usage_of(&one, A).await, [json!(10), json!(10), json!(10)]);
        let refused = add_one(&other, A, "late").await;
        let body = refused.json(409);
        assert_eq!(
            body,
            json!({
                "type": "about:blank", "title": "Conflict", "status": 409,
                "code": "quota_exceeded", "detail": "the quota `users` is used up: 10 of 10",
                "quota": "users", "limit": 10, "usage": 10,
            })
        );
        // One tenant's rows are no other's.
        assert_eq!(usage_of(&one, B).await, [json!(0), json!(10), json!(0)]);
        let five: Vec<_> = (0..5).map(|n| json!({ "name": format!("b{n}") })).collect();
        let six: Vec<_> = (0..6).map(|n| json!({ "name": format!("c{n}") })).collect();
        let b = one.tenant(B);
        assert_eq!(b.post("/members/batch", json!(five)).await.json(200), 5);
        // All of a statement or none of it.
        let refused = b.post("/members/batch", json!(six)).await.json(409);
        assert_eq!(refused["usage"], 5);
        assert_eq!(b.post("/members/raw", json!(null)).await.json(200), 1);
        // What is undone never was, though it counted meanwhile.
        assert_eq!(b.post("/members/undone", json!(null)).await.json(200), 7);
        assert_eq!(usage_of(&other, B).await, [json!(6), json!(10), json!(6)]);
        // A row that is refused otherwise does not count either.
        assert_eq!(add_one(&one, B, "b0").await.problem(409), "conflict");
        // What is removed is given back.
        assert_eq!(b.delete("/members/b0").await.json(200), 1);
        assert_eq!(usage_of(&other, B).await, [json!(5), json!(10), json!(5)]);
        assert_eq!(storm([&one, &other], B, 20).await, 5, "{strategy}");
        assert_eq!(one.tenancy.verify().await.unwrap(), []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_s_limit_is_in_force_at_once_and_one_that_shrinks_takes_nothing_away() {
    for strategy in STRATEGIES {
        let database = Database::empty().await;
        let one = Served::start(app(strategy), &database, &[]).await;
        let other = Served::start(app(strategy), &database, &[]).await;
        assert_eq!(storm([&one, &other], A, 12).await, 10);
        let provisioner = one.tenancy.provisioner();
        provisioner.set_plan(&slug(A), "large").await.unwrap();
        assert_eq!(storm([&other, &other], A, 6).await, 2, "{strategy}");
        provisioner.set_plan(&slug(A), "endless").await.unwrap();
        assert_eq!(storm([&other, &one], A, 6).await, 6);
        let config = one.tenancy.tenant(&slug(A)).await.unwrap();
        let config: TenantConfig = TenantConfig::of(&config.0).unwrap();
        assert_eq!(config.quota(quotas::users), Some(QuotaLimit::Unlimited));
        provisioner.set_plan(&slug(A), "small").await.unwrap();
        assert_eq!(usage_of(&one, A).await, [json!(18), json!(10), json!(18)]);
        let refused = add_one(&other, A, "late").await.json(409);
        assert_eq!(
            (&refused["usage"], &refused["limit"]),
            (&json!(18), &json!(10))
        );
        // The counts go with their tenant.
        provisioner.delete(&slug(A)).await.unwrap();
        let receipt = provisioner.destroy(&slug(A)).await.unwrap();
        assert_eq!(receipt.rows.get("members"), Some(&18), "{receipt:?}");
        let again = provisioner.provision(NewTenant::new(A).unwrap()).await;
        again.unwrap();
        assert_eq!(usage_of(&one, A).await, [json!(0), json!(10), json!(0)]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_application_counts_and_cannot_miscount() {
    for (strategy, schema) in [(Strategy::Rls, "shared"), (Strategy::Schema, "t_")] {
        let database = Database::empty().await;
        let one = Served::start(app(strategy), &database, &[]).await;
        let place = format!(
            "SELECT schemaname::text FROM pg_tables WHERE tablename = 'members' \
             AND schemaname LIKE '{schema}%' AND EXISTS (SELECT FROM tenancy.tenants \
             WHERE schema_name = schemaname AND slug = '{A}')"
        );
        let place = database.value::<String>(&place).await;
        let app_role = database.raw().await;
        for sql in [
            format!("UPDATE {place}.tenancy_quotas SET most = 1000"),
            format!("DELETE FROM {place}.tenancy_quotas"),
            format!("ALTER TABLE {place}.members DISABLE TRIGGER tenancy_count_insert"),
            "SET session_replication_role = replica".to_owned(),
        ] {
            assert!(app_role.batch_execute(&sql).await.is_err(), "{sql}");
        }
        assert_eq!(storm([&one, &one], A, 12).await, 10);

        // The twin: without the trigger more come in, and the start sees to it.
        let off = format!("ALTER TABLE {place}.members DISABLE TRIGGER tenancy_count_insert");
        database.sabotage(&off).await;
        assert_eq!(storm([&one, &one], A, 3).await, 3, "{strategy}");
        assert_eq!(usage_of(&one, A).await, [json!(10), json!(10), json!(13)]);
        let problems = one.tenancy.verify().await.unwrap();
        let said = problems[0].to_string();
        assert!(
            said.contains("is not counted for the quota `users`"),
            "{said}"
        );
        let refused = start(app(strategy), &database, Login::App, &[]).await;
        assert!(refused.is_err(), "it does not start without");
        let again = Served::start(app(strategy), &database, &[]).await;
        assert_eq!(usage_of(&again, A).await, [json!(13), json!(10), json!(13)]);
        assert_eq!(storm([&again, &one], A, 3).await, 0);
        assert_eq!(again.tenancy.verify().await.unwrap(), []);

        // The twin: who counts without waiting for the others counts too few.
        let hasty = format!(
            "CREATE OR REPLACE FUNCTION {place}.tenancy_count() RETURNS trigger LANGUAGE plpgsql \
             SECURITY DEFINER AS $$ BEGIN \
             IF (SELECT count(*) FROM {place}.members) > 15 THEN \
             RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'tenancy_quota', \
             MESSAGE = 'used up', DETAIL = 'users 15 15'; END IF; \
             PERFORM pg_sleep(0.1); RETURN NULL; END $$"
        );
        database.sabotage(&hasty).await;
        let added = storm([&one, &again], A, 30).await;
        assert!(added > 2, "{strategy}: {added}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_there_before_the_quota_is_counted() {
    for strategy in STRATEGIES {
        let database = Database::empty().await;
        let before = bare(Isolation::single(strategy))
            .model::<before::Member>()
            .route::<before::add>();
        let old = Served::start(before, &database, &[]).await;
        for name in ["x", "y", "z"] {
            assert_eq!(add_one(&old, A, name).await.status, 200);
        }
        let new = Served::start(app(strategy), &database, &[]).await;
        assert_eq!(usage_of(&new, A).await, [json!(3), json!(10), json!(3)]);
        assert_eq!(usage_of(&new, B).await, [json!(0), json!(10), json!(0)]);
        assert_eq!(storm([&new, &new], A, 12).await, 7, "{strategy}");
        // Who knows of no quota is held to it.
        assert_eq!(
            add_one(&old, A, "late").await.problem(409),
            "quota_exceeded"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_that_was_made_ahead_has_the_limits_of_who_gets_it() {
    for strategy in [Strategy::Schema, Strategy::Database] {
        let database = Database::empty().await;
        let vars = [("TENANCY_STANDBY", "1")];
        let served = Served::start(app(strategy), &database, &vars).await;
        let provisioner = served.tenancy.provisioner();
        let ready = "SELECT count(*) FROM tenancy.standby WHERE state = 'ready'";
        // Made beside the requests, by whoever is about it first.
        while database.value::<i64>(ready).await == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let new = NewTenant::new("hooli").unwrap().plan("large");
        provisioner.provision(new).await.unwrap();
        let usage = usage_of(&served, "hooli").await;
        assert_eq!(usage, [json!(0), json!(12), json!(0)], "{strategy}");
        assert_eq!(storm([&served, &served], "hooli", 14).await, 12);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counting_costs_no_round_trip() {
    for strategy in [Strategy::Rls, Strategy::Schema] {
        let database = Database::empty().await;
        let served = Served::start(app(strategy), &database, &[]).await;
        let (tenant, _) = served.tenancy.tenant(&slug(A)).await.unwrap();
        let wire = Wire::to(format!("127.0.0.1:{}", database.app.get_ports()[0])).await;
        let pool = database.pool(1, Some(wire.port));
        let locator = tenant.record().locator.clone().unwrap();
        let shared = "shared".parse().unwrap();
        let db = tenancy::__forge::forge(&pool, &shared, tenant.id(), locator).unwrap();
        let mut conn = db.conn().await.unwrap();
        let insert = async |conn: &mut TenantConn, name: &str| {
            let name = name.to_owned();
            NewMember { id: None, name }.insert(conn).await.unwrap();
        };
        insert(&mut conn, "first").await;
        wire.take();
        insert(&mut conn, "second").await;
        assert_eq!(wire.take(), 1, "{strategy}");
        conn.usage(quotas::users).await.unwrap();
        wire.take();
        assert_eq!(conn.usage(quotas::users).await.unwrap().used, 2);
        assert_eq!(wire.take(), 1, "{strategy}");
    }
}

#[derive(Clone, Copy, Plans)]
enum Silent {
    #[plan(default)]
    Only,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quota_that_no_plan_limits_keeps_the_application_from_starting() {
    let database = Database::empty().await;
    let counted = || bare(Isolation::single(Strategy::Rls)).model::<Member>();
    for (app, words) in [
        (
            counted(),
            "the model `Member`: counts for the quota `users`, and there are no plans to limit it",
        ),
        (
            counted().plans::<Silent>(),
            "the model `Member`: in the plan `only` there is no quota `users` (none is declared)",
        ),
    ] {
        let refused = start(app, &database, Login::Both, &[]).await;
        let said = refused.err().unwrap().to_string();
        assert!(said.contains(words), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_no_policy_holds_counts_for_nobody_else_either() {
    let database = Database::empty().await;
    let unheld = format!("ALTER ROLE {} BYPASSRLS", database.owner_role());
    database.sabotage(&unheld).await;
    for members in 1..=2 {
        // The second start finds rows that nobody has counted.
        let served = Served::start(app(Strategy::Rls), &database, &[]).await;
        let name = format!("member {members}");
        assert_eq!(add_one(&served, A, &name).await.status, 201);
        let (provisioner, acme) = (served.tenancy.provisioner(), slug(A));
        provisioner.set_plan(&acme, "large").await.unwrap();
        let all = [json!(members), json!(12), json!(members)];
        assert_eq!(usage_of(&served, A).await, all);
        assert_eq!(usage_of(&served, B).await, [json!(0), json!(10), json!(0)]);
        let unseen = "ALTER TABLE shared.members DISABLE TRIGGER tenancy_count_insert";
        database.sabotage(unseen).await;
        // Nor are the others left uncounted by a change of one tenant's plan.
        assert!(provisioner.set_plan(&acme, "small").await.is_err());
    }
}
