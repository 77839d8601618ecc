//! Server-side key backup (client-server API, "Server-side key backups").

mod answer;

use super::own::{room_id, submit, submit_told};
use crate::app::App;
use crate::error::Answer;
use crate::extract::{Body, Caller, Path, Query, State};
use crate::respond;
use crate::router::v3;
use axum::Router;
use axum::routing::{get, post};
use kontor_identity::backup::{Backup, Described, KeyData, Part, RoomBackup, Stored};
use kontor_model::Result;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

/// Adds the routes.
pub fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    let routes = v3(routes, "/room_keys/version", post(create).get(current));
    let routes = v3(routes, "/room_keys/version/{version}", get(version).put(describe).delete(delete));
    let routes = v3(routes, "/room_keys/keys", get(keys).put(store).delete(delete_keys));
    let of_room = get(keys_of_room).put(store_of_room).delete(delete_of_room);
    let routes = v3(routes, "/room_keys/keys/{room_id}", of_room);
    let of_session = get(key).put(store_one).delete(delete_one);
    v3(routes, "/room_keys/keys/{room_id}/{session_id}", of_session)
}

/// The version that keys belong to.
#[derive(Deserialize)]
struct Of {
    version: String,
}

/// `POST /_matrix/client/v3/room_keys/version`
async fn create(state: State, caller: Caller, Body(described): Body<Described>) -> Answer {
    let plan = || state.identity.create_backup(&caller.requester, &described);
    let version = submit_told(&state.store, caller.requester.user, plan).await?;
    Ok(respond::ok(&json!({ "version": version })))
}

/// `GET /_matrix/client/v3/room_keys/version`
async fn current(state: State, caller: Caller) -> Answer {
    Ok(respond::ok(&state.identity.backup(&caller.requester, None).await?))
}

/// `GET /_matrix/client/v3/room_keys/version/{version}`
async fn version(state: State, caller: Caller, Path(version): Path<String>) -> Answer {
    Ok(respond::ok(&state.identity.backup(&caller.requester, Some(&version)).await?))
}

/// `PUT /_matrix/client/v3/room_keys/version/{version}`
async fn describe(
    state: State,
    caller: Caller,
    Path(version): Path<String>,
    Body(described): Body<Described>,
) -> Answer {
    let plan = || state.identity.describe_backup(&caller.requester, &version, &described);
    submit(&state.store, caller.requester.user, plan).await?;
    Ok(respond::empty())
}

/// `DELETE /_matrix/client/v3/room_keys/version/{version}`
async fn delete(state: State, caller: Caller, Path(version): Path<String>) -> Answer {
    let plan = || state.identity.delete_backup(&caller.requester, &version);
    submit(&state.store, caller.requester.user, plan).await?;
    Ok(respond::empty())
}

/// `GET /_matrix/client/v3/room_keys/keys`
async fn keys(state: State, caller: Caller, Query(of): Query<Of>) -> Answer {
    let place = state.identity.backup_keys(&caller.requester, &of.version, None).await?;
    answer::all(Arc::clone(&state.identity), place).await
}

/// `GET /_matrix/client/v3/room_keys/keys/{roomId}`
async fn keys_of_room(
    state: State,
    caller: Caller,
    Path(room_id): Path<String>,
    Query(of): Query<Of>,
) -> Answer {
    let place = state.identity.backup_keys(&caller.requester, &of.version, Some(&room_id)).await?;
    answer::of_room(Arc::clone(&state.identity), place).await
}

/// `GET /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}`
async fn key(
    state: State,
    caller: Caller,
    Path((room_id, session_id)): Path<(String, String)>,
    Query(of): Query<Of>,
) -> Answer {
    Ok(respond::ok(&state.identity.backup_key(&caller.requester, &of.version, &room_id, &session_id).await?))
}

async fn put(state: &App, caller: &Caller, of: &Of, keys: &Backup) -> Result<Stored> {
    let plan = || state.identity.store_backup_keys(&caller.requester, &of.version, keys);
    submit_told(&state.store, caller.requester.user, plan).await
}

/// `PUT /_matrix/client/v3/room_keys/keys`
async fn store(state: State, caller: Caller, Query(of): Query<Of>, Body(keys): Body<Backup>) -> Answer {
    Ok(respond::ok(&put(&state, &caller, &of, &keys).await?))
}

/// `PUT /_matrix/client/v3/room_keys/keys/{roomId}`
async fn store_of_room(
    state: State,
    caller: Caller,
    Path(room): Path<String>,
    Query(of): Query<Of>,
    Body(keys): Body<RoomBackup>,
) -> Answer {
    room_id(&room)?;
    Ok(respond::ok(&put(&state, &caller, &of, &Backup::of_room(room, keys)).await?))
}

/// `PUT /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}`
async fn store_one(
    state: State,
    caller: Caller,
    Path((room, session)): Path<(String, String)>,
    Query(of): Query<Of>,
    Body(key): Body<KeyData>,
) -> Answer {
    Ok(respond::ok(&put(&state, &caller, &of, &Backup::of_session(room, session, key)).await?))
}

async fn drop_keys(state: &App, caller: &Caller, of: &Of, part: Part<'_>) -> Answer {
    let plan = || state.identity.delete_backup_keys(&caller.requester, &of.version, part);
    Ok(respond::ok(&submit_told(&state.store, caller.requester.user, plan).await?))
}

/// `DELETE /_matrix/client/v3/room_keys/keys`
async fn delete_keys(state: State, caller: Caller, Query(of): Query<Of>) -> Answer {
    drop_keys(&state, &caller, &of, Part::Whole).await
}

/// `DELETE /_matrix/client/v3/room_keys/keys/{roomId}`
async fn delete_of_room(
    state: State,
    caller: Caller,
    Path(room): Path<String>,
    Query(of): Query<Of>,
) -> Answer {
    drop_keys(&state, &caller, &of, Part::Room(&room)).await
}

/// `DELETE /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}`
async fn delete_one(
    state: State,
    caller: Caller,
    Path((room, session)): Path<(String, String)>,
    Query(of): Query<Of>,
) -> Answer {
    drop_keys(&state, &caller, &of, Part::Session(&room, &session)).await
}
