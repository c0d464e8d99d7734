//! Joins over several tables, in both layouts: a child of two parents, a chain,
//! tables that do not refer to each other, and models that are not public.

use diesel::dsl::{count_star, exists, not};
use integration::database::Database;
use integration::http::Served;
use tenancy::db::TenantDb;
use tenancy::prelude::*;
use tenancy::{Isolation, Strategy};

use crate::shop::{Country, countries};

/// A reader or a writer.
#[tenant_model]
struct Member {
    id: i64,
    name: String,
}

/// A post by a member.
#[tenant_model]
pub(crate) struct Post {
    id: i64,
    title: String,
    #[column(references = Member)]
    member_id: i64,
}

/// A child of two parents, and the last link of the chain to a post's author.
#[tenant_model]
struct Comment {
    id: i64,
    text: String,
    #[column(references = Post)]
    post_id: i64,
    #[column(references = Member)]
    member_id: Option<i64>,
    #[column(references = Self)]
    answers: Option<i64>,
    #[column(references = Country)]
    country: Option<String>,
}

mod labels {
    use super::*;

    /// What refers to a model of the module around this one.
    #[tenant_model]
    pub(super) struct Label {
        pub(super) id: i64,
        pub(super) word: String,
        #[column(references = super::Comment)]
        pub(super) comment_id: i64,
    }
}
use labels::{NewLabel, labels as label_rows};

/// Two members, a post of one with a comment of each, the second an answer to
/// the first, and a label on the first.
async fn tenants() -> (Database, Served, Vec<(&'static str, TenantDb)>) {
    const SLUGS: [&str; 4] = ["own-a", "own-b", "rls-a", "rls-b"];
    let database = Database::empty().await;
    let isolation =
        Isolation::hybrid(Strategy::Schema, Strategy::Rls).premium_tenants(["own-a", "own-b"]);
    let app = App::new("joins", "1.0.0")
        .membership(tenancy::admit::Gateway)
        .isolation(isolation)
        .model::<Member>()
        .model::<Post>()
        .model::<Comment>()
        .model::<labels::Label>()
        .model::<Country>();
    let app = SLUGS.iter().fold(app, |app, slug| app.seed(slug));
    let served = Served::start(app, &database, &[("TENANCY_POOL_SIZE", "2")]).await;
    let mut dbs = Vec::new();
    for slug in SLUGS {
        let name = slug.parse().expect("a slug");
        let (_, db) = served.tenancy.tenant(&name).await.expect("a tenant");
        fill(slug, &db).await.expect("rows");
        dbs.push((slug, db));
    }
    (database, served, dbs)
}

async fn fill(slug: &str, db: &TenantDb) -> Result<()> {
    let mut conn = db.conn().await?;
    let member = |who: &str| NewMember {
        id: None,
        name: format!("{slug} {who}"),
    };
    let writer = member("writer").insert(&mut conn).await?;
    let reader = member("reader").insert(&mut conn).await?;
    let post = NewPost {
        id: None,
        title: format!("{slug} post"),
        member_id: writer.id,
    };
    let post = post.insert(&mut conn).await?;
    let comment = |text: &str, member: &Member, answers| NewComment {
        id: None,
        text: format!("{slug} {text}"),
        post_id: post.id,
        member_id: Some(member.id),
        answers,
        country: None,
    };
    let first = comment("first", &reader, None).insert(&mut conn).await?;
    let second = comment("second", &writer, Some(first.id));
    second.insert(&mut conn).await?;
    let label = NewLabel {
        id: None,
        word: format!("{slug} label"),
        comment_id: first.id,
    };
    label.insert(&mut conn).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_joins_both_of_its_parents() {
    let (_database, _served, dbs) = tenants().await;
    for (slug, db) in &dbs {
        let mut conn = db.conn().await.unwrap();
        let rows: Vec<(String, String, String)> = comments::table
            .inner_join(posts::table)
            .inner_join(members::table)
            .filter(posts::title.eq(format!("{slug} post")))
            .select((comments::text, posts::title, members::name))
            .order(comments::id)
            .load(&mut conn)
            .await
            .unwrap();
        let row = |text: &str, who: &str| {
            (
                format!("{slug} {text}"),
                format!("{slug} post"),
                format!("{slug} {who}"),
            )
        };
        assert_eq!(rows, [row("first", "reader"), row("second", "writer")]);

        let models: Vec<(Comment, Post, Option<Member>, Option<Country>)> = comments::table
            .inner_join(posts::table)
            .left_join(members::table)
            .left_join(countries::table)
            .select((
                Comment::as_select(),
                Post::as_select(),
                Option::<Member>::as_select(),
                Option::<Country>::as_select(),
            ))
            .load(&mut conn)
            .await
            .unwrap();
        assert_eq!(models.len(), 2);
        assert!(models.iter().all(|(comment, post, member, country)| {
            comment.post_id == post.id && member.is_some() && country.is_none()
        }));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_is_joined_link_by_link() {
    let (_database, _served, dbs) = tenants().await;
    for (slug, db) in &dbs {
        let mut conn = db.conn().await.unwrap();
        // Down the references, from a label to the author of the post.
        let chain: Vec<(String, String)> = label_rows::table
            .inner_join(comments::table.inner_join(posts::table.inner_join(members::table)))
            .select((label_rows::word, members::name))
            .load(&mut conn)
            .await
            .unwrap();
        assert_eq!(chain, [(format!("{slug} label"), format!("{slug} writer"))]);
        // And up again.
        let counted: Vec<(String, i64)> = members::table
            .left_join(posts::table.left_join(comments::table))
            .group_by(members::name)
            .select((members::name, diesel::dsl::count(comments::id.nullable())))
            .order(members::name)
            .load(&mut conn)
            .await
            .unwrap();
        let count = |who: &str, count| (format!("{slug} {who}"), count);
        assert_eq!(counted, [count("reader", 0), count("writer", 2)]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_that_do_not_refer_to_each_other_appear_together() {
    let (_database, _served, dbs) = tenants().await;
    for (slug, db) in &dbs {
        let mut conn = db.conn().await.unwrap();
        let of_label = label_rows::table.filter(label_rows::comment_id.eq(comments::id));
        let labelled: Vec<String> = comments::table
            .filter(exists(of_label))
            .select(comments::text)
            .load(&mut conn)
            .await
            .unwrap();
        assert_eq!(labelled, [format!("{slug} first")]);

        // Correlated with a table that it has no reference to.
        let nobody = label_rows::table.filter(label_rows::word.eq(members::name));
        let members: i64 = members::table
            .filter(not(exists(nobody)))
            .select(count_star())
            .get_result(&mut conn)
            .await
            .unwrap();
        assert_eq!(members, 2);

        let pairs: i64 = label_rows::table
            .inner_join(members::table.on(members::name.ne(label_rows::word)))
            .count()
            .get_result(&mut conn)
            .await
            .unwrap();
        assert_eq!(pairs, 2);

        // A table with itself wants an alias, with and without others beside it.
        let answered = diesel::alias!(comments as answered);
        let answers: Vec<(String, String, String)> = comments::table
            .inner_join(
                answered.on(answered
                    .field(comments::id)
                    .nullable()
                    .eq(comments::answers)),
            )
            .inner_join(posts::table)
            .select((comments::text, answered.field(comments::text), posts::title))
            .load(&mut conn)
            .await
            .unwrap();
        let texts = |text: &str| format!("{slug} {text}");
        assert_eq!(answers, [(texts("second"), texts("first"), texts("post"))]);
    }
}
