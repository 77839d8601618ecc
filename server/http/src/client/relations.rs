//! Events that relate to an event.

use crate::app::App;
use crate::error::Answer;
use crate::extract::{Caller, Path, Query, State};
use crate::respond;
use axum::Router;
use axum::routing::get;
use kontor_flows::history::Direction;
use kontor_flows::relations::{RECURSION, RelationsRequest};
use kontor_model::{Error, Result};
use kontor_rooms::VisibleEvent;
use ruma::OwnedRoomId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Events where the client asks for no number.
const DEFAULT_LIMIT: usize = 20;

pub(super) fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    let base = "/_matrix/client/v1/rooms/{room_id}/relations/{event_id}";
    routes
        .route(base, get(relations))
        .route(&format!("{base}/{{rel_type}}"), get(relations_of_type))
        .route(&format!("{base}/{{rel_type}}/{{kind}}"), get(relations_of_type_and_kind))
}

#[derive(Deserialize)]
struct Params {
    dir: Option<String>,
    from: Option<String>,
    to: Option<String>,
    limit: Option<usize>,
    #[serde(default)]
    recurse: bool,
}

#[derive(Serialize)]
struct Page {
    chunk: Vec<VisibleEvent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_batch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prev_batch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recursion_depth: Option<i64>,
}

/// `GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}`
async fn relations(
    app: State,
    caller: Caller,
    Path((room_id, event_id)): Path<(OwnedRoomId, String)>,
    Query(params): Query<Params>,
) -> Answer {
    page(app, caller, room_id, event_id, None, None, params).await
}

/// `GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}/{relType}`
async fn relations_of_type(
    app: State,
    caller: Caller,
    Path((room_id, event_id, rel_type)): Path<(OwnedRoomId, String, String)>,
    Query(params): Query<Params>,
) -> Answer {
    page(app, caller, room_id, event_id, Some(rel_type), None, params).await
}

/// `GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}/{relType}/{eventType}`
async fn relations_of_type_and_kind(
    app: State,
    caller: Caller,
    Path((room_id, event_id, rel_type, kind)): Path<(OwnedRoomId, String, String, String)>,
    Query(params): Query<Params>,
) -> Answer {
    page(app, caller, room_id, event_id, Some(rel_type), Some(kind), params).await
}

async fn page(
    axum::extract::State(app): State,
    caller: Caller,
    room_id: OwnedRoomId,
    event_id: String,
    rel_type: Option<String>,
    kind: Option<String>,
    params: Params,
) -> Answer {
    let token = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::parse).transpose();
    let request = RelationsRequest {
        rel_type: rel_type.as_deref(),
        kind: kind.as_deref(),
        direction: direction(params.dir.as_deref())?,
        from: token(params.from.as_deref())?,
        to: token(params.to.as_deref())?,
        limit: params.limit.unwrap_or(DEFAULT_LIMIT),
        recurse: params.recurse,
    };
    let page = app.flows.relations(&caller.requester, &room_id, &event_id, &request).await?;
    Ok(respond::ok(&Page {
        chunk: page.chunk,
        next_batch: page.next.map(|next| next.to_string()),
        prev_batch: params.from.filter(|from| !from.is_empty()),
        recursion_depth: params.recurse.then_some(RECURSION),
    }))
}

fn direction(text: Option<&str>) -> Result<Direction> {
    match text {
        None | Some("" | "b") => Ok(Direction::Backward),
        Some("f") => Ok(Direction::Forward),
        Some(_) => Err(Error::invalid_param("The parameter dir is \"b\" or \"f\".")),
    }
}
