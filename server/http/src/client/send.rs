//! Sending messages and taking them back.

use super::delayed::{Delay, keep};
use super::membership::by;
use crate::app::App;
use crate::error::Answer;
use crate::extract::{Body, Caller, OptionalBody, Path, Query, State};
use crate::respond;
use crate::router::v3;
use crate::services::Stamp;
use axum::Router;
use axum::routing::put;
use kontor_flows::delayed::Later;
use kontor_flows::send::Message;
use kontor_model::json::event_content;
use kontor_model::{Error, ids};
use ruma::{EventId, OwnedRoomId};
use serde_json::json;
use serde_json::value::RawValue;
use std::sync::Arc;

pub(super) fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    let routes = v3(routes, "/rooms/{room_id}/send/{kind}/{txn_id}", put(send));
    v3(routes, "/rooms/{room_id}/redact/{event_id}/{txn_id}", put(redact))
}

/// `PUT /_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}`
async fn send(
    app: State,
    caller: Caller,
    Path((room_id, kind, txn_id)): Path<(OwnedRoomId, String, String)>,
    Query(delay): Query<Delay>,
    Query(stamp): Query<Stamp>,
    Body(body): Body<Box<RawValue>>,
) -> Answer {
    let content = event_content(&body)?;
    if let Some(delay) = delay.wanted()? {
        let (kind, txn_id) = (kind.as_str(), Some(txn_id.as_str()));
        let later = Later { room_id: &room_id, kind, state_key: None, txn_id, content, delay };
        return keep(&app, &caller, later).await;
    }
    let message = Message { room_id: &room_id, kind: &kind, txn_id: &txn_id, content };
    let mut by = by(&app, &caller);
    by.now = stamp.of(&caller)?.unwrap_or(by.now);
    let event_id = app.flows.send(&by, message).await?;
    Ok(respond::ok(&json!({ "event_id": event_id })))
}

/// `PUT /_matrix/client/v3/rooms/{roomId}/redact/{eventId}/{txnId}`
async fn redact(
    app: State,
    caller: Caller,
    Path((room_id, event_id, txn_id)): Path<(OwnedRoomId, String, String)>,
    OptionalBody(body): OptionalBody<Box<RawValue>>,
) -> Answer {
    let mut content = event_content(&body)?;
    // The path says it, and another word about it in the content could contradict.
    content.remove("redacts");
    ids::storable_key(&event_id, "event id")?;
    let target = EventId::parse(&event_id).map_err(|_| Error::invalid_param("This is not an event id."))?;
    let event_id = app.flows.redact(&by(&app, &caller), &room_id, &target, &txn_id, content).await?;
    Ok(respond::ok(&json!({ "event_id": event_id })))
}
