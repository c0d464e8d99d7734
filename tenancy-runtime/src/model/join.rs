//! Joins between models without an `on`.
//!
//! `diesel::joinable!` and `diesel::allow_tables_to_appear_in_same_query!` name
//! the modules of both tables; a macro that sees the path of a model knows the
//! model alone. So each model's table says once, with [`__joins!`], that it
//! joins whatever it is [`Joined`] with, and a reference adds only these two.

use diesel::dsl::{Eq, SqlTypeOf};
use diesel::expression::AsExpression;
use diesel::internal::table_macro::NullableExpression;
use diesel::sql_types::SqlType;
use diesel::{Expression, ExpressionMethods, NullableExpressionMethods, Table};

/// That two tables join on the column of a reference, in both directions.
///
/// Two models that refer to each other would join in two ways; one of the
/// references says `no_join` then.
pub trait Joined<Other> {
    /// The referring column.
    type Column;
    /// The table referred to.
    type Parent;
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
    This: Joined<Other, Column = Column, Parent = Parent>,
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

/// Makes a table join whatever it is [`Joined`] with.
#[doc(hidden)]
#[macro_export]
macro_rules! __joins {
    ($table:ty) => {
        #[automatically_derived]
        impl<Other> ::diesel::JoinTo<Other> for $table
        where
            $table: $crate::model::JoinOn<Other>,
        {
            type FromClause = Other;
            type OnClause = <$table as $crate::model::JoinOn<Other>>::On;

            fn join_target(other: Other) -> (Self::FromClause, Self::OnClause) {
                (other, <$table as $crate::model::JoinOn<Other>>::on())
            }
        }

        #[automatically_derived]
        impl<Other> ::diesel::query_source::TableNotEqual<Other> for $table
        where
            Other: ::diesel::Table,
            $table: $crate::model::Joined<Other>,
        {
        }

        #[automatically_derived]
        impl<Other> ::diesel::query_source::TableNotEqual<::diesel::query_builder::Only<Other>>
            for $table
        where
            ::diesel::query_builder::Only<Other>: ::diesel::Table,
            $table: $crate::model::Joined<Other>,
        {
        }

        #[automatically_derived]
        impl<Other> ::diesel::query_source::TableNotEqual<$table>
            for ::diesel::query_builder::Only<Other>
        where
            ::diesel::query_builder::Only<Other>: ::diesel::Table,
            $table: $crate::model::Joined<Other>,
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
            $table: $crate::model::Joined<Other>,
        {
        }

        #[automatically_derived]
        impl<Other, Method> ::diesel::query_source::TableNotEqual<$table>
            for ::diesel::query_builder::Tablesample<Other, Method>
        where
            Method: ::diesel::internal::table_macro::TablesampleMethod,
            ::diesel::query_builder::Tablesample<Other, Method>: ::diesel::Table,
            $table: $crate::model::Joined<Other>,
        {
        }
    };
}
