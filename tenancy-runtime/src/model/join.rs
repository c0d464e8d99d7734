//! Joins between models without an `on`.
//!
//! `diesel::joinable!` and `diesel::allow_tables_to_appear_in_same_query!` name
//! the modules of both tables; a macro that sees the path of a model knows the
//! model alone. So each model's table says once, with [`__joins!`], that it
//! joins whatever it is [`JoinedUnlessNoJoin`] with and appears beside whatever is
//! [`Apart`](super::Apart) from it, and a reference adds only what it joins.

use diesel::dsl::{Eq, SqlTypeOf};
use diesel::expression::AsExpression;
use diesel::internal::table_macro::NullableExpression;
use diesel::sql_types::SqlType;
use diesel::{Expression, ExpressionMethods, NullableExpressionMethods, Table};

/// That two tables join on the column of a reference, in both directions.
///
/// Two models that refer to each other would join in two ways; one of the
/// references says `no_join` then. Without it the two `impl`s conflict, and all
/// that the compiler says of that is this trait's name: hence its length.
#[diagnostic::on_unimplemented(
    message = "`{Self}` and `{Other}` do not refer to each other",
    label = "join on a condition: `.inner_join(other::table.on(…))`"
)]
pub trait JoinedUnlessNoJoin<Other> {
    /// The referring column.
    type Column;
    /// Which of the two the column belongs to: [`Referring`] or [`Referred`].
    type Side;
}

/// The table has the column that refers to the other one's key.
#[derive(Debug)]
pub struct Referring;

/// The other table has the column.
#[derive(Debug)]
pub struct Referred;

/// Which of two tables is referred to. It is found here and not named in
/// [`JoinedUnlessNoJoin`], since a table may belong to a model that is private there.
pub trait Side<This, Other> {
    /// The table whose key is meant.
    type Parent;
}

impl<This, Other> Side<This, Other> for Referring {
    type Parent = Other;
}

impl<This, Other> Side<This, Other> for Referred {
    type Parent = This;
}

/// The condition of a join.
pub trait JoinOn<Other> {
    /// The condition's type.
    type On;
    /// The condition: the referring column is the other table's key.
    fn on() -> Self::On;
}

impl<This, Other, Column, Parent, Key> JoinOn<Other> for This
where
    This: JoinedUnlessNoJoin<Other, Column = Column>,
    This::Side: Side<This, Other, Parent = Parent>,
    Column: Default + Expression + NullableExpressionMethods,
    Parent: Default + Table<PrimaryKey = Key>,
    Key: Expression + NullableExpressionMethods,
    NullableExpression<Column>: ExpressionMethods + Expression<SqlType: SqlType>,
    NullableExpression<Key>: AsExpression<SqlTypeOf<NullableExpression<Column>>>,
    Eq<NullableExpression<Column>, NullableExpression<Key>>: Expression,
{
    type On = Eq<NullableExpression<Column>, NullableExpression<Key>>;

    fn on() -> Self::On {
        let key = Parent::default().primary_key();
        Column::default().nullable().eq(key.nullable())
    }
}

/// Makes a table join whatever it is [`JoinedUnlessNoJoin`] with, and appear beside every
/// other table.
#[doc(hidden)]
#[macro_export]
macro_rules! __joins {
    ($table:ty, $name:literal) => {
        #[automatically_derived]
        impl<Beside> $crate::model::Named<Beside> for $table {
            type Name = $crate::__name!($name);
        }

        #[automatically_derived]
        impl<Other> ::diesel::JoinTo<Other> for $table
        where
            // The table of a model that does not exist would be any type at all.
            Other: $crate::model::Apart<$table>,
            $table: $crate::model::JoinOn<Other>,
        {
            type FromClause = Other;
            type OnClause = <$table as $crate::model::JoinOn<Other>>::On;

            fn join_target(__other: Other) -> (Self::FromClause, Self::OnClause) {
                (__other, <$table as $crate::model::JoinOn<Other>>::on())
            }
        }

        #[automatically_derived]
        impl<Other> ::diesel::query_source::TableNotEqual<Other> for $table where
            Other: ::diesel::Table + $crate::model::Apart<$table>
        {
        }

        #[automatically_derived]
        impl<Other> ::diesel::query_source::TableNotEqual<::diesel::query_builder::Only<Other>>
            for $table
        where
            ::diesel::query_builder::Only<Other>: ::diesel::Table,
            Other: $crate::model::Apart<$table>,
        {
        }

        #[automatically_derived]
        impl<Other> ::diesel::query_source::TableNotEqual<$table>
            for ::diesel::query_builder::Only<Other>
        where
            ::diesel::query_builder::Only<Other>: ::diesel::Table,
            Other: $crate::model::Apart<$table>,
        {
        }

        #[automatically_derived]
        impl<Other, Method>
            ::diesel::query_source::TableNotEqual<
                ::diesel::query_builder::Tablesample<Other, Method>,
            > for $table
        where
            Method: ::diesel::internal::table_macro::TablesampleMethod,
            ::diesel::query_builder::Tablesample<Other, Method>: ::diesel::Table,
            Other: $crate::model::Apart<$table>,
        {
        }

        #[automatically_derived]
        impl<Other, Method> ::diesel::query_source::TableNotEqual<$table>
            for ::diesel::query_builder::Tablesample<Other, Method>
        where
            Method: ::diesel::internal::table_macro::TablesampleMethod,
            ::diesel::query_builder::Tablesample<Other, Method>: ::diesel::Table,
            Other: $crate::model::Apart<$table>,
        {
        }
    };
}
