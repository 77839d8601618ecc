//! Account data and tags of rooms (client-server API, "Client Config" and "Room Tagging").

use super::own::{known_room, only_own, room_id, submit};
use crate::app::App;
use crate::error::{Answer, ErrorResponse};
use crate::extract::{Body, Caller, Path, State};
use crate::respond;
use crate::router::v3;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, put};
use kontor_identity::account_data::is_servers_own;
use kontor_model::{Code, Error, Nid};
use kontor_store::rooms::members;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Adds the routes.
pub fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    let routes = v3(routes, "/user/{user_id}/account_data/{kind}", get(read).put(write));
    let of_room = get(read_of_room).put(write_of_room);
    let routes = v3(routes, "/user/{user_id}/rooms/{room_id}/account_data/{kind}", of_room);
    let routes = v3(routes, "/user/{user_id}/rooms/{room_id}/tags", get(tags));
    v3(routes, "/user/{user_id}/rooms/{room_id}/tags/{tag}", put(set_tag).delete(remove_tag))
}

/// What only the server itself may write.
fn refuse_servers_own(kind: &str) -> Result<(), ErrorResponse> {
    if !is_servers_own(kind) {
        return Ok(());
    }
    let error = format!("{kind} has endpoints of its own and cannot be set here.");
    let body = json!({ "errcode": "M_BAD_JSON", "error": error });
    Err(ErrorResponse::with_body(StatusCode::METHOD_NOT_ALLOWED, body))
}

/// `GET /_matrix/client/v3/user/{userId}/account_data/{type}`
async fn read(state: State, caller: Caller, Path((user_id, kind)): Path<(String, String)>) -> Answer {
    only_own(&caller, &user_id)?;
    Ok(respond::ok(&state.identity.account_data(&caller.requester, None, &kind).await?))
}

/// `PUT /_matrix/client/v3/user/{userId}/account_data/{type}`
async fn write(
    state: State,
    caller: Caller,
    Path((user_id, kind)): Path<(String, String)>,
    Body(content): Body<Map<String, Value>>,
) -> Answer {
    only_own(&caller, &user_id)?;
    refuse_servers_own(&kind)?;
    let change = state.identity.set_account_data(&caller.requester, None, &kind, content).await?;
    state.store.submit(change).await?;
    Ok(respond::empty())
}

/// The room of an address, for reading: what was never written is not there, whatever the room.
async fn room_to_read(state: &State, caller: &Caller, room: &str) -> Result<Nid, Error> {
    let room_id = room_id(room)?;
    let user = caller.requester.user;
    let mine = members::membership_of(&mut state.store.reader(), room_id.as_str(), user).await?;
    let mine = mine.ok_or_else(|| Error::new(Code::NotFound, "There is no such account data."))?;
    Ok(mine.room)
}

/// `GET /_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}`
async fn read_of_room(
    state: State,
    caller: Caller,
    Path((user_id, room, kind)): Path<(String, String, String)>,
) -> Answer {
    only_own(&caller, &user_id)?;
    let room = room_to_read(&state, &caller, &room).await?;
    Ok(respond::ok(&state.identity.account_data(&caller.requester, Some(room), &kind).await?))
}

/// `PUT /_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}`
async fn write_of_room(
    state: State,
    caller: Caller,
    Path((user_id, room, kind)): Path<(String, String, String)>,
    Body(content): Body<Map<String, Value>>,
) -> Answer {
    only_own(&caller, &user_id)?;
    refuse_servers_own(&kind)?;
    let room = known_room(&state, &caller, &room).await?.room;
    let change = state.identity.set_account_data(&caller.requester, Some(room), &kind, content).await?;
    state.store.submit(change).await?;
    Ok(respond::empty())
}

/// `GET /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags`
async fn tags(state: State, caller: Caller, Path((user_id, room)): Path<(String, String)>) -> Answer {
    only_own(&caller, &user_id)?;
    let room = known_room(&state, &caller, &room).await?.room;
    Ok(respond::ok(&json!({ "tags": state.identity.tags(&caller.requester, room).await? })))
}

/// `PUT /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}`
async fn set_tag(
    state: State,
    caller: Caller,
    Path((user_id, room, tag)): Path<(String, String, String)>,
    Body(data): Body<Map<String, Value>>,
) -> Answer {
    change_tag(&state, &caller, (&user_id, &room, &tag), Some(&data)).await
}

/// `DELETE /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}`
async fn remove_tag(
    state: State,
    caller: Caller,
    Path((user_id, room, tag)): Path<(String, String, String)>,
) -> Answer {
    change_tag(&state, &caller, (&user_id, &room, &tag), None).await
}

async fn change_tag(
    state: &State,
    caller: &Caller,
    (user_id, room, tag): (&str, &str, &str),
    data: Option<&Map<String, Value>>,
) -> Answer {
    only_own(caller, user_id)?;
    let room = known_room(state, caller, room).await?.room;
    let user = caller.requester.user;
    submit(&state.store, user, || state.identity.change_tag(&caller.requester, room, tag, data.cloned()))
        .await?;
    Ok(respond::empty())
}
