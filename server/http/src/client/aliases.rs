//! The directory: aliases of rooms, and which rooms it shows.

use super::create_room::Visibility;
use super::membership::by;
use crate::app::App;
use crate::error::Answer;
use crate::extract::{Body, Caller, OptionalBody, Path, State};
use crate::respond;
use crate::router::v3;
use axum::Router;
use axum::routing::{get, put};
use kontor_model::{Code, Error};
use kontor_rooms::alias;
use ruma::{OwnedRoomId, RoomId};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

pub(super) fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    let routes = v3(routes, "/directory/room/{alias}", get(resolve).put(add).delete(remove));
    let routes = v3(routes, "/rooms/{room_id}/aliases", get(list));
    let routes = v3(routes, "/directory/list/room/{room_id}", get(visibility).put(publish));
    v3(routes, "/directory/list/appservice/{network_id}/{room_id}", put(publish_in_network))
}

#[derive(Deserialize)]
struct NewAlias {
    room_id: String,
}

/// `GET /_matrix/client/v3/directory/room/{roomAlias}`
async fn resolve(app: State, Path(text): Path<String>) -> Answer {
    let room_id = app.flows.resolve_alias(&alias::parse(&text)?).await?;
    Ok(respond::ok(&json!({ "room_id": room_id, "servers": [app.settings.server_name] })))
}

/// `PUT /_matrix/client/v3/directory/room/{roomAlias}`
async fn add(app: State, caller: Caller, Path(text): Path<String>, Body(body): Body<NewAlias>) -> Answer {
    let alias = alias::parse(&text)?;
    let room_id = RoomId::parse(&body.room_id).map_err(|_| Error::invalid_param("This is not a room id."))?;
    app.flows.add_alias(&by(&app, &caller), &alias, &room_id).await?;
    Ok(respond::empty())
}

/// `DELETE /_matrix/client/v3/directory/room/{roomAlias}`
async fn remove(app: State, caller: Caller, Path(text): Path<String>) -> Answer {
    app.flows.remove_alias(&by(&app, &caller), &alias::parse(&text)?).await?;
    Ok(respond::empty())
}

/// `GET /_matrix/client/v3/rooms/{roomId}/aliases`
async fn list(app: State, caller: Caller, Path(room_id): Path<OwnedRoomId>) -> Answer {
    let aliases = app.flows.aliases(&caller.requester, &room_id).await?;
    Ok(respond::ok(&json!({ "aliases": aliases })))
}

/// `GET /_matrix/client/v3/directory/list/room/{roomId}`
async fn visibility(app: State, Path(room_id): Path<OwnedRoomId>) -> Answer {
    let published = app.flows.is_published(&room_id).await?;
    Ok(respond::ok(&json!({ "visibility": if published { "public" } else { "private" } })))
}

#[derive(Deserialize)]
struct Publish {
    visibility: Option<Visibility>,
}

/// `PUT /_matrix/client/v3/directory/list/room/{roomId}`
async fn publish(
    app: State,
    caller: Caller,
    Path(room_id): Path<OwnedRoomId>,
    OptionalBody(body): OptionalBody<Publish>,
) -> Answer {
    let published = body.visibility.unwrap_or(Visibility::Public) == Visibility::Public;
    app.flows.publish(&by(&app, &caller), &room_id, published).await?;
    Ok(respond::empty())
}

/// `PUT /_matrix/client/v3/directory/list/appservice/{networkId}/{roomId}`
async fn publish_in_network(
    app: State,
    caller: Caller,
    Path((network, room_id)): Path<(String, OwnedRoomId)>,
    Body(body): Body<Publish>,
) -> Answer {
    let visibility = body.visibility.ok_or_else(|| {
        Error::new(Code::MissingParam, "visibility is missing. It is \"public\" or \"private\".")
    })?;
    let shown = visibility == Visibility::Public;
    app.flows.list_in_network(&by(&app, &caller), &network, &room_id, shown).await?;
    Ok(respond::empty())
}
