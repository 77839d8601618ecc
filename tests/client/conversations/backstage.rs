//! The backstage rule: what is said there stays there.

use harness::{Client, Homeserver, both_databases, enc};
use serde_json::{Value, json};

use super::support::{Channel, Talk, word};
use crate::client::support::{Dice, is_reference, text};

both_databases!(
    nobody_from_outside_enters_a_backstage_room_by_any_door,
    a_backstage_room_cannot_be_opened,
    an_application_service_reads_nothing_as_somebody_who_is_backstage,
    nothing_that_is_said_backstage_reaches_a_bridge_or_the_customers_room,
);

/// Requests by which somebody could enter a room or look into it.
fn doors(talk: &Talk) -> Vec<(&'static str, String, Value)> {
    let (room, none) = (enc(&talk.backstage), json!({}));
    let mut doors = vec![
        ("POST", format!("/join/{room}"), none.clone()),
        ("POST", format!("/rooms/{room}/join"), none.clone()),
        ("POST", format!("/knock/{room}"), none.clone()),
        (
            "PUT",
            format!("/rooms/{room}/send/m.room.message/{}", word()),
            json!({ "msgtype": "m.text", "body": "x" }),
        ),
        ("PUT", format!("/rooms/{room}/state/m.room.topic/"), json!({ "topic": "x" })),
        ("POST", format!("/rooms/{room}/upgrade"), json!({ "new_version": "11" })),
        ("POST", format!("/rooms/{room}/invite"), json!({ "user_id": "@kontor:localhost" })),
    ];
    for rest in [
        "messages?dir=b",
        "state",
        "state/m.room.name/",
        "members",
        "joined_members",
        "initialSync",
        "timestamp_to_event?ts=1&dir=f",
        "threads",
        "aliases",
    ] {
        let version = if ["timestamp_to_event?ts=1&dir=f", "threads"].contains(&rest) { "v1" } else { "v3" };
        doors.push(("GET", format!("/_matrix/client/{version}/rooms/{room}/{rest}"), none.clone()));
    }
    doors.push(("GET", format!("/_matrix/client/v1/rooms/{room}/hierarchy"), none.clone()));
    doors.push(("GET", format!("/_matrix/client/v1/room_summary/{room}"), none));
    doors
}

