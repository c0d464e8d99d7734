//! What a suite runs on: every isolation on a server, and those that do without
//! databases of tenants' own in the embedded one as well.

use std::fmt;

use diesel::sql_types::BigInt;
use integration::database::Database;
use integration::http::Served;
use tenancy::prelude::*;
use tenancy::{Isolation, Strategy};

use crate::shop;

/// An isolation and where its database is.
pub(crate) struct Ground {
    isolation: Isolation,
    /// Of the premium tenant and of others.
    pub(crate) strategies: [Strategy; 2],
    embedded: bool,
}

/// The shop on some ground.
pub(crate) struct Stand {
    pub(crate) shop: Served,
    /// `None` where it is embedded: that has room for one client, the shop.
    pub(crate) server: Option<Database>,
}

/// Every isolation, on every ground that it can stand on.
pub(crate) fn grounds() -> Vec<Ground> {
    let mut all = Vec::new();
    for embedded in [false, true] {
        for (isolation, strategies) in shop::isolations() {
            let strategies = strategies.map(|strategy| strategy.parse().expect("a strategy"));
            if !(embedded && strategies.contains(&Strategy::Database)) {
                all.push(Ground {
                    isolation,
                    strategies,
                    embedded,
                });
            }
        }
    }
    all
}

/// Those where all tenants live alike.
pub(crate) fn single_grounds() -> Vec<Ground> {
    let mut all = grounds();
    all.retain(|ground| ground.strategies[0] == ground.strategies[1]);
    all
}

impl Ground {
    /// One strategy on a server.
    pub(crate) fn server(strategy: Strategy) -> Self {
        Self {
            isolation: Isolation::single(strategy),
            strategies: [strategy; 2],
            embedded: false,
        }
    }

    /// Starts the shop with these tenants.
    pub(crate) async fn serve(&self, tenants: &[&str]) -> Stand {
        let app = tenants
            .iter()
            .fold(shop::app(self.isolation.clone()), |app, slug| {
                app.seed(slug)
            });
        if self.embedded {
            return Stand {
                shop: Served::embedded(app, &[]).await,
                server: None,
            };
        }
        let database = Database::empty().await;
        let shop = Served::start(app, &database, &[("TENANCY_POOL_SIZE", "4")]).await;
        Stand {
            shop,
            server: Some(database),
        }
    }
}

impl fmt::Display for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [premium, standard] = self.strategies;
        let place = if self.embedded { "embedded" } else { "server" };
        write!(f, "{premium}/{standard}, {place}")
    }
}

impl Stand {
    /// The database of a shop that is not embedded.
    pub(crate) fn database(&self) -> &Database {
        self.server.as_ref().expect("a server")
    }

    /// What a query counts that policies do not hold.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        #[derive(diesel::QueryableByName)]
        struct Count {
            #[diesel(sql_type = BigInt)]
            count: i64,
        }
        if let Some(database) = &self.server {
            return database.value(sql).await;
        }
        let system = self.shop.tenancy.system().expect("its role");
        let counted = system.run("a test", "to see what is there", async |conn| {
            let row: Count = diesel::sql_query(sql).get_result(conn).await?;
            Ok(row.count)
        });
        counted.await.expect("a number")
    }

    /// What `verify` finds wrong.
    pub(crate) async fn problems(&self) -> Vec<String> {
        let problems = self.shop.tenancy.verify().await.expect("the catalog");
        problems.iter().map(ToString::to_string).collect()
    }
}
