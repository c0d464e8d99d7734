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

use crate::model::{QUOTA, ROLL_KEY};
use crate::plan::{Feature, RateLimit};
use crate::problem::Problem;
use crate::tenant::{InvalidSlug, Tenant};

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
    /// The request's token is missing, expired, forged or meant for somebody else.
    #[error("the token is missing or not valid")]
    InvalidToken,
    /// Who is behind the request may not act for the tenant.
    #[error("not a member of the tenant")]
    NotAMember,
    /// Who is behind the request may not administer tenants.
    #[error("not an operator")]
    NotAnOperator,
    /// A browser has sent the request for a page of another site, which may not use
    /// the rights of who reads it.
    #[error("{0}")]
    CrossSite(String),
    /// Tenants are looked up here and not changed: the process has no login of the
    /// owner's.
    #[error(
        "this process changes no tenants, since TENANCY_OWNER_DATABASE_URL is not set for it: \
         ask one for which it is, or use the commands where it is"
    )]
    ReadOnly,
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
    /// The tenant has as many rows as its plan allows.
    #[error("the quota `{quota}` is used up: {usage} of {limit}")]
    QuotaExceeded {
        /// The quota.
        quota: String,
        /// How many rows there may be.
        limit: u64,
        /// How many there are.
        usage: u64,
    },
    /// The request's content is no good.
    #[error("{0}")]
    InvalidInput(String),
    /// The request's content is longer than the route takes.
    #[error("the body is too long")]
    PayloadTooLarge,
    /// The request's content is of a kind that the route does not take.
    #[error("{0}")]
    UnsupportedMediaType(String),
    /// The tenant has sent as many requests as it may, and may send the next one
    /// after so many seconds.
    #[error("too many requests: {limit} is the limit")]
    RateLimited {
        /// The limit that is reached.
        limit: RateLimit,
        /// After how many seconds it is worth to come back.
        retry_after: u64,
    },
    /// The database cannot be had right now; the caller may try again.
    #[error("unavailable: {0}")]
    Unavailable(#[source] Source),
    /// The schema or database in which a tenant's data would live is somebody
    /// else's, and left alone. Only the log learns of it.
    #[error("{0}")]
    PlaceTaken(Problem),
    /// The application cannot start, for all of these reasons.
    #[error("{}", listed(.0))]
    CannotStart(Vec<Problem>),
    /// A row of one tenant was used with the connection of another: a mistake of
    /// the application, refused before a statement was sent. Only the log learns
    /// of it.
    #[error(
        "a row of tenant `{}` ({}) was used with a connection of tenant `{}` ({}); use it with \
         a connection of the tenant it was read for",
        .row.slug(), .row.id(), .connection.slug(), .connection.id()
    )]
    WrongTenant {
        /// Whose row it is.
        row: Tenant,
        /// Whose connection it is.
        connection: Tenant,
    },
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
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    quota: Option<Exceeded<'a>>,
}

/// What the body says of a quota beside that.
#[derive(Serialize)]
struct Exceeded<'a> {
    quota: &'a str,
    limit: u64,
    usage: u64,
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

    /// The status that it is answered with.
    #[cfg(feature = "openapi")]
    pub(crate) fn status(&self) -> StatusCode {
        self.parts().0
    }

    /// What only the owner can do, without the owner's login.
    pub(crate) fn without_owner() -> Self {
        Self::unavailable(Problem::new(
            "TENANCY_OWNER_DATABASE_URL",
            "is not set, and only the owner makes tables and changes tenants",
            "set it to the owner's login",
        ))
    }

    /// What the answer says beside the code, of many outcomes in one answer.
    pub(crate) fn detail(&self) -> Option<String> {
        self.parts().2
    }

    /// Tells the log what the answer does not.
    pub(crate) fn log(&self) {
        match self {
            Self::Unavailable(cause) => tracing::warn!(%cause, "answered 503"),
            Self::PlaceTaken(_)
            | Self::CannotStart(_)
            | Self::WrongTenant { .. }
            | Self::Internal(_) => {
                tracing::error!(error = %self, "answered 500");
            }
            _ => {}
        }
    }

    fn exceeded(&self) -> Option<Exceeded<'_>> {
        match self {
            Self::QuotaExceeded {
                quota,
                limit,
                usage,
            } => Some(Exceeded {
                quota,
                limit: *limit,
                usage: *usage,
            }),
            _ => None,
        }
    }

    /// What the trigger that counts says: the quota, its limit and its usage.
    fn quota(details: &str) -> Option<Self> {
        let mut words = details.split(' ');
        Some(Self::QuotaExceeded {
            quota: words.next()?.to_owned(),
            limit: words.next()?.parse().ok()?,
            usage: words.next()?.parse().ok()?,
        })
    }

    fn parts(&self) -> (StatusCode, &'static str, Option<String>) {
        match self {
            Self::TenantUnresolved => (StatusCode::BAD_REQUEST, "tenant_unresolved", None),
            Self::TenantInactive => (StatusCode::FORBIDDEN, "tenant_inactive", None),
            Self::InvalidToken => (StatusCode::UNAUTHORIZED, "invalid_token", None),
            Self::NotAMember => (StatusCode::FORBIDDEN, "not_a_member", None),
            Self::NotAnOperator => (StatusCode::FORBIDDEN, "not_an_operator", None),
            Self::CrossSite(detail) => (StatusCode::FORBIDDEN, "cross_site", Some(detail.clone())),
            Self::ReadOnly => (
                StatusCode::NOT_IMPLEMENTED,
                "read_only",
                Some(self.to_string()),
            ),
            Self::FeatureUnavailable(_) => (
                StatusCode::FORBIDDEN,
                "feature_unavailable",
                Some(self.to_string()),
            ),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found", None),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", None),
            Self::Conflict(detail) => (StatusCode::CONFLICT, "conflict", Some(detail.clone())),
            Self::QuotaExceeded { .. } => (
                StatusCode::CONFLICT,
                "quota_exceeded",
                Some(self.to_string()),
            ),
            Self::InvalidInput(detail) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_input",
                Some(detail.clone()),
            ),
            Self::PayloadTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", None),
            Self::UnsupportedMediaType(detail) => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                Some(detail.clone()),
            ),
            Self::RateLimited { .. } => (
                StatusCode::TOO_MANY_REQUESTS,
                "rate_limited",
                Some(self.to_string()),
            ),
            Self::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", None),
            Self::PlaceTaken(_)
            | Self::CannotStart(_)
            | Self::WrongTenant { .. }
            | Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal", None),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        self.log();
        let (status, code, detail) = self.parts();
        let title = status.canonical_reason().unwrap_or(code);
        let body = Body {
            r#type: "about:blank",
            title,
            status: status.as_u16(),
            code,
            detail,
            quota: self.exceeded(),
        };
        let mut response = (status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if let Self::RateLimited { retry_after, .. } = self {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after));
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
            Diesel::DatabaseError(DatabaseErrorKind::CheckViolation, information)
                if information.constraint_name() == Some(QUOTA) =>
            {
                let quota = information.details().and_then(Self::quota);
                quota.unwrap_or_else(|| Self::internal(error))
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
            Diesel::DatabaseError(_, information) if passes(information.message()) => {
                Self::unavailable(error)
            }
            Diesel::DatabaseError(_, information) if is_about_a_value(information.message()) => {
                tracing::debug!(%error, "a value was refused by the database");
                Self::InvalidInput("a value is none that its column can hold".to_owned())
            }
            // A value that has no form on the way to the database: a date of
            // the year 300000.
            Diesel::SerializationError(_) => {
                Self::InvalidInput("a value is none that its column can hold".to_owned())
            }
            _ => Self::internal(error),
        }
    }
}

