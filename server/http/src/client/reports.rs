//! Reports of rooms, events and people to the administrators.

use super::membership::by;
use crate::app::App;
use crate::error::Answer;
use crate::extract::{Body, Caller, OptionalBody, Path, State};
use crate::{respond, router};
use axum::Router;
use axum::routing::post;
use kontor_flows::report::Reported;
use kontor_model::ids;
use ruma::OwnedRoomId;
use serde::Deserialize;
use std::sync::Arc;

pub(super) fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    let routes = router::v3(routes, "/rooms/{room_id}/report", post(room));
    let routes = router::v3(routes, "/rooms/{room_id}/report/{event_id}", post(event));
    router::v3(routes, "/users/{user_id}/report", post(person))
}

#[derive(Deserialize)]
struct Reason {
    /// May be blank.
    reason: String,
}

#[derive(Deserialize)]
struct OptionalReason {
    reason: Option<String>,
}

/// `POST /_matrix/client/v3/rooms/{roomId}/report`
async fn room(
    app: State,
    caller: Caller,
    Path(room_id): Path<OwnedRoomId>,
    Body(body): Body<Reason>,
) -> Answer {
    let (reported, limited) = (Reported::Room(&room_id), app.settings.rate_limits);
    app.flows.report(&by(&app, &caller), reported, Some(body.reason), limited).await?;
    Ok(respond::empty())
}

/// `POST /_matrix/client/v3/rooms/{roomId}/report/{eventId}`
async fn event(
    app: State,
    caller: Caller,
    Path((room_id, event_id)): Path<(OwnedRoomId, String)>,
    OptionalBody(body): OptionalBody<OptionalReason>,
) -> Answer {
    let (reported, limited) = (Reported::Event(&room_id, &event_id), app.settings.rate_limits);
    app.flows.report(&by(&app, &caller), reported, body.reason, limited).await?;
    Ok(respond::empty())
}

/// `POST /_matrix/client/v3/users/{userId}/report`
async fn person(app: State, caller: Caller, Path(user_id): Path<String>, Body(body): Body<Reason>) -> Answer {
    let user_id = ids::user_id(&user_id)?;
    let (reported, limited) = (Reported::Person(&user_id), app.settings.rate_limits);
    app.flows.report(&by(&app, &caller), reported, Some(body.reason), limited).await?;
    Ok(respond::empty())
}
