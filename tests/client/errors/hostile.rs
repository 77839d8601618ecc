//! Hostile input over all routes: every answer is a Matrix answer, none is the server's fault.

use futures_util::StreamExt;
use futures_util::stream;
use harness::{Client, Homeserver, both_databases};
use reqwest::Method;
use serde_json::json;

use super::routes::{ROUTES, filled};
use crate::client::support::is_reference;

both_databases!(
    hostile_paths_are_never_the_servers_fault,
    hostile_queries_are_never_the_servers_fault,
    hostile_bodies_are_never_the_servers_fault,
);

/// Percent-encoded, for a part of a path or a query.
const PARTS: [&str; 22] = [
    "",
    "x",
    "%00",
    "%ff",
    "%",
    "%zz",
    "..",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "%2F",
    "%20",
    "%27%3B%20DROP%20TABLE%20event%3B--",
    "%22%3E%3Cscript%3E",
    "%F0%9F%90%A2",
    "!nowhere:localhost",
    "%40nobody%3Alocalhost",
    "%40%3A",
    "%23nowhere%3Alocalhost",
    "%24nothing",
    "-1",
    "99999999999999999999999999",
    "m.room.member",
    "null",
];

const QUERIES: [&str; 26] = [
    "?",
    "?=",
    "?&&",
    "?x",
    "?since=x",
    "?since=",
    "?since=s1_-1_0_0",
    "?from=x&dir=b",
    "?from=t1_-9223372036854775808&dir=b",
    "?from=t1_-9223372036854775808&dir=f&limit=0",
    "?dir=b&limit=-1",
    "?dir=b&limit=99999999999999999999999",
    "?dir=b&limit=4294967296",
    "?dir=f&to=t1_0&limit=18446744073709551615",
    "?limit=x",
    "?timeout=-1",
    "?timeout=x",
    "?filter=%7B",
    "?filter=%7B%22room%22%3A1%7D",
    "?filter=99999999999999999999",
    "?filter=-1",
    "?at=x",
    "?format=x",
    "?width=0&height=0&method=crop",
    "?width=-1&height=99999999999",
    "?dir=b&dir=f&since=a&since=b&limit=1&limit=2",
];

const BODIES: [&str; 24] = [
    "",
    "{",
    "[]",
    "null",
    "5",
    "\"x\"",
    "{}",
    "{\"\":\"\"}",
    "{\"user_id\":\"\\u0000\",\"room_id\":\"\\u0000\",\"reason\":\"\\u0000\",\"displayname\":\"\\u0000\",\"name\":\"\\u0000\"}",
    "{\"user_id\":1,\"room_id\":2,\"reason\":3,\"name\":4,\"topic\":5,\"preset\":6}",
    "{\"user_id\":\"@x:localhost\",\"room_id\":\"!x:localhost\",\"displayname\":null,\"typing\":null}",
    "{\"user_id\":[],\"invite\":{},\"initial_state\":[[]],\"creation_content\":5,\"room_version\":[]}",
    "{\"initial_state\":[{\"type\":\"\",\"state_key\":\"\\u0000\",\"content\":{}}]}",
    "{\"invite\":[\"@\",\"@:\",\"@x:\",\"\"],\"room_alias_name\":\"#\",\"room_version\":\"\\u0000\"}",
    "{\"power_level_content_override\":{\"users\":{\"@x:localhost\":9007199254740993}}}",
    "{\"creation_content\":{\"additional_creators\":\"x\",\"predecessor\":5,\"room_version\":\"12\"}}",
    "{\"membership\":\"\\u0000\",\"join_rule\":[],\"history_visibility\":{},\"users\":[],\"alias\":5}",
    "{\"type\":\"m.login.password\",\"identifier\":{\"type\":\"m.id.user\",\"user\":\"\\u0000\"},\"password\":\"\\u0000\"}",
    "{\"auth\":5}",
    "{\"auth\":{\"type\":\"m.login.dummy\",\"session\":\"\\u0000\"},\"username\":\"\\u0000\",\"password\":\"long enough\"}",
    "{\"auth\":{\"type\":[],\"session\":{}},\"devices\":[\"\\u0000\"],\"new_password\":\"\\u0000\"}",
    "{\"devices\":[],\"refresh_token\":\"\\u0000\",\"token\":\"\\u0000\",\"order\":1e308}",
    "{\"actions\":[{\"set_tweak\":[]},5],\"conditions\":[{\"kind\":\"\\u0000\",\"key\":5}],\"pattern\":\"\\u0000\",\"enabled\":5}",
    "{\"m.fully_read\":\"\\u0000\",\"m.read\":{},\"thread_id\":\"\\u0000\",\"order\":\"\\u0000\",\"redacts\":5}",
];

