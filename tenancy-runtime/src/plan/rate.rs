use std::fmt;
use std::str::FromStr;

/// How many requests are let through in which time: `100/min`.
///
/// ```
/// use tenancy_runtime::plan::{Per, RateLimit};
///
/// let limit: RateLimit = "100/min".parse().unwrap();
/// assert_eq!(limit, RateLimit::new(100, Per::Minute));
/// assert_eq!(limit.to_string(), "100/min");
/// assert!("0/min".parse::<RateLimit>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RateLimit {
    requests: u32,
    per: Per,
}

/// The time that a limit is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Per {
    /// `s` or `sec`
    Second,
    /// `min`
    Minute,
    /// `h` or `hour`
    Hour,
    /// `d` or `day`
    Day,
}

impl Per {
    /// So many seconds.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }

    /// The short word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Second => "s",
            Self::Minute => "min",
            Self::Hour => "h",
            Self::Day => "d",
        }
    }
}

impl RateLimit {
    /// At most `requests` in any such time.
    ///
    /// # Panics
    ///
    /// For no requests at all: as a constant that is a compile error.
    #[must_use]
    pub const fn new(requests: u32, per: Per) -> Self {
        assert!(requests > 0, "a limit lets at least one request through");
        Self { requests, per }
    }

    /// How many.
    #[must_use]
    pub const fn requests(self) -> u32 {
        self.requests
    }

    /// In which time.
    #[must_use]
    pub const fn per(self) -> Per {
        self.per
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.requests, self.per.as_str())
    }
}

/// A text that is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no limit: write a number from 1, `/`, and `s`, `min`, `h` or `d`, as \"100/min\"")]
pub struct InvalidRateLimit;

impl FromStr for RateLimit {
    type Err = InvalidRateLimit;

    fn from_str(text: &str) -> Result<Self, InvalidRateLimit> {
        let (requests, per) = text.split_once('/').ok_or(InvalidRateLimit)?;
        let per = match per {
            "s" | "sec" => Per::Second,
            "min" => Per::Minute,
            "h" | "hour" => Per::Hour,
            "d" | "day" => Per::Day,
            _ => return Err(InvalidRateLimit),
        };
        // `parse` takes a sign as well.
        let digits = requests.bytes().all(|byte| byte.is_ascii_digit());
        match requests.parse() {
            Ok(requests @ 1..) if digits => Ok(Self::new(requests, per)),
            _ => Err(InvalidRateLimit),
        }
    }
}

/// The limit of one route, which each tenant has for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RouteLimit {
    /// What tells the route from others: its method and path.
    pub route: &'static str,
    /// How many requests a tenant may send it.
    pub limit: RateLimit,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_as_they_are_written() {
        for (text, requests, per) in [
            ("1/s", 1, Per::Second),
            ("5/sec", 5, Per::Second),
            ("100/min", 100, Per::Minute),
            ("5000/h", 5000, Per::Hour),
            ("5000/hour", 5000, Per::Hour),
            ("4294967295/d", u32::MAX, Per::Day),
            ("2/day", 2, Per::Day),
        ] {
            assert_eq!(text.parse(), Ok(RateLimit::new(requests, per)), "{text}");
        }
        for text in [
            "",
            "/",
            "100",
            "100/",
            "/min",
            "0/min",
            "-1/min",
            "+1/min",
            "1.5/s",
            "1/m",
            "1/MIN",
            " 1/s",
            "1 /s",
            "1/ s",
            "1/s ",
            "1/s/s",
            "4294967296/d",
            "1/60",
            "1/week",
            "\u{661}/s",
        ] {
            assert_eq!(text.parse::<RateLimit>(), Err(InvalidRateLimit), "{text}");
        }
    }
}
