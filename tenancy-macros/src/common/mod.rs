//! What every macro here needs: collected errors, the path of the `tenancy`
//! crate as the user named it, and "did you mean".

mod errors;
mod krate;
mod suggest;

pub(crate) use errors::Errors;
pub(crate) use krate::Crate;
pub(crate) use suggest::did_you_mean;
