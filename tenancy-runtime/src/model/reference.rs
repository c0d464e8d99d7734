//! What the model macros ask of a reference: that the two columns fit, and the
//! join that Diesel then knows without an `on`.

use diesel::sql_types::{Nullable, SqlType, is_nullable::NotNull};
use diesel::{Expression, Table};

use super::{Model, SharedModel};

/// The type of a column that may hold the key of another table's row.
#[diagnostic::on_unimplemented(
    message = "a column of type `{Self}` cannot refer to a key of type `{Key}`",
    label = "its primary key has another type than this column"
)]
pub trait RefersTo<Key> {}

impl<Key> RefersTo<Key> for Key {}
impl<Key> RefersTo<Key> for Nullable<Key> where Key: SqlType<IsNull = NotNull> {}

type KeyOf<M> = <<<M as Model>::Table as Table>::PrimaryKey as Expression>::SqlType;

/// Checks a reference of a tenant's model; the macros call it.
pub const fn refers_to_model<Column, Target>()
where
    Target: Model,
    Column: Expression,
    <Target::Table as Table>::PrimaryKey: Expression,
    Column::SqlType: RefersTo<KeyOf<Target>>,
{
}

/// Checks a reference of a shared model; the macros call it.
pub const fn refers_to_shared_model<Column, Target>()
where
    Target: SharedModel,
    Column: Expression,
    <Target::Table as Table>::PrimaryKey: Expression,
    Column::SqlType: RefersTo<KeyOf<Target>>,
{
}
