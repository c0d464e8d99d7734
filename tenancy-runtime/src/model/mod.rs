//! What the model macros implement: a description of a table as plain data.
//!
//! The macros write no SQL and hold no rules; they fill in [`ModelDef`], and
//! everything else (the DDL of each layout, what `verify` compares) is computed
//! here from it. What names a row is its key or, where the rows of several
//! tenants are at hand, a row that knows its tenant ([`Owned`]). Writing the
//! `impl`s and functions by hand gives the same:
//!
//! ```
//! use diesel::prelude::*;
//! use diesel_async::RunQueryDsl;
//! use tenancy_runtime::db::TenantConn;
//! use tenancy_runtime::error::Result;
//! use tenancy_runtime::model::{Audience, ColumnDef, Model, ModelDef, TenantModel};
//! use tenancy_runtime::model::{IntoKey, Keyed, Owned};
//!
//! diesel::table! {
//!     tenant.notes (id) { id -> Int8, text -> Text, }
//! }
//!
//! #[derive(Queryable, Selectable)]
//! struct Note {
//!     id: i64,
//!     text: String,
//! }
//!
//! impl Model for Note {
//!     type Table = notes::table;
//!     fn definition() -> &'static ModelDef {
//!         static DEFINITION: ModelDef = ModelDef {
//!             name: "Note",
//!             table: "notes",
//!             audience: Audience::Tenant,
//!             migrated: false,
//!             append_only: false,
//!             read_only: false,
//!             quota: None,
//!             columns: &[
//!                 ColumnDef { identity: true, ..ColumnDef::new("id", "bigint") },
//!                 ColumnDef::new("text", "text"),
//!             ],
//!             primary_key: &["id"],
//!             uniques: &[],
//!             indexes: &[],
//!             references: &[],
//!         };
//!         &DEFINITION
//!     }
//! }
//! impl TenantModel for Note {}
//!
//! impl Keyed for Note {
//!     type Key = i64;
//!     fn key(&self) -> i64 {
//!         self.id
//!     }
//! }
//! impl IntoKey<Note> for i64 {
//!     fn into_key(self, _: &TenantConn) -> Result<i64> {
//!         Ok(self)
//!     }
//! }
//!
//! async fn find(key: impl IntoKey<Note>, db: &mut TenantConn) -> Result<Owned<Note>> {
//!     let row = notes::table.find(key.into_key(db)?).select(Note::as_select());
//!     Owned::one(row, db).await
//! }
//!
//! async fn clear(key: impl IntoKey<Note>, db: &mut TenantConn) -> Result<()> {
//!     let row = notes::table.find(key.into_key(db)?);
//!     diesel::update(row).set(notes::text.eq("")).execute(db).await?;
//!     Ok(())
//! }
//! ```

mod apart;
mod counted;
mod ddl;
mod definition;
mod join;
mod owned;
mod reference;
mod rows;

pub use crate::__joins as joins;
pub use apart::{Apart, Bit, Differs, Named, bit_of_name};
pub(crate) use counted::{COUNTER, QUOTA, QUOTAS, TRIGGERS};
pub(crate) use ddl::quoted;
pub use ddl::{
    Layout, PRIVILEGES_APPEND_ONLY, PRIVILEGES_SHARED, PRIVILEGES_TENANT, ROLL, ROLL_KEY,
    create_roll,
};
pub use definition::{Audience, ColumnDef, KeyDef, ModelDef, ReferenceDef};
pub use join::{JoinOn, JoinedUnlessNoJoin, Referred, Referring, Side};
pub use owned::{IntoKey, Keyed, Owned};
pub use reference::{RefersTo, refers_to_model, refers_to_shared_model};
pub use rows::{delete, insert, present, update};

/// A struct that stands for a table; implemented by `#[tenant_model]` and
/// `#[shared_model]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a model",
    label = "put `#[tenant_model]` (rows of a tenant) or `#[shared_model]` (rows all tenants read) on the struct"
)]
pub trait Model: Sized + 'static {
    /// The Diesel table, declared in the placeholder schema.
    type Table: diesel::Table;

    /// The table as data.
    fn definition() -> &'static ModelDef;
}

/// A model whose rows belong to a tenant.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a tenant's model",
    label = "put `#[tenant_model]` on the struct"
)]
pub trait TenantModel: Model {}

/// A model whose rows all tenants read.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a shared model",
    label = "a shared table outlives every tenant and can only refer to a `#[shared_model]`"
)]
pub trait SharedModel: Model {}
