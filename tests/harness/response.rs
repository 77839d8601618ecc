//! An answer of the homeserver, with the checks that nearly every claim makes.

use serde_json::Value;

/// Status, headers and JSON body of an answer. A body that is no JSON is kept as a string, an
/// empty one as null.
#[derive(Debug, Clone)]
pub struct Response {
    /// `GET /path`, for messages of failed checks.
    pub asked: String,
    /// HTTP status.
    pub status: u16,
    /// All headers; names in lower case.
    pub headers: reqwest::header::HeaderMap,
    /// The body.
    pub json: Value,
}

impl Response {
    /// The body of a success. Panics with the whole answer otherwise.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!(self.status == 200, "expected 200, got {self}");
        self.json
    }

    /// Checks that this is the Matrix error `errcode` with `status`; gives its body.
    #[track_caller]
    pub fn err(self, status: u16, errcode: &str) -> Value {
        let right = self.status == status && self.json["errcode"] == errcode;
        assert!(right, "expected {status} {errcode}, got {self}");
        self.json
    }

    /// Checks that the answer is a refusal (4xx) in the Matrix form; gives its errcode.
    #[track_caller]
    pub fn refused(self) -> String {
        let errcode = self.json["errcode"].as_str();
        let right = (400..500).contains(&self.status) && errcode.is_some();
        assert!(right, "expected a 4xx Matrix error, got {self}");
        errcode.unwrap_or_default().to_owned()
    }

    /// A header's value, if the answer has it as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl std::fmt::Display for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut body = self.json.to_string();
        if body.len() > 2_000 {
            body = body.chars().take(2_000).collect::<String>() + "…";
        }
        write!(f, "{} from {}: {body}", self.status, self.asked)
    }
}
