//! Asking services: for users and aliases that nobody made yet, and about other networks.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use harness::{Homeserver, both_databases, enc};
use serde_json::{Value, json};

use super::support::{Bridge, text};
use crate::client::website::Reply;

both_databases!(
    an_unknown_user_is_made_by_its_service_when_it_is_invited,
    an_unknown_alias_is_made_by_its_service_when_somebody_wants_to_join,
    nobody_is_asked_for_names_that_are_no_services,
    networks_are_looked_up_at_the_services_that_speak_for_them,
    hostile_answers_to_look_ups_are_left_out,
);

/// A request that blocks, as a bridge makes one while it answers.
fn ask(server: &Homeserver, token: &str, path: &str, body: &Value) -> String {
    let address = server.base_url().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("the server");
    let body = body.to_string();
    let request = format!(
        "POST /_matrix/client/v3{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

async fn an_unknown_user_is_made_by_its_service_when_it_is_invited(server: Homeserver) {
    let (bridge, anna) = (Bridge::open(&server).await, server.register("anna").await);
    let (home, token, id) = (server.clone(), bridge.bot.token().to_owned(), bridge.id.clone());
    let (ghost, stranger) = (bridge.user("ghost"), bridge.user("stranger"));
    let known = format!("/_matrix/app/v1/users/{}", enc(&ghost));
    bridge.door.site.say(move |asked| {
        if asked.path != known {
            return Reply::status(if asked.path.contains("/users/") { 404 } else { 200 });
        }
        let body = json!({ "type": "m.login.application_service", "username": format!("{id}_ghost"), "inhibit_login": true });
        assert!(ask(&home, &token, "/register", &body).starts_with("HTTP/1.1 200"));
        Reply::status(200)
    });
    let room = anna.create_room(json!({ "preset": "private_chat", "invite": [ghost] })).await;
    let member = anna.state(&room, "m.room.member", &ghost).await.ok();
    assert_eq!(member["membership"], "invite");
    let path = format!("/rooms/{}/invite", enc(&room));
    anna.post(&path, &json!({ "user_id": stranger })).await.err(404, "M_NOT_FOUND");
    bridge.close().await;
}

async fn an_unknown_alias_is_made_by_its_service_when_somebody_wants_to_join(server: Homeserver) {
    let (bridge, anna) = (Bridge::open(&server).await, server.register("anna").await);
    let (home, token, id) = (server.clone(), bridge.bot.token().to_owned(), bridge.id.clone());
    let alias = format!("#{}_portal:localhost", bridge.id);
    let known = format!("/_matrix/app/v1/rooms/{}", enc(&alias));
    bridge.door.site.say(move |asked| {
        if asked.path != known {
            return Reply::status(if asked.path.contains("/rooms/") { 404 } else { 200 });
        }
        let body = json!({ "preset": "public_chat", "room_alias_name": format!("{id}_portal") });
        assert!(ask(&home, &token, "/createRoom", &body).starts_with("HTTP/1.1 200"));
        Reply::status(200)
    });
    let joined = anna.post(&format!("/join/{}", enc(&alias)), &json!({})).await.ok();
    let found = anna.get(&format!("/directory/room/{}", enc(&alias))).await.ok();
    assert_eq!(found["room_id"], joined["room_id"]);
    let other = format!("#{}_nothing:localhost", bridge.id);
    anna.get(&format!("/directory/room/{}", enc(&other))).await.err(404, "M_NOT_FOUND");
    bridge.close().await;
}

async fn nobody_is_asked_for_names_that_are_no_services(server: Homeserver) {
    let (bridge, anna) = (Bridge::open(&server).await, server.register("anna").await);
    anna.get(&format!("/directory/room/{}", enc("#nobodys-alias:localhost"))).await.err(404, "M_NOT_FOUND");
    let room = anna.room_with(&[]).await;
    let path = format!("/rooms/{}/invite", enc(&room));
    anna.post(&path, &json!({ "user_id": "@nobody-at-all:localhost" })).await.err(404, "M_NOT_FOUND");
    assert!(bridge.door.site.asked().is_empty());
    bridge.close().await;
}

async fn networks_are_looked_up_at_the_services_that_speak_for_them(server: Homeserver) {
    let network = super::support::word();
    let more = || json!({ "protocols": [network] });
    let (first, second) =
        (Bridge::open_with(&server, more()).await, Bridge::open_with(&server, more()).await);
    let anna = server.register("anna").await;
    let times = Arc::new(AtomicUsize::new(0));
    for (bridge, nick) in [(&first, "one"), (&second, "two")] {
        let (protocol, times) = (network.clone(), Arc::clone(&times));
        bridge.door.site.say(move |asked| {
            if !asked.path.starts_with("/_matrix/app/v1/thirdparty/") {
                return Reply::status(200);
            }
            times.fetch_add(1, Ordering::SeqCst);
            let result = json!({ "userid": format!("@{nick}:localhost"), "alias": format!("#{nick}:localhost"),
                "protocol": protocol, "fields": { "nick": nick } });
            let body = if asked.path.contains("/protocol/") {
                json!({ "user_fields": ["nick"], "location_fields": ["place"], "icon": "mxc://a/b",
                    "field_types": { "nick": { "regexp": ".*", "placeholder": "nick" } },
                    "instances": [{ "network_id": nick, "desc": nick, "fields": {} }] })
            } else {
                json!([result])
            };
            Reply::of("application/json", body.to_string())
        });
    }
    let protocol = anna.get(&format!("/thirdparty/protocol/{network}")).await.ok();
    assert_eq!(protocol["instances"].as_array().map_or(0, Vec::len), 2, "{protocol}");
    let all = anna.get("/thirdparty/protocols").await.ok();
    assert_eq!(all[&network], protocol);
    assert_eq!(times.load(Ordering::SeqCst), 2, "what was said a moment ago is remembered");
    let users = anna.get(&format!("/thirdparty/user/{network}?nick=x%20y&access_token=secret")).await.ok();
    let mut names: Vec<String> = users.as_array().unwrap().iter().map(|user| text(&user["userid"])).collect();
    names.sort();
    assert_eq!(names, ["@one:localhost", "@two:localhost"]);
    let places = anna.get(&format!("/thirdparty/location/{network}?place=x")).await.ok();
    assert_eq!(places.as_array().map_or(0, Vec::len), 2);
    assert!(anna.get("/thirdparty/user?userid=@one:localhost").await.ok().as_array().unwrap().len() >= 2);
    let paths: Vec<String> = first.door.site.asked().into_iter().map(|asked| asked.path).collect();
    assert!(paths.contains(&format!("/_matrix/app/v1/thirdparty/user/{network}?nick=x%20y")), "{paths:?}");
    anna.get("/thirdparty/protocol/unheard-of").await.err(404, "M_NOT_FOUND");
    anna.get("/thirdparty/user/unheard-of").await.err(404, "M_NOT_FOUND");
    first.close().await;
    second.close().await;
}

async fn hostile_answers_to_look_ups_are_left_out(server: Homeserver) {
    let network = super::support::word();
    let bridge = Bridge::open_with(&server, json!({ "protocols": [network] })).await;
    let anna = server.register("anna").await;
    let answers = Arc::new(AtomicUsize::new(0));
    bridge.door.site.say(move |_| match answers.fetch_add(1, Ordering::SeqCst) % 4 {
        0 => Reply::of("application/json", "[".repeat(100_000)),
        1 => Reply::of("application/json", format!("[{}]", vec!["1"; 200_000].join(","))),
        2 => Reply::of("text/html", "<p>hello"),
        _ => Reply::status(500),
    });
    for n in 0..8 {
        let found = anna.get(&format!("/thirdparty/user/{network}?n={n}")).await.ok();
        assert_eq!(found, json!([]));
    }
    let many: String = (0..30).map(|n| format!("&f{n}=x")).collect();
    anna.get(&format!("/thirdparty/user/{network}?a=b{many}")).await.err(400, "M_INVALID_PARAM");
    bridge.close().await;
}
