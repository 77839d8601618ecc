//! Notices of the server.

use harness::{Client, Homeserver, both_databases, enc, eventually};
use serde_json::{Value, json};

use crate::client::support::{is_reference, list, text};

both_databases!(
    a_notice_invites_to_a_room_that_is_tagged_and_cannot_be_declined,
    further_notices_come_into_the_same_room,
    whoever_left_is_asked_in_again,
    people_cannot_write_where_the_server_speaks,
    only_administrators_send_notices,
    what_is_no_notice_is_refused,
    the_name_of_the_server_itself_cannot_be_registered,
);

harness::on_each_database!(everybody_is_told_once_even_if_the_process_is_killed);

const PATH: &str = "/_kontor/admin/v1/server_notice";

async fn tell(admin: &Client, user: &Client, words: &str) {
    admin.post(PATH, &json!({ "user_id": user.user_id(), "body": words })).await.ok();
}

/// The rooms that somebody is invited to.
async fn invitations(client: &Client) -> Vec<String> {
    let sync = client.sync(None, 0).await;
    sync["rooms"]["invite"].as_object().map(|rooms| rooms.keys().cloned().collect()).unwrap_or_default()
}

/// The notices that somebody has in a room.
async fn notices(client: &Client, room: &str) -> Vec<Value> {
    let timeline = client.whole_timeline(room).await;
    timeline.into_iter().filter(|event| event["content"]["msgtype"] == "m.server_notice").collect()
}

async fn a_notice_invites_to_a_room_that_is_tagged_and_cannot_be_declined(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (admin, anna) = (server.register_admin("admin").await, server.register("anna").await);
    tell(&admin, &anna, "We move on Saturday.").await;
    let room = invitations(&anna).await.remove(0);
    let leave = format!("/rooms/{}/leave", enc(&room));
    anna.post(&leave, &json!({})).await.err(403, "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM");
    let own = format!("/rooms/{}/state/m.room.member/{}", enc(&room), enc(anna.user_id()));
    let declined = anna.put(&own, &json!({ "membership": "leave" })).await;
    declined.err(403, "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM");
    anna.join(&room).await;
    let tags = anna.get(&format!("/user/{}/rooms/{}/tags", enc(anna.user_id()), enc(&room))).await.ok();
    assert!(tags["tags"].get("m.server_notice").is_some(), "{tags}");
    let told = notices(&anna, &room).await;
    assert_eq!((told.len(), text(&told[0]["content"]["body"])), (1, "We move on Saturday.".into()));
    assert_eq!(text(&told[0]["sender"]), "@_kontor:localhost");
    // Afterwards it may be left like any other room.
    anna.post(&leave, &json!({})).await.ok();
}

async fn further_notices_come_into_the_same_room(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (admin, anna) = (server.register_admin("admin").await, server.register("anna").await);
    let words: Vec<String> = (0..5).map(|n| format!("notice {n}")).collect();
    futures_util::future::join_all(words.iter().map(|words| tell(&admin, &anna, words))).await;
    let rooms = invitations(&anna).await;
    assert_eq!(rooms.len(), 1, "{rooms:?}");
    anna.join(&rooms[0]).await;
    assert_eq!(notices(&anna, &rooms[0]).await.len(), 5);
}

async fn whoever_left_is_asked_in_again(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (admin, anna) = (server.register_admin("admin").await, server.register("anna").await);
    tell(&admin, &anna, "first").await;
    let room = invitations(&anna).await.remove(0);
    anna.join(&room).await;
    anna.leave(&room).await;
    tell(&admin, &anna, "second").await;
    assert_eq!(invitations(&anna).await, [room.clone()]);
    anna.join(&room).await;
    let said: Vec<_> =
        notices(&anna, &room).await.iter().map(|event| text(&event["content"]["body"])).collect();
    assert!(said.contains(&"second".to_owned()), "{said:?}");
}

async fn people_cannot_write_where_the_server_speaks(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (admin, anna) = (server.register_admin("admin").await, server.register("anna").await);
    tell(&admin, &anna, "listen").await;
    let room = invitations(&anna).await.remove(0);
    anna.join(&room).await;
    let message = json!({ "msgtype": "m.text", "body": "hello?" });
    anna.send_txn(&room, "m.room.message", "1", &message).await.err(403, "M_FORBIDDEN");
    let invite = json!({ "user_id": admin.user_id() });
    anna.post(&format!("/rooms/{}/invite", enc(&room)), &invite).await.err(403, "M_FORBIDDEN");
}

async fn only_administrators_send_notices(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    anna.post(PATH, &json!({ "user_id": anna.user_id(), "body": "x" })).await.err(403, "M_FORBIDDEN");
    anna.post(PATH, &json!({ "everybody": true, "body": "x" })).await.err(403, "M_FORBIDDEN");
    server.anonymous().post(PATH, &json!({})).await.err(401, "M_MISSING_TOKEN");
    assert!(invitations(&anna).await.is_empty());
}

async fn what_is_no_notice_is_refused(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (admin, anna) = (server.register_admin("admin").await, server.register("anna").await);
    let me = anna.user_id();
    for (body, status) in [
        (json!({ "user_id": me, "body": " " }), 400),
        (json!({ "user_id": me }), 400),
        (json!({ "body": "to whom?" }), 400),
        (json!({ "user_id": me, "everybody": true, "body": "both" }), 400),
        (json!({ "user_id": me, "body": "x".repeat(20_000) }), 400),
        (json!({ "user_id": "@nobody-at-all:localhost", "body": "x" }), 404),
        (json!({ "user_id": "@somebody:elsewhere.example", "body": "x" }), 400),
    ] {
        let answer = admin.post(PATH, &body).await;
        assert_eq!(answer.status, status, "{answer}");
        answer.refused();
    }
    assert!(invitations(&anna).await.is_empty());
}

async fn the_name_of_the_server_itself_cannot_be_registered(server: Homeserver) {
    if is_reference() {
        return;
    }
    for name in ["_kontor", "_kontor2", "_KONTOR"] {
        let body = json!({ "username": name, "password": "a good long password" });
        server.anonymous().post("/register", &body).await.err(400, "M_EXCLUSIVE");
    }
}

async fn everybody_is_told_once_even_if_the_process_is_killed(db: harness::Db) {
    let mut running = harness::Server::start(db);
    let server = running.homeserver();
    let admin = server.register_admin("admin").await;
    let mut people = Vec::new();
    for n in 0..12 {
        people.push(server.register(&format!("person{n}")).await);
    }
    admin.post(PATH, &json!({ "everybody": true, "body": "to all" })).await.ok();
    running.kill_and_start_again();
    for person in &people {
        let person = running.homeserver().client_like(person);
        let room = eventually("everybody is invited", || async { invitations(&person).await.pop() }).await;
        person.join(&room).await;
        let told = eventually("everybody is told", || async {
            Some(notices(&person, &room).await).filter(|told| !told.is_empty())
        })
        .await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(list(&json!(told)).iter().all(|event| event["content"]["body"] == "to all"));
    }
}
