//! What the network calls: checked by the channel, committed, answered, in this order.

use super::{Door, matrix_error, status_of};
use crate::channel::{Answer, HookReply, HookRequest, Reply, ReplyBody, Status};
use crate::steps::Step;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use kontor_model::{Code, Error, Result};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Anything that is not the kit's own.
pub(super) async fn hook(
    State(door): State<Arc<Door>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let remote = remote(&door, peer.ip(), &head.headers);
    let Ok(_place) = door.requests.try_acquire() else {
        return matrix_error(StatusCode::SERVICE_UNAVAILABLE, "M_UNKNOWN", "Too many requests at once.");
    };
    let method = head.method.to_string();
    let taken = async {
        let request = read(&door, head, body, remote).await?;
        let context = &door.engine.context;
        let HookReply { commit, answer } = door.engine.channel.hook(context, request).await?;
        let committed = context.commit(commit).await?;
        door.engine.reached(Step::Taken).await;
        Result::<Reply>::Ok(match answer {
            Answer::Now(reply) => reply,
            Answer::After(make) => make(&committed),
        })
    };
    match taken.await {
        Ok(reply) => response(reply),
        Err(error) => {
            // The path may hold a secret in some networks: it is not logged.
            let (channel, code) = (door.engine.name(), error.code);
            tracing::warn!(channel, %remote, method, ?code, error = %error.message, "A hook was refused.");
            refusal(&error)
        }
    }
}

/// The whole request. Its head holds on to the connection's buffer, and goes: a page may wait long for its answer, and
/// thousands do.
async fn read(door: &Door, head: Parts, body: Body, remote: IpAddr) -> Result<HookRequest> {
    let (method, path) = (head.method.to_string(), head.uri.path().to_owned());
    let most = door.engine.channel.largest_body(&method, &path).min(door.engine.caps.largest_body);
    let body = door.read(&head.headers, body, most).await?;
    Ok(HookRequest {
        method,
        path,
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: headers_of(&head.headers),
        body,
        remote,
        at: door.engine.now(),
    })
}

fn refusal(error: &Error) -> Response {
    let mut response = matrix_error(status_of(error.code), "M_UNKNOWN", &error.message);
    if let Code::LimitExceeded { retry_after_ms } = error.code
        && let Ok(seconds) = HeaderValue::from_str(&retry_after_ms.div_ceil(1000).to_string())
    {
        response.headers_mut().insert("retry-after", seconds);
    }
    response
}

/// Who asks: the peer, unless that is a proxy whose word is taken.
fn remote(door: &Door, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    if !door.engine.config.trusted_proxies.contains(&peer) {
        return peer;
    }
    let forwarded = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    // The last one was written by our own proxy.
    let last = forwarded.flat_map(|value| value.split(',')).last();
    last.and_then(|address| address.trim().parse().ok()).unwrap_or(peer)
}

fn headers_of(headers: &HeaderMap) -> Vec<(String, String)> {
    let texts = headers.iter().filter_map(|(name, value)| Some((name, value.to_str().ok()?)));
    texts.map(|(name, value)| (name.as_str().to_owned(), value.to_owned())).collect()
}

fn response(reply: Reply) -> Response {
    let body = match reply.body {
        ReplyBody::Bytes(bytes) => Body::from(bytes),
        ReplyBody::Stream(stream) => Body::from_stream(stream),
    };
    let mut response = (status(reply.status), body).into_response();
    response.headers_mut().clear();
    for (name, value) in reply.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

fn status(status: Status) -> StatusCode {
    match status {
        Status::Ok => StatusCode::OK,
        Status::Created => StatusCode::CREATED,
        Status::Accepted => StatusCode::ACCEPTED,
        Status::NoContent => StatusCode::NO_CONTENT,
        Status::PartialContent => StatusCode::PARTIAL_CONTENT,
        Status::SeeOther => StatusCode::SEE_OTHER,
        Status::NotModified => StatusCode::NOT_MODIFIED,
        Status::BadRequest => StatusCode::BAD_REQUEST,
        Status::Unauthorized => StatusCode::UNAUTHORIZED,
        Status::Forbidden => StatusCode::FORBIDDEN,
        Status::NotFound => StatusCode::NOT_FOUND,
        Status::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Status::Conflict => StatusCode::CONFLICT,
        Status::Gone => StatusCode::GONE,
        Status::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Status::UnsupportedType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Status::RangeNotSatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
        Status::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
        Status::TooMany => StatusCode::TOO_MANY_REQUESTS,
        Status::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}
