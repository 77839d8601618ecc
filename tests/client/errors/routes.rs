//! Paths and methods that do not exist, browsers' preflights, and the table of all routes that other
//! claims go through.

use harness::{Homeserver, both_databases};
use reqwest::Method;

use crate::client::support::is_reference;

both_databases!(
    unknown_paths_are_unrecognized,
    wrong_methods_are_not_allowed,
    routes_are_known_under_their_older_names_too,
    browsers_may_ask_from_anywhere,
    errors_are_json_with_a_code_and_a_sentence,
);

/// Every route of the client-server API below `/_matrix/client/v3` (or whole), with the methods it
/// has. `{x}` is a part that the client fills in.
pub(super) const ROUTES: [(&str, &str); 59] = [
    ("GET POST", "/account/3pid"),
    ("POST", "/account/password"),
    ("GET", "/account/whoami"),
    ("GET", "/capabilities"),
    ("POST", "/createRoom"),
    ("POST", "/delete_devices"),
    ("GET", "/devices"),
    ("GET PUT DELETE", "/devices/{device}"),
    ("GET PUT DELETE", "/directory/room/{alias}"),
    ("POST", "/join/{room}"),
    ("GET", "/joined_rooms"),
    ("POST", "/knock/{room}"),
    ("GET POST", "/login"),
    ("POST", "/logout"),
    ("POST", "/logout/all"),
    ("GET", "/profile/{user}"),
    ("GET PUT DELETE", "/profile/{user}/{field}"),
    ("GET", "/pushrules/"),
    ("GET PUT DELETE", "/pushrules/{scope}/{kind}/{rule}"),
    ("GET PUT", "/pushrules/{scope}/{kind}/{rule}/{attribute}"),
    ("POST", "/refresh"),
    ("POST", "/register"),
    ("GET", "/register/available"),
    ("GET", "/rooms/{room}/aliases"),
    ("POST", "/rooms/{room}/ban"),
    ("GET", "/rooms/{room}/context/{event}"),
    ("GET", "/rooms/{room}/event/{event}"),
    ("POST", "/rooms/{room}/forget"),
    ("POST", "/rooms/{room}/invite"),
    ("POST", "/rooms/{room}/join"),
    ("GET", "/rooms/{room}/joined_members"),
    ("POST", "/rooms/{room}/kick"),
    ("POST", "/rooms/{room}/leave"),
    ("GET", "/rooms/{room}/members"),
    ("GET", "/rooms/{room}/messages"),
    ("POST", "/rooms/{room}/read_markers"),
    ("POST", "/rooms/{room}/receipt/{kind}/{event}"),
    ("PUT", "/rooms/{room}/redact/{event}/{txn}"),
    ("PUT", "/rooms/{room}/send/{type}/{txn}"),
    ("GET", "/rooms/{room}/state"),
    ("GET PUT", "/rooms/{room}/state/{type}"),
    ("GET PUT", "/rooms/{room}/state/{type}/{key}"),
    ("PUT", "/rooms/{room}/typing/{user}"),
    ("POST", "/rooms/{room}/unban"),
    ("GET", "/sync"),
    ("GET PUT", "/user/{user}/account_data/{type}"),
    ("POST", "/user/{user}/filter"),
    ("GET", "/user/{user}/filter/{filter}"),
    ("GET PUT", "/user/{user}/rooms/{room}/account_data/{type}"),
    ("GET", "/user/{user}/rooms/{room}/tags"),
    ("PUT DELETE", "/user/{user}/rooms/{room}/tags/{tag}"),
    ("POST", "/_matrix/client/v1/login/get_token"),
    ("GET", "/_matrix/client/v1/register/m.login.registration_token/validity"),
    ("GET", "/_matrix/client/versions"),
    ("GET", "/_matrix/client/v1/media/config"),
    ("GET", "/_matrix/client/v1/media/download/{server}/{media}"),
    ("GET", "/_matrix/client/v1/media/thumbnail/{server}/{media}"),
    ("POST", "/_matrix/media/v3/upload"),
    ("PUT", "/_matrix/media/v3/upload/{server}/{media}"),
];

/// A route with `value` in all its places.
pub(super) fn filled(route: &str, value: &str) -> String {
    let mut path = String::new();
    let mut rest = route;
    while let Some((before, after)) = rest.split_once('{') {
        path.push_str(before);
        path.push_str(value);
        rest = after.split_once('}').expect("a closing brace").1;
    }
    path + rest
}

async fn unknown_paths_are_unrecognized(server: Homeserver) {
    let alice = server.register("alice").await;
    if !is_reference() {
        alice.get("/_nothing").await.err(404, "M_UNRECOGNIZED");
    }
    for client in [&alice, &server.anonymous()] {
        for path in [
            "/nothing",
            "/rooms",
            "/rooms/!x:y/nothing",
            "/sync/nothing",
            "/_matrix/nothing",
            "/_matrix/client/v9/sync",
            "/_matrix/client/unstable/dev.kontor/nothing",
            "/_matrix/media/v3/nothing",
            "/_matrix/client/v1/media/nothing",
        ] {
            client.get(path).await.err(404, "M_UNRECOGNIZED");
            client.post(path, &serde_json::json!({})).await.err(404, "M_UNRECOGNIZED");
        }
    }
}

async fn wrong_methods_are_not_allowed(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    for (methods, route) in ROUTES {
        let path = filled(route, "x");
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            if methods.split(' ').any(|known| known == method.as_str()) {
                continue;
            }
            let answer = alice.request(method, &path, Some(&serde_json::json!({}))).await;
            answer.err(405, "M_UNRECOGNIZED");
        }
    }
}

async fn routes_are_known_under_their_older_names_too(server: Homeserver) {
    if is_reference() {
        return;
    }
    for (methods, route) in ROUTES {
        if route.starts_with("/_") {
            continue;
        }
        let path = format!("/_matrix/client/r0{}", filled(route, "x"));
        let method = methods.split(' ').next().expect("a method").parse().expect("a method");
        let answer = server.anonymous().request(method, &path, Some(&serde_json::json!({}))).await;
        assert_ne!(answer.json["errcode"], "M_UNRECOGNIZED", "{answer}");
    }
}

async fn browsers_may_ask_from_anywhere(server: Homeserver) {
    for path in ["/sync", "/_matrix/client/versions", "/login", "/_matrix/media/v3/upload", "/nothing"] {
        let request = server.http().request(Method::OPTIONS, server.url(path));
        let answer = request
            .header("origin", "https://app.example")
            .header("access-control-request-method", "PUT")
            .header("access-control-request-headers", "authorization, content-type")
            .send()
            .await
            .unwrap();
        assert!(answer.status().is_success(), "{path}: {answer:?}");
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_lowercase();
        assert_eq!(header("access-control-allow-origin"), "*");
        for method in ["get", "put", "post", "delete"] {
            assert!(header("access-control-allow-methods").contains(method), "{path}");
        }
        for name in ["authorization", "content-type"] {
            assert!(header("access-control-allow-headers").contains(name), "{path}");
        }
    }
    let answer = server.anonymous().get("/sync").await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "errors too: {answer}");
}

async fn errors_are_json_with_a_code_and_a_sentence(server: Homeserver) {
    let anonymous = server.anonymous();
    for path in ["/nothing", "/sync", "/account/whoami?access_token=x"] {
        let answer = anonymous.get(path).await;
        let kind = answer.header("content-type").unwrap_or_default().to_owned();
        assert!(kind.starts_with("application/json"), "{kind}");
        assert!(answer.json["error"].as_str().is_some_and(|sentence| !sentence.is_empty()), "{answer}");
        answer.refused();
    }
}
