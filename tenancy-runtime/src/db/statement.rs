use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use diesel::QueryResult;
use diesel::pg::{Pg, PgMetadataLookup, PgQueryBuilder, PgTypeMetadata};
use diesel::query_builder::bind_collector::RawBytesBindCollector;
use diesel::query_builder::{AstPass, Query, QueryBuilder, QueryFragment, QueryId};

use super::pipeline::StatementKey;
use super::qualify::{Qualified, qualify};
use crate::isolation::Scope;

/// A user's query with real schemas in its text.
///
/// The binds are the inner query's own. It has no static [`QueryId`], so every
/// cache keys it by its text, and it declares itself safe to cache: Diesel
/// refuses that for statements with unboundedly many texts (inserts, updates,
/// raw SQL), whereas a [`Session`](super::Session) bounds their number itself.
pub(super) struct Statement<Q> {
    query: Q,
    qualified: Qualified,
    binds: BindTypes,
}

/// A fingerprint of the types of a statement's binds, filled in while Diesel
/// collects them. Part of the key, as it is of Diesel's own cache key.
#[derive(Clone, Default)]
pub(super) struct BindTypes(Arc<AtomicU64>);

/// The fingerprint before any bind was collected.
const UNSEEN: u64 = 0;
/// The fingerprint of binds whose type must first be looked up in the database.
const CUSTOM: u64 = 1;

impl<Q: QueryFragment<Pg>> Statement<Q> {
    pub(super) fn new(query: Q, scope: &Scope) -> QueryResult<Self> {
        let mut builder = PgQueryBuilder::default();
        query.to_sql(&mut builder, &Pg)?;
        let qualified = qualify(&builder.finish(), scope);
        Ok(Self {
            query,
            qualified,
            binds: BindTypes::default(),
        })
    }

    /// Whether it may leave something behind on its session.
    pub(super) fn leaves_state(&self) -> bool {
        self.qualified.leaves_state
    }

    /// The hash of the text, and where the types of the binds will stand once
    /// the query has been handed to Diesel.
    pub(super) fn identity(&self) -> (u64, BindTypes) {
        (hash(&self.qualified.sql), self.binds.clone())
    }
}

impl BindTypes {
    fn record(&self, types: &[PgTypeMetadata]) {
        // Diesel collects a second time, with made-up ids, when it met a type
        // it must look up; the first answer is the true one.
        if self.0.load(Ordering::Relaxed) != UNSEEN {
            return;
        }
        let oids: Vec<u32> = types.iter().map(|ty| ty.oid().unwrap_or(0)).collect();
        let fingerprint = if oids.contains(&0) {
            CUSTOM
        } else {
            hash(&oids).max(CUSTOM + 1)
        };
        self.0.store(fingerprint, Ordering::Relaxed);
    }

    /// The key of a statement with this text; `None` if a bind's type needs a
    /// look-up, so that sending it may take more than one round trip.
    pub(super) fn key(&self, text: u64) -> Option<StatementKey> {
        match self.0.load(Ordering::Relaxed) {
            UNSEEN | CUSTOM => None,
            types => Some(StatementKey { text, types }),
        }
    }
}

fn hash(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

impl<Q> QueryId for Statement<Q> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q: Query> Query for Statement<Q> {
    type SqlType = Q::SqlType;
}

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for Statement<Q> {
    fn walk_ast<'b>(&'b self, pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.query.walk_ast(pass)
    }

    fn to_sql(&self, out: &mut PgQueryBuilder, _backend: &Pg) -> QueryResult<()> {
        out.push_sql(&self.qualified.sql);
        Ok(())
    }

    fn collect_binds<'b>(
        &'b self,
        out: &mut RawBytesBindCollector<Pg>,
        metadata_lookup: &mut (dyn PgMetadataLookup + 'static),
        backend: &'b Pg,
    ) -> QueryResult<()> {
        self.query.collect_binds(out, metadata_lookup, backend)?;
        self.binds.record(&out.metadata);
        Ok(())
    }

    fn is_safe_to_cache_prepared(&self, _backend: &Pg) -> QueryResult<bool> {
        Ok(true)
    }
}
