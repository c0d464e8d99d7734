//! What a new tenant with ten tables costs, against the same tables made in one
//! batch by a plain connection of the owner.

use integration::database::Database;
use integration::http::Served;
use tenancy::model::Layout;
use tenancy::tenant::SchemaName;
use tenancy::{Isolation, Strategy};

use crate::measure::{Comparison, time};
use crate::models;

const ROUNDS: usize = 30;

pub(crate) async fn run() {
    let database = Database::empty().await;
    let shop = Served::start(models::app(), &database, &[]).await;
    let provisioner = shop.tenancy.provisioner();
    let both = Isolation::hybrid(Strategy::Schema, Strategy::Database);
    let other = Served::start(models::app().isolation(both), &database, &[]).await;
    let ahead = other.tenancy.provisioner().clone().standby(1);
    let cases = [
        ("a schema by hand, one batch", 0),
        ("a tenant in the shared tables", 0),
        ("a tenant with its own schema", 0),
        ("a tenant with a schema on standby", 0),
        ("a database by hand, one batch", 4),
        ("a tenant with its own database", 4),
        ("a tenant with a database on standby", 4),
    ];
    let mut comparison = Comparison::new("Provisioning 10 tables", &cases);
    for round in 0..=ROUNDS {
        let provision = async |strategy: Strategy| {
            let new = models::new(&format!("{strategy}-{round}"), strategy);
            provisioner.provision(new).await.expect("a tenant");
        };
        ahead.refill().await.expect("places");
        let move_in = async |strategy: Strategy| {
            let new = models::new(&format!("ahead-{strategy}-{round}"), strategy);
            ahead.provision(new).await.expect("a tenant");
        };
        let schema: SchemaName = format!("by_hand_{round}").parse().expect("a name");
        let sql = by_hand(&schema, database.app_role());
        let times = vec![
            time(async { database.owner.batch_execute(&sql).await.expect("tables") }).await,
            time(provision(Strategy::Rls)).await,
            time(provision(Strategy::Schema)).await,
            time(move_in(Strategy::Schema)).await,
            time(database_by_hand(&database, &schema, &sql)).await,
            time(provision(Strategy::Database)).await,
            time(move_in(Strategy::Database)).await,
        ];
        // The first one opens the connections.
        if round > 0 {
            comparison.round(times);
        }
    }
    comparison.print();
}

/// The statements of a schema with all tables.
fn by_hand(own: &SchemaName, app_role: &str) -> String {
    let shared: SchemaName = "shared".parse().expect("a name");
    let layout = Layout::Dedicated {
        own,
        shared: &shared,
    };
    let own = own.quoted();
    let mut sql = vec![format!(
        "CREATE SCHEMA {own}; GRANT USAGE ON SCHEMA {own} TO {app_role}"
    )];
    let models = models::all();
    sql.extend(models.iter().flat_map(|m| m.create(layout, &[app_role])));
    sql.extend(models.iter().flat_map(|m| m.foreign_keys(layout)));
    sql.join(";\n")
}

/// Makes a database, connects to it and makes the tables.
async fn database_by_hand(database: &Database, name: &SchemaName, sql: &str) {
    let name = format!("x_{}_{name}", database.app_role());
    let create = format!("CREATE DATABASE {name}");
    database
        .owner
        .batch_execute(&create)
        .await
        .expect("a database");
    let owner = database.owner_at(&name).await;
    owner.batch_execute(sql).await.expect("tables");
}
