//! What the attribute macros write, in a build that describes routes.

/// [`RoutedHandler::describe`](crate::http::RoutedHandler::describe) of a handler:
/// what its arguments and its answer say of themselves.
#[doc(hidden)]
#[macro_export]
macro_rules! __describe {
    (
        $name:ident, $docs:expr, [$($argument:ty),*], $answer:ty
        $(, tag = $tag:expr)? $(, status = $status:expr)?
    ) => {
        fn describe(operation: &mut $crate::openapi::Operation) {
            use $crate::openapi::probe::*;
            operation
                .handler(::core::module_path!(), ::core::stringify!($name))
                .docs($docs)
                $(.tag($tag))?
                $(.status($status))?;
            $((&&&AnArgument::<$argument>::of()).describe(operation);)*
            (&&&&&AnAnswer::<$answer>::of()).describe(operation);
        }
    };
}

/// A function beside a model for a column of a type that need not have a schema.
#[doc(hidden)]
#[macro_export]
macro_rules! __describe_column {
    ($model:ident, $function:ident, $ty:ty) => {
        impl $model {
            #[doc(hidden)]
            fn $function(
                generator: &mut $crate::openapi::schemars::SchemaGenerator,
            ) -> $crate::openapi::schemars::Schema {
                use $crate::openapi::probe::*;
                (&&AValue::<$ty>::of()).schema(generator)
            }
        }
    };
}
