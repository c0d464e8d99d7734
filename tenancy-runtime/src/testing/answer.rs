use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The JSON body of an answer that has this status.
    ///
    /// # Panics
    ///
    /// With the whole body, when the status is another or the body no JSON.
    #[track_caller]
    pub fn json(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("no JSON: {error}: {}", self.text()))
    }

    /// The code of a problem response with this status, such as `not_found`.
    ///
    /// # Panics
    ///
    /// With the whole body, when the answer is no such problem.
    #[track_caller]
    pub fn problem(&self, status: u16) -> String {
        let body = self.json(status);
        let kind = self.headers.get(CONTENT_TYPE);
        assert!(
            kind.is_some_and(|kind| kind == "application/problem+json"),
            "no problem response: {kind:?}: {}",
            self.text()
        );
        assert_eq!(body["status"], status, "{}", self.text());
        let code = body["code"].as_str();
        let code = code.unwrap_or_else(|| panic!("no problem response: {}", self.text()));
        code.to_owned()
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Status, headers and body as one text, for a search in all of it.
    pub(super) fn whole(&self) -> String {
        let mut whole = String::new();
        for (name, value) in &self.headers {
            whole.push_str(name.as_str());
            whole.push_str(": ");
            whole.push_str(&String::from_utf8_lossy(value.as_bytes()));
            whole.push('\n');
        }
        whole + &self.text()
    }
}
