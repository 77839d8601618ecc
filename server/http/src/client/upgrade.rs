//! Replacing rooms.

use super::membership::by;
use crate::app::App;
use crate::error::Answer;
use crate::extract::{Body, Caller, Path, State};
use crate::{respond, router};
use axum::Router;
use axum::routing::post;
use kontor_flows::upgrade::NewVersion;
use kontor_model::{Result, ids};
use ruma::OwnedRoomId;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

pub(super) fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    router::v3(routes, "/rooms/{room_id}/upgrade", post(upgrade))
}

#[derive(Deserialize)]
struct Upgrade {
    new_version: String,
    #[serde(default)]
    additional_creators: Vec<String>,
}

/// `POST /_matrix/client/v3/rooms/{roomId}/upgrade`
async fn upgrade(
    app: State,
    caller: Caller,
    Path(room_id): Path<OwnedRoomId>,
    Body(body): Body<Upgrade>,
) -> Answer {
    let creators = body.additional_creators.iter().map(|user| ids::user_id(user)).collect::<Result<_>>()?;
    let wish = NewVersion { version: body.new_version, additional_creators: creators };
    let replacement = app.flows.upgrade_room(&by(&app, &caller), &room_id, &wish).await?;
    Ok(respond::ok(&json!({ "replacement_room": replacement })))
}
