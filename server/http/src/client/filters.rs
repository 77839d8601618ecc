//! Stored filters (client-server API, "Filtering").

use super::own::only_own;
use crate::app::App;
use crate::error::Answer;
use crate::extract::{Body, Caller, Path, State};
use crate::respond;
use crate::router::v3;
use axum::Router;
use axum::routing::{get, post};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Adds the routes.
pub fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    let routes = v3(routes, "/user/{user_id}/filter", post(store));
    v3(routes, "/user/{user_id}/filter/{filter_id}", get(read))
}

/// `POST /_matrix/client/v3/user/{userId}/filter`
async fn store(
    state: State,
    caller: Caller,
    Path(user_id): Path<String>,
    Body(definition): Body<Map<String, Value>>,
) -> Answer {
    only_own(&caller, &user_id)?;
    let (filter_id, change) = state.identity.add_filter(&caller.requester, definition).await?;
    if !change.is_empty() {
        state.store.submit(change).await?;
    }
    Ok(respond::ok(&json!({ "filter_id": filter_id })))
}

/// `GET /_matrix/client/v3/user/{userId}/filter/{filterId}`
async fn read(state: State, caller: Caller, Path((user_id, filter_id)): Path<(String, String)>) -> Answer {
    only_own(&caller, &user_id)?;
    Ok(respond::ok(&state.identity.stored_filter(&caller.requester, &filter_id).await?))
}
