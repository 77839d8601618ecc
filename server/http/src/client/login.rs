//! Logging in (client-server API, "Login").

use super::uia;
use super::versions::discovery;
use crate::app::App;
use crate::error::{Answer, ErrorResponse};
use crate::extract::{Body, Caller, OptionalBody, Origin, State};
use crate::refused;
use crate::respond;
use crate::router::v3;
use crate::services::ServiceToken;
use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use kontor_identity::login::Proof;
use kontor_identity::{DeviceWish, Opened};
use kontor_model::appservice::Service;
use kontor_model::{Code, Error, Secret};
use kontor_store::audit::Action;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// The way in for users of application services.
pub(crate) const FOR_SERVICES: &str = "m.login.application_service";

/// Adds the routes.
pub fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    let routes = routes.route("/_matrix/client/v1/login/get_token", post(get_token));
    v3(routes, "/login", get(flows).post(login))
}

/// `GET /_matrix/client/v3/login`
async fn flows() -> Response {
    respond::ok(&json!({ "flows": [
        { "type": "m.login.password" },
        { "type": "m.login.token", "get_login_token": true },
        { "type": FOR_SERVICES },
    ] }))
}

#[derive(Deserialize)]
struct Login {
    #[serde(rename = "type")]
    kind: String,
    identifier: Option<Identifier>,
    /// Of older clients, instead of the identifier.
    user: Option<String>,
    password: Option<Secret<String>>,
    token: Option<Secret<String>>,
    #[serde(flatten)]
    device: Device,
}

#[derive(Deserialize)]
struct Identifier {
    #[serde(rename = "type")]
    kind: String,
    user: Option<String>,
    medium: Option<String>,
    address: Option<String>,
}

/// What login and registration say of the device.
#[derive(Deserialize, Default)]
pub(crate) struct Device {
    device_id: Option<String>,
    initial_device_display_name: Option<String>,
    refresh_token: Option<bool>,
}

impl From<Device> for DeviceWish {
    fn from(device: Device) -> Self {
        Self {
            device_id: device.device_id,
            display_name: device.initial_device_display_name,
            refresh: device.refresh_token.unwrap_or(false),
        }
    }
}

fn missing(field: &str) -> Error {
    Error::new(Code::MissingParam, format!("The field \"{field}\" is missing."))
}

/// The answer to types that are not in the flows; the specification wants this code.
fn unknown_type(message: &'static str) -> ErrorResponse {
    ErrorResponse::with_body(StatusCode::BAD_REQUEST, json!({ "errcode": "M_UNKNOWN", "error": message }))
}

impl Login {
    /// The user as named, and the proof.
    fn proof(self) -> Answer<(Option<String>, Proof, DeviceWish)> {
        let device = self.device.into();
        match self.kind.as_str() {
            "m.login.password" => {
                let password = self.password.ok_or_else(|| missing("password"))?;
                if let Some(Identifier { kind, medium: Some(medium), address: Some(address), .. }) =
                    &self.identifier
                    && kind == "m.id.thirdparty"
                {
                    let (medium, address) = (medium.clone(), address.clone());
                    return Ok((Some(address.clone()), Proof::Address { medium, address, password }, device));
                }
                let user = match self.identifier {
                    None => self.user,
                    Some(identifier) => match identifier.kind.as_str() {
                        "m.id.user" => Some(identifier.user.ok_or_else(|| missing("identifier.user"))?),
                        "m.id.thirdparty" => return Err(missing("identifier.address").into()),
                        // No number belongs to an account here: refused like a wrong password.
                        "m.id.phone" => None,
                        _ => return Err(unknown_type("This kind of identifier is not known here.")),
                    },
                };
                Ok((user.clone(), Proof::Password { user, password }, device))
            }
            "m.login.token" => {
                let token = self.token.ok_or_else(|| missing("token"))?;
                Ok((None, Proof::Token(token), device))
            }
            _ => Err(unknown_type("This way to log in is not known here.")),
        }
    }
}

/// `POST /_matrix/client/v3/login`
async fn login(state: State, origin: Origin, token: ServiceToken, Body(body): Body<Login>) -> Answer {
    let app = &state.0;
    if body.kind == FOR_SERVICES {
        let service = token.service(app)?;
        return login_for_service(app, &service, &origin, body).await;
    }
    let (user, proof, device) = body.proof()?;
    app.limits.spend_login(app, &origin, user.as_deref())?;
    let actor = origin.actor();
    let outcome = match app.identity.login(proof, device, actor.clone()).await {
        Ok((change, opened)) => match app.store.submit(change).await {
            Ok(_) => Ok(opened),
            Err(error) if error.is_conflict() => {
                Err(Error::forbidden("This login token was used already. Ask for a new one.").because(error))
            }
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    };
    match outcome {
        Ok(opened) => {
            app.limits.refund_login(&origin, user.as_deref());
            Ok(respond::ok(&session(app, &opened)))
        }
        Err(error) => {
            if matches!(error.code, Code::Forbidden | Code::UserLocked | Code::UserDeactivated) {
                refused::note(app, Action::AuthLoginFailed, actor, user);
            }
            Err(error.into())
        }
    }
}

/// Logs a user of an application service in, which needs no proof.
async fn login_for_service(app: &App, service: &Service, origin: &Origin, body: Login) -> Answer {
    let user = body.identifier.and_then(|identifier| identifier.user).or(body.user);
    let wish = body.device.into();
    let planned = app.identity.login_for_service(service, user.as_deref(), wish, origin.actor()).await?;
    let (change, opened) = planned;
    app.store.submit(change).await?;
    Ok(respond::ok(&session(app, &opened)))
}

/// What the client of a new session is told.
pub(crate) fn session(app: &App, opened: &Opened) -> Value {
    let mut body = json!({
        "user_id": opened.user_id,
        "access_token": opened.access_token.expose(),
        "device_id": opened.device_id,
        "home_server": app.settings.server_name,
        "well_known": discovery(app),
    });
    if let (Some(token), Some(life), Some(map)) =
        (&opened.refresh_token, opened.expires_in_ms, body.as_object_mut())
    {
        map.insert("refresh_token".into(), token.expose().as_str().into());
        map.insert("expires_in_ms".into(), life.into());
    }
    body
}

#[derive(Deserialize)]
struct Proven {
    auth: Option<Value>,
}

/// `POST /_matrix/client/v1/login/get_token`
async fn get_token(state: State, caller: Caller, OptionalBody(body): OptionalBody<Proven>) -> Answer {
    let app = &state.0;
    let ask = uia::password("login_token", &caller.requester);
    let passed = uia::passed(app, &caller, &ask, body.auth.as_ref()).await?;
    let (change, token, life) = app.identity.new_login_token(&caller.requester, caller.actor()).await?;
    uia::submit(app, change, passed).await?;
    Ok(respond::ok(&json!({ "login_token": token.expose(), "expires_in_ms": life })))
}
