//! Registration by shared secret, in the form that Synapse's tools use.

use crate::app::App;
use crate::client::login::session;
use crate::error::Answer;
use crate::extract::{Body, Origin, State};
use crate::refused;
use crate::respond;
use axum::Router;
use axum::routing::get;
use kontor_identity::DeviceWish;
use kontor_identity::shared_secret::SharedSecretRequest;
use kontor_model::{Code, Error, Secret};
use kontor_store::audit::Action;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

/// Adds the routes.
pub fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    routes.route("/_synapse/admin/v1/register", get(nonce).post(register))
}

/// `GET /_synapse/admin/v1/register`
async fn nonce(state: State, origin: Origin) -> Answer {
    state.limits.spend_anonymous(&state, &origin)?;
    Ok(respond::ok(&json!({ "nonce": state.identity.shared_secret_nonce()? })))
}

#[derive(Deserialize)]
struct Register {
    nonce: String,
    username: String,
    password: Secret<String>,
    #[serde(default)]
    admin: bool,
    user_type: Option<String>,
    displayname: Option<String>,
    mac: String,
    #[serde(default)]
    inhibit_login: bool,
}

/// `POST /_synapse/admin/v1/register`
async fn register(state: State, origin: Origin, Body(body): Body<Register>) -> Answer {
    let app = &state.0;
    app.limits.spend_login(app, &origin, None)?;
    let request = SharedSecretRequest {
        nonce: body.nonce,
        username: body.username,
        password: body.password,
        admin: body.admin,
        user_type: body.user_type,
        display_name: body.displayname,
        mac: body.mac,
        device: (!body.inhibit_login).then(DeviceWish::default),
    };
    let planned = app.identity.register_by_shared_secret(request, origin.actor()).await;
    if planned.as_ref().is_err_and(|error| error.code == Code::Forbidden) {
        refused::note(app, Action::UserCreate, origin.actor(), None);
    }
    let (change, user_id, opened) = planned?;
    match app.store.submit(change).await {
        Err(error) if error.is_conflict() => {
            return Err(Error::new(Code::UserInUse, "This user name is taken. Choose another.").into());
        }
        outcome => outcome?,
    };
    app.limits.refund_login(&origin, None);
    Ok(respond::ok(&match &opened {
        Some(opened) => session(app, opened),
        None => json!({ "user_id": user_id, "home_server": app.settings.server_name }),
    }))
}
