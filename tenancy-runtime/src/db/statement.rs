use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use diesel::QueryResult;
use diesel::pg::{Pg, PgMetadataLookup, PgQueryBuilder, PgTypeMetadata};
use diesel::query_builder::bind_collector::RawBytesBindCollector;
use diesel::query_builder::{AstPass, Query, QueryBuilder, QueryFragment, QueryId};

use super::pipeline::StatementKey;
use super::qualify::{Qualified, Residue, qualify};
use crate::isolation::Scope;

/// A user's query with real schemas in its text.
///
/// The binds are the inner query's own. It has no static [`QueryId`], so every
/// cache keys it by its text, and it declares itself safe to cache: Diesel
/// refuses that for statements with unboundedly many texts (inserts, updates,
/// raw SQL), whereas a [`Session`](super::Session) bounds their number itself.
pub(super) struct Statement<Q> {
    query: Q,
    sql: String,
    leaves: Residue,
    binds: BindTypes,
}

/// A fingerprint of the types of a statement's binds, filled in while Diesel
/// collects them. Part of the key, as it is of Diesel's own cache key.
#[derive(Clone, Default)]
pub(super) struct BindTypes(Arc<AtomicU64>);

/// The fingerprint before any bind was collected.
const UNSEEN: u64 = 0;

impl<Q: QueryFragment<Pg>> Statement<Q> {
    pub(super) fn new(query: Q, scope: &Scope) -> QueryResult<Self> {
        let mut builder = PgQueryBuilder::default();
        query.to_sql(&mut builder, &Pg)?;
        let Qualified { sql, leaves, .. } = qualify(&builder.finish(), scope).permitted()?;
        // What Diesel does not take for one of few texts holds raw SQL, whose
        // text does not tell what it does, or writes, which fires triggers.
        let leaves = if query.is_safe_to_cache_prepared(&Pg)? {
            leaves
        } else {
            leaves.max(Residue::Undoable)
        };
        Ok(Self {
            query,
            sql,
            leaves,
            binds: BindTypes::default(),
        })
    }

    /// What it may leave behind on its session.
    pub(super) fn leaves(&self) -> Residue {
        self.leaves
    }

    /// The hash of the text, and where the types of the binds will stand once
    /// the query has been handed to Diesel.
    pub(super) fn identity(&self) -> (u64, BindTypes) {
        (hash(&self.sql), self.binds.clone())
    }
}

impl BindTypes {
    /// Takes down the types that Diesel has collected for `query`.
    fn record(&self, types: &[PgTypeMetadata], query: &impl QueryFragment<Pg>) -> QueryResult<()> {
        // Diesel collects a second time, with made-up ids, when it met a type
        // it must look up; the first answer is the true one.
        if self.0.load(Ordering::Relaxed) != UNSEEN {
            return Ok(());
        }
        let oids: Vec<u32> = types.iter().map(|ty| ty.oid().unwrap_or(0)).collect();
        // A type without an id yet is known by its name.
        let mut names = Names::default();
        if oids.contains(&0) {
            let mut binds = RawBytesBindCollector::<Pg>::new();
            query.collect_binds(&mut binds, &mut names, &Pg)?;
        }
        let fingerprint = hash(&(oids, names.0)).max(UNSEEN + 1);
        self.0.store(fingerprint, Ordering::Relaxed);
        Ok(())
    }

    /// The key of a statement with this text; `None` if it has no binds that
    /// could be collected.
    pub(super) fn key(&self, text: u64) -> Option<StatementKey> {
        match self.0.load(Ordering::Relaxed) {
            UNSEEN => None,
            types => Some(StatementKey { text, types }),
        }
    }
}

/// The names of the types that are asked for, in order.
#[derive(Default)]
struct Names(Vec<(Option<String>, String)>);

impl PgMetadataLookup for Names {
    fn lookup_type(&mut self, type_name: &str, schema: Option<&str>) -> PgTypeMetadata {
        let name = (schema.map(str::to_owned), type_name.to_owned());
        self.0.push(name);
        PgTypeMetadata::new(0, 0)
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
        out.push_sql(&self.sql);
        Ok(())
    }

    fn collect_binds<'b>(
        &'b self,
        out: &mut RawBytesBindCollector<Pg>,
        metadata_lookup: &mut (dyn PgMetadataLookup + 'static),
        backend: &'b Pg,
    ) -> QueryResult<()> {
        self.query.collect_binds(out, metadata_lookup, backend)?;
        self.binds.record(&out.metadata, &self.query)
    }

    fn is_safe_to_cache_prepared(&self, _backend: &Pg) -> QueryResult<bool> {
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use diesel::prelude::*;

    use super::*;

    diesel::table! { tenant.notes (id) { id -> Int8, text -> Text } }

    fn leaves(query: impl QueryFragment<Pg>) -> Residue {
        let statement = Statement::new(query, &Scope::outside());
        statement.unwrap().leaves()
    }

    #[test]
    fn only_what_diesel_knows_in_full_leaves_nothing() {
        let texts = || notes::table.select(notes::text);
        assert_eq!(leaves(texts().filter(notes::id.eq(1))), Residue::Nothing);
        assert_eq!(leaves(texts().into_boxed::<Pg>()), Residue::Nothing);
        assert_eq!(leaves(diesel::delete(notes::table)), Residue::Nothing);

        let literal = diesel::dsl::sql::<diesel::sql_types::Bool>("true");
        assert_eq!(leaves(texts().filter(literal)), Residue::Undoable);
        let raw = diesel::sql_query("SELECT 1 INTO TEMP x");
        assert_eq!(leaves(raw), Residue::Undoable);
        let update = diesel::update(notes::table).set(notes::text.eq("x"));
        assert_eq!(leaves(update), Residue::Undoable);
        assert_eq!(leaves(diesel::sql_query("LISTEN x")), Residue::Unknown);
    }
}
