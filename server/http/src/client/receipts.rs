//! Receipts and read markers (client-server API, "Receipts" and "Fully read markers").

use super::own::room_id;
use crate::app::App;
use crate::error::Answer;
use crate::extract::{Body, Caller, OptionalBody, Path, State};
use crate::respond;
use crate::router::v3;
use axum::Router;
use axum::routing::post;
use kontor_model::{Error, Result};
use kontor_rooms::receipts::{Kind, Mark};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Adds the routes.
pub fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    let routes = v3(routes, "/rooms/{room_id}/receipt/{kind}/{event_id}", post(receipt));
    v3(routes, "/rooms/{room_id}/read_markers", post(read_markers))
}

async fn mark(state: &State, caller: &Caller, room: &str, marks: &[Mark<'_>]) -> Answer {
    let now = state.clock.now();
    let change = state.rooms.mark_read(&caller.requester, &room_id(room)?, marks, now).await?;
    if !change.is_empty() {
        state.store.submit(change).await?;
    }
    Ok(respond::empty())
}

fn thread(body: &Map<String, Value>) -> Result<Option<&str>> {
    match body.get("thread_id") {
        None => Ok(None),
        Some(Value::String(thread)) if !thread.is_empty() => Ok(Some(thread)),
        Some(_) => {
            Err(Error::invalid_param("thread_id must be \"main\" or the id of a thread's first event."))
        }
    }
}

/// `POST /_matrix/client/v3/rooms/{roomId}/receipt/{receiptType}/{eventId}`
async fn receipt(
    state: State,
    caller: Caller,
    Path((room, kind, event_id)): Path<(String, String, String)>,
    OptionalBody(body): OptionalBody<Map<String, Value>>,
) -> Answer {
    let only = Mark { kind: Kind::parse(&kind)?, event_id: &event_id, thread: thread(&body)? };
    mark(&state, &caller, &room, &[only]).await
}

/// `POST /_matrix/client/v3/rooms/{roomId}/read_markers`
async fn read_markers(
    state: State,
    caller: Caller,
    Path(room): Path<String>,
    Body(body): Body<Map<String, Value>>,
) -> Answer {
    let mut marks = Vec::new();
    for name in ["m.fully_read", "m.read", "m.read.private"] {
        match body.get(name) {
            None => {}
            Some(Value::String(event_id)) => {
                marks.push(Mark { kind: Kind::parse(name)?, event_id, thread: None });
            }
            Some(_) => return Err(Error::bad_json(format!("{name} must be the id of an event.")).into()),
        }
    }
    mark(&state, &caller, &room, &marks).await
}
