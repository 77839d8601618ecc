//! Bodies: no JSON, the wrong JSON, too much of it.

use std::time::Duration;

use futures_util::stream;
use harness::{Client, Homeserver, both_databases, enc};
use reqwest::Method;
use serde_json::json;

use crate::client::support::{in_room, is_reference};

both_databases!(
    what_is_no_json_is_not_json,
    json_of_the_wrong_form_is_bad_json,
    bodies_over_the_limit_are_too_large,
    bodies_over_the_limit_are_too_large_in_chunks_too,
    endless_nesting_is_refused,
    text_that_is_no_utf8_is_refused,
    the_content_type_does_not_matter,
    unknown_fields_are_ignored,
);

/// Endpoints that take a JSON object, of all families.
fn doors(client: &Client) -> Vec<(Method, String)> {
    let user = enc(client.user_id());
    vec![
        (Method::POST, "/createRoom".to_owned()),
        (Method::POST, "/login".to_owned()),
        (Method::POST, "/refresh".to_owned()),
        (Method::POST, format!("/user/{user}/filter")),
        (Method::PUT, format!("/user/{user}/account_data/dev.kontor.test")),
        (Method::PUT, format!("/profile/{user}/displayname")),
        (Method::PUT, "/pushrules/global/content/dev.kontor.x".to_owned()),
        (Method::PUT, "/directory/room/%23x%3Alocalhost".to_owned()),
    ]
}

async fn what_is_no_json_is_not_json(server: Homeserver) {
    let alice = server.register("alice").await;
    for (method, path) in doors(&alice) {
        for body in ["{", "nothing", "{\"a\":}", "{\"a\":1,}", "{'a':1}", "\u{feff}{}"] {
            let answer = alice.send_bytes(method.clone(), &path, "application/json", body.into()).await;
            if is_reference() {
                assert!(answer.status < 500, "{answer}");
            } else {
                answer.err(400, "M_NOT_JSON");
            }
        }
    }
}

async fn json_of_the_wrong_form_is_bad_json(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    for (method, path) in doors(&alice) {
        for body in ["[]", "1", "\"x\"", "null", "true"] {
            let answer = alice.send_bytes(method.clone(), &path, "application/json", body.into()).await;
            answer.err(400, "M_BAD_JSON");
        }
    }
}

async fn bodies_over_the_limit_are_too_large(server: Homeserver) {
    let alice = server.register("alice").await;
    let big = format!("{{\"x\":\"{}\"}}", "x".repeat(60_000_000));
    for (method, path) in doors(&alice).into_iter().take(3) {
        let sent = alice.homeserver().http().request(method, server.url(&path)).bearer_auth(alice.token());
        // The server may hang up before the body is sent; it must not take it.
        if let Ok(answer) = sent.body(big.clone()).send().await {
            assert_eq!(answer.status().as_u16(), 413, "{path}");
        }
    }
    let fits = json!({ "x": "x".repeat(3_000_000) });
    if !is_reference() {
        alice.post("/createRoom", &fits).await.err(413, "M_TOO_LARGE");
    }
    alice.get("/account/whoami").await.ok();
}

async fn bodies_over_the_limit_are_too_large_in_chunks_too(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    for (method, path) in doors(&alice) {
        let chunk = || Ok::<_, std::io::Error>(vec![b' '; 64 * 1024]);
        let body = stream::iter((0..64).map(move |_| chunk()));
        let request = server.http().request(method, server.url(&path)).bearer_auth(alice.token());
        let request = request.body(reqwest::Body::wrap_stream(body));
        if let Ok(answer) = request.send().await {
            assert_eq!(answer.status().as_u16(), 413, "{path}");
            let said = answer.text().await.unwrap();
            assert!(said.contains("M_TOO_LARGE"), "{path}: {said}");
        }
    }
    // A body without end is cut as well, not collected.
    let endless = stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 64 * 1024]));
    let request = server.http().post(server.url("/createRoom")).bearer_auth(alice.token());
    let request = request.body(reqwest::Body::wrap_stream(endless)).timeout(Duration::from_secs(30));
    if let Err(error) = request.send().await {
        assert!(!error.is_timeout(), "the server took a body without end");
    }
    alice.get("/account/whoami").await.ok();
}

async fn endless_nesting_is_refused(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let deep = |depth: usize, open: &str, close: &str| {
        format!("{{\"a\":{}1{}}}", open.repeat(depth), close.repeat(depth))
    };
    let nested = |open: &str, close: &str| deep(10_000, open, close);
    let mut doors = doors(&alice);
    doors.push((Method::PUT, in_room(&room, "send/dev.kontor.test/t")));
    doors.push((Method::PUT, in_room(&room, "state/dev.kontor.test/")));
    for (method, path) in doors {
        for body in [nested("[", "]"), nested("{\"a\":", "}"), "[".repeat(10_000)] {
            let answer = alice.send_bytes(method.clone(), &path, "application/json", body.into()).await;
            if !is_reference() {
                assert_eq!(answer.status, 400, "{answer}");
                answer.refused();
            }
        }
    }
    // An address has a length of its own at which it ends.
    let filter = enc(&deep(1_000, "{\"a\":", "}"));
    if !is_reference() {
        alice.get(&format!("/sync?filter={filter}")).await.refused();
    }
    alice.get("/account/whoami").await.ok();
}

async fn text_that_is_no_utf8_is_refused(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    for bytes in
        [&b"{\"a\":\"\xff\"}"[..], b"\xff\xfe{}", b"{\"a\":\"\xed\xa0\x80\"}", b"\0", b"{\"a\":\"\\ud800\"}"]
    {
        for (method, path) in [
            (Method::PUT, in_room(&room, "send/dev.kontor.test/t")),
            (Method::POST, "/createRoom".to_owned()),
        ] {
            let answer = alice.send_bytes(method, &path, "application/json", bytes.to_vec()).await;
            if !is_reference() {
                assert!(answer.status == 400 || path_takes_it(&path), "{answer}");
            }
        }
    }
    for path in ["/rooms/%ff/state", "/profile/%ff%fe", "/sync?since=%ff", "/join/%ff", "/sync?filter=%ff"] {
        let answer = alice.get(path).await;
        assert!((400..500).contains(&answer.status) || is_reference(), "{answer}");
    }
}

/// A lone surrogate in a field that nobody reads is not worth a refusal.
fn path_takes_it(path: &str) -> bool {
    path == "/createRoom"
}

async fn the_content_type_does_not_matter(server: Homeserver) {
    let alice = server.register("alice").await;
    for kind in ["application/json", "text/plain", "application/x-www-form-urlencoded", "nonsense"] {
        let answer = alice.send_bytes(Method::POST, "/createRoom", kind, b"{}".to_vec()).await;
        answer.ok();
    }
}

async fn unknown_fields_are_ignored(server: Homeserver) {
    let alice = server.register("alice").await;
    alice.create_room(json!({ "dev.kontor.unknown": { "x": [1, 2] }, "name": "x" })).await;
    let room = alice.create_room(json!({})).await;
    let bob = server.register("bob").await;
    let invite = json!({ "user_id": bob.user_id(), "dev.kontor.unknown": 1 });
    alice.post(&in_room(&room, "invite"), &invite).await.ok();
    alice.get("/sync?dev.kontor.unknown=1").await.ok();
}
