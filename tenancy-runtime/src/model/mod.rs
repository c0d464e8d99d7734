//! What the model macros implement: a description of a table as plain data.
//!
//! The macros write no SQL and hold no rules; they fill in [`ModelDef`], and
//! everything else (the DDL of each layout, what `verify` compares) is computed
//! here from it. Writing the `impl` by hand gives the same table:
//!
//! ```
//! use tenancy_runtime::model::{Audience, ColumnDef, Model, ModelDef, TenantModel};
//!
//! diesel::table! {
//!     tenant.notes (id) { id -> Int8, text -> Text, }
//! }
//!
//! struct Note;
//!
//! impl Model for Note {
//!     type Table = notes::table;
//!     fn definition() -> &'static ModelDef {
//!         static DEFINITION: ModelDef = ModelDef {
//!             name: "Note",
//!             table: "notes",
//!             audience: Audience::Tenant,
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
//! ```

mod ddl;
mod definition;
mod join;
mod reference;
mod rows;

pub use crate::__joins as joins;
pub(crate) use ddl::quoted;
pub use ddl::{Layout, PRIVILEGES_SHARED, PRIVILEGES_TENANT, ROLL, ROLL_KEY, create_roll};
pub use definition::{Audience, ColumnDef, KeyDef, ModelDef, ReferenceDef};
pub use join::{JoinOn, Joined};
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
