use axum::extract::ws::{CloseFrame, Message, close_code};

use crate::error::{Error, Result};
use crate::events::End;
use crate::problem::said;

/// The most bytes of a reason: a control frame has 125 of them.
const LONGEST_REASON: usize = 123;

/// How a socket ends, as its peer is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) code: u16,
    pub(super) reason: String,
}

impl Ending {
    pub(super) fn new(code: u16, reason: &str) -> Self {
        let reason = &reason[..reason.floor_char_boundary(LONGEST_REASON)];
        Self {
            code,
            reason: reason.to_owned(),
        }
    }

    /// Of a subscription, or of what it goes by.
    pub(super) fn of_end(end: End) -> Self {
        match end {
            End::Revoked => Self::of_error(&Error::TenantInactive),
            End::Unknown => Self::new(close_code::AGAIN, "unavailable"),
            End::Stopping => Self::new(close_code::RESTART, "restart"),
            End::Overflow => Self::new(close_code::AGAIN, "too_slow"),
        }
    }

    /// Of a handler, or of its panic. What went wrong stays inside.
    pub(super) fn of_handler(outcome: std::thread::Result<Result<()>>) -> Self {
        match outcome {
            Ok(Ok(())) => Self::new(close_code::NORMAL, ""),
            Ok(Err(error)) => {
                match &error {
                    Error::Unavailable(cause) => tracing::warn!(%cause, "a WebSocket ended"),
                    Error::Internal(_) | Error::WrongTenant { .. } => {
                        tracing::error!(%error, "a WebSocket ended");
                    }
                    _ => tracing::debug!(%error, "a WebSocket ended"),
                }
                Self::of_error(&error)
            }
            Err(panic) => {
                tracing::error!(panic = said(&*panic), "a WebSocket's handler panicked");
                Self::new(close_code::ERROR, "internal")
            }
        }
    }

    fn of_error(error: &Error) -> Self {
        let code = match error {
            Error::InvalidInput(_) => close_code::INVALID,
            Error::PayloadTooLarge => close_code::SIZE,
            Error::UnsupportedMediaType(_) => close_code::UNSUPPORTED,
            Error::Unavailable(_) | Error::RateLimited { .. } => close_code::AGAIN,
            Error::TenantUnresolved
            | Error::TenantInactive
            | Error::InvalidToken
            | Error::NotAMember
            | Error::FeatureUnavailable(_)
            | Error::QuotaExceeded { .. }
            | Error::Conflict(_)
            | Error::NotFound => close_code::POLICY,
            _ => close_code::ERROR,
        };
        Self::new(code, error.code())
    }

    pub(super) fn message(self) -> Message {
        Message::Close(Some(CloseFrame {
            code: self.code,
            reason: self.reason.into(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ending_has_its_code_and_none_tells_of_the_inside() {
        let of = |error| Ending::of_handler(Ok(Err(error)));
        assert_eq!(Ending::of_handler(Ok(Ok(()))).code, 1000);
        assert_eq!(of(Error::InvalidInput("x".to_owned())).code, 1007);
        assert_eq!(of(Error::TenantInactive), Ending::of_end(End::Revoked));
        assert_eq!(Ending::of_end(End::Revoked).code, 1008);
        assert_eq!(of(Error::unavailable("x")), Ending::of_end(End::Unknown));
        assert_eq!(Ending::of_end(End::Unknown).code, 1013);
        assert_eq!(Ending::of_end(End::Stopping).code, 1012);
        assert_eq!(Ending::of_end(End::Overflow).code, 1013);
        assert_eq!(of(Error::unavailable("hunter2")).code, 1013);
        let inside = of(Error::internal("hunter2"));
        assert_eq!((inside.code, &*inside.reason), (1011, "internal"));
        let panicked = Ending::of_handler(Err(Box::new("hunter2")));
        assert_eq!((panicked.code, &*panicked.reason), (1011, "internal"));
        let long = Ending::new(1000, &"ä".repeat(100));
        assert_eq!(long.reason.len(), 122);
    }
}
