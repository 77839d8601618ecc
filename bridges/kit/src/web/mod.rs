//! The bridge's door: the homeserver's transactions, the administrator's commands, and the network's hooks.
//! Here and nowhere else in bridges are axum and status codes.

mod accept;
mod admin;
mod appservice;
mod health;
mod hooks;

use crate::engine::Engine;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post, put};
use bytes::Bytes;
use futures_util::StreamExt as _;
use kontor_model::{Code, Error, Result};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

/// Bytes of bodies that are held at once, in KiB.
const BODIES: usize = 24 << 10;
/// Bodies up to this size, in KiB, have a place of their own: uploads do not hold up messages.
const SMALL: usize = 64;
/// Requests at once, long polls included.
const REQUESTS: usize = 10_000;
/// How long a body may take to come.
const BODY_PATIENCE: Duration = Duration::from_secs(60);

/// What handlers share.
pub(crate) struct Door {
    pub engine: Arc<Engine>,
    bodies: Semaphore,
    small_bodies: Semaphore,
    requests: Semaphore,
}

/// Answers requests until `closing`, and finishes those that are under way.
pub(crate) async fn serve(engine: Arc<Engine>, listener: TcpListener, mut closing: watch::Receiver<bool>) {
    let (bodies, small_bodies) = (Semaphore::new(BODIES), Semaphore::new(BODIES));
    let door = Arc::new(Door { engine, bodies, small_bodies, requests: Semaphore::new(REQUESTS) });
    let routes = Router::new()
        .route("/_matrix/app/v1/transactions/{txn}", put(appservice::transaction))
        .route("/_matrix/app/v1/ping", post(appservice::ping))
        .route("/_matrix/app/v1/users/{id}", get(appservice::unknown))
        .route("/_matrix/app/v1/rooms/{alias}", get(appservice::unknown))
        .route("/_bridge/v1/dead", get(admin::dead))
        .route("/_bridge/v1/test", post(admin::test))
        .route("/_bridge/v1/{command}", post(admin::rest))
        .route("/_bridge/v1/dead/{id}/replay", post(admin::replay))
        .route("/_bridge/v1/outbox/{id}/{command}", post(admin::decide))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .fallback(hooks::hook)
        .with_state(door);
    accept::serve(listener, routes, async move {
        let _ = closing.wait_for(|closing| *closing).await;
    })
    .await;
}

impl Door {
    /// Whether the request bears the homeserver's token.
    fn is_homeserver(&self, headers: &HeaderMap) -> bool {
        let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        crate::proof::same(token.as_bytes(), self.engine.config.hs_token.expose().as_bytes())
    }

    /// Reads a body of at most `most` bytes.
    ///
    /// # Errors
    /// `TooLarge` when it is longer, `Unavailable` when too much is being read at once, `BadJson` when it
    /// does not come.
    async fn read(&self, headers: &HeaderMap, body: Body, most: usize) -> Result<Bytes> {
        let too_large = || Error::new(Code::TooLarge, format!("The request is larger than {most} bytes."));
        let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if length.is_some_and(|length: usize| length > most) {
            return Err(too_large());
        }
        // Without a length and without chunks there is no body at all.
        let length = length.or_else(|| (!headers.contains_key(header::TRANSFER_ENCODING)).then_some(0));
        let expected = length.unwrap_or(most).div_ceil(1024).clamp(1, BODIES);
        let bodies = if expected <= SMALL { &self.small_bodies } else { &self.bodies };
        let expected = u32::try_from(expected).unwrap_or(u32::MAX);
        let reading = async {
            let _place = bodies.acquire_many(expected).await.map_err(Error::internal)?;
            let mut read = Vec::with_capacity(length.unwrap_or(0));
            let mut chunks = body.into_data_stream();
            while let Some(chunk) = chunks.next().await {
                let broken = |error| Error::bad_json("The request broke off.").because(error);
                let chunk = chunk.map_err(broken)?;
                if read.len() + chunk.len() > most {
                    return Err(too_large());
                }
                read.extend_from_slice(&chunk);
            }
            Ok(Bytes::from(read))
        };
        let late = |_| Error::bad_json("The request took too long to come.");
        tokio::time::timeout(BODY_PATIENCE, reading).await.map_err(late)?
    }
}

fn json(status: StatusCode, value: &Value) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json")];
    (status, headers, value.to_string()).into_response()
}

/// An error in Matrix's form.
fn matrix_error(status: StatusCode, errcode: &str, error: &str) -> Response {
    json(status, &json!({ "errcode": errcode, "error": error }))
}

/// What an error means to whoever asked.
fn status_of(code: Code) -> StatusCode {
    match code {
        Code::MissingToken | Code::UnknownToken { .. } | Code::Unauthorized | Code::InvalidSignature => {
            StatusCode::UNAUTHORIZED
        }
        Code::Forbidden | Code::Exclusive => StatusCode::FORBIDDEN,
        Code::NotFound | Code::Unrecognized => StatusCode::NOT_FOUND,
        Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::LimitExceeded { .. } => StatusCode::TOO_MANY_REQUESTS,
        Code::Conflict => StatusCode::CONFLICT,
        Code::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    }
}
