//! Making an account for oneself (client-server API, "Account registration").

use super::login::{Device, FOR_SERVICES, session};
use super::uia;
use crate::app::App;
use crate::error::Answer;
use crate::extract::{OptionalBody, Origin, Query, State};
use crate::refused;
use crate::respond;
use crate::router::v3;
use crate::services::ServiceToken;
use axum::Router;
use axum::routing::{get, post};
use kontor_identity::registration::{RegisterRequest, Registering};
use kontor_model::appservice::Service;
use kontor_model::{Code, Error, Secret};
use kontor_store::audit::Action;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// How often a registration that met another one at the same moment is tried.
const TRIES: usize = 3;

/// Adds the routes.
pub fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    let routes =
        routes.route("/_matrix/client/v1/register/m.login.registration_token/validity", get(token_validity));
    let routes = v3(routes, "/register/available", get(available));
    v3(routes, "/register", post(register))
}

#[derive(Deserialize)]
struct Kind {
    kind: Option<String>,
}

#[derive(Deserialize, Default)]
struct Register {
    username: Option<String>,
    password: Option<Secret<String>>,
    auth: Option<Value>,
    inhibit_login: Option<bool>,
    /// Application services name it, people do not.
    #[serde(rename = "type")]
    login_type: Option<String>,
    guest_access_token: Option<Secret<String>>,
    #[serde(flatten)]
    device: Device,
}

/// `POST /_matrix/client/v3/register`
async fn register(
    state: State,
    origin: Origin,
    token: ServiceToken,
    Query(kind): Query<Kind>,
    OptionalBody(body): OptionalBody<Register>,
) -> Answer {
    let app = &state.0;
    if body.login_type.as_deref() == Some(FOR_SERVICES) {
        let service = token.service(app)?;
        return register_for_service(app, &service, &origin, body).await;
    }
    app.limits.spend_anonymous(app, &origin)?;
    match kind.kind.as_deref().unwrap_or("user") {
        "user" => register_user(app, &origin, body).await,
        "guest" => {
            app.limits.spend_guest(app, &origin)?;
            let (change, _, opened) = app.identity.register_guest(body.device.into(), origin.actor()).await?;
            app.store.submit(change).await?;
            Ok(respond::ok(&session(app, &opened)))
        }
        _ => Err(Error::invalid_param("The kind of account must be \"user\" or \"guest\".").into()),
    }
}

/// Registers a user of an application service, which needs no proof.
async fn register_for_service(app: &App, service: &Service, origin: &Origin, body: Register) -> Answer {
    let device = (!body.inhibit_login.unwrap_or(false)).then(|| body.device.into());
    let username = body.username.as_deref();
    let made = app.identity.register_for_service(service, username, device, origin.actor()).await?;
    let (change, user_id, opened) = made;
    match app.store.submit(change).await {
        Err(error) if error.is_conflict() => {
            return Err(Error::new(Code::UserInUse, "This user exists already.").because(error).into());
        }
        outcome => drop(outcome?),
    }
    let body = match &opened {
        Some(opened) => session(app, opened),
        None => json!({ "user_id": user_id, "home_server": app.settings.server_name }),
    };
    Ok(respond::ok(&body))
}

async fn register_user(app: &Arc<App>, origin: &Origin, body: Register) -> Answer {
    let device = (!body.inhibit_login.unwrap_or(false)).then(|| body.device.into());
    let mut tries = 0;
    loop {
        let request = RegisterRequest {
            username: body.username.clone(),
            password: body.password.clone(),
            auth: body.auth.clone(),
            device: device.clone(),
            guest_token: body.guest_access_token.clone(),
        };
        let (change, user_id, opened) = match app.identity.register(request, origin.actor()).await? {
            Registering::Done(change, user_id, opened) => (change, user_id, opened),
            Registering::More(challenge, change) => {
                app.store.submit(change).await?;
                if challenge.error.is_some() {
                    refused::note(app, Action::UserCreate, origin.actor(), None);
                }
                return Err(uia::challenge(challenge));
            }
        };
        match app.store.submit(change).await {
            Ok(_) => {
                let body = match &opened {
                    Some(opened) => session(app, opened),
                    None => json!({ "user_id": user_id, "home_server": app.settings.server_name }),
                };
                return Ok(respond::ok(&body));
            }
            // The next round says what was taken: the name, the proof or the token.
            Err(error) if error.is_conflict() && tries < TRIES => tries += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

#[derive(Deserialize)]
struct Username {
    username: String,
}

/// `GET /_matrix/client/v3/register/available`
async fn available(state: State, origin: Origin, Query(wish): Query<Username>) -> Answer {
    let app = &state.0;
    app.limits.spend_anonymous(app, &origin)?;
    app.identity.expect_registration()?;
    app.identity.free_name(&wish.username).await?;
    Ok(respond::ok(&json!({ "available": true })))
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

/// `GET /_matrix/client/v1/register/m.login.registration_token/validity`
async fn token_validity(state: State, origin: Origin, Query(query): Query<Token>) -> Answer {
    let app = &state.0;
    app.limits.spend_login(app, &origin, None)?;
    let valid = app.identity.registration_token_is_valid(&query.token).await?;
    Ok(respond::ok(&json!({ "valid": valid })))
}
