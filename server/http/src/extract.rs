//! Taking requests apart: bodies, query strings, access tokens.

use crate::app::App;
use crate::error::ErrorResponse;
use axum::body::{Bytes, HttpBody as _};
use axum::extract::{FromRef, FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use bytes::BytesMut;
use http_body_util::BodyExt;
use kontor_identity::presence::Sign;
use kontor_model::{Code, Error, Requester};
use kontor_store::audit::Actor;
use serde::de::DeserializeOwned;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Handlers' state.
pub type State = axum::extract::State<Arc<App>>;

/// Path parameters, percent-decoded. Bad escapes are a 400.
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ErrorResponse;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ErrorResponse> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(cause) => Err(Error::invalid_param("The address of the request is malformed.")
                .because(cause.to_string())
                .into()),
        }
    }
}

/// The query string. Wrong or repeated parameters are a 400.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ErrorResponse;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ErrorResponse> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(cause) => {
                let missing = cause.to_string().contains("missing field");
                let code = if missing { Code::MissingParam } else { Code::InvalidParam };
                Err(Error::new(code, "A query parameter is missing or has a wrong value.")
                    .because(cause.to_string())
                    .into())
            }
        }
    }
}

/// Time for the body of a request that is not an upload.
const PATIENCE: Duration = Duration::from_secs(60);
/// What of a body that is too large is still read, and dropped: whoever sends all of a request before
/// reading would otherwise find the connection closed instead of an answer.
const LINGER: usize = 8 << 20;

/// Reads a body of at most the configured size, whether its length was announced or not.
///
/// # Errors
/// `TooLarge` beyond the limit; `NotJson` when the peer goes away or takes too long.
pub async fn bounded(request: Request, limit: usize) -> Result<Bytes, Error> {
    let arrived = tokio::time::timeout(PATIENCE, collected(request.into_body(), limit)).await;
    arrived.unwrap_or_else(|_| Err(Error::new(Code::NotJson, "The request took too long to arrive.")))
}

async fn collected(mut body: axum::body::Body, limit: usize) -> Result<Bytes, Error> {
    let too_large = || Error::new(Code::TooLarge, "The request is larger than this server allows.");
    let most = limit.saturating_add(LINGER);
    if body.size_hint().lower() > most as u64 {
        return Err(too_large());
    }
    let (mut kept, mut read) = (BytesMut::new(), 0);
    while let Some(frame) = body.frame().await {
        let ended = |cause| Error::new(Code::NotJson, "The request ended early.").because(cause);
        let Ok(data) = frame.map_err(ended)?.into_data() else { continue };
        read += data.len();
        if read <= limit {
            kept.extend_from_slice(&data);
        } else if read > most {
            return Err(too_large());
        } else {
            kept = BytesMut::new();
        }
    }
    if read > limit { Err(too_large()) } else { Ok(kept.freeze()) }
}

/// A JSON body. Whatever the content type says: clients disagree about it.
pub struct Body<T>(pub T);

impl<S, T> FromRequest<S> for Body<T>
where
    S: Send + Sync,
    Arc<App>: FromRef<S>,
    T: DeserializeOwned,
{
    type Rejection = ErrorResponse;

    async fn from_request(request: Request, state: &S) -> Result<Self, ErrorResponse> {
        let limit = Arc::<App>::from_ref(state).settings.body_limit;
        let bytes = bounded(request, limit).await?;
        Ok(Self(json(&bytes)?))
    }
}

/// A JSON body that may be left out; then it reads as `{}`.
pub struct OptionalBody<T>(pub T);

impl<S, T> FromRequest<S> for OptionalBody<T>
where
    S: Send + Sync,
    Arc<App>: FromRef<S>,
    T: DeserializeOwned,
{
    type Rejection = ErrorResponse;

    async fn from_request(request: Request, state: &S) -> Result<Self, ErrorResponse> {
        let limit = Arc::<App>::from_ref(state).settings.body_limit;
        let bytes = bounded(request, limit).await?;
        let bytes = if bytes.trim_ascii().is_empty() { Bytes::from_static(b"{}") } else { bytes };
        Ok(Self(json(&bytes)?))
    }
}

/// Objects and lists inside one another, at most.
const DEEPEST: usize = 120;

/// How deeply objects and lists are nested, if the text is JSON.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => depth += 1,
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// Parses JSON, telling text that is no JSON from JSON of the wrong shape.
///
/// # Errors
/// `NotJson` or `BadJson`.
pub fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    // The parser stops at its own limit, but not in fields that nobody reads.
    if depth(bytes) > DEEPEST {
        return Err(Error::bad_json("The request body is nested too deeply."));
    }
    serde_json::from_slice(bytes).map_err(|cause| {
        use serde_json::error::Category;
        let error = match cause.classify() {
            Category::Syntax | Category::Eof | Category::Io => {
                Error::new(Code::NotJson, "The request body is not JSON.")
            }
            _ => Error::bad_json(format!("The request body does not have the expected form: {cause}.")),
        };
        error.because(cause)
    })
}

