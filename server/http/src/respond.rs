//! Putting answers together.

use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// A JSON answer with status 200.
pub fn ok<T: Serialize>(value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => ([(header::CONTENT_TYPE, "application/json")], bytes).into_response(),
        Err(cause) => crate::error::ErrorResponse::from(kontor_model::Error::internal(cause)).into_response(),
    }
}

/// A JSON answer that was put together before, with status 200.
pub fn whole(json: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], json).into_response()
}

/// `{}`: the answer of everything that has nothing to tell.
pub fn empty() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], "{}").into_response()
}
