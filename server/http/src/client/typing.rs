//! Typing notifications.

use super::own::{known_room, only_own};
use crate::app::App;
use crate::error::Answer;
use crate::extract::{Body, Caller, Path, State};
use crate::respond;
use crate::router::v3;
use axum::Router;
use axum::routing::put;
use kontor_model::{Error, Ms};
use serde::Deserialize;
use std::sync::Arc;

/// How long somebody types who does not say it, milliseconds.
const USUAL: Ms = 20_000;

/// Adds the routes.
pub fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    v3(routes, "/rooms/{room_id}/typing/{user_id}", put(typing))
}

#[derive(Deserialize)]
struct Notice {
    typing: bool,
    /// Milliseconds.
    timeout: Option<Ms>,
}

/// `PUT /_matrix/client/v3/rooms/{roomId}/typing/{userId}`
async fn typing(
    state: State,
    caller: Caller,
    Path((room, user_id)): Path<(String, String)>,
    Body(notice): Body<Notice>,
) -> Answer {
    only_own(&caller, &user_id)?;
    let mine = known_room(&state, &caller, &room).await?;
    if mine.membership != "join" {
        return Err(Error::forbidden("You are not a member of this room.").into());
    }
    let timeout = notice.typing.then(|| notice.timeout.unwrap_or(USUAL));
    state.rooms.set_typing(mine.room, &user_id, timeout);
    Ok(respond::empty())
}
