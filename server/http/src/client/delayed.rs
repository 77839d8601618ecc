//! Events that are sent later (MSC4140): by parameters of the usual endpoints, as clients of today
//! ask for them, and by an endpoint of their own.

use super::membership::by;
use crate::app::App;
use crate::error::{Answer, ErrorResponse, status_and_errcode};
use crate::extract::{Body, Caller, OptionalBody, Origin, Path, State};
use crate::respond;
use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::{get, post, put};
use kontor_flows::delayed::{DelayedAction, Later};
use kontor_model::json::event_content;
use kontor_model::{Code, Error, Ms, Result};
use kontor_store::rooms::delayed::DelayedRow;
use ruma::{OwnedRoomId, RoomId};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::sync::Arc;

const BASE: &str = "/_matrix/client/unstable/org.matrix.msc4140";

pub(super) fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    routes
        .route(&format!("{BASE}/rooms/{{room_id}}/delayed_event/{{kind}}/{{txn_id}}"), put(delay))
        .route(&format!("{BASE}/delayed_events"), get(list))
        .route(&format!("{BASE}/delayed_events/{{delay_id}}"), get(one).post(manage))
        .route(&format!("{BASE}/delayed_events/{{delay_id}}/{{action}}"), post(manage_by_path))
}

/// What the usual endpoints for sending are told about a delay.
#[derive(Deserialize)]
pub(super) struct Delay {
    #[serde(rename = "org.matrix.msc4140.delay")]
    delay: Option<Ms>,
    /// Would tie an event to another one; left out of the proposal since.
    #[serde(rename = "org.matrix.msc4140.parent_delay_id")]
    parent: Option<String>,
}

impl Delay {
    /// How long to wait, if the event is not to be sent at once.
    ///
    /// # Errors
    /// `InvalidParam` for what this server does not do: to send the event at once would be wrong.
    pub fn wanted(&self) -> Result<Option<Ms>> {
        if self.parent.is_some() {
            return Err(Error::invalid_param("This server does not tie delayed events to one another."));
        }
        Ok(self.delay)
    }
}

/// Keeps an event for later and answers its name.
pub(super) async fn keep(app: &App, caller: &Caller, later: Later<'_>) -> Answer {
    let longest = app.flows.delayed.longest;
    if app.flows.delayed.per_user > 0 && later.delay > longest {
        let body = json!({
            "errcode": "M_UNKNOWN",
            "error": "The event is to wait longer than this server allows.",
            "org.matrix.msc4140.errcode": "M_MAX_DELAY_EXCEEDED",
            "org.matrix.msc4140.max_delay": longest,
        });
        return Err(ErrorResponse::with_body(StatusCode::BAD_REQUEST, body));
    }
    let delay_id = app.flows.delay(&by(app, caller), later).await?;
    Ok(respond::ok(&json!({ "delay_id": delay_id })))
}

#[derive(Deserialize)]
struct NewEvent {
    #[serde(alias = "delay_ms")]
    delay: Ms,
    state_key: Option<String>,
    content: Box<RawValue>,
}

/// `PUT /_matrix/client/unstable/org.matrix.msc4140/rooms/{roomId}/delayed_event/{eventType}/{txnId}`
async fn delay(
    app: State,
    caller: Caller,
    Path((room_id, kind, txn_id)): Path<(OwnedRoomId, String, String)>,
    Body(body): Body<NewEvent>,
) -> Answer {
    let room_id: &RoomId = &room_id;
    let content = event_content(&body.content)?;
    let state_key = body.state_key.as_deref();
    let later = Later { room_id, kind: &kind, state_key, txn_id: Some(&txn_id), content, delay: body.delay };
    keep(&app, &caller, later).await
}

/// `GET /_matrix/client/unstable/org.matrix.msc4140/delayed_events`
async fn list(app: State, caller: Caller) -> Answer {
    let (waiting, settled) = app.flows.delayed_events(&caller.requester).await?;
    let waiting: Vec<_> = waiting.iter().map(told).collect();
    let settled: Vec<_> = settled.iter().map(told).collect();
    Ok(respond::ok(&json!({ "delayed_events": waiting, "scheduled": waiting, "finalised": settled })))
}

