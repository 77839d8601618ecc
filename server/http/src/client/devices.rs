//! The caller's devices (client-server API, "Device management").

use super::uia;
use crate::app::App;
use crate::error::Answer;
use crate::extract::{Body, Caller, OptionalBody, Path, State};
use crate::respond;
use crate::router::v3;
use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use kontor_identity::devices::DeviceRow;
use kontor_model::Error;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Devices that one request may remove.
const MOST: usize = 1_000;

/// Adds the routes.
pub fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    let routes = v3(routes, "/devices", get(list));
    let routes = v3(routes, "/devices/{device_id}", get(one).put(rename).delete(remove));
    v3(routes, "/delete_devices", post(remove_many))
}

fn device(row: DeviceRow) -> Value {
    let mut device = Map::from_iter([("device_id".to_owned(), Value::from(row.device_id))]);
    let mut add = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            device.insert(key.to_owned(), value);
        }
    };
    add("display_name", row.display_name.map(Value::from));
    add("last_seen_ts", row.seen_ts.map(Value::from));
    add("last_seen_ip", row.seen_ip.map(Value::from));
    device.into()
}

/// `GET /_matrix/client/v3/devices`
async fn list(state: State, caller: Caller) -> Answer {
    let devices = state.identity.devices(&caller.requester).await?;
    let devices: Vec<_> = devices.into_iter().map(device).collect();
    Ok(respond::ok(&json!({ "devices": devices })))
}

/// `GET /_matrix/client/v3/devices/{deviceId}`
async fn one(state: State, caller: Caller, Path(id): Path<String>) -> Answer {
    Ok(respond::ok(&device(state.identity.device(&caller.requester, &id).await?)))
}

#[derive(Deserialize)]
struct Rename {
    display_name: Option<String>,
}

/// `PUT /_matrix/client/v3/devices/{deviceId}`
async fn rename(state: State, caller: Caller, Path(id): Path<String>, Body(body): Body<Rename>) -> Answer {
    if caller.requester.service.is_some() && state.identity.device(&caller.requester, &id).await.is_err() {
        return make(&state, &caller, &id, body.display_name).await;
    }
    // Without a name the device must exist all the same.
    let Some(name) = body.display_name else {
        state.identity.device(&caller.requester, &id).await?;
        return Ok(respond::empty());
    };
    let change = state.identity.rename_device(&caller.requester, &id, Some(&name)).await?;
    match state.flows.submit_devices(caller.requester.user, change).await {
        Err(error) if error.is_conflict() => Err(Error::not_found("The device was removed.").into()),
        outcome => {
            outcome?;
            Ok(respond::empty())
        }
    }
}

/// Makes a device, as application services may (application service API, "Device management").
async fn make(app: &App, caller: &Caller, id: &str, display_name: Option<String>) -> Answer {
    let change = app.identity.new_device(&caller.requester, id, display_name, caller.actor()).await?;
    match app.flows.submit_devices(caller.requester.user, change).await {
        // Made by another request at the same moment.
        Err(error) if error.is_conflict() => return Ok(respond::empty()),
        outcome => drop(outcome?),
    }
    let mut response = respond::empty();
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

#[derive(Deserialize)]
struct Proven {
    auth: Option<Value>,
}

/// `DELETE /_matrix/client/v3/devices/{deviceId}`
async fn remove(
    state: State,
    caller: Caller,
    Path(id): Path<String>,
    OptionalBody(body): OptionalBody<Proven>,
) -> Answer {
    remove_all(&state, &caller, vec![id], body.auth).await
}

#[derive(Deserialize)]
struct Removal {
    devices: Vec<String>,
    auth: Option<Value>,
}

/// `POST /_matrix/client/v3/delete_devices`
async fn remove_many(state: State, caller: Caller, Body(body): Body<Removal>) -> Answer {
    if body.devices.len() > MOST {
        return Err(Error::invalid_param(format!("One request may remove {MOST} devices.")).into());
    }
    remove_all(&state, &caller, body.devices, body.auth).await
}

async fn remove_all(
    app: &Arc<App>,
    caller: &Caller,
    ids: Vec<String>,
    auth: Option<Value>,
) -> Answer<Response> {
    let ask = uia::password("delete_devices", &caller.requester);
    let passed = uia::passed(app, caller, &ask, auth.as_ref()).await?;
    let change = app.identity.remove_devices(&caller.requester, &ids, caller.actor()).await?;
    uia::submit_devices(app, &caller.requester, change, passed).await?;
    Ok(respond::empty())
}
