//! The caller's account: its password.

use super::uia;
use crate::app::App;
use crate::error::Answer;
use crate::extract::{Body, Caller, State};
use crate::respond;
use crate::router::v3;
use axum::Router;
use axum::routing::{get, post};
use kontor_model::Secret;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Adds the routes.
pub fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    let routes = v3(routes, "/account/3pid", get(addresses));
    v3(routes, "/account/password", post(password))
}

/// `GET /_matrix/client/v3/account/3pid`
async fn addresses(_: Caller) -> Answer {
    // Addresses cannot be bound to accounts here (capability `m.3pid_changes`): there are none.
    Ok(respond::ok(&json!({ "threepids": [] })))
}

#[derive(Deserialize)]
struct NewPassword {
    new_password: Secret<String>,
    logout_devices: Option<bool>,
    auth: Option<Value>,
}

/// `POST /_matrix/client/v3/account/password`
async fn password(state: State, caller: Caller, Body(body): Body<NewPassword>) -> Answer {
    let app = &state.0;
    app.identity.acceptable_password(&body.new_password)?;
    let ask = uia::password("password", &caller.requester);
    let passed = uia::passed(app, &caller, &ask, body.auth.as_ref()).await?;
    let logout = body.logout_devices.unwrap_or(true);
    let change =
        app.identity.change_password(&caller.requester, &body.new_password, logout, caller.actor()).await?;
    if logout {
        uia::submit_devices(app, &caller.requester, change, passed).await?;
    } else {
        uia::submit(app, change, passed).await?;
    }
    Ok(respond::empty())
}
