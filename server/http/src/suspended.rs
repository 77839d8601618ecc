//! What suspended accounts may not ask for (client-server API, "Account suspension"): what others
//! would see. Everything else stays open: they read, leave, take their own words back, look after
//! their devices and keys, and log out. Whether a redaction takes back one's own words is looked at
//! where the event is known.

use axum::extract::MatchedPath;
use axum::http::{Method, request::Parts};
use kontor_model::{Code, Error, Result};

/// Methods and routes below `/_matrix/client/{version}`; `{}` is any segment.
const CLOSED: [(&str, &str); 16] = [
    ("POST", "/account/3pid/delete"),
    ("POST", "/createRoom"),
    ("POST", "/join/{}"),
    ("POST", "/knock/{}"),
    ("POST", "/rooms/{}/join"),
    ("POST", "/rooms/{}/invite"),
    ("POST", "/rooms/{}/kick"),
    ("POST", "/rooms/{}/ban"),
    ("POST", "/rooms/{}/unban"),
    ("POST", "/rooms/{}/upgrade"),
    ("PUT", "/rooms/{}/send/{}/{}"),
    ("PUT", "/rooms/{}/state/{}"),
    ("PUT", "/rooms/{}/state/{}/"),
    ("PUT", "/rooms/{}/state/{}/{}"),
    ("PUT", "/profile/{}/{}"),
    ("DELETE", "/profile/{}/{}"),
];

/// A redaction by the general endpoint.
const REDACTION: &str = "m.room.redaction";

/// Refuses a suspended user's request when others would see what it does.
///
/// # Errors
/// `UserSuspended`.
pub fn admit(parts: &Parts) -> Result<()> {
    let route = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str).unwrap_or_default();
    if is_closed(&parts.method, route, parts.uri.path()) { Err(refusal()) } else { Ok(()) }
}

/// The refusal, for whoever finds out later than by the route.
pub fn refusal() -> Error {
    Error::new(
        Code::UserSuspended,
        "Your account is suspended, so you cannot do this. Ask your administrator.",
    )
}

fn is_closed(method: &Method, route: &str, path: &str) -> bool {
    let Some((_, rest)) = route.strip_prefix("/_matrix/client/").and_then(|rest| rest.split_once('/')) else {
        return false;
    };
    let shape: String = rest
        .split('/')
        .map(|segment| if segment.starts_with('{') { "/{}".to_owned() } else { format!("/{segment}") })
        .collect();
    let redaction = shape == "/rooms/{}/send/{}/{}" && path.rsplit('/').nth(1) == Some(REDACTION);
    !redaction && CLOSED.contains(&(method.as_str(), shape.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suspended_read_and_leave_but_say_nothing() {
        let closed = |method: Method, route: &str| is_closed(&method, route, route);
        for (method, route) in [
            (Method::POST, "/_matrix/client/v3/createRoom"),
            (Method::POST, "/_matrix/client/v3/join/{room}"),
            (Method::PUT, "/_matrix/client/r0/rooms/{room_id}/state/{kind}/{key}"),
            (Method::PUT, "/_matrix/client/v3/profile/{user_id}/{key}"),
        ] {
            assert!(closed(method, route), "{route}");
        }
        for (method, route) in [
            (Method::GET, "/_matrix/client/v3/sync"),
            (Method::POST, "/_matrix/client/v3/rooms/{room_id}/leave"),
            (Method::PUT, "/_matrix/client/v3/rooms/{room_id}/redact/{event_id}/{txn_id}"),
            (Method::GET, "/_matrix/client/v3/profile/{user_id}/{key}"),
            (Method::POST, "/_matrix/client/v3/logout"),
            (Method::DELETE, "/_matrix/client/v3/devices/{device_id}"),
            (Method::POST, "/_matrix/client/v3/keys/upload"),
        ] {
            assert!(!closed(method, route), "{route}");
        }
        let route = "/_matrix/client/v3/rooms/{room_id}/send/{kind}/{txn_id}";
        assert!(is_closed(&Method::PUT, route, "/_matrix/client/v3/rooms/!a/send/m.room.message/1"));
        assert!(!is_closed(&Method::PUT, route, "/_matrix/client/v3/rooms/!a/send/m.room.redaction/1"));
    }
}
