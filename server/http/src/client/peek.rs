//! Looking into rooms: at a date, and by the deprecated endpoints that came before `/sync`.

use crate::app::App;
use crate::error::Answer;
use crate::extract::{Caller, Path, Query, State};
use crate::{respond, router};
use axum::Router;
use axum::routing::get;
use kontor_flows::history::{Direction, PageRequest};
use kontor_flows::sync::Request;
use kontor_identity::account_data;
use kontor_model::filter::{EventFilter, Filter};
use kontor_model::position::SyncToken;
use kontor_model::{Error, Ms, Result};
use ruma::OwnedRoomId;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Messages of each room where the client asks for no number, and at most.
const MESSAGES: usize = 10;
const MOST_MESSAGES: usize = 100;

pub(super) fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    let routes = routes.route("/_matrix/client/v1/rooms/{room_id}/timestamp_to_event", get(at_date)).route(
        "/_matrix/client/unstable/org.matrix.msc3030/rooms/{room_id}/timestamp_to_event",
        get(at_date),
    );
    let routes = router::v3(routes, "/events", get(events));
    let routes = router::v3(routes, "/events/{event_id}", get(event));
    let routes = router::v3(routes, "/initialSync", get(initial_sync));
    router::v3(routes, "/rooms/{room_id}/initialSync", get(room_initial_sync))
}

#[derive(Deserialize)]
struct DateParams {
    ts: Ms,
    dir: String,
}

/// `GET /_matrix/client/v1/rooms/{roomId}/timestamp_to_event`
async fn at_date(
    app: State,
    caller: Caller,
    Path(room_id): Path<OwnedRoomId>,
    Query(params): Query<DateParams>,
) -> Answer {
    let direction = match params.dir.as_str() {
        "b" => Direction::Backward,
        "f" => Direction::Forward,
        _ => return Err(Error::invalid_param("The parameter dir is \"b\" or \"f\".").into()),
    };
    let event = app.flows.event_at(&caller.requester, &room_id, params.ts, direction).await?;
    let row = event.row();
    Ok(respond::ok(&json!({ "event_id": row.event_id, "origin_server_ts": row.origin_ts })))
}

#[derive(Deserialize)]
struct EventsParams {
    from: Option<String>,
    /// Milliseconds.
    timeout: Option<u64>,
    room_id: Option<OwnedRoomId>,
}

/// `GET /_matrix/client/v3/events`, of one room that is looked into or of all that the caller is in.
async fn events(app: State, caller: Caller, Query(params): Query<EventsParams>) -> Answer {
    let from: Option<SyncToken> =
        params.from.as_deref().filter(|from| !from.is_empty()).map(str::parse).transpose()?;
    let timeout = Duration::from_millis(params.timeout.unwrap_or_default());
    if let Some(room_id) = &params.room_id {
        let news = app.flows.news_of(&caller.requester, room_id, from, timeout).await?;
        let (start, end) = (news.start.to_string(), news.end.to_string());
        return Ok(respond::ok(&json!({ "start": start, "end": end, "chunk": news.events })));
    }
    let request = Request { since: from, timeout, ..everything("{}")? };
    let answer = app.flows.sync(&caller.requester, &request).await?;
    let answer = serde_json::to_value(&answer).map_err(Error::internal)?;
    let end = answer.get("next_batch").cloned().unwrap_or_default();
    let start = params.from.map_or_else(|| end.clone(), Value::from);
    let mut chunk = Vec::new();
    // Without a place to begin at, it begins now.
    if from.is_some() {
        for section in ["join", "leave"] {
            for (room_id, room) in rooms(&answer, section) {
                chunk.extend(with_room(room.get("timeline"), room_id));
            }
        }
    }
    Ok(respond::ok(&json!({ "start": start, "end": end, "chunk": chunk })))
}

/// A sync with the state after the timelines, as the older endpoints tell it.
fn everything(filter: &str) -> Result<Request> {
    Ok(Request {
        since: None,
        filter: Filter::parse(filter)?.into(),
        full_state: false,
        timeout: Duration::ZERO,
        use_state_after: true,
    })
}

fn rooms<'a>(answer: &'a Value, section: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    let rooms = answer.get("rooms").and_then(|rooms| rooms.get(section)).and_then(Value::as_object);
    rooms.into_iter().flatten()
}

/// The events of a part of a sync answer, which does not name their room in them.
fn with_room(part: Option<&Value>, room_id: &str) -> Vec<Value> {
    let events = part.and_then(|part| part.get("events")).and_then(Value::as_array);
    let named = |event: &Value| {
        let mut event = event.clone();
        if let Some(fields) = event.as_object_mut() {
            fields.insert("room_id".to_owned(), room_id.into());
        }
        event
    };
    events.into_iter().flatten().map(named).collect()
}

