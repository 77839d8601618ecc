//! Locking and suspending accounts (client-server API, "Server administration" and "Account
//! moderation"), and where somebody is logged in.

use super::Administrator;
use crate::app::App;
use crate::error::Answer;
use crate::extract::{Body, Caller, Path, State};
use crate::respond;
use axum::Router;
use axum::routing::get;
use kontor_identity::AccountState;
use kontor_model::{Error, ids};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Adds the routes.
pub fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    let routes = routes
        .route("/_matrix/client/v1/admin/lock/{user_id}", get(locked).put(lock))
        .route("/_matrix/client/v1/admin/suspend/{user_id}", get(suspended).put(suspend));
    crate::router::v3(routes, "/admin/whois/{user_id}", get(whois))
}

#[derive(Serialize, Deserialize)]
struct Locked {
    locked: bool,
}

#[derive(Serialize, Deserialize)]
struct Suspended {
    suspended: bool,
}

/// `GET /_matrix/client/v1/admin/lock/{userId}`
async fn locked(state: State, by: Administrator, Path(user_id): Path<String>) -> Answer {
    let now = look(&state, &by, &user_id).await?;
    Ok(respond::ok(&Locked { locked: now == AccountState::Locked }))
}

/// `PUT /_matrix/client/v1/admin/lock/{userId}`
async fn lock(
    state: State,
    by: Administrator,
    Path(user_id): Path<String>,
    Body(body): Body<Locked>,
) -> Answer {
    set(&state, &by, &user_id, AccountState::Locked, body.locked).await?;
    Ok(respond::ok(&body))
}

/// `GET /_matrix/client/v1/admin/suspend/{userId}`
async fn suspended(state: State, by: Administrator, Path(user_id): Path<String>) -> Answer {
    let now = look(&state, &by, &user_id).await?;
    Ok(respond::ok(&Suspended { suspended: now == AccountState::Suspended }))
}

/// `PUT /_matrix/client/v1/admin/suspend/{userId}`
async fn suspend(
    state: State,
    by: Administrator,
    Path(user_id): Path<String>,
    Body(body): Body<Suspended>,
) -> Answer {
    set(&state, &by, &user_id, AccountState::Suspended, body.suspended).await?;
    Ok(respond::ok(&body))
}

async fn look(app: &App, Administrator(caller): &Administrator, user_id: &str) -> Answer<AccountState> {
    Ok(app.identity.moderated_state(&caller.requester, &ids::user_id(user_id)?).await?)
}

/// How often a move that met another one at the same moment is tried.
const TRIES: usize = 3;

async fn set(
    app: &App,
    Administrator(caller): &Administrator,
    user_id: &str,
    to: AccountState,
    on: bool,
) -> Answer<()> {
    let user_id = ids::user_id(user_id)?;
    for _ in 0..TRIES {
        let moved = app.identity.move_account(&caller.requester, &user_id, to, on, caller.actor());
        let Some(change) = moved.await? else { return Ok(()) };
        match app.store.submit(change).await {
            Ok(_) => return Ok(()),
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::new(kontor_model::Code::Unavailable, "The account changes at this moment. Try again.").into())
}

/// `GET /_matrix/client/v3/admin/whois/{userId}`
async fn whois(state: State, caller: Caller, Path(user_id): Path<String>) -> Answer {
    let user_id = ids::user_id(&user_id)?;
    if !caller.requester.admin && user_id != caller.requester.user_id {
        return Err(Error::forbidden("Only administrators of this server may look at others.").into());
    }
    let mut devices = Map::new();
    for device in state.identity.devices_of(&user_id).await? {
        let mut seen = Map::new();
        if let Some(ip) = device.seen_ip {
            seen.insert("ip".to_owned(), ip.into());
        }
        if let Some(ts) = device.seen_ts {
            seen.insert("last_seen".to_owned(), ts.into());
        }
        let connections = if seen.is_empty() { Vec::new() } else { vec![Value::Object(seen)] };
        devices.insert(device.device_id, json!({ "sessions": [{ "connections": connections }] }));
    }
    Ok(respond::ok(&json!({ "user_id": user_id, "devices": devices })))
}
