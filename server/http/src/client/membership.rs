//! Coming and going.

use crate::app::App;
use crate::error::Answer;
use crate::extract::{Body, Caller, OptionalBody, Path, State};
use crate::respond;
use crate::router::v3;
use axum::Router;
use axum::routing::post;
use kontor_model::{Code, Error, Result, ids};
use ruma::{OwnedRoomId, OwnedUserId};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::sync::Arc;

pub(super) fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    let routes = v3(routes, "/rooms/{room_id}/join", post(join));
    let routes = v3(routes, "/join/{room}", post(join_any));
    let routes = v3(routes, "/knock/{room}", post(knock));
    let routes = v3(routes, "/rooms/{room_id}/invite", post(invite));
    let routes = v3(routes, "/rooms/{room_id}/leave", post(leave));
    let routes = v3(routes, "/rooms/{room_id}/forget", post(forget));
    let routes = v3(routes, "/rooms/{room_id}/kick", post(kick));
    let routes = v3(routes, "/rooms/{room_id}/ban", post(ban));
    v3(routes, "/rooms/{room_id}/unban", post(unban))
}

/// The caller, as procedures know one.
pub(super) fn by<'a>(app: &App, caller: &'a Caller) -> kontor_flows::caller::Caller<'a> {
    kontor_flows::caller::Caller { requester: &caller.requester, actor: caller.actor(), now: app.clock.now() }
}

/// The refusal of invitations that go over an identity server.
pub(super) fn no_third_parties() -> Error {
    Error::forbidden("This server uses no identity server. Invite people by their user id.")
}

#[derive(Deserialize)]
struct Reason {
    reason: Option<String>,
    /// Would admit somebody who was invited by e-mail or telephone number.
    third_party_signed: Option<Box<RawValue>>,
}

impl Reason {
    fn read(self) -> Result<Option<String>> {
        if self.third_party_signed.is_some() {
            return Err(no_third_parties());
        }
        Ok(self.reason)
    }
}

#[derive(Deserialize)]
struct Target {
    user_id: Option<String>,
    reason: Option<String>,
    /// Names somebody by e-mail or telephone number instead.
    medium: Option<String>,
}

impl Target {
    fn read(self) -> Result<(OwnedUserId, Option<String>)> {
        if self.medium.is_some() && self.user_id.is_none() {
            return Err(no_third_parties());
        }
        let user = self.user_id.ok_or_else(|| Error::new(Code::MissingParam, "user_id is missing."))?;
        Ok((ids::user_id(&user)?, self.reason))
    }
}

/// `POST /_matrix/client/v3/rooms/{roomId}/join`
async fn join(
    app: State,
    caller: Caller,
    Path(room_id): Path<OwnedRoomId>,
    OptionalBody(body): OptionalBody<Reason>,
) -> Answer {
    app.flows.join(&by(&app, &caller), &room_id, body.read()?.as_deref()).await?;
    Ok(respond::ok(&json!({ "room_id": room_id })))
}

/// `POST /_matrix/client/v3/join/{roomIdOrAlias}`
async fn join_any(
    app: State,
    caller: Caller,
    Path(room): Path<String>,
    OptionalBody(body): OptionalBody<Reason>,
) -> Answer {
    let room_id = app.flows.find_room(&room).await?;
    app.flows.join(&by(&app, &caller), &room_id, body.read()?.as_deref()).await?;
    Ok(respond::ok(&json!({ "room_id": room_id })))
}

/// `POST /_matrix/client/v3/knock/{roomIdOrAlias}`
async fn knock(
    app: State,
    caller: Caller,
    Path(room): Path<String>,
    OptionalBody(body): OptionalBody<Reason>,
) -> Answer {
    let room_id = app.flows.find_room(&room).await?;
    app.flows.knock(&by(&app, &caller), &room_id, body.reason.as_deref()).await?;
    Ok(respond::ok(&json!({ "room_id": room_id })))
}

/// `POST /_matrix/client/v3/rooms/{roomId}/invite`
async fn invite(
    app: State,
    caller: Caller,
    Path(room_id): Path<OwnedRoomId>,
    Body(body): Body<Target>,
) -> Answer {
    let (user, reason) = body.read()?;
    app.flows.invite(&by(&app, &caller), &room_id, &user, reason.as_deref()).await?;
    Ok(respond::empty())
}

/// `POST /_matrix/client/v3/rooms/{roomId}/leave`
async fn leave(
    app: State,
    caller: Caller,
    Path(room_id): Path<OwnedRoomId>,
    OptionalBody(body): OptionalBody<Reason>,
) -> Answer {
    app.flows.leave(&by(&app, &caller), &room_id, body.reason.as_deref()).await?;
    Ok(respond::empty())
}

/// `POST /_matrix/client/v3/rooms/{roomId}/forget`
async fn forget(app: State, caller: Caller, Path(room_id): Path<OwnedRoomId>) -> Answer {
    app.flows.forget(&by(&app, &caller), &room_id).await?;
    Ok(respond::empty())
}

/// `POST /_matrix/client/v3/rooms/{roomId}/kick`
async fn kick(
    app: State,
    caller: Caller,
    Path(room_id): Path<OwnedRoomId>,
    Body(body): Body<Target>,
) -> Answer {
    let (user, reason) = body.read()?;
    app.flows.kick(&by(&app, &caller), &room_id, &user, reason.as_deref()).await?;
    Ok(respond::empty())
}

/// `POST /_matrix/client/v3/rooms/{roomId}/ban`
async fn ban(
    app: State,
    caller: Caller,
    Path(room_id): Path<OwnedRoomId>,
    Body(body): Body<Target>,
) -> Answer {
    let (user, reason) = body.read()?;
    app.flows.ban(&by(&app, &caller), &room_id, &user, reason.as_deref()).await?;
    Ok(respond::empty())
}

/// `POST /_matrix/client/v3/rooms/{roomId}/unban`
async fn unban(
    app: State,
    caller: Caller,
    Path(room_id): Path<OwnedRoomId>,
    Body(body): Body<Target>,
) -> Answer {
    let (user, reason) = body.read()?;
    app.flows.unban(&by(&app, &caller), &room_id, &user, reason.as_deref()).await?;
    Ok(respond::empty())
}
