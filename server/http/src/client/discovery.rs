//! Finding rooms: the tree of a space, one room before joining it, the room directory.

use crate::app::App;
use crate::error::Answer;
use crate::extract::{Body, Caller, Origin, Path, Query, State};
use crate::{respond, router};
use axum::Router;
use axum::extract::{FromRequestParts, Request};
use axum::routing::get;
use kontor_flows::discovery::HierarchyRequest;
use kontor_model::{Error, Requester, Result};
use kontor_rooms::directory::{Network, Page, Wanted};
use ruma::OwnedRoomId;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    let routes = routes
        .route("/_matrix/client/v1/rooms/{room_id}/hierarchy", get(hierarchy))
        .route("/_matrix/client/unstable/org.matrix.msc2946/rooms/{room_id}/hierarchy", get(hierarchy))
        .route("/_matrix/client/v1/room_summary/{room}", get(summary))
        .route("/_matrix/client/unstable/im.nheko.summary/summary/{room}", get(old_summary))
        .route("/_matrix/client/unstable/im.nheko.summary/rooms/{room}/summary", get(old_summary));
    router::v3(routes, "/publicRooms", get(list).post(search))
}

#[derive(Deserialize)]
struct HierarchyParams {
    suggested_only: Option<bool>,
    limit: Option<u64>,
    max_depth: Option<u64>,
    from: Option<String>,
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// `GET /_matrix/client/v1/rooms/{roomId}/hierarchy`
async fn hierarchy(
    app: State,
    caller: Caller,
    Path(room_id): Path<OwnedRoomId>,
    Query(params): Query<HierarchyParams>,
) -> Answer {
    if params.limit == Some(0) {
        return Err(Error::invalid_param("The limit must be greater than zero.").into());
    }
    let request = HierarchyRequest {
        suggested_only: params.suggested_only,
        max_depth: params.max_depth.map(size),
        limit: params.limit.map(size),
        from: params.from.as_deref().map(str::parse).transpose()?,
    };
    Ok(respond::ok(&app.flows.hierarchy(&caller.requester, &room_id, &request).await?))
}

/// The summary with the reader's membership, and the older names of two fields where asked for.
async fn summarise(app: &App, reader: &Requester, room: &str, older: bool) -> Result<Value> {
    let room_id = app.flows.find_room(room).await?;
    let preview = app.flows.room_summary(reader, &room_id).await?;
    let mut answer = serde_json::to_value(&preview).map_err(Error::internal)?;
    if let Some(fields) = answer.as_object_mut() {
        fields.insert("membership".to_owned(), preview.membership().unwrap_or("leave").into());
        if older {
            for (name, older) in [("room_version", "version"), ("encryption", "encryption")] {
                if let Some(value) = fields.get(name).cloned() {
                    fields.insert(format!("im.nheko.summary.{older}"), value);
                }
            }
        }
    }
    Ok(answer)
}

/// `GET /_matrix/client/v1/room_summary/{roomIdOrAlias}`
async fn summary(app: State, caller: Caller, Path(room): Path<String>) -> Answer {
    Ok(respond::ok(&summarise(&app, &caller.requester, &room, false).await?))
}

/// `GET /_matrix/client/unstable/im.nheko.summary/summary/{roomIdOrAlias}`
async fn old_summary(app: State, caller: Caller, Path(room): Path<String>) -> Answer {
    Ok(respond::ok(&summarise(&app, &caller.requester, &room, true).await?))
}

#[derive(Deserialize)]
struct ListParams {
    limit: Option<u64>,
    since: Option<String>,
    server: Option<String>,
}

#[derive(Deserialize)]
struct ServerParam {
    server: Option<String>,
}

#[derive(Deserialize)]
struct Search {
    limit: Option<u64>,
    since: Option<String>,
    filter: Option<Filter>,
    #[serde(default)]
    include_all_networks: bool,
    third_party_instance_id: Option<String>,
}

#[derive(Deserialize)]
struct Filter {
    generic_search_term: Option<String>,
    room_types: Option<Vec<Option<String>>>,
}

fn wanted(limit: Option<u64>, since: Option<&str>) -> Result<Wanted> {
    let since = since.filter(|since| !since.is_empty()).map(str::parse).transpose()?;
    Ok(Wanted { since, limit: limit.map(size), ..Wanted::default() })
}

fn told(page: &Page) -> Value {
    let mut answer = json!({ "chunk": page.rooms, "total_room_count_estimate": page.total });
    if let Some(fields) = answer.as_object_mut() {
        for (name, place) in [("next_batch", page.next), ("prev_batch", page.prev)] {
            if let Some(place) = place {
                fields.insert(name.to_owned(), place.to_string().into());
            }
        }
    }
    answer
}

/// `GET /_matrix/client/v3/publicRooms`, without logging in where the configuration says so.
async fn list(app: State, Query(params): Query<ListParams>, origin: Origin, request: Request) -> Answer {
    if app.settings.public_rooms_without_login {
        app.limits.spend_anonymous(&app, &origin)?;
    } else {
        Caller::from_request_parts(&mut request.into_parts().0, &*app).await?;
    }
    let wanted = wanted(params.limit, params.since.as_deref())?;
    let page = app.flows.public_rooms(params.server.as_deref(), &wanted).await?;
    Ok(respond::ok(&told(&page)))
}

/// `POST /_matrix/client/v3/publicRooms`
async fn search(
    app: State,
    _: Caller,
    Query(params): Query<ServerParam>,
    Body(body): Body<Search>,
) -> Answer {
    let mut wanted = wanted(body.limit, body.since.as_deref())?;
    if let Some(filter) = body.filter {
        wanted.words = filter.generic_search_term;
        wanted.types = filter.room_types;
    }
    match (body.include_all_networks, body.third_party_instance_id) {
        (true, Some(_)) => {
            let message = "third_party_instance_id names one network; include_all_networks asks for all.";
            return Err(Error::invalid_param(message).into());
        }
        (true, None) => wanted.network = Network::All,
        (false, Some(instance)) => {
            let Some((service, network)) = instance.split_once('|') else {
                return Ok(respond::ok(&json!({ "chunk": [], "total_room_count_estimate": 0 })));
            };
            wanted.network = Network::Of(service.to_owned(), network.to_owned());
        }
        (false, None) => {}
    }
    let page = app.flows.public_rooms(params.server.as_deref(), &wanted).await?;
    Ok(respond::ok(&told(&page)))
}
