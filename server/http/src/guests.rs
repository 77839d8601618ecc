//! What guests may ask for (client-server API, "Guest access"): a closed list, so that a new
//! endpoint is closed to them until somebody thinks about it.

use axum::extract::MatchedPath;
use axum::http::{Method, request::Parts};
use kontor_model::{Code, Error, Result};

/// Methods and routes below `/_matrix/client/{version}`; `{}` is any segment.
const OPEN: [(&str, &str); 43] = [
    ("GET", "/account/whoami"),
    ("GET", "/capabilities"),
    ("GET", "/devices"),
    ("GET", "/devices/{}"),
    ("PUT", "/devices/{}"),
    ("GET", "/events"),
    ("POST", "/join/{}"),
    ("POST", "/keys/claim"),
    ("POST", "/keys/query"),
    ("POST", "/keys/upload"),
    ("POST", "/logout"),
    ("POST", "/logout/all"),
    ("GET", "/org.matrix.msc4140/delayed_events"),
    ("GET", "/org.matrix.msc4140/delayed_events/{}"),
    ("POST", "/org.matrix.msc4140/delayed_events/{}"),
    ("POST", "/org.matrix.msc4140/delayed_events/{}/{}"),
    ("PUT", "/org.matrix.msc4140/rooms/{}/delayed_event/{}/{}"),
    ("GET", "/org.matrix.msc4143/rtc/transports"),
    ("GET", "/media/config"),
    ("GET", "/media/download/{}/{}"),
    ("GET", "/media/download/{}/{}/{}"),
    ("GET", "/media/thumbnail/{}/{}"),
    ("GET", "/profile/{}"),
    ("GET", "/profile/{}/{}"),
    ("GET", "/pushrules/"),
    ("GET", "/rooms/{}/context/{}"),
    ("GET", "/rooms/{}/event/{}"),
    ("GET", "/rooms/{}/initialSync"),
    ("POST", "/rooms/{}/join"),
    ("POST", "/rooms/{}/leave"),
    ("GET", "/rooms/{}/members"),
    ("GET", "/rooms/{}/messages"),
    ("PUT", "/rooms/{}/send/{}/{}"),
    ("GET", "/rooms/{}/state"),
    ("GET", "/rooms/{}/state/{}"),
    ("PUT", "/rooms/{}/state/{}"),
    ("GET", "/rooms/{}/state/{}/"),
    ("PUT", "/rooms/{}/state/{}/"),
    ("GET", "/rooms/{}/state/{}/{}"),
    ("PUT", "/rooms/{}/state/{}/{}"),
    ("PUT", "/sendToDevice/{}/{}"),
    ("GET", "/sync"),
    ("GET", "/voip/turnServer"),
];

/// Fields of their profile that guests may change.
const DISPLAY_NAME: &str = "/profile/{}/displayname";

/// Refuses a guest's request unless its route is open to guests.
///
/// # Errors
/// `GuestAccessForbidden`.
pub fn admit(parts: &Parts) -> Result<()> {
    let route = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str).unwrap_or_default();
    if is_open(&parts.method, route, parts.uri.path()) {
        return Ok(());
    }
    Err(Error::new(Code::GuestAccessForbidden, "Guests may not do this. Register an account first."))
}

fn is_open(method: &Method, route: &str, path: &str) -> bool {
    // `/_matrix/client/v3/sync` becomes `/sync`, and names of parameters go.
    let Some(rest) = route.strip_prefix("/_matrix/client/").and_then(|rest| rest.split_once('/')) else {
        return false;
    };
    let shape: String = rest
        .1
        .split('/')
        .map(|segment| if segment.starts_with('{') { "/{}".to_owned() } else { format!("/{segment}") })
        .collect();
    let display_name = (*method == Method::PUT || *method == Method::DELETE)
        && (shape == DISPLAY_NAME || (shape == "/profile/{}/{}" && path.ends_with("/displayname")));
    display_name || OPEN.contains(&(method.as_str(), shape.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_read_and_talk_but_do_not_run_anything() {
        let open = |method: Method, route: &str| is_open(&method, route, route);
        assert!(open(Method::GET, "/_matrix/client/v3/sync"));
        assert!(open(Method::GET, "/_matrix/client/r0/rooms/{room_id}/messages"));
        assert!(open(Method::PUT, "/_matrix/client/v3/profile/{user_id}/displayname"));
        assert!(is_open(
            &Method::PUT,
            "/_matrix/client/v3/profile/{user_id}/{field}",
            "/_matrix/client/v3/profile/@a:b/displayname"
        ));
        for (method, route) in [
            (Method::POST, "/_matrix/client/v3/createRoom"),
            (Method::PUT, "/_matrix/client/v3/profile/{user_id}/avatar_url"),
            (Method::POST, "/_matrix/client/v3/rooms/{room_id}/invite"),
            (Method::DELETE, "/_matrix/client/v3/devices/{device_id}"),
            (Method::POST, "/_matrix/media/v3/upload"),
            (Method::GET, "/_kontor/admin/v1/people"),
            (Method::GET, ""),
        ] {
            assert!(!open(method, route), "{route}");
        }
    }
}
