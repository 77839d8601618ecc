//! Telling a widget's server who somebody is (client-server API, "OpenID", and the federation API's
//! answer to it).

use super::own::only_own;
use crate::app::App;
use crate::error::Answer;
use crate::extract::{Caller, OptionalBody, Origin, Path, Query, State};
use crate::respond;
use crate::router::v3;
use axum::Router;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Adds the route for clients.
pub(super) fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    v3(routes, "/user/{user_id}/openid/request_token", post(request))
}

/// Adds the route for the servers of widgets, which may be anybody.
pub(crate) fn public_routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    routes.route("/_matrix/federation/v1/openid/userinfo", get(userinfo))
}

/// `POST /_matrix/client/v3/user/{userId}/openid/request_token`
async fn request(
    state: State,
    caller: Caller,
    Path(user_id): Path<String>,
    OptionalBody(_): OptionalBody<Map<String, Value>>,
) -> Answer {
    only_own(&caller, &user_id)?;
    let (change, token, life) = state.identity.new_openid_token(&caller.requester);
    state.store.submit(change).await?;
    Ok(respond::ok(&json!({
        "access_token": token.expose(),
        "token_type": "Bearer",
        "matrix_server_name": state.settings.server_name,
        "expires_in": life / 1000,
    })))
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
}

/// `GET /_matrix/federation/v1/openid/userinfo`
async fn userinfo(state: State, origin: Origin, Query(query): Query<Token>) -> Answer {
    state.limits.spend_anonymous(&state, &origin)?;
    let user_id = state.identity.by_openid_token(&query.access_token).await?;
    Ok(respond::ok(&json!({ "sub": user_id })))
}
