//! What the homeserver calls.

use super::{Door, json, matrix_error, status_of};
use crate::outbound::transaction;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json as value};
use std::sync::Arc;

/// Largest transaction, bytes.
const LARGEST: usize = 16 << 20;

fn refused(door: &Door) -> Response {
    tracing::warn!(channel = door.engine.name(), "Somebody who is not the homeserver called the bridge.");
    matrix_error(StatusCode::FORBIDDEN, "M_FORBIDDEN", "The token is not the homeserver's.")
}

/// PUT /_matrix/app/v1/transactions/{txnId}
///
/// Events carry their own identity, so a transaction that comes again changes nothing.
pub(super) async fn transaction(State(door): State<Arc<Door>>, headers: HeaderMap, body: Body) -> Response {
    if !door.is_homeserver(&headers) {
        return refused(&door);
    }
    let taken = async {
        let body = door.read(&headers, body, LARGEST).await?;
        let bad = |error| kontor_model::Error::bad_json("A transaction is a JSON object.").because(error);
        let body: Value = serde_json::from_slice(&body).map_err(bad)?;
        door.engine.know_oneself().await?;
        transaction::take(&door.engine, &body).await
    };
    match taken.await {
        Ok(()) => json(StatusCode::OK, &value!({})),
        Err(error) => {
            tracing::warn!(channel = door.engine.name(), ?error, "A transaction was not taken.");
            matrix_error(status_of(error.code), "M_UNKNOWN", &error.message)
        }
    }
}

/// POST /_matrix/app/v1/ping
pub(super) async fn ping(State(door): State<Arc<Door>>, headers: HeaderMap) -> Response {
    if !door.is_homeserver(&headers) {
        return refused(&door);
    }
    json(StatusCode::OK, &value!({}))
}

/// GET /_matrix/app/v1/users/{userId} and /_matrix/app/v1/rooms/{roomAlias}
///
/// Nobody comes to be by being asked for: contacts and rooms are the company API's.
pub(super) async fn unknown(State(door): State<Arc<Door>>, headers: HeaderMap) -> Response {
    if !door.is_homeserver(&headers) {
        return refused(&door);
    }
    matrix_error(StatusCode::NOT_FOUND, "M_NOT_FOUND", "There is no such user or room.")
}
