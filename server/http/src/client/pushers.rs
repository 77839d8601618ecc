//! Pushers (client-server API, "Push Notifications").

use crate::app::App;
use crate::error::Answer;
use crate::extract::{Body, Caller, State};
use crate::respond;
use crate::router::v3;
use axum::Router;
use axum::routing::{get, post};
use kontor_identity::push::pushers::PusherWish;
use kontor_store::identity::pushers::PusherRow;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Adds the routes.
pub fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    let routes = v3(routes, "/pushers", get(all));
    v3(routes, "/pushers/set", post(set))
}

fn shown(row: &PusherRow) -> Value {
    let mut data: Map<String, Value> = serde_json::from_str(&row.data).unwrap_or_default();
    data.insert("url".to_owned(), row.url.as_str().into());
    let mut pusher = json!({
        "pushkey": row.pushkey,
        "kind": "http",
        "app_id": row.app_id,
        "app_display_name": row.app_display_name,
        "device_display_name": row.device_display_name,
        "lang": row.lang,
        "data": data,
    });
    if let (Some(tag), Some(pusher)) = (&row.profile_tag, pusher.as_object_mut()) {
        pusher.insert("profile_tag".to_owned(), tag.as_str().into());
    }
    pusher
}

/// `GET /_matrix/client/v3/pushers`
async fn all(state: State, caller: Caller) -> Answer {
    let rows = state.identity.pushers(&caller.requester).await?;
    Ok(respond::ok(&json!({ "pushers": rows.iter().map(shown).collect::<Vec<_>>() })))
}

/// `POST /_matrix/client/v3/pushers/set`
async fn set(state: State, caller: Caller, Body(wish): Body<PusherWish>) -> Answer {
    caller.requester.device()?;
    let change = state.identity.set_pusher(&caller.requester, &wish).await?;
    state.store.submit(change).await?;
    Ok(respond::empty())
}
