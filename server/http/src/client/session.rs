//! The present session: whose it is, its next tokens, its end.

use crate::app::App;
use crate::error::Answer;
use crate::extract::{Body, Caller, Leaver, Origin, State};
use crate::respond;
use crate::router::v3;
use axum::Router;
use axum::routing::{get, post};
use kontor_identity::refresh::{Pair, Refresh};
use kontor_model::{Code, Error, Secret};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

/// How often a refresh that met another one at the same moment is tried.
const TRIES: usize = 5;

/// Adds the routes.
pub fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    let routes = v3(routes, "/account/whoami", get(whoami));
    let routes = v3(routes, "/refresh", post(refresh));
    let routes = v3(routes, "/logout", post(logout));
    v3(routes, "/logout/all", post(logout_all))
}

/// `GET /_matrix/client/v3/account/whoami`
async fn whoami(caller: Caller) -> Answer {
    let requester = &caller.requester;
    let mut body = json!({ "user_id": requester.user_id, "is_guest": requester.guest });
    if let (Ok(device), Some(map)) = (requester.device(), body.as_object_mut()) {
        map.insert("device_id".to_owned(), device.into());
    }
    Ok(respond::ok(&body))
}

#[derive(Deserialize)]
struct RefreshBody {
    refresh_token: Secret<String>,
}

/// `POST /_matrix/client/v3/refresh`
async fn refresh(state: State, origin: Origin, Body(body): Body<RefreshBody>) -> Answer {
    let app = &state.0;
    app.limits.spend_anonymous(app, &origin)?;
    for _ in 0..TRIES {
        match app.identity.refresh(&body.refresh_token, origin.actor()).await? {
            Refresh::Again(pair) => return Ok(tokens(&pair)),
            Refresh::New(pair, change) => match app.store.submit(change).await {
                Ok(_) => return Ok(tokens(&pair)),
                // Another request redeemed the same token: the next round gets its pair.
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error.into()),
            },
            Refresh::Stolen(change) => {
                app.store.submit(change).await?;
                return Err(Error::new(
                    Code::UnknownToken { soft_logout: true },
                    "This refresh token was used before, so the session was ended. Log in again.",
                )
                .into());
            }
        }
    }
    Err(Error::new(Code::Unavailable, "Too many requests refresh the same token. Try again in a moment.")
        .into())
}

fn tokens(pair: &Pair) -> axum::response::Response {
    respond::ok(&json!({
        "access_token": pair.access_token.expose(),
        "refresh_token": pair.refresh_token.expose(),
        "expires_in_ms": pair.expires_in_ms,
    }))
}

/// `POST /_matrix/client/v3/logout`
async fn logout(state: State, Leaver(caller): Leaver) -> Answer {
    let change = state.identity.logout(&caller.requester, caller.actor()).await?;
    state.flows.submit_devices(caller.requester.user, change).await?;
    Ok(respond::empty())
}

/// `POST /_matrix/client/v3/logout/all`
async fn logout_all(state: State, Leaver(caller): Leaver) -> Answer {
    let change = state.identity.logout_all(&caller.requester, caller.actor()).await?;
    state.flows.submit_devices(caller.requester.user, change).await?;
    Ok(respond::empty())
}