/// `GET /_matrix/client/v3/events/{eventId}`
async fn event(app: State, caller: Caller, Path(event_id): Path<String>) -> Answer {
    Ok(respond::ok(&app.flows.event_anywhere(&caller.requester, &event_id).await?))
}

#[derive(Deserialize)]
struct InitialSyncParams {
    limit: Option<usize>,
    #[serde(default)]
    archived: bool,
}

/// `GET /_matrix/client/v3/initialSync`
async fn initial_sync(app: State, caller: Caller, Query(params): Query<InitialSyncParams>) -> Answer {
    let limit = params.limit.unwrap_or(MESSAGES).min(MOST_MESSAGES);
    let filter = json!({ "room": { "timeline": { "limit": limit }, "include_leave": params.archived } });
    let answer = app.flows.sync(&caller.requester, &everything(&filter.to_string())?).await?;
    let answer = serde_json::to_value(&answer).map_err(Error::internal)?;
    let sections = [("join", "join"), ("leave", "leave"), ("invite", "invite")];
    let ids: Vec<&str> =
        sections.iter().flat_map(|(section, _)| rooms(&answer, section)).map(|(id, _)| id.as_str()).collect();
    let shown = app.flows.shown_in_directory(&ids).await?;
    let end = answer.get("next_batch").cloned().unwrap_or_default();
    let mut told = Vec::new();
    for (section, membership) in sections {
        for (room_id, room) in rooms(&answer, section) {
            let visibility = if shown.contains(room_id) { "public" } else { "private" };
            let mut entry = json!({ "room_id": room_id, "membership": membership, "visibility": visibility });
            if let Some(fields) = entry.as_object_mut().filter(|_| section != "invite") {
                fields.extend(snapshot(room_id, room, &end));
            }
            told.push(entry);
        }
    }
    let own = answer.get("account_data").and_then(|data| data.get("events")).cloned();
    let own = own.unwrap_or_else(|| json!([]));
    Ok(respond::ok(&json!({ "end": end, "presence": [], "rooms": told, "account_data": own })))
}

/// Messages, state and account data of a room out of a sync answer.
fn snapshot(room_id: &str, room: &Value, end: &Value) -> Map<String, Value> {
    let timeline = room.get("timeline");
    let mut messages = json!({ "end": end, "chunk": with_room(timeline, room_id) });
    let start = timeline.and_then(|timeline| timeline.get("prev_batch"));
    if let (Some(start), Some(fields)) = (start, messages.as_object_mut()) {
        fields.insert("start".to_owned(), start.clone());
    }
    let data = room.get("account_data").and_then(|data| data.get("events")).cloned();
    Map::from_iter([
        ("messages".to_owned(), messages),
        ("state".to_owned(), with_room(room.get("state_after"), room_id).into()),
        ("account_data".to_owned(), data.unwrap_or_else(|| json!([]))),
    ])
}

#[derive(Deserialize)]
struct RoomInitialSyncParams {
    limit: Option<usize>,
}

/// `GET /_matrix/client/v3/rooms/{roomId}/initialSync`
async fn room_initial_sync(
    app: State,
    caller: Caller,
    Path(room_id): Path<OwnedRoomId>,
    Query(params): Query<RoomInitialSyncParams>,
) -> Answer {
    let reader = &caller.requester;
    let own = app.flows.belongings(reader, &room_id).await?;
    let request = PageRequest {
        from: None,
        to: None,
        direction: Direction::Backward,
        limit: params.limit.unwrap_or(MESSAGES).min(MOST_MESSAGES),
        filter: EventFilter::default(),
    };
    let mut page = app.flows.messages(reader, &room_id, &request).await?;
    page.chunk.reverse();
    let state = app.flows.room_state(reader, &room_id).await?;
    let data: Result<Vec<Value>> =
        own.account_data.iter().map(|piece| account_data::event(&reader.user_id, piece)).collect();
    let mut messages = json!({ "end": page.start.to_string(), "chunk": page.chunk });
    if let (Some(start), Some(fields)) = (page.end, messages.as_object_mut()) {
        fields.insert("start".to_owned(), start.to_string().into());
    }
    let mut answer = json!({
        "room_id": room_id,
        "messages": messages,
        "state": state,
        "visibility": if own.published { "public" } else { "private" },
        "account_data": data?,
    });
    let known = matches!(own.membership.as_str(), "join" | "invite" | "leave" | "ban");
    if let Some(fields) = answer.as_object_mut().filter(|_| known) {
        fields.insert("membership".to_owned(), own.membership.into());
    }
    Ok(respond::ok(&answer))
}