async fn try_door(client: &Client, door: &(&'static str, String, Value), user: Option<&str>) -> u16 {
    let (method, path, body) = door;
    let path = match user {
        Some(user) => format!("{path}{}user_id={}", if path.contains('?') { '&' } else { '?' }, enc(user)),
        None => path.clone(),
    };
    let answer = match *method {
        "GET" => client.get(&path).await,
        "PUT" => client.put(&path, body).await,
        _ => client.post(&path, body).await,
    };
    assert!(!answer.json.to_string().contains("secret word"), "{answer}");
    answer.status
}

async fn nobody_from_outside_enters_a_backstage_room_by_any_door(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (anna, eve) = (server.register("anna").await, server.register("eve").await);
    let channel = Channel::open(&server, &[&anna]).await;
    let talk = channel.talk(&word()).await;
    anna.text(&talk.backstage, "secret word").await;
    let guest = json!({});
    let guest = server.signed_in(server.anonymous().post("/register?kind=guest", &guest).await);
    for door in doors(&talk) {
        for (client, user) in
            [(&channel.bot, Some(talk.ghost.as_str())), (&channel.bot, None), (&eve, None), (&guest, None)]
        {
            let status = try_door(client, &door, user).await;
            assert!((400..500).contains(&status), "{} {}: {status}", door.0, door.1);
        }
    }
    let invite = format!("/rooms/{}/invite", enc(&talk.backstage));
    let other = Channel::open(&server, &[]).await;
    let stranger = other.talk(&word()).await.ghost;
    for user in [
        talk.ghost.as_str(),
        channel.bot.user_id(),
        &stranger,
        guest.user_id(),
        "@somebody:elsewhere.example",
    ] {
        anna.post(&invite, &json!({ "user_id": user })).await.err(403, "M_FORBIDDEN");
        let state = format!("/rooms/{}/state/m.room.member/{}", enc(&talk.backstage), enc(user));
        for membership in ["invite", "join", "knock"] {
            let answer = anna.put(&state, &json!({ "membership": membership })).await;
            assert_eq!(answer.status, 403, "{user} {membership}: {answer}");
        }
    }
    let third =
        json!({ "id_server": "x", "id_access_token": "t", "medium": "email", "address": "a@example.com" });
    assert!(anna.post(&invite, &third).await.status >= 400);
    // A colleague is welcome.
    anna.invite(&talk.backstage, &eve).await;
    eve.join(&talk.backstage).await;
    channel.close().await;
    other.close().await;
}

async fn a_backstage_room_cannot_be_opened(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let talk = channel.talk(&word()).await;
    for room in [&talk.backstage, &talk.room] {
        for (kind, content) in [
            ("m.room.join_rules", json!({ "join_rule": "public" })),
            ("m.room.join_rules", json!({ "join_rule": "knock" })),
            ("m.room.join_rules", json!({ "join_rule": "restricted", "allow": [] })),
            ("m.room.history_visibility", json!({ "history_visibility": "world_readable" })),
            ("m.room.guest_access", json!({ "guest_access": "can_join" })),
            ("m.room.power_levels", json!({ "users_default": 100 })),
            ("m.room.tombstone", json!({ "body": "x", "replacement_room": "!x" })),
        ] {
            let path = format!("/rooms/{}/state/{kind}/", enc(room));
            anna.put(&path, &content).await.err(403, "M_FORBIDDEN");
        }
        anna.post(&format!("/rooms/{}/upgrade", enc(room)), &json!({ "new_version": "11" }))
            .await
            .err(403, "M_FORBIDDEN");
        let listed = format!("/directory/list/room/{}", enc(room));
        for who in [&anna, &channel.admin] {
            who.put(&listed, &json!({ "visibility": "public" })).await.err(403, "M_FORBIDDEN");
        }
    }
    channel.close().await;
}

async fn an_application_service_reads_nothing_as_somebody_who_is_backstage(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let talk = channel.talk(&word()).await;
    anna.text(&talk.backstage, "secret word").await;
    // A bridge that may act as people, registered afterwards.
    let id = word();
    let wish = json!({
        "id": id, "sender_localpart": format!("{id}bot"),
        "namespaces": { "users": [{ "exclusive": false, "regex": format!("@{}.*", anna.localpart()) }],
            "rooms": [{ "exclusive": false, "regex": ".*" }] },
    });
    let made = channel.admin.post("/_kontor/admin/v1/application_services", &wish).await;
    let token = text(&made.json["as_token"]);
    let path = format!("/rooms/{}/messages?dir=b&user_id={}", enc(&talk.backstage), enc(anna.user_id()));
    let answer = server.request(reqwest::Method::GET, &path, Some(&token), None).await;
    answer.err(403, "M_FORBIDDEN");
    let sync = format!("/sync?timeout=0&user_id={}", enc(anna.user_id()));
    server.request(reqwest::Method::GET, &sync, Some(&token), None).await.err(403, "M_FORBIDDEN");
    // And nobody whom it may act as comes in any more.
    let later = json!({ "user_id": anna.user_id() });
    anna.leave(&talk.backstage).await;
    channel.admin.post(&talk.path("/assign"), &later).await.err(403, "M_FORBIDDEN");
    channel.admin.delete(&format!("/_kontor/admin/v1/application_services/{id}")).await.ok();
    channel.close().await;
}

/// Something that an employee does backstage: an event of some kind, an edit, a reaction, a file, state.
async fn act_backstage(anna: &Client, dice: &mut Dice, room: &str, said: &mut Vec<String>, word: &str) {
    let target = said.last().cloned().unwrap_or_default();
    let message = json!({ "msgtype": "m.text", "body": word });
    let kinds = ["m.room.message", "m.sticker", "m.poll.start", "m.call.invite", "dev.kontor.note", "x.y.z"];
    let id = match dice.below(7) {
        0 | 1 => {
            let kind: &str = dice.one_of::<&str>(&kinds);
            anna.send(room, kind, &message).await
        }
        2 if !target.is_empty() => {
            let edit = json!({ "msgtype": "m.text", "body": word, "m.new_content": message, "m.relates_to": { "rel_type": "m.replace", "event_id": target } });
            anna.send(room, "m.room.message", &edit).await
        }
        3 if !target.is_empty() => {
            let reaction =
                json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": target, "key": word } });
            anna.send(room, "m.reaction", &reaction).await
        }
        4 if !target.is_empty() => {
            let thread = json!({ "rel_type": "m.thread", "event_id": said[0] });
            let answer = json!({ "msgtype": "m.text", "body": word, "m.relates_to": thread });
            anna.send(room, "m.room.message", &answer).await
        }
        5 => {
            let mxc = anna.upload("text/plain", word, word.as_bytes().to_vec()).await;
            let file = json!({ "msgtype": "m.file", "body": word, "url": mxc });
            anna.send(room, "m.room.message", &file).await
        }
        6 => anna.set_state(room, "m.room.pinned_events", "", &json!({ "pinned": [word] })).await,
        _ => anna.text(room, word).await,
    };
    said.push(id);
}

/// Every type of event that rooms know, and some that nobody knows.
const TYPES: [&str; 47] = [
    "m.call.answer",
    "m.call.candidates",
    "m.call.hangup",
    "m.call.invite",
    "m.call.negotiate",
    "m.call.reject",
    "m.call.sdp_stream_metadata_changed",
    "m.call.select_answer",
    "m.key.verification.accept",
    "m.key.verification.cancel",
    "m.key.verification.done",
    "m.key.verification.key",
    "m.key.verification.mac",
    "m.key.verification.ready",
    "m.key.verification.start",
    "m.policy.rule.room",
    "m.policy.rule.server",
    "m.policy.rule.user",
    "m.reaction",
    "m.room.avatar",
    "m.room.canonical_alias",
    "m.room.create",
    "m.room.encrypted",
    "m.room.encryption",
    "m.room.guest_access",
    "m.room.history_visibility",
    "m.room.image_pack",
    "m.room.join_rules",
    "m.room.message",
    "m.room.name",
    "m.room.pinned_events",
    "m.room.policy",
    "m.room.power_levels",
    "m.room.server_acl",
    "m.room.third_party_invite",
    "m.room.tombstone",
    "m.room.topic",
    "m.space.child",
    "m.space.parent",
    "m.sticker",
    "m.beacon",
    "m.poll.start",
    "im.vector.modular.widgets",
    "dev.kontor.customer",
    "dev.kontor.delivery",
    "dev.kontor.remote",
    "x.y.z",
];

/// Sends an event of each type, and tries to set state of each: what is refused was not said.
async fn say_everything(anna: &Client, room: &str, said: &str, word: &str) {
    let messages =
        ["m.text", "m.emote", "m.notice", "m.image", "m.file", "m.audio", "m.video", "m.location", "x.y"];
    for kind in messages {
        let content =
            json!({ "msgtype": kind, "body": word, "url": "mxc://localhost/x", "geo_uri": "geo:1,1" });
        anna.send(room, "m.room.message", &content).await;
    }
    let relations = ["m.annotation", "m.replace", "m.thread", "m.reference"];
    for (number, kind) in TYPES.into_iter().enumerate() {
        let relation = relations[number % relations.len()];
        let content = json!({ "msgtype": "m.text", "body": word, "topic": word, "name": word,
            "m.relates_to": { "rel_type": relation, "event_id": said, "key": word } });
        let (room, kind) = (enc(room), enc(kind));
        for path in [
            format!("send/{kind}/{}", super::support::word()),
            format!("state/{kind}/"),
            format!("state/{kind}/{word}"),
        ] {
            let answer = anna.put(&format!("/rooms/{room}/{path}"), &content).await;
            assert!([200, 400, 403].contains(&answer.status), "{answer}");
        }
    }
}

async fn nothing_that_is_said_backstage_reaches_a_bridge_or_the_customers_room(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    // A second service, which watches every room by its id.
    let eye = Channel::open(&server, &[]).await;
    let watched = json!({ "id": word(), "url": eye.site.url(""), "sender_localpart": word(),
        "namespaces": { "rooms": [{ "exclusive": false, "regex": ".*" }], "aliases": [{ "exclusive": false, "regex": ".*" }] } });
    let made = eye.admin.post("/_kontor/admin/v1/application_services", &watched).await;
    assert_eq!(made.status, 201, "{made}");
    let talk = channel.talk(&word()).await;
    let secret = format!("secret{}", word());
    let mut said = Vec::new();
    for seed in 0..40 {
        let mut dice = Dice::new(seed);
        act_backstage(&anna, &mut dice, &talk.backstage, &mut said, &secret).await;
        if dice.below(4) == 0 {
            channel.say(&talk, "meanwhile").await;
            anna.text(&talk.room, "in the open").await;
        }
    }
    say_everything(&anna, &talk.backstage, &said[0], &secret).await;
    anna.redact(&talk.backstage, &said[0]).await;
    anna.post(
        &format!("/rooms/{}/receipt/m.read/{}", enc(&talk.backstage), enc(said.last().unwrap())),
        &json!({}),
    )
    .await
    .ok();
    let last = anna.text(&talk.room, "the end").await;
    channel.wait_for(&last).await;
    eye.wait_for(&last).await;
    for site in [&channel.site, &eye.site] {
        for asked in site.asked() {
            let told = asked.json.to_string();
            assert!(!told.contains(&secret), "a bridge was told what was said backstage");
            let of_room = asked.json["events"].as_array().cloned().unwrap_or_default();
            assert!(of_room.iter().all(|event| event["room_id"] != *talk.backstage), "{told}");
            let ephemeral = asked.json["ephemeral"].as_array().cloned().unwrap_or_default();
            assert!(ephemeral.iter().all(|event| event["room_id"] != *talk.backstage), "{told}");
        }
    }
    let mirrored = json!(anna.whole_timeline(&talk.room).await).to_string();
    assert!(!mirrored.contains(&secret));
    let as_ghost = channel.bot.get(&channel.as_customer(&talk, "/sync?timeout=0")).await.ok().to_string();
    assert!(!as_ghost.contains(&secret) && as_ghost.contains(&talk.room));
    let backstage = json!(anna.whole_timeline(&talk.backstage).await).to_string();
    assert!(backstage.contains(&secret), "those who are there read it");
    channel.admin.delete(&format!("/_kontor/admin/v1/application_services/{}", text(&made.json["id"]))).await;
    channel.close().await;
    eye.close().await;
}
