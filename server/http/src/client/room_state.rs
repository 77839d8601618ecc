//! The state of a room: reading and setting it.

use super::delayed::{Delay, keep};
use super::membership::by;
use crate::app::App;
use crate::error::Answer;
use crate::extract::{Body, Caller, Path, Query, State};
use crate::respond;
use crate::router::v3;
use crate::services::Stamp;
use axum::Router;
use axum::routing::get;
use kontor_flows::delayed::Later;
use kontor_flows::state::NewState;
use kontor_model::Error;
use kontor_model::json::event_content;
use ruma::OwnedRoomId;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::sync::Arc;

pub(super) fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    let routes = v3(routes, "/rooms/{room_id}/state", get(whole));
    let routes = v3(routes, "/rooms/{room_id}/state/{kind}", get(one_without_key).put(set_without_key));
    // Clients that always write the key end with a slash when it is empty.
    let routes = v3(routes, "/rooms/{room_id}/state/{kind}/", get(one_without_key).put(set_without_key));
    v3(routes, "/rooms/{room_id}/state/{kind}/{key}", get(one).put(set))
}

#[derive(Deserialize)]
struct Params {
    format: Option<String>,
}

/// `GET /_matrix/client/v3/rooms/{roomId}/state`
async fn whole(app: State, caller: Caller, Path(room_id): Path<OwnedRoomId>) -> Answer {
    Ok(respond::ok(&app.flows.room_state(&caller.requester, &room_id).await?))
}

/// `GET /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}`
async fn one(
    app: State,
    caller: Caller,
    Path((room_id, kind, key)): Path<(OwnedRoomId, String, String)>,
    Query(params): Query<Params>,
) -> Answer {
    read(&app, &caller, &room_id, &kind, &key, &params).await
}

/// `GET /_matrix/client/v3/rooms/{roomId}/state/{eventType}`
async fn one_without_key(
    app: State,
    caller: Caller,
    Path((room_id, kind)): Path<(OwnedRoomId, String)>,
    Query(params): Query<Params>,
) -> Answer {
    read(&app, &caller, &room_id, &kind, "", &params).await
}

async fn read(
    app: &App,
    caller: &Caller,
    room_id: &OwnedRoomId,
    kind: &str,
    key: &str,
    params: &Params,
) -> Answer {
    let whole = match params.format.as_deref() {
        None | Some("content") => false,
        Some("event") => true,
        Some(_) => return Err(Error::invalid_param("format is \"content\" or \"event\".").into()),
    };
    let event = app.flows.room_state_event(&caller.requester, room_id, kind, key).await?;
    Ok(if whole { respond::ok(&event) } else { respond::ok(&event.content()) })
}

/// `PUT /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}`
async fn set(
    app: State,
    caller: Caller,
    Path((room_id, kind, key)): Path<(OwnedRoomId, String, String)>,
    Query(delay): Query<Delay>,
    Query(stamp): Query<Stamp>,
    Body(body): Body<Box<RawValue>>,
) -> Answer {
    write(
        &app,
        &caller,
        NewState { room_id: &room_id, kind: &kind, key: &key, content: event_content(&body)? },
        &delay,
        &stamp,
    )
    .await
}

/// `PUT /_matrix/client/v3/rooms/{roomId}/state/{eventType}`
async fn set_without_key(
    app: State,
    caller: Caller,
    Path((room_id, kind)): Path<(OwnedRoomId, String)>,
    Query(delay): Query<Delay>,
    Query(stamp): Query<Stamp>,
    Body(body): Body<Box<RawValue>>,
) -> Answer {
    write(
        &app,
        &caller,
        NewState { room_id: &room_id, kind: &kind, key: "", content: event_content(&body)? },
        &delay,
        &stamp,
    )
    .await
}

async fn write(app: &App, caller: &Caller, state: NewState<'_>, delay: &Delay, stamp: &Stamp) -> Answer {
    if let Some(delay) = delay.wanted()? {
        let NewState { room_id, kind, key, content } = state;
        let later = Later { room_id, kind, state_key: Some(key), txn_id: None, content, delay };
        return keep(app, caller, later).await;
    }
    let mut by = by(app, caller);
    by.now = stamp.of(caller)?.unwrap_or(by.now);
    let event_id = app.flows.set_state(&by, state).await?;
    Ok(respond::ok(&json!({ "event_id": event_id })))
}