/// A request that must not be the server's fault.
struct Try {
    method: Method,
    path: String,
    body: Option<&'static str>,
}

/// Sends them all, some at once. Each route has a user of its own, for some routes end sessions.
async fn send_all(client: &Client, tries: Vec<Try>) {
    let results = stream::iter(tries).map(|attempt| send(client, attempt)).buffer_unordered(8);
    results.for_each(|()| async {}).await;
}

async fn send(client: &Client, attempt: Try) {
    let Try { method, path, body } = attempt;
    let body_sent = body.unwrap_or_default().as_bytes().to_vec();
    let answer = client.send_bytes(method, &path, "application/json", body_sent).await;
    let note = format!("{answer}, body {body:?}");
    if is_reference() {
        return;
    }
    let not_yet = answer.status == 504 && answer.json["errcode"] == "M_NOT_YET_UPLOADED";
    assert!(answer.status < 500 || not_yet, "{note}");
    let challenge = answer.status == 401 && answer.json["flows"].is_array();
    if answer.status >= 400 && !challenge {
        assert!(answer.json["errcode"].is_string(), "no Matrix error: {note}");
        let said = answer.json["error"].as_str().unwrap_or_default();
        for inner in ["sql", "SELECT", "panicked", ".rs", "src/", "constraint"] {
            assert!(!said.contains(inner), "it tells of its insides: {note}");
        }
    }
}

/// Routes and their methods, each with a fresh user.
async fn through_all_routes(server: &Homeserver, tries: impl Fn(&Method, &str, &Client) -> Vec<Try>) {
    for (methods, route) in ROUTES {
        let victim = server.register("victim").await;
        for method in methods.split(' ') {
            let method: Method = method.parse().expect("a method");
            send_all(&victim, tries(&method, route, &victim)).await;
        }
    }
    let alive = server.register("alive").await;
    alive.create_room(json!({})).await;
}

async fn hostile_paths_are_never_the_servers_fault(server: Homeserver) {
    through_all_routes(&server, |method, route, _| {
        let parts = PARTS.iter().filter(|_| route.contains('{'));
        let tries =
            parts.map(|part| Try { method: method.clone(), path: filled(route, part), body: Some("{}") });
        tries.collect()
    })
    .await;
}

async fn hostile_queries_are_never_the_servers_fault(server: Homeserver) {
    let owner = server.register("owner").await;
    let room = owner.create_room(json!({ "preset": "public_chat" })).await;
    through_all_routes(&server, |method, route, victim| {
        let route = route.replace("{room}", &room).replace("{user}", victim.user_id());
        let tries = QUERIES.iter().filter(|_| *method == Method::GET).map(|query| {
            let path = format!("{}{query}", filled(&route, "x"));
            Try { method: method.clone(), path, body: None }
        });
        tries.collect()
    })
    .await;
    // And the same where the room may be read.
    let reader = server.register("reader").await;
    reader.join(&room).await;
    for rest in
        ["messages", "members", "state", "state/m.room.create", "context/$x", "event/$x", "joined_members"]
    {
        let path = |query: &str| format!("/rooms/{room}/{rest}{query}");
        let tries = QUERIES.iter().map(|query| Try { method: Method::GET, path: path(query), body: None });
        send_all(&reader, tries.collect()).await;
    }
}

async fn hostile_bodies_are_never_the_servers_fault(server: Homeserver) {
    let owner = server.register("owner").await;
    for value in ["x", "own"] {
        for (methods, route) in ROUTES {
            let victim = server.register("victim").await;
            let room = victim.create_room(json!({})).await;
            // Once with nonsense in the path, once with what is the caller's own.
            let own = route.replace("{room}", &room).replace("{user}", victim.user_id());
            let path = filled(if value == "own" { &own } else { route }, "dev.kontor.x");
            for method in methods.split(' ').filter(|method| *method != "GET") {
                let method: Method = method.parse().expect("a method");
                let tries = BODIES.iter().map(|body| Try {
                    method: method.clone(),
                    path: path.clone(),
                    body: Some(body),
                });
                send_all(&victim, tries.collect()).await;
            }
        }
    }
    owner.get("/account/whoami").await.ok();
}
