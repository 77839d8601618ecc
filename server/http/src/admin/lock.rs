//! Locking accounts (client-server API, "Server administration").

use super::Administrator;
use crate::app::App;
use crate::error::Answer;
use crate::extract::{Body, Path, State};
use crate::respond;
use axum::Router;
use axum::routing::get;
use kontor_identity::AccountState;
use kontor_model::{Error, ids};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Adds the routes.
pub fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    routes.route("/_matrix/client/v1/admin/lock/{user_id}", get(look).put(set))
}

#[derive(Serialize, Deserialize)]
struct Locked {
    locked: bool,
}

/// `GET /_matrix/client/v1/admin/lock/{userId}`
async fn look(state: State, _: Administrator, Path(user_id): Path<String>) -> Answer {
    let account = state.identity.account_state(&ids::user_id(&user_id)?).await?;
    if account == AccountState::Deactivated {
        return Err(Error::not_found("This account was deactivated.").into());
    }
    Ok(respond::ok(&Locked { locked: account == AccountState::Locked }))
}

/// `PUT /_matrix/client/v1/admin/lock/{userId}`
async fn set(
    state: State,
    Administrator(caller): Administrator,
    Path(user_id): Path<String>,
    Body(body): Body<Locked>,
) -> Answer {
    let user_id = ids::user_id(&user_id)?;
    let to = AccountState::Locked;
    let moved = state.identity.move_account(&caller.requester, &user_id, to, body.locked, caller.actor());
    if let Some(change) = moved.await? {
        state.store.submit(change).await?;
    }
    Ok(respond::ok(&body))
}