/// Whether the server said that it is going down or coming up, that the
/// statement ran into a time limit, or that another attempt may succeed.
fn passes(message: &str) -> bool {
    begins_with(message, TEMPORARY)
}

/// Whether the server said that a value is none of its type, or too long for
/// where it goes.
fn is_about_a_value(message: &str) -> bool {
    begins_with(message, ABOUT_A_VALUE)
        || (begins_with(message, &["value \"", "\""]) && message.contains("is out of range"))
}

fn begins_with(message: &str, starts: &[&str]) -> bool {
    starts.iter().any(|start| message.starts_with(start))
}

// Diesel does not pass on the SQLSTATE, only the text: these are told by how
// they begin, on a server whose `lc_messages` is English or unset. Elsewhere
// they are what all unknown errors are, 500.

/// SQLSTATE 57P01 to 57P03, 57014, 55P03, 40P01, and 0A000 of a statement that
/// was prepared before its table changed and is prepared anew the next time.
const TEMPORARY: &[&str] = &[
    "cached plan must not change result type",
    "terminating connection",
    "the database system is",
    "deadlock detected",
    "canceling statement due to",
    "could not obtain lock",
];

/// Of SQLSTATE's class 22 what the value is to blame for, and of 54000 the key
/// that no index can hold.
const ABOUT_A_VALUE: &[&str] = &[
    "unsupported Unicode escape sequence",
    "invalid byte sequence for encoding",
    "invalid input syntax for type",
    "invalid input value for enum",
    "malformed array literal",
    "malformed range literal",
    "malformed record literal",
    "range lower bound must be",
    "value too long for type",
    "bit string",
    "smallint out of range",
    "integer out of range",
    "bigint out of range",
    "value out of range",
    "numeric field overflow",
    "date/time field value out of range",
    "time zone displacement out of range",
    "interval field value out of range",
    "interval out of range",
    "date out of range",
    "timestamp out of range",
    "LIKE pattern must not end with escape character",
    "invalid regular expression",
    "index row size",
    "index row requires",
];

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
    fn what_postgresql_says_of_values_is_told_from_what_it_says_of_statements() {
        for (message, status) in [
            ("unsupported Unicode escape sequence", 422),
            ("invalid byte sequence for encoding \"UTF8\": 0x00", 422),
            ("value \"99999\" is out of range for type smallint", 422),
            ("\"1e999\" is out of range for type double precision", 422),
            ("canceling statement due to statement timeout", 503),
            ("canceling statement due to lock timeout", 503),
            ("relation \"todos\" does not exist", 500),
            ("permission denied for table todos", 500),
            ("division by zero", 500),
        ] {
            let information = Box::new(message.to_owned());
            let error =
                diesel::result::Error::DatabaseError(DatabaseErrorKind::Unknown, information);
            let response = Error::from(error).into_response();
            assert_eq!(response.status(), status, "{message}");
        }
    }

    #[test]
    fn an_absent_database_asks_to_come_back() {
        let response = Error::unavailable("gone").into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
    }
}
