//! Who is online (client-server API, "Presence").

use super::own::only_own;
use crate::app::App;
use crate::error::Answer;
use crate::extract::{Body, Caller, Path, State};
use crate::respond;
use crate::router::v3;
use axum::Router;
use axum::routing::get;
use kontor_identity::presence::{Sign, Status, check_message};
use kontor_model::ids;
use serde::Deserialize;
use std::sync::Arc;

/// Adds the routes.
pub(super) fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    v3(routes, "/presence/{user_id}/status", get(look).put(say))
}

/// `GET /_matrix/client/v3/presence/{userId}/status`
async fn look(state: State, caller: Caller, Path(user_id): Path<String>) -> Answer {
    let seen = state.flows.presence(&caller.requester, &ids::user_id(&user_id)?).await?;
    Ok(respond::ok(&seen.content()))
}

#[derive(Deserialize)]
struct Said {
    presence: Status,
    status_msg: Option<String>,
}

/// `PUT /_matrix/client/v3/presence/{userId}/status`
async fn say(state: State, caller: Caller, Path(user_id): Path<String>, Body(said): Body<Said>) -> Answer {
    only_own(&caller, &user_id)?;
    check_message(said.status_msg.as_deref())?;
    state.flows.note_presence(&caller.requester, Sign::Say(said.presence, said.status_msg));
    Ok(respond::empty())
}
