//! Reading a room's past: one event, the events around it, page after page.

use crate::app::App;
use crate::error::Answer;
use crate::extract::{Caller, Path, Query, State};
use crate::{respond, router};
use axum::Router;
use axum::routing::get;
use kontor_flows::history::{Direction, PageRequest};
use kontor_model::filter::EventFilter;
use kontor_model::{Error, Result};
use kontor_rooms::VisibleEvent;
use ruma::OwnedRoomId;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;

/// Events where the client asks for no number.
const DEFAULT_LIMIT: usize = 10;

pub(super) fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    let routes = router::v3(routes, "/rooms/{room_id}/event/{event_id}", get(event));
    let routes = router::v3(routes, "/rooms/{room_id}/context/{event_id}", get(context));
    router::v3(routes, "/rooms/{room_id}/messages", get(messages))
}

#[derive(Deserialize)]
struct MessagesParams {
    from: Option<String>,
    to: Option<String>,
    dir: String,
    limit: Option<usize>,
    filter: Option<String>,
}

#[derive(Deserialize)]
struct ContextParams {
    limit: Option<usize>,
    filter: Option<String>,
}

#[derive(Serialize)]
struct Messages {
    start: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<String>,
    chunk: Vec<VisibleEvent>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    state: Vec<VisibleEvent>,
}

fn event_filter(text: Option<&str>) -> Result<EventFilter> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(EventFilter::default()) };
    EventFilter::parse(text)
}

/// `GET /_matrix/client/v3/rooms/{roomId}/event/{eventId}`
async fn event(
    axum::extract::State(app): State,
    caller: Caller,
    Path((room_id, event_id)): Path<(OwnedRoomId, String)>,
) -> Answer {
    Ok(respond::ok(&app.flows.event(&caller.requester, &room_id, &event_id).await?))
}

/// `GET /_matrix/client/v3/rooms/{roomId}/messages`
async fn messages(
    axum::extract::State(app): State,
    caller: Caller,
    Path(room_id): Path<OwnedRoomId>,
    Query(params): Query<MessagesParams>,
) -> Answer {
    let direction = match params.dir.as_str() {
        "b" => Direction::Backward,
        "f" => Direction::Forward,
        _ => return Err(Error::invalid_param("The parameter dir is \"b\" or \"f\".").into()),
    };
    let token = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::parse).transpose();
    let filter = event_filter(params.filter.as_deref())?;
    let request = PageRequest {
        from: token(params.from.as_deref())?,
        to: token(params.to.as_deref())?,
        direction,
        limit: params.limit.unwrap_or(DEFAULT_LIMIT),
        filter,
    };
    let page = app.flows.messages(&caller.requester, &room_id, &request).await?;
    // As the client wrote it: sync tokens are places in rooms too.
    let start = params.from.filter(|from| !from.is_empty()).unwrap_or_else(|| page.start.to_string());
    let end = page.end.map(|end| end.to_string());
    Ok(respond::ok(&Messages { start, end, chunk: page.chunk, state: page.state }))
}

/// `GET /_matrix/client/v3/rooms/{roomId}/context/{eventId}`
async fn context(
    axum::extract::State(app): State,
    caller: Caller,
    Path((room_id, event_id)): Path<(OwnedRoomId, String)>,
    Query(params): Query<ContextParams>,
) -> Answer {
    let filter = event_filter(params.filter.as_deref())?;
    let limit = params.limit.unwrap_or(DEFAULT_LIMIT);
    let context = app.flows.context(&caller.requester, &room_id, &event_id, limit, &filter).await?;
    Ok(respond::ok(&json!({
        "start": context.start.to_string(),
        "end": context.end.to_string(),
        "event": context.event,
        "events_before": context.before,
        "events_after": context.after,
        "state": context.state,
    })))
}
