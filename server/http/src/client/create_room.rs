//! Making rooms.

use super::membership::{by, no_third_parties};
use crate::app::App;
use crate::error::Answer;
use crate::extract::{Body, Caller, State};
use crate::{respond, router};
use axum::Router;
use axum::routing::post;
use kontor_flows::create_room::NewRoom;
use kontor_model::json::event_content;
use kontor_model::{Result, ids};
use kontor_rooms::create::InitialState;
use kontor_rooms::presets::Preset;
use ruma::CanonicalJsonObject;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::sync::Arc;

pub(super) fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    router::v3(routes, "/createRoom", post(create))
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Visibility {
    Public,
    #[default]
    Private,
}

#[derive(Deserialize)]
struct CreateRoom {
    visibility: Option<Visibility>,
    room_alias_name: Option<String>,
    name: Option<String>,
    topic: Option<String>,
    #[serde(default)]
    invite: Vec<String>,
    #[serde(default)]
    invite_3pid: Vec<Box<RawValue>>,
    room_version: Option<String>,
    creation_content: Option<Box<RawValue>>,
    #[serde(default)]
    initial_state: Vec<StateWish>,
    preset: Option<Preset>,
    #[serde(default)]
    is_direct: bool,
    power_level_content_override: Option<Box<RawValue>>,
}

/// A state event as clients name it here.
#[derive(Deserialize)]
struct StateWish {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    state_key: String,
    content: Box<RawValue>,
}

fn optional(raw: Option<Box<RawValue>>) -> Result<CanonicalJsonObject> {
    match raw.filter(|raw| raw.get() != "null") {
        Some(raw) => event_content(&raw),
        None => Ok(CanonicalJsonObject::new()),
    }
}

impl CreateRoom {
    fn wish(self) -> Result<NewRoom> {
        if !self.invite_3pid.is_empty() {
            return Err(no_third_parties());
        }
        let state = |state: StateWish| {
            let content = event_content(&state.content)?;
            Ok(InitialState { kind: state.kind, state_key: state.state_key, content })
        };
        Ok(NewRoom {
            public: self.visibility.unwrap_or_default() == Visibility::Public,
            preset: self.preset,
            alias: self.room_alias_name,
            name: self.name,
            topic: self.topic,
            invite: self.invite.iter().map(|user| ids::user_id(user)).collect::<Result<_>>()?,
            version: self.room_version,
            creation_content: optional(self.creation_content)?,
            initial_state: self.initial_state.into_iter().map(state).collect::<Result<_>>()?,
            power_levels: optional(self.power_level_content_override)?,
            is_direct: self.is_direct,
        })
    }
}

/// `POST /_matrix/client/v3/createRoom`
async fn create(app: State, caller: Caller, Body(body): Body<CreateRoom>) -> Answer {
    let room_id = app.flows.create_room(&by(&app, &caller), body.wish()?).await?;
    Ok(respond::ok(&json!({ "room_id": room_id })))
}
