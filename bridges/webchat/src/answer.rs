//! Answers as the widget reads them, and errors as answers.

use kontor_bridge_kit::{Reply, Status};
use kontor_model::{Code, Error};
use serde_json::{Value, json};

/// JSON that nobody keeps.
pub fn json(value: &Value) -> Reply {
    Reply::json(Status::Ok, value).with("cache-control", "no-store")
}

/// Done, nothing to say.
pub fn empty() -> Reply {
    Reply::empty(Status::NoContent).with("cache-control", "no-store")
}

fn status(code: Code) -> (Status, &'static str) {
    match code {
        Code::Unauthorized | Code::MissingToken | Code::UnknownToken { .. } | Code::InvalidSignature => {
            (Status::Unauthorized, "unauthorized")
        }
        Code::Forbidden => (Status::Forbidden, "forbidden"),
        Code::NotFound | Code::Unrecognized => (Status::NotFound, "not_found"),
        Code::MethodNotAllowed => (Status::MethodNotAllowed, "method_not_allowed"),
        Code::TooLarge => (Status::TooLarge, "too_large"),
        Code::LimitExceeded { .. } => (Status::TooMany, "too_many"),
        Code::Unprocessable => (Status::Unprocessable, "refused"),
        Code::Unavailable | Code::Internal => (Status::Unavailable, "unavailable"),
        _ => (Status::BadRequest, "bad_request"),
    }
}

/// An error as an answer: `{"code", "error"}`, the second for people.
pub fn error(error: &Error) -> Reply {
    let (status, code) = status(error.code);
    let reply = Reply::json(status, &json!({ "code": code, "error": error.message }));
    let reply = reply.with("cache-control", "no-store");
    match error.code {
        Code::LimitExceeded { retry_after_ms } => {
            reply.with("retry-after", retry_after_ms.div_ceil(1000).max(1).to_string())
        }
        _ => reply,
    }
}
