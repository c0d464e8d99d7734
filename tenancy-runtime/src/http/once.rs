use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// A header is there more than once.
#[derive(Debug)]
pub(crate) struct Repeated;

/// The value of a header that may be there once: of two, a proxy in front may have
/// gone by the one, and we would go by the other.
pub(crate) fn once<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a HeaderValue>, Repeated> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(Repeated),
    }
}
