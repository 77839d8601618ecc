//! Whether the process lives, and whether it can do its work: for whoever starts and watches it.

use super::{Door, json};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json as value;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// GET /health/live
pub(super) async fn live() -> Response {
    json(StatusCode::OK, &value!({ "status": "ok" }))
}

/// GET /health/ready
///
/// Ready is who can take what comes: the database answers. Whether the homeserver answers, and whether this
/// process or another one works on the channel, is told beside it; what comes waits for both.
pub(super) async fn ready(State(door): State<Arc<Door>>) -> Response {
    let engine = &door.engine;
    let homeserver = engine.know_oneself().await.is_ok() && engine.home_gate.closed(engine.now()).is_none();
    let works = engine.leads.load(Ordering::Relaxed);
    let database = engine.db().answers().await;
    let status = if database { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json(status, &value!({ "database": database, "homeserver": homeserver, "works": works }))
}
