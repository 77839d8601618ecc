//! TURN servers, which pass on calls between people who cannot reach one another directly.

use crate::app::{App, TurnCredentials};
use crate::error::Answer;
use crate::extract::{Caller, State};
use crate::respond;
use crate::router::v3;
use axum::Router;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use kontor_model::{Error, Ms, Result};
use serde_json::json;
use sha1::Sha1;
use std::sync::Arc;

pub(super) fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    v3(routes, "/voip/turnServer", get(turn_server))
}

/// `GET /_matrix/client/v3/voip/turnServer`
async fn turn_server(axum::extract::State(app): State, caller: Caller) -> Answer {
    let calls = &app.settings.calls;
    let allowed = calls.turn_for_guests || !caller.requester.guest;
    let Some(credentials) =
        calls.turn_credentials.as_ref().filter(|_| allowed && !calls.turn_uris.is_empty())
    else {
        return Ok(respond::empty());
    };
    let (username, password) = match credentials {
        TurnCredentials::Fixed(username, password) => (username.clone(), password.expose().clone()),
        TurnCredentials::Shared(secret) => {
            let now = app.clock.now();
            timed(secret.expose(), caller.requester.user_id.as_str(), now, calls.turn_lifetime)?
        }
    };
    Ok(respond::ok(&json!({
        "username": username,
        "password": password,
        "uris": calls.turn_uris,
        "ttl": calls.turn_lifetime,
    })))
}

/// A user name that says how long it holds, and the password that proves that we made it (TURN REST
/// API, draft-uberti-behave-turn-rest).
fn timed(secret: &str, user_id: &str, now: Ms, lifetime: u32) -> Result<(String, String)> {
    let username = format!("{}:{user_id}", now / 1_000 + i64::from(lifetime));
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).map_err(Error::internal)?;
    mac.update(username.as_bytes());
    let password = STANDARD.encode(mac.finalize().into_bytes());
    Ok((username, password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_proves_the_time_and_the_user() {
        // By openssl: printf %s 1086400:@a:x | openssl dgst -sha1 -hmac secret -binary | base64
        let (username, password) = timed("secret", "@a:x", 1_000_000_000, 86_400).unwrap();
        assert_eq!((username.as_str(), password.as_str()), ("1086400:@a:x", "b2YM8W8bIXqF74KsJdjQfZkZAIo="));
        let later = timed("secret", "@a:x", 1_000_001_000, 86_400).unwrap();
        assert_ne!(later.1, password);
        assert_ne!(timed("other", "@a:x", 1_000_000_000, 86_400).unwrap().1, password);
    }
}
