//! Opening conversations.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use harness::{Db, Homeserver, Server, both_databases, enc, eventually, on_each_database};
use serde_json::{Value, json};

use super::resolution::number;
use super::suggesting::said;
use super::support::{Channel, word};
use crate::client::support::{is_reference, list, text};

both_databases!(
    a_conversation_has_a_mirrored_and_a_backstage_room_with_those_who_answer,
    however_often_it_is_asked_for_there_is_one_conversation,
    what_is_no_customer_is_refused_and_nothing_is_kept,
    a_member_who_is_added_later_reads_the_first_event,
    who_is_taken_out_of_a_channel_leaves_its_rooms,
    rooms_of_conversations_are_not_made_by_others,
    a_new_id_of_a_customer_leads_to_the_same_conversation,
);

on_each_database!(two_processes_that_open_at_once_open_one);

async fn a_conversation_has_a_mirrored_and_a_backstage_room_with_those_who_answer(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let customer = word();
    let opened = channel.ask(&channel.opening(&customer)).await.ok();
    assert_eq!(opened["language"], "pl");
    let talk = channel.talk(&customer).await;
    assert_eq!(talk.room, text(&opened["room_id"]));
    for (room, kind, name) in [
        (&talk.room, "dev.kontor.customer", format!("Customer {customer} · Shop")),
        (&talk.backstage, "dev.kontor.backstage", format!("Customer {customer} · wewnętrzne")),
    ] {
        let create = anna.state(room, "m.room.create", "").await.ok();
        assert_eq!((&create["type"], &create["m.federate"]), (&json!(kind), &json!(false)));
        assert_eq!(anna.state(room, "m.room.name", "").await.ok()["name"], json!(name));
        assert_eq!(
            anna.state(room, "m.room.history_visibility", "").await.ok()["history_visibility"],
            "shared"
        );
        assert_eq!(anna.state(room, "m.room.join_rules", "").await.ok()["join_rule"], "invite");
        let link = anna.state(room, "dev.kontor.conversation", "").await.ok();
        assert_eq!(
            (text(&link["conversation_id"]), text(&link["contact_id"])),
            (talk.id.clone(), talk.contact.clone())
        );
        assert_eq!(
            (text(&link["room_id"]), text(&link["backstage_room_id"])),
            (talk.room.clone(), talk.backstage.clone())
        );
        assert_eq!(link.as_object().unwrap().len(), 4, "ids only: {link}");
    }
    let members = async |room: &str| {
        let joined = anna.get(&format!("/rooms/{}/joined_members", enc(room))).await.ok();
        joined["joined"].as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>()
    };
    let company = "@kontor:localhost".to_owned();
    let staff = BTreeSet::from([company.clone(), anna.user_id().to_owned()]);
    assert_eq!(members(&talk.backstage).await, staff);
    let mut mirrored = staff;
    mirrored.extend([talk.ghost.clone(), channel.bot.user_id().to_owned()]);
    assert_eq!(members(&talk.room).await, mirrored);
    let alias = anna.state(&talk.room, "m.room.canonical_alias", "").await.ok();
    assert!(text(&alias["alias"]).starts_with(&format!("#_kontor_{}_", channel.id)), "{alias}");
    let said = channel.say(&talk, "Dzień dobry").await;
    assert_eq!(anna.event(&talk.room, &said).await.ok()["sender"], json!(talk.ghost));
    let encryption = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
    for room in [&talk.room, &talk.backstage] {
        let path = format!("/rooms/{}/state/m.room.encryption/", enc(room));
        anna.put(&path, &encryption).await.err(403, "M_FORBIDDEN");
        anna.send_txn(room, "m.room.encrypted", &word(), &json!({ "algorithm": "x" }))
            .await
            .err(403, "M_FORBIDDEN");
    }
    channel.close().await;
}

async fn however_often_it_is_asked_for_there_is_one_conversation(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let opening = channel.opening(&word());
    let answers = join_all((0..20).map(|_| channel.ask(&opening))).await;
    let answers: BTreeSet<String> = answers.into_iter().map(|answer| answer.ok().to_string()).collect();
    assert_eq!(answers.len(), 1, "{answers:?}");
    let joined = anna.get("/joined_rooms").await.ok();
    assert_eq!(joined["joined_rooms"].as_array().unwrap().len(), 2, "no room is left over");
    let mut other = opening.clone();
    other["id_type"] = json!("phone");
    assert_ne!(channel.ask(&other).await.ok().to_string(), *answers.first().unwrap(), "another kind of id");
    channel.close().await;
}

