//! How much a type says of itself, found out by the compiler in generated code.
//!
//! A method is looked for on a value before it is looked for on what the value
//! refers to. So each thing that may be known is a trait on one reference less than
//! the one before, and the call finds the first whose bound holds; the last has none.
//! The calls are written by `describe!` (`macros`).

use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::{Answer, Argument, Operation};

/// It is known.
#[derive(Debug)]
pub struct Yes;

/// It is not known.
#[derive(Debug)]
pub struct No;

/// Whether the schemas of an answer are known, and whether its refusals are.
#[derive(Debug)]
pub struct Knows<Schemas, Refusals>(PhantomData<(Schemas, Refusals)>);

/// A type of which nothing can be asked, as it has no name.
#[derive(Debug)]
pub struct Unnamed;

macro_rules! probe {
    ($(#[$docs:meta])* $name:ident) => {
        $(#[$docs])*
        #[derive(Debug)]
        pub struct $name<T>(PhantomData<fn() -> T>);

        impl<T> $name<T> {
            #[allow(missing_docs)]
            #[must_use]
            pub fn of() -> Self {
                Self(PhantomData)
            }
        }
    };
}

probe!(
    /// What an argument says.
    AnArgument
);
probe!(
    /// What an answer says.
    AnAnswer
);
probe!(
    /// What a value says of its JSON.
    AValue
);

macro_rules! level {
    ($trait:ident: $($reference:tt)*) => {
        #[allow(missing_docs)]
        pub trait $trait {
            fn describe(&self, operation: &mut Operation);
        }

        level!(@impl $trait: $($reference)*);
    };
    (@impl $trait:ident: $probe:ty, $($bound:tt)*) => {
        impl<T: $($bound)*> $trait for $probe {
            fn describe(&self, operation: &mut Operation) {
                T::describe(operation);
            }
        }
    };
}

level!(ArgumentWithSchema: &&AnArgument<T>, Argument<Yes>);
level!(ArgumentWithout: &AnArgument<T>, Argument<No>);
level!(AnswerWithAll: &&&&AnAnswer<T>, Answer<Knows<Yes, Yes>>);
level!(AnswerWithRefusals: &&&AnAnswer<T>, Answer<Knows<No, Yes>>);
level!(AnswerWithSchemas: &&AnAnswer<T>, Answer<Knows<Yes, No>>);
level!(AnswerWithout: &AnAnswer<T>, Answer<Knows<No, No>>);

#[allow(missing_docs)]
pub trait Nothing {
    fn describe(&self, operation: &mut Operation);
}

/// It may answer what it likes, as it may refuse the request.
impl<T> Nothing for AnArgument<T> {
    fn describe(&self, operation: &mut Operation) {
        operation.leave_open();
    }
}

impl<T> Nothing for AnAnswer<T> {
    fn describe(&self, operation: &mut Operation) {
        operation.leave_open();
    }
}

#[allow(missing_docs)]
pub trait ValueWithSchema {
    fn schema(&self, generator: &mut SchemaGenerator) -> Schema;
}

impl<T: JsonSchema> ValueWithSchema for &AValue<T> {
    fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }
}

#[allow(missing_docs)]
pub trait AnyValue {
    fn schema(&self, generator: &mut SchemaGenerator) -> Schema;
}

impl<T> AnyValue for AValue<T> {
    fn schema(&self, _: &mut SchemaGenerator) -> Schema {
        Schema::default()
    }
}