/// `GET /_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}`
async fn one(app: State, caller: Caller, Path(delay_id): Path<String>) -> Answer {
    Ok(respond::ok(&told(&app.flows.delayed_event(&caller.requester, &delay_id).await?)))
}

/// Somebody who may manage a delayed event: whoever knows its name, logged in or not, so that a
/// client can leave it to the server of a call. Counted against the account or the address.
struct Manager;

impl FromRequestParts<Arc<App>> for Manager {
    type Rejection = ErrorResponse;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ErrorResponse> {
        if crate::extract::access_token(parts).is_some() {
            Caller::from_request_parts(parts, app).await?;
        } else {
            let Ok(origin) = Origin::from_request_parts(parts, app).await;
            app.limits.spend_anonymous(app, &origin)?;
        }
        Ok(Self)
    }
}

#[derive(Deserialize)]
struct Action {
    action: String,
}

/// `POST /_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}`
async fn manage(app: State, _: Manager, Path(delay_id): Path<String>, Body(body): Body<Action>) -> Answer {
    app.flows.manage_delayed(&delay_id, action(&body.action)?).await?;
    Ok(respond::empty())
}

/// `POST /_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}/{action}`
async fn manage_by_path(
    app: State,
    _: Manager,
    Path((delay_id, name)): Path<(String, String)>,
    OptionalBody(_): OptionalBody<Map<String, Value>>,
) -> Answer {
    app.flows.manage_delayed(&delay_id, action(&name)?).await?;
    Ok(respond::empty())
}

fn action(name: &str) -> Result<DelayedAction> {
    match name {
        "restart" => Ok(DelayedAction::Restart),
        "cancel" => Ok(DelayedAction::Cancel),
        "send" => Ok(DelayedAction::Send),
        _ => Err(Error::invalid_param("The action is \"restart\", \"cancel\" or \"send\".")),
    }
}

/// An event as its sender is told of it, in the words of the proposal as it stands and as clients of
/// today read it.
fn told(row: &DelayedRow) -> Value {
    let content: Value = serde_json::from_str(&row.content).unwrap_or_default();
    let mut told = json!({
        "delay_id": row.delay_id,
        "room_id": row.room_id,
        "type": row.kind,
        "content": content,
        "delay": row.delay_ms,
        "delay_ms": row.delay_ms,
        "running_since": row.since_ts,
        "delayed_since_ts": row.since_ts,
    });
    let mut also = Map::new();
    if let Some(key) = &row.state_key {
        also.insert("state_key".to_owned(), key.as_str().into());
    }
    if let Some(settled) = row.settled_ts {
        let mut end = Map::from_iter([("finalised_ts".to_owned(), Value::from(settled))]);
        if let Some(event_id) = &row.event_id {
            end.insert("event_id".to_owned(), event_id.as_str().into());
        }
        if let Some(error) = row.error.as_deref().and_then(refusal) {
            end.insert("error".to_owned(), error);
        }
        also.extend(end.clone());
        also.insert("finalised".to_owned(), end.into());
    }
    if let Some(map) = told.as_object_mut() {
        map.extend(also);
    }
    told
}

/// An error that was kept, in the form in which it would have been answered.
fn refusal(kept: &str) -> Option<Value> {
    #[derive(Deserialize)]
    struct Kept {
        code: String,
        error: String,
    }
    let kept: Kept = serde_json::from_str(kept).ok()?;
    let likely = [Code::Forbidden, Code::NotFound, Code::TooLarge, Code::BadJson, Code::InvalidParam];
    let code = likely.into_iter().find(|code| format!("{code:?}") == kept.code);
    let errcode = code.map_or("M_UNKNOWN", |code| status_and_errcode(code).1);
    Some(json!({ "errcode": errcode, "error": kept.error }))
}
