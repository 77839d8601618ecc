//! What the homeserver asks for in an administrator's name: dead letters, and messages of unknown fate.

use super::{Door, json, matrix_error, status_of};
use crate::db::{inbox, notice};
use crate::outbound::transaction;
use crate::text;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use kontor_model::{Code, Error, Result};
use serde_json::{Value, json as value};
use std::collections::HashMap;
use std::sync::Arc;

fn answer(door: &Door, headers: &HeaderMap, done: Result<Value>) -> Response {
    if !door.is_homeserver(headers) {
        return matrix_error(StatusCode::FORBIDDEN, "M_FORBIDDEN", "The token is not the homeserver's.");
    }
    match done {
        Ok(done) => json(StatusCode::OK, &done),
        Err(error) => matrix_error(status_of(error.code), "M_UNKNOWN", &error.message),
    }
}

/// GET /_bridge/v1/dead?after=ID
pub(super) async fn dead(
    State(door): State<Arc<Door>>,
    headers: HeaderMap,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let after = query.get("after").and_then(|after| after.parse().ok()).unwrap_or(0);
    let done = if door.is_homeserver(&headers) {
        inbox::all_dead(door.engine.db(), door.engine.name(), after).await
    } else {
        Ok(Vec::new())
    };
    answer(&door, &headers, done.map(|dead| value!({ "dead": dead })))
}

/// POST /_bridge/v1/pause and /_bridge/v1/resume
pub(super) async fn rest(
    State(door): State<Arc<Door>>,
    headers: HeaderMap,
    Path(command): Path<String>,
) -> Response {
    let done = match (door.is_homeserver(&headers), command.as_str()) {
        (true, "pause") => door.engine.set_paused(true).await,
        (true, "resume") => door.engine.set_paused(false).await,
        (true, _) => Err(Error::new(Code::Unrecognized, "There is no such command.")),
        _ => Ok(()),
    };
    answer(&door, &headers, done.map(|()| value!({})))
}

/// POST /_bridge/v1/test
pub(super) async fn test(State(door): State<Arc<Door>>, headers: HeaderMap) -> Response {
    let said =
        if door.is_homeserver(&headers) { crate::health::test(&door.engine).await } else { value!({}) };
    answer(&door, &headers, Ok(said))
}

/// POST /_bridge/v1/dead/{id}/replay
pub(super) async fn replay(
    State(door): State<Arc<Door>>,
    headers: HeaderMap,
    Path(id): Path<i64>,
) -> Response {
    press(&door, &headers, notice::DEAD, id, text::AGAIN).await
}

/// POST /_bridge/v1/outbox/{id}/again and …/arrived
pub(super) async fn decide(
    State(door): State<Arc<Door>>,
    headers: HeaderMap,
    Path((id, command)): Path<(i64, String)>,
) -> Response {
    let key = match command.as_str() {
        "again" => text::AGAIN,
        "arrived" => text::ARRIVED,
        _ => "",
    };
    press(&door, &headers, notice::UNCERTAIN, id, key).await
}

async fn press(door: &Door, headers: &HeaderMap, kind: &str, id: i64, key: &str) -> Response {
    let done = if door.is_homeserver(headers) {
        transaction::command(&door.engine, kind, id, key).await
    } else {
        Ok(())
    };
    answer(door, headers, done.map(|()| value!({})))
}
