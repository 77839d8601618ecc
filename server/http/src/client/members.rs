//! Who is in a room, and in which rooms one is.

use crate::app::App;
use crate::error::Answer;
use crate::extract::{Caller, Path, Query, State};
use crate::respond;
use crate::router::v3;
use axum::Router;
use axum::routing::get;
use kontor_flows::room_state::MembersFilter;
use kontor_model::{Error, Result};
use kontor_rooms::member::Profile;
use ruma::OwnedRoomId;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    let routes = v3(routes, "/rooms/{room_id}/members", get(members));
    let routes = v3(routes, "/rooms/{room_id}/joined_members", get(joined));
    v3(routes, "/joined_rooms", get(rooms))
}

#[derive(Deserialize)]
struct Params {
    at: Option<String>,
    membership: Option<String>,
    not_membership: Option<String>,
}

fn checked(membership: Option<String>) -> Result<Option<String>> {
    const KNOWN: [&str; 5] = ["join", "invite", "knock", "leave", "ban"];
    match membership {
        Some(text) if !KNOWN.contains(&text.as_str()) => {
            Err(Error::invalid_param("A membership is one of join, invite, knock, leave and ban."))
        }
        membership => Ok(membership),
    }
}

/// `GET /_matrix/client/v3/rooms/{roomId}/members`
async fn members(
    app: State,
    caller: Caller,
    Path(room_id): Path<OwnedRoomId>,
    Query(params): Query<Params>,
) -> Answer {
    let filter = MembersFilter {
        at: params.at.filter(|at| !at.is_empty()).map(|at| at.parse()).transpose()?,
        membership: checked(params.membership)?,
        not_membership: checked(params.not_membership)?,
    };
    let chunk = app.flows.members(&caller.requester, &room_id, &filter).await?;
    Ok(respond::ok(&json!({ "chunk": chunk })))
}

/// `GET /_matrix/client/v3/rooms/{roomId}/joined_members`
async fn joined(app: State, caller: Caller, Path(room_id): Path<OwnedRoomId>) -> Answer {
    let members = app.flows.joined_members(&caller.requester, &room_id).await?;
    let entry = |(user, profile): (String, Profile)| {
        let mut entry = Map::new();
        let mut add = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                entry.insert(key.to_owned(), value.into());
            }
        };
        add("display_name", profile.displayname);
        add("avatar_url", profile.avatar_url);
        (user, Value::Object(entry))
    };
    let joined: Map<_, _> = members.into_iter().map(entry).collect();
    Ok(respond::ok(&json!({ "joined": joined })))
}

/// `GET /_matrix/client/v3/joined_rooms`
async fn rooms(app: State, caller: Caller) -> Answer {
    let rooms = app.flows.joined_rooms(&caller.requester).await?;
    Ok(respond::ok(&json!({ "joined_rooms": rooms })))
}
