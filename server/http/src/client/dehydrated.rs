//! Dehydrated devices (MSC3814), under the unstable path that clients use.

use super::keys::{ATTEMPTS, too_busy, written};
use crate::app::App;
use crate::error::Answer;
use crate::extract::{Body, Caller, OptionalBody, Path, Query, State};
use crate::respond;
use axum::Router;
use axum::routing::get;
use kontor_identity::dehydrated::{DehydratedUpload, Messages};
use kontor_model::{Error, Pos, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use std::sync::Arc;

/// Adds the routes.
pub fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    let path = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device";
    routes
        .route(path, get(read).put(leave).delete(remove))
        .route(&format!("{path}/{{device_id}}/events"), get(events).post(events_of_old))
}

fn raw(text: String) -> Result<Box<RawValue>> {
    RawValue::from_string(text).map_err(Error::internal)
}

#[derive(Serialize)]
struct Device {
    device_id: String,
    device_data: Box<RawValue>,
}

/// `GET /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device`
async fn read(state: State, caller: Caller) -> Answer {
    let device = state.identity.dehydrated(&caller.requester).await?;
    Ok(respond::ok(&Device { device_id: device.device_id, device_data: raw(device.device_data)? }))
}

/// `PUT /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device`
async fn leave(state: State, caller: Caller, Body(upload): Body<DehydratedUpload>) -> Answer {
    for _ in 0..ATTEMPTS {
        let change = state.identity.dehydrate(&caller.requester, &upload, caller.actor()).await?;
        if written(&state, caller.requester.user, change, true).await? {
            return Ok(respond::ok(&json!({ "device_id": upload.device_id })));
        }
    }
    Err(too_busy().into())
}

/// `DELETE /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device`
async fn remove(state: State, caller: Caller) -> Answer {
    for _ in 0..ATTEMPTS {
        let (change, device_id) = state.identity.drop_dehydrated(&caller.requester, caller.actor()).await?;
        if written(&state, caller.requester.user, change, true).await? {
            return Ok(respond::ok(&json!({ "device_id": device_id })));
        }
    }
    Err(too_busy().into())
}

#[derive(Deserialize)]
struct From {
    from: Option<String>,
}

#[derive(Default, Deserialize)]
struct OldFrom {
    next_batch: Option<String>,
}

#[derive(Serialize)]
struct Event {
    sender: String,
    #[serde(rename = "type")]
    kind: String,
    content: Box<RawValue>,
}

#[derive(Serialize)]
struct Events {
    events: Vec<Event>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_batch: Option<String>,
}

fn place(text: Option<&str>) -> Result<Pos> {
    let number = text.map_or(Ok(0), str::parse);
    number.map(Pos).map_err(|_| Error::invalid_param("This is not where a page of messages ended."))
}

fn page(messages: Messages, always: bool) -> Result<Events> {
    let next_batch = (messages.more || always).then(|| messages.end.0.to_string());
    let event = |message: kontor_store::identity::to_device::Waiting| -> Result<Event> {
        Ok(Event { sender: message.sender, kind: message.kind, content: raw(message.content)? })
    };
    let events = messages.messages.into_iter().map(event).collect::<Result<_>>()?;
    Ok(Events { events, next_batch })
}

/// `GET /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device/{deviceId}/events`
async fn events(
    state: State,
    caller: Caller,
    Path(device_id): Path<String>,
    Query(from): Query<From>,
) -> Answer {
    let from = place(from.from.as_deref())?;
    let messages = state.identity.dehydrated_messages(&caller.requester, &device_id, from).await?;
    Ok(respond::ok(&page(messages, false)?))
}

/// `POST /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device/{deviceId}/events`
///
/// The proposal's earlier form, which matrix-rust-sdk still has: every answer says where to go on,
/// and the one without messages is the last.
async fn events_of_old(
    state: State,
    caller: Caller,
    Path(device_id): Path<String>,
    OptionalBody(from): OptionalBody<OldFrom>,
) -> Answer {
    let from = place(from.next_batch.as_deref())?;
    let messages = state.identity.dehydrated_messages(&caller.requester, &device_id, from).await?;
    Ok(respond::ok(&page(messages, true)?))
}
