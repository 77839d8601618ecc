//! The list of notifications.

use crate::app::App;
use crate::error::Answer;
use crate::extract::{Caller, Query, State};
use crate::respond;
use crate::router::v3;
use axum::Router;
use axum::routing::get;
use kontor_flows::notifications::Notification;
use kontor_rooms::VisibleEvent;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

/// Events where the client asks for no number.
const DEFAULT_LIMIT: usize = 20;

pub(super) fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    v3(routes, "/notifications", get(notifications))
}

#[derive(Deserialize)]
struct Params {
    from: Option<String>,
    limit: Option<usize>,
    only: Option<String>,
}

#[derive(Serialize)]
struct Page {
    notifications: Vec<Told>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
struct Told {
    actions: Vec<Value>,
    event: VisibleEvent,
    read: bool,
    room_id: Arc<str>,
    ts: i64,
}

impl From<Notification> for Told {
    fn from(told: Notification) -> Self {
        let mut actions = vec![json!("notify")];
        if told.highlight {
            actions.push(json!({ "set_tweak": "highlight" }));
        }
        Self { actions, event: told.event, read: told.read, room_id: told.room_id, ts: told.ts }
    }
}

/// `GET /_matrix/client/v3/notifications`
async fn notifications(
    axum::extract::State(app): State,
    caller: Caller,
    Query(params): Query<Params>,
) -> Answer {
    let from = params.from.as_deref().filter(|from| !from.is_empty()).map(str::parse).transpose()?;
    let highlights = params.only.as_deref() == Some("highlight");
    let limit = params.limit.unwrap_or(DEFAULT_LIMIT);
    let page = app.flows.notifications(&caller.requester, from, limit, highlights).await?;
    Ok(respond::ok(&Page {
        notifications: page.notifications.into_iter().map(Told::from).collect(),
        next_token: page.next.map(|next| next.to_string()),
    }))
}
