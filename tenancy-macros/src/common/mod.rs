//! What every macro here needs: collected errors, the path of the `tenancy`
//! crate as the user named it, tables of legal words with "did you mean", and
//! functions, attributes and types taken apart no further than needed.

mod choices;
mod errors;
mod function;
mod krate;
mod parts;
pub(crate) mod rate;
mod suggest;
#[cfg(test)]
pub(crate) mod testing;
mod types;

pub(crate) use choices::Choices;
pub(crate) use errors::Errors;
pub(crate) use function::Function;
pub(crate) use krate::Crate;
pub(crate) use parts::parts;
pub(crate) use rate::RateLimit;
pub(crate) use suggest::did_you_mean;
pub(crate) use types::{first_argument, last_segment};