async fn two_processes_that_open_at_once_open_one(db: Db) {
    let first = Server::start(db);
    let server = first.homeserver();
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    // SQLite has one process; there the same process is asked twice.
    let second = (db == Db::Postgres).then(|| first.peer("second"));
    let other = second.as_ref().map_or_else(|| server.clone(), Server::homeserver);
    let there = other.client_like(&channel.bot);
    // The other process knows of the bridge a moment later.
    eventually("the other process knows the bridge", || async {
        (there.get("/account/whoami").await.status == 200).then_some(())
    })
    .await;
    for _ in 0..5 {
        let opening = channel.opening(&word());
        let path = "/_kontor/bridge/v1/conversations";
        let asks = (0..8)
            .map(|n| if n % 2 == 0 { &channel.bot } else { &there })
            .map(|bot| bot.post(path, &opening));
        let rooms: BTreeSet<String> =
            join_all(asks).await.into_iter().map(|answer| text(&answer.ok()["room_id"])).collect();
        assert_eq!(rooms.len(), 1, "{rooms:?}");
    }
    let joined = anna.get("/joined_rooms").await.ok();
    assert_eq!(joined["joined_rooms"].as_array().unwrap().len(), 10);
}

async fn what_is_no_customer_is_refused_and_nothing_is_kept(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let (channel, another) = (Channel::open(&server, &[&anna]).await, Channel::open(&server, &[]).await);
    let with = |field: &str, value: Value| {
        let mut opening = channel.opening("x");
        opening[field] = value;
        opening
    };
    for (opening, status, code) in [
        (with("external_id", json!("")), 400, "M_INVALID_PARAM"),
        (with("external_id", json!("x".repeat(256))), 400, "M_INVALID_PARAM"),
        (with("external_id", json!("a\u{0}b")), 400, "M_INVALID_PARAM"),
        (with("id_type", Value::Null), 400, "M_BAD_JSON"),
        (with("claims", json!([{ "kind": "phone" }])), 400, "M_BAD_JSON"),
        (
            with("claims", json!([{ "kind": "phone", "value": "", "trust": "claimed", "source": "form" }])),
            400,
            "M_INVALID_PARAM",
        ),
        (with("context", json!({ "page": "x".repeat(9_000) })), 413, "M_TOO_LARGE"),
        (with("context", json!({ "zoom": 1.5 })), 400, "M_BAD_JSON"),
        (with("channel", json!("nowhere")), 404, "M_NOT_FOUND"),
        (with("channel", json!(another.id)), 403, "M_FORBIDDEN"),
        (with("ghost_localpart", json!("somebody")), 400, "M_EXCLUSIVE"),
    ] {
        channel.ask(&opening).await.err(status, code);
    }
    anna.post("/_kontor/bridge/v1/conversations", &channel.opening("x")).await.err(403, "M_FORBIDDEN");
    server
        .anonymous()
        .post("/_kontor/bridge/v1/conversations", &channel.opening("x"))
        .await
        .err(401, "M_MISSING_TOKEN");
    assert_eq!(anna.get("/joined_rooms").await.ok()["joined_rooms"], json!([]));
    channel.close().await;
    another.close().await;
}

async fn a_member_who_is_added_later_reads_the_first_event(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (anna, bob) = (server.register("anna").await, server.register("bob").await);
    let channel = Channel::open(&server, &[&anna]).await;
    let talk = channel.talk(&word()).await;
    let first = channel.say(&talk, "Is anybody there?").await;
    let noted = anna.text(&talk.backstage, "An old friend of ours.").await;
    let path = format!("/_kontor/admin/v1/channels/{}", channel.id);
    let members = json!({ "members": [anna.user_id(), bob.user_id()] });
    channel.admin.patch(&path, &members).await.ok();
    eventually("bob is brought in", || async {
        let rooms = bob.get("/joined_rooms").await.ok();
        (rooms["joined_rooms"].as_array().unwrap().len() == 2).then_some(())
    })
    .await;
    let timeline = bob.whole_timeline(&talk.room).await;
    assert_eq!(timeline[0]["type"], "m.room.create", "the room's first event");
    assert!(timeline.iter().any(|event| event["event_id"] == *first));
    assert_eq!(bob.event(&talk.backstage, &noted).await.ok()["content"]["body"], "An old friend of ours.");
    // Whoever leaves by themselves is not dragged back in.
    bob.leave(&talk.room).await;
    channel.admin.patch(&path, &members).await.ok();
    channel.admin.patch(&path, &json!({ "name": "Chairs" })).await.ok();
    let joined = bob.get("/joined_rooms").await.ok();
    assert_eq!(joined["joined_rooms"], json!([talk.backstage]));
    channel.close().await;
}