/// The access token of a request, from the header or (deprecated) the query string.
pub fn access_token(parts: &Parts) -> Option<String> {
    let header = parts.headers.get(axum::http::header::AUTHORIZATION);
    if let Some(token) = header.and_then(|value| value.to_str().ok()).and_then(|v| v.strip_prefix("Bearer "))
    {
        return Some(token.trim().to_owned());
    }
    let query = parts.uri.query()?;
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == "access_token").map(|(_, token)| token.to_owned())
}

/// The language that whoever sent the request prefers.
pub fn language(headers: &axum::http::HeaderMap) -> kontor_model::Language {
    let wished = headers.get(axum::http::header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    kontor_model::Language::preferred(wished.unwrap_or_default())
}

/// Where a request came from, and its id in the logs. Put in by the listener and the middleware.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The peer's address.
    pub ip: Option<IpAddr>,
    /// The id of the request in the logs.
    pub request_id: Option<String>,
}

impl Origin {
    /// Somebody who has not logged in, as the audit log names them.
    pub fn actor(&self) -> Actor {
        Actor {
            user: None,
            session: None,
            ip: self.ip.map(|ip| ip.to_string()),
            request_id: self.request_id.clone(),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Origin {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

/// An authenticated caller; refuses the request otherwise.
pub struct Caller {
    /// Who it is.
    pub requester: Requester,
    /// Where the request came from.
    pub origin: Origin,
}

impl Caller {
    /// The caller as the audit log names it.
    pub fn actor(&self) -> Actor {
        // Application services act without a session.
        let session = Some(self.requester.session).filter(|session| *session > 0);
        let user = Some(self.requester.user);
        Actor { user, session, ..self.origin.actor() }
    }
}

impl<S> FromRequestParts<S> for Caller
where
    S: Send + Sync,
    Arc<App>: FromRef<S>,
{
    type Rejection = ErrorResponse;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ErrorResponse> {
        let app = Arc::<App>::from_ref(state);
        let token = access_token(parts).ok_or_else(missing_token)?;
        let Ok(origin) = Origin::from_request_parts(parts, state).await;
        let service = app.identity.services().now().by_token(&token).cloned();
        if let Some(service) = service {
            let requester = crate::services::requester(&app, &service, parts).await?;
            if !requester.device_id.as_str().is_empty() {
                app.identity.note_seen(&requester, origin.ip);
            }
            settle(&app).await?;
            return Ok(Self { requester, origin });
        }
        let requester = app.identity.authenticate(&token).await?;
        app.limits.spend(&app, &requester)?;
        if requester.guest {
            crate::guests::admit(parts)?;
        }
        if requester.suspended {
            crate::suspended::admit(parts)?;
        }
        app.identity.note_seen(&requester, origin.ip);
        // Reading is no sign of somebody at work: clients do it by themselves.
        if parts.method != axum::http::Method::GET {
            app.flows.note_presence(&requester, Sign::Act);
        }
        settle(&app).await?;
        Ok(Self { requester, origin })
    }
}

/// A caller who need not be logged in, but must not show a token that is not good.
pub struct MaybeCaller(pub Option<Caller>);

impl<S> FromRequestParts<S> for MaybeCaller
where
    S: Send + Sync,
    Arc<App>: FromRef<S>,
{
    type Rejection = ErrorResponse;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ErrorResponse> {
        match access_token(parts) {
            None => Ok(Self(None)),
            Some(_) => Ok(Self(Some(Caller::from_request_parts(parts, state).await?))),
        }
    }
}

fn missing_token() -> Error {
    Error::new(Code::MissingToken, "Log in first.")
}

/// Writes what became due in the department of accounts; almost always nothing.
async fn settle(app: &App) -> Result<(), Error> {
    let Some(due) = app.identity.due().await? else { return Ok(()) };
    if due.urgent {
        return app.store.submit(due.change).await.map(|_| ());
    }
    let store = app.store.clone();
    tokio::spawn(async move {
        if let Err(error) = store.submit_bulk(due.change).await {
            tracing::warn!(error.cause = ?error, "last-seen times or counted refusals were not written");
        }
    });
    Ok(())
}

/// An authenticated caller who wants to leave: a locked account may still log out.
pub struct Leaver(pub Caller);

impl<S> FromRequestParts<S> for Leaver
where
    S: Send + Sync,
    Arc<App>: FromRef<S>,
{
    type Rejection = ErrorResponse;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ErrorResponse> {
        let app = Arc::<App>::from_ref(state);
        let token = access_token(parts).ok_or_else(missing_token)?;
        if app.identity.services().now().by_token(&token).is_some() {
            let message = "An application service has no session that could end. Remove its devices instead.";
            return Err(Error::forbidden(message).into());
        }
        let requester = app.identity.authenticate_to_leave(&token).await?;
        let Ok(origin) = Origin::from_request_parts(parts, state).await;
        Ok(Self(Caller { requester, origin }))
    }
}
