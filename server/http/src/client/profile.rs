//! Profiles (client-server API, "Profiles").

use super::own::only_own;
use crate::app::App;
use crate::error::Answer;
use crate::extract::{Body, Caller, Path, State};
use crate::respond;
use crate::router::v3;
use axum::Router;
use axum::routing::get;
use kontor_model::{Code, Error, Result, ids};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Adds the routes.
pub fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    let routes = v3(routes, "/profile/{user_id}", get(whole));
    v3(routes, "/profile/{user_id}/{key}", get(field).put(set).delete(remove))
}

/// `GET /_matrix/client/v3/profile/{userId}`
async fn whole(state: State, Path(user_id): Path<String>) -> Answer {
    Ok(respond::ok(&state.identity.profile(&ids::user_id(&user_id)?).await?))
}

/// `GET /_matrix/client/v3/profile/{userId}/{keyName}`
async fn field(state: State, Path((user_id, key)): Path<(String, String)>) -> Answer {
    let value = state.identity.profile_field(&ids::user_id(&user_id)?, &key).await?;
    Ok(respond::ok(&Map::from_iter([(key, value)])))
}

/// `PUT /_matrix/client/v3/profile/{userId}/{keyName}`
async fn set(
    state: State,
    caller: Caller,
    Path((user_id, key)): Path<(String, String)>,
    Body(mut body): Body<Map<String, Value>>,
) -> Answer {
    only_own(&caller, &user_id)?;
    let missing = || Error::new(Code::MissingParam, "The request does not hold the profile field.");
    let value = body.remove(&key).ok_or_else(missing)?;
    let change = state.identity.set_profile_field(&caller.requester, &key, value).await?;
    state.store.submit(change).await?;
    tell_rooms(&state, &caller, &key).await?;
    Ok(respond::empty())
}

/// `DELETE /_matrix/client/v3/profile/{userId}/{keyName}`
async fn remove(state: State, caller: Caller, Path((user_id, key)): Path<(String, String)>) -> Answer {
    only_own(&caller, &user_id)?;
    state.store.submit(state.identity.remove_profile_field(&caller.requester, &key)?).await?;
    tell_rooms(&state, &caller, &key).await?;
    Ok(respond::empty())
}

/// Member events repeat these two fields. Goes on when the client does not wait for it.
async fn tell_rooms(app: &App, caller: &Caller, key: &str) -> Result<()> {
    if !matches!(key, "displayname" | "avatar_url") {
        return Ok(());
    }
    let (flows, who) = (Arc::clone(&app.flows), caller.requester.clone());
    let told = tokio::spawn(async move { flows.profile_changed(&who.user_id, who.user).await });
    told.await.map_err(Error::internal)?
}
