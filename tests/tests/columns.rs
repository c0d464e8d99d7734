//! Every column type and option, on real tables of both layouts.

use integration::database::Database;
use integration::http::Served;
use serde_json::json;
use tenancy::db::TenantDb;
use tenancy::prelude::*;
use tenancy::{Isolation, Strategy};

/// A column of each type.
#[tenant_model(table = "everything", unique(small, text), index(long, double))]
#[derive(Debug, Clone, PartialEq)]
pub struct Everything {
    /// Made by the database.
    pub id: i64,
    /// Two bytes.
    pub small: i16,
    /// Four bytes.
    pub int: i32,
    /// Eight bytes.
    #[column(index)]
    pub long: i64,
    /// Four bytes.
    pub single: f32,
    /// Eight bytes.
    pub double: f64,
    /// Yes or no.
    #[column(default = "true")]
    pub flag: bool,
    /// Any length.
    pub text: String,
    /// At most so long.
    #[column(sql_type = "varchar(20)", unique)]
    pub code: String,
    /// Another name in the database, which is a word of SQL.
    #[column(name = "order")]
    pub position: Option<i32>,
    /// An id of something.
    pub uuid: Uuid,
    /// A day.
    pub day: NaiveDate,
    /// A time of day.
    pub time: NaiveTime,
    /// Both, somewhere.
    pub local: NaiveDateTime,
    /// Both, in the world.
    #[column(default = "now()")]
    pub at: DateTime<Utc>,
    /// Anything.
    pub document: Value,
    /// Anything, as it was written.
    #[column(sql_type = "json")]
    pub raw: Option<Value>,
    /// Bytes.
    pub bytes: Vec<u8>,
    /// Several.
    pub tags: Vec<String>,
    /// Several or none.
    pub numbers: Option<Vec<i32>>,
    /// Several.
    pub ids: Vec<Uuid>,
}

/// A key of two columns.
#[tenant_model]
#[derive(Debug, PartialEq)]
pub struct Membership {
    /// Of whom.
    #[column(primary_key)]
    pub person: Uuid,
    /// In what.
    #[column(primary_key)]
    pub club: String,
    /// Since when.
    pub since: Option<NaiveDate>,
}

async fn tenants() -> (Database, Served, [TenantDb; 2]) {
    let database = Database::empty().await;
    let isolation = Isolation::hybrid(Strategy::Schema, Strategy::Rls).premium_tenants(["own"]);
    let app = tenancy::App::new("columns", "1.0.0")
        .membership(tenancy::admit::Gateway)
        .isolation(isolation)
        .model::<Everything>()
        .model::<Membership>()
        .seed("own")
        .seed("shared");
    let served = Served::start(app, &database, &[("TENANCY_POOL_SIZE", "2")]).await;
    let mut dbs = Vec::new();
    for slug in ["own", "shared"] {
        let slug = slug.parse().expect("a slug");
        dbs.push(served.tenancy.tenant(&slug).await.expect("a tenant").1);
    }
    let dbs = dbs.try_into().expect("two");
    (database, served, dbs)
}

fn new(code: &str) -> NewEverything {
    NewEverything {
        id: None,
        small: i16::MIN,
        int: i32::MAX,
        long: i64::MIN,
        single: 0.5,
        double: -1e300,
        flag: None,
        text: "'; \u{1F980}\n".to_owned(),
        code: code.to_owned(),
        position: Some(7),
        uuid: Uuid::now_v7(),
        day: NaiveDate::from_ymd_opt(2024, 2, 29).expect("a day"),
        time: NaiveTime::from_hms_micro_opt(23, 59, 59, 999_999).expect("a time"),
        local: NaiveDateTime::default(),
        at: None,
        document: json!({"a": [1, null, "x"]}),
        raw: Some(json!({"b": 2})),
        bytes: vec![0, 255],
        tags: vec!["a".to_owned(), String::new()],
        numbers: Some(vec![1, 2]),
        ids: vec![Uuid::now_v7()],
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_type_comes_back_as_it_went_in() {
    let (_database, served, dbs) = tenants().await;
    assert!(served.tenancy.verify().await.unwrap().is_empty());
    for db in dbs {
        let mut conn = db.conn().await.unwrap();
        let sent = new("first");
        let row = sent.clone().insert(&mut conn).await.unwrap();
        assert!(row.flag && row.id == 1, "{row:?}");
        assert_eq!(
            (row.small, row.int, row.long),
            (sent.small, sent.int, sent.long)
        );
        assert_eq!(
            (row.day, row.time, row.local),
            (sent.day, sent.time, sent.local)
        );
        assert_eq!((&row.text, &row.bytes), (&sent.text, &sent.bytes));
        assert_eq!((&row.document, &row.raw), (&sent.document, &sent.raw));
        assert_eq!(
            (&row.tags, &row.numbers, &row.ids),
            (&sent.tags, &sent.numbers, &sent.ids)
        );
        let found: Everything = Everything::query().find(1).first(&mut conn).await.unwrap();
        assert_eq!(found, row);

        // Cleared, set and left alone are three things.
        let changes: EverythingChanges =
            serde_json::from_value(json!({"position": null, "numbers": [3]})).unwrap();
        let changed = changes.update(1, &mut conn).await.unwrap();
        assert_eq!((changed.position, changed.numbers), (None, Some(vec![3])));
        assert_eq!(changed.raw, row.raw);

        // The composite unique key, and the one that is too long for its type.
        let taken = new("second").insert(&mut conn).await;
        assert!(matches!(taken, Err(Error::Conflict(_))), "{taken:?}");
        let long = NewEverything {
            small: 1,
            ..new("longer than twenty bytes")
        };
        assert!(long.insert(&mut conn).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_several_columns_finds_changes_and_deletes() {
    let (_database, _served, dbs) = tenants().await;
    for db in dbs {
        let mut conn = db.conn().await.unwrap();
        let (person, club) = (Uuid::now_v7(), "chess".to_owned());
        for club in ["chess", "go"] {
            let new = NewMembership {
                person,
                club: club.to_owned(),
                since: None,
            };
            new.insert(&mut conn).await.unwrap();
        }
        let changes = MembershipChanges {
            since: Some(NaiveDate::from_ymd_opt(2024, 1, 1)),
        };
        let changed = changes.update((person, club.clone()), &mut conn).await;
        assert!(changed.unwrap().since.is_some());
        Membership::delete((person, club), &mut conn).await.unwrap();
        let left: Vec<Membership> = Membership::query().load(&mut conn).await.unwrap();
        assert_eq!((left.len(), left[0].since), (1, None));
    }
}
