//! What a program is told of the routes: their OpenAPI description, and the page
//! that shows it.
//!
//! A handler's types say what it takes and what it answers. [`Argument`] and
//! [`Answer`] are what a type says of itself, and write it down on an
//! [`Operation`]; [`JsonSchema`] is what a type says of its JSON. A type that says
//! nothing compiles all the same, and is described as one of which nothing is known
//! (`probe`). Here is nothing of tenants: which of them a route asks for, and how a
//! request names one, is added by [`app`](crate::app), which knows the routes.
//!
//! The document is made once, at start. No claim is made that a type does not hold:
//! where a handler picks its status itself, success is `2XX` and every other answer
//! is left open, until `status = 201` says more.

mod answer;
mod argument;
mod macros;
mod operation;
mod options;
mod page;
#[doc(hidden)]
pub mod probe;
mod schemas;

pub use answer::{Answer, Refusal};
pub use argument::Argument;
pub use operation::Operation;
pub use options::OpenApi;
/// The crate of [`JsonSchema`], for its derive:
/// `#[schemars(crate = "tenancy::openapi::schemars")]`.
pub use schemars;
pub use schemars::JsonSchema;
#[doc(hidden)]
pub use schemas::any_json;

pub(crate) use operation::{Described, parameters_of};
pub(crate) use page::routes;
pub(crate) use schemas::Schemas;
