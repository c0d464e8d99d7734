//! The one error of the runtime, and the one place where it becomes an answer.
//!
//! Answers are problem details ([RFC 9457]) with a stable `code`. What happened
//! inside goes to the log and never into the answer.
//!
//! [RFC 9457]: https://www.rfc-editor.org/rfc/rfc9457

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use diesel::result::DatabaseErrorKind;
use serde::Serialize;

use crate::model::ROLL_KEY;
use crate::plan::Feature;
use crate::problem::Problem;
use crate::tenant::InvalidSlug;

/// What can go wrong on the way of a request.
///
/// Handlers return it with `?`, from Diesel's errors as well:
///
/// ```
/// use axum::http::StatusCode;
/// use axum::response::IntoResponse;
/// use tenancy_runtime::error::Error;
///
/// let error = Error::from(diesel::result::Error::NotFound);
/// assert_eq!(error.code(), "not_found");
/// assert_eq!(error.into_response().status(), StatusCode::NOT_FOUND);
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The request names no tenant that can be served: missing, malformed and
    /// unknown alike, so that nobody can find out which tenants exist.
    #[error("no tenant could be resolved from the request")]
    TenantUnresolved,
    /// The tenant exists and may not come in now.
    #[error("the tenant is not active")]
    TenantInactive,
    /// The tenant does not have the feature.
    #[error("Feature '{0}' is not available on your plan")]
    FeatureUnavailable(Feature),
    /// The row is not there, as far as this tenant can see; or the route.
    #[error("not found")]
    NotFound,
    /// The route exists and does not take this method.
    #[error("this route does not take the method")]
    MethodNotAllowed,
    /// The change collides with what is stored.
    #[error("{0}")]
    Conflict(String),
    /// The request's content is no good.
    #[error("{0}")]
    InvalidInput(String),
    /// The database cannot be had right now; the caller may try again.
    #[error("unavailable: {0}")]
    Unavailable(#[source] Source),
    /// The application cannot start, for all of these reasons.
    #[error("{}", listed(.0))]
    CannotStart(Vec<Problem>),
    /// Everything else. Only the log learns what it was.
    #[error("internal error: {0}")]
    Internal(#[source] Source),
}

/// What lies under an error, for the log.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The body of a problem response.
#[derive(Serialize)]
struct Body<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

impl Error {
    /// An [`Unavailable`](Self::Unavailable) with its cause.
    pub fn unavailable(cause: impl Into<Source>) -> Self {
        Self::Unavailable(cause.into())
    }

    /// An [`Internal`](Self::Internal) with its cause.
    pub fn internal(cause: impl Into<Source>) -> Self {
        Self::Internal(cause.into())
    }

    /// The stable code clients tell errors apart by.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.parts().1
    }

    fn parts(&self) -> (StatusCode, &'static str, Option<String>) {
        match self {
            Self::TenantUnresolved => (StatusCode::BAD_REQUEST, "tenant_unresolved", None),
            Self::TenantInactive => (StatusCode::FORBIDDEN, "tenant_inactive", None),
            Self::FeatureUnavailable(_) => (
                StatusCode::FORBIDDEN,
                "feature_unavailable",
                Some(self.to_string()),
            ),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found", None),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", None),
            Self::Conflict(detail) => (StatusCode::CONFLICT, "conflict", Some(detail.clone())),
            Self::InvalidInput(detail) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_input",
                Some(detail.clone()),
            ),
            Self::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", None),
            Self::CannotStart(_) | Self::Internal(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "internal", None)
            }
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        match &self {
            Self::Unavailable(cause) => tracing::warn!(%cause, "answered 503"),
            Self::Internal(_) | Self::CannotStart(_) => {
                tracing::error!(error = %self, "answered 500");
            }
            _ => {}
        }
        let (status, code, detail) = self.parts();
        let title = status.canonical_reason().unwrap_or(code);
        let body = Body {
            r#type: "about:blank",
            title,
            status: status.as_u16(),
            code,
            detail,
        };
        let mut response = (status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// One line for each problem.
fn listed(problems: &[Problem]) -> String {
    let lines = problems.iter().map(|problem| format!("\n  - {problem}"));
    format!("the application cannot start:{}", lines.collect::<String>())
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::CannotStart(vec![problem])
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::internal(error)
    }
}

impl From<InvalidSlug> for Error {
    fn from(error: InvalidSlug) -> Self {
        Self::InvalidInput(error.to_string())
    }
}

impl From<diesel::result::Error> for Error {
    fn from(error: diesel::result::Error) -> Self {
        use diesel::result::Error as Diesel;
        match &error {
            Diesel::NotFound => Self::NotFound,
            // Who was admitted just before the tenant was destroyed.
            Diesel::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, information)
                if information.constraint_name() == Some(ROLL_KEY) =>
            {
                Self::TenantInactive
            }
            Diesel::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => {
                Self::Conflict("a row with these values exists already".to_owned())
            }
            Diesel::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, _) => Self::Conflict(
                "a row this one refers to, or is referred to by, stands in the way".to_owned(),
            ),
            Diesel::DatabaseError(
                DatabaseErrorKind::NotNullViolation | DatabaseErrorKind::CheckViolation,
                _,
            ) => Self::InvalidInput("a value is missing or out of its range".to_owned()),
            Diesel::DatabaseError(
                DatabaseErrorKind::ClosedConnection
                | DatabaseErrorKind::UnableToSendCommand
                | DatabaseErrorKind::SerializationFailure,
                _,
            ) => Self::unavailable(error),
            Diesel::DatabaseError(_, information) if says_goodbye(information.message()) => {
                Self::unavailable(error)
            }
            _ => Self::internal(error),
        }
    }
}

/// Whether the server said that it is going down or coming up, or that another
/// attempt may succeed. Diesel does not pass on the SQLSTATE (57P01 to 57P03,
/// 40P01, and 0A000 of a statement that was prepared before its table changed and
/// is prepared anew the next time), only the text.
fn says_goodbye(message: &str) -> bool {
    [
        "terminating connection",
        "the database system is",
        "deadlock detected",
        "cached plan must not change result type",
    ]
    .iter()
    .any(|start| message.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inside_stays_inside() {
        let response = Error::internal("password=hunter2").into_response();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "application/problem+json"
        );
        assert_eq!(Error::internal("password=hunter2").parts().2, None);
    }

    #[test]
    fn an_absent_database_asks_to_come_back() {
        let response = Error::unavailable("gone").into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
    }
}
