//! Registration tokens: whoever shows one may make an account.

use super::Administrator;
use crate::app::App;
use crate::error::Answer;
use crate::extract::{OptionalBody, State};
use crate::respond;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use kontor_model::{Error, Ms};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

/// Adds the routes.
pub fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    routes.route("/_kontor/admin/v1/registration_tokens", post(create))
}

#[derive(Deserialize)]
struct NewToken {
    /// Made up when absent.
    token: Option<String>,
    /// How many accounts it is good for; any number when absent.
    uses_allowed: Option<i64>,
    /// Until when; for ever when absent.
    expires_ts: Option<Ms>,
}

/// `POST /_kontor/admin/v1/registration_tokens`
async fn create(
    state: State,
    Administrator(caller): Administrator,
    OptionalBody(body): OptionalBody<NewToken>,
) -> Answer {
    let (uses_allowed, expires_ts) = (body.uses_allowed, body.expires_ts);
    let made = state.identity.new_registration_token(body.token, uses_allowed, expires_ts, caller.actor());
    let (change, token) = made.await?;
    match state.store.submit(change).await {
        Err(error) if error.is_conflict() => {
            return Err(Error::invalid_param("This registration token exists already.").into());
        }
        outcome => outcome?,
    };
    let mut response =
        respond::ok(&json!({ "token": token, "uses_allowed": uses_allowed, "expires_ts": expires_ts }));
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}