async fn who_is_taken_out_of_a_channel_leaves_its_rooms(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (anna, bob) = (server.register("anna").await, server.register("bob").await);
    let channel = Channel::open(&server, &[&anna, &bob]).await;
    let talk = channel.talk(&word()).await;
    let path = format!("/_kontor/admin/v1/channels/{}", channel.id);
    channel.admin.patch(&path, &json!({ "members": [anna.user_id()] })).await.ok();
    eventually("bob is out", || async {
        (bob.get("/joined_rooms").await.ok()["joined_rooms"] == json!([])).then_some(())
    })
    .await;
    bob.get(&talk.path("")).await.err(404, "M_NOT_FOUND");
    assert_eq!(anna.get("/joined_rooms").await.ok()["joined_rooms"].as_array().unwrap().len(), 2);
    channel.admin.patch(&path, &json!({ "members": [anna.user_id(), bob.user_id()] })).await.ok();
    eventually("bob is back", || async {
        let rooms = bob.get("/joined_rooms").await.ok();
        (rooms["joined_rooms"].as_array().unwrap().len() == 2).then_some(())
    })
    .await;
    channel.close().await;
}

async fn rooms_of_conversations_are_not_made_by_others(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    for kind in ["dev.kontor.customer", "dev.kontor.backstage", "dev.kontor.new"] {
        let wish = json!({ "preset": "public_chat", "creation_content": { "type": kind } });
        anna.post("/createRoom", &wish).await.err(403, "M_FORBIDDEN");
    }
    let taken =
        json!({ "username": "kontor", "password": "a long password", "auth": { "type": "m.login.dummy" } });
    server.anonymous().post("/register", &taken).await.err(400, "M_EXCLUSIVE");
}

async fn a_new_id_of_a_customer_leads_to_the_same_conversation(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let by_number = |number: &str| {
        let mut opening = channel.opening(&word());
        (opening["id_type"], opening["external_id"]) = (json!("phone"), json!(number));
        opening
    };
    let (old, new, taken) = (number(), number(), number());
    let talk = channel.talk_of(&by_number(&old)).await;
    let other = channel.talk_of(&by_number(&taken)).await;
    let address = format!("/_kontor/bridge/v1/conversations/{}/address", talk.id);
    let moves =
        async |to: &str| channel.bot.put(&address, &json!({ "external_id": to })).await.ok()["moved"].clone();
    assert_eq!(moves(&new).await, true);
    assert_eq!(moves(&new).await, true, "told twice");
    // Both ids lead to it: it is no new contact.
    for number in [&new, &old] {
        assert_eq!(channel.talk_of(&by_number(number)).await.id, talk.id);
    }
    let card = anna.get(&format!("/_kontor/contacts/v1/contacts/{}", talk.contact)).await.ok();
    let phones = list(&card["claims"]).into_iter().filter(|claim| claim["kind"] == "phone");
    let ended: BTreeMap<String, bool> =
        phones.map(|claim| (text(&claim["value"]), !claim["until_ts"].is_null())).collect();
    let expected = [(format!("+{old}"), true), (format!("+{new}"), false)];
    assert_eq!(ended, BTreeMap::from(expected), "{card}");
    assert_eq!(card["identities"][0]["external_id"], json!(new));
    let told = said(&anna, &talk, "!karta").await;
    assert!(told.contains(&format!("+{old} (z sieci, do 20")), "{told}");
    // What belongs to somebody else is not taken over.
    assert_eq!(moves(&taken).await, false);
    assert_eq!(channel.talk_of(&by_number(&taken)).await.id, other.id);
    // Back again.
    assert_eq!(moves(&old).await, true);
    assert_eq!(moves(&new).await, true);
    channel.bot.put(&address, &json!({ "external_id": "" })).await.err(400, "M_INVALID_PARAM");
    anna.put(&address, &json!({ "external_id": "1" })).await.err(403, "M_FORBIDDEN");
    channel.close().await;
}
