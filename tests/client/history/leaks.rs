//! Ways in which an event that may be seen could carry what may not.

use harness::{Homeserver, both_databases};
use serde_json::json;

use crate::client::support::{
    bring_in, in_room, is_reference, keys, list, room_showing, state_event, sync_with, text,
};

both_databases!(
    the_invited_are_told_the_stripped_state_and_nothing_else,
    a_visible_change_of_state_does_not_carry_an_invisible_one,
    a_redaction_after_the_leave_is_not_shown_but_takes_the_content,
    redacted_content_is_gone_from_every_door,
    a_transaction_id_is_told_to_its_device_only,
    events_of_another_room_are_not_found_through_ones_own,
    messages_of_ignored_users_are_not_shown,
);

async fn the_invited_are_told_the_stripped_state_and_nothing_else(server: Homeserver) {
    let owner = server.register("owner").await;
    let guest = server.register("guest").await;
    let room = owner
        .create_room(json!({
            "preset": "private_chat", "name": "Name", "topic": "Topic",
            "initial_state": [{ "type": "dev.kontor.test", "content": { "word": "SECRET" } }],
        }))
        .await;
    owner.text(&room, "SECRET").await;
    owner.invite(&room, &guest).await;
    let answer = guest.sync(None, 0).await;
    let events = &answer["rooms"]["invite"][&room]["invite_state"]["events"];
    assert!(!answer.to_string().contains("SECRET"), "{answer}");
    let own = state_event(events, "m.room.member", guest.user_id()).unwrap();
    assert_eq!((&own["content"]["membership"], &own["sender"]), (&json!("invite"), &json!(owner.user_id())));
    for kind in ["m.room.create", "m.room.name", "m.room.topic", "m.room.join_rules"] {
        assert!(state_event(events, kind, "").is_some(), "no {kind}: {events}");
    }
    for (kind, key) in keys(events) {
        let told = matches!(
            kind.strip_prefix("m.room."),
            Some("create" | "name" | "avatar" | "topic" | "join_rules" | "canonical_alias" | "encryption")
        );
        let told = told || (kind == "m.room.member" && (key == guest.user_id() || key == owner.user_id()));
        let told = told || kind == "m.room.history_visibility" || kind == "m.room.guest_access";
        assert!(told, "{kind} {key} is nothing for the invited");
    }
    for event in list(events) {
        let mut fields: Vec<_> = event.as_object().unwrap().keys().cloned().collect();
        fields.sort();
        if is_reference() {
            fields.retain(|field| ["content", "sender", "state_key", "type"].contains(&field.as_str()));
        }
        assert_eq!(fields, ["content", "sender", "state_key", "type"]);
    }
}

async fn a_visible_change_of_state_does_not_carry_an_invisible_one(server: Homeserver) {
    if is_reference() {
        return;
    }
    let owner = server.register("owner").await;
    let reader = server.register("reader").await;
    let room = room_showing(&owner, "joined").await;
    bring_in(&owner, &room, &reader).await;
    reader.leave(&room).await;
    owner.set_state(&room, "dev.kontor.test", "", &json!({ "word": "SECRET" })).await;
    let open = json!({ "history_visibility": "world_readable" });
    owner.set_state(&room, "m.room.history_visibility", "", &open).await;
    let change = owner.set_state(&room, "dev.kontor.test", "", &json!({ "word": "public" })).await;
    let second = owner.set_state(&room, "dev.kontor.test", "", &json!({ "word": "third" })).await;
    let context = format!("context/{}?limit=2", harness::enc(&change));
    let filter = json!({ "room": { "include_leave": true } });
    for answer in [
        reader.event(&room, &change).await.ok(),
        sync_with(&reader, None, &filter, "").await,
        reader.get(&in_room(&room, "messages?dir=b&limit=2")).await.ok(),
        reader.get(&in_room(&room, &context)).await.ok(),
    ] {
        assert!(!answer.to_string().contains("SECRET"), "{answer}");
    }
    let second = reader.event(&room, &second).await.ok();
    assert_eq!(second["unsigned"]["prev_content"]["word"], "public", "{second}");
    assert_eq!(second["unsigned"]["replaces_state"], change);
}

async fn a_redaction_after_the_leave_is_not_shown_but_takes_the_content(server: Homeserver) {
    let owner = server.register("owner").await;
    let gone = server.register("gone").await;
    let room = owner.room_with(&[&gone]).await;
    let message = owner.text(&room, "WITHDRAWN").await;
    gone.leave(&room).await;
    let redaction = owner.redact(&room, &message).await;
    let seen = gone.event(&room, &message).await.ok();
    assert_eq!(seen["content"], json!({}), "{seen}");
    if !is_reference() {
        assert!(seen["unsigned"].get("redacted_because").is_none(), "{seen}");
        gone.event(&room, &redaction).await.err(404, "M_NOT_FOUND");
    }
    let seen = owner.event(&room, &message).await.ok();
    assert_eq!(seen["unsigned"]["redacted_because"]["event_id"], redaction, "{seen}");
}

async fn redacted_content_is_gone_from_every_door(server: Homeserver) {
    let owner = server.register("owner").await;
    let reader = server.register("reader").await;
    let room = owner.room_with(&[&reader]).await;
    let message = owner.text(&room, "WITHDRAWN").await;
    let state = owner.set_state(&room, "dev.kontor.test", "", &json!({ "word": "WITHDRAWN" })).await;
    let next = owner.set_state(&room, "dev.kontor.test", "", &json!({ "word": "fine" })).await;
    owner.redact(&room, &message).await;
    owner.redact(&room, &state).await;
    for answer in [
        reader.event(&room, &message).await.ok(),
        reader.event(&room, &state).await.ok(),
        reader.event(&room, &next).await.ok(),
        reader.sync(None, 0).await,
        reader.get(&in_room(&room, "messages?dir=b&limit=50")).await.ok(),
        reader.get(&in_room(&room, &format!("context/{}", harness::enc(&message)))).await.ok(),
        reader.get(&in_room(&room, "state")).await.ok(),
    ] {
        assert!(!answer.to_string().contains("WITHDRAWN"), "{answer}");
    }
}

async fn a_transaction_id_is_told_to_its_device_only(server: Homeserver) {
    let alice = server.register("alice").await;
    let other_device = server.login(alice.user_id()).await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    let content = json!({ "msgtype": "m.text", "body": "x" });
    let sent = alice.send_txn(&room, "m.room.message", "mine", &content).await;
    let event = text(&sent.ok()["event_id"]);
    for (client, told) in [(&alice, Some("mine")), (&other_device, None), (&bob, None)] {
        let events = [
            client.event(&room, &event).await.ok(),
            harness::timeline(&client.sync(None, 0).await, &room).pop().unwrap(),
            client.get(&in_room(&room, "messages?dir=b&limit=1")).await.ok()["chunk"][0].clone(),
        ];
        for seen in events {
            assert_eq!(seen["event_id"], event);
            assert_eq!(seen["unsigned"]["transaction_id"].as_str(), told, "{seen}");
        }
    }
}

async fn events_of_another_room_are_not_found_through_ones_own(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let theirs = alice.create_room(json!({})).await;
    let secret = alice.text(&theirs, "SECRET").await;
    let own = bob.create_room(json!({})).await;
    bob.event(&own, &secret).await.err(404, "M_NOT_FOUND");
    bob.get(&in_room(&own, &format!("context/{}", harness::enc(&secret)))).await.refused();
    bob.put(&in_room(&own, &format!("redact/{}/t", harness::enc(&secret))), &json!({})).await;
    assert_eq!(alice.event(&theirs, &secret).await.ok()["content"]["body"], "SECRET");
    // Rooms that do not exist look like rooms that one is not in.
    let nowhere = "!nowhere:localhost";
    let real = bob.get(&in_room(&theirs, "messages?dir=b")).await.err(403, "M_FORBIDDEN");
    let unreal = bob.get(&in_room(nowhere, "messages?dir=b")).await;
    if !is_reference() {
        assert_eq!(unreal.err(403, "M_FORBIDDEN"), real);
    }
}

async fn messages_of_ignored_users_are_not_shown(server: Homeserver) {
    let reader = server.register("reader").await;
    let pest = server.register("pest").await;
    let room = reader.room_with(&[&pest]).await;
    pest.text(&room, "BUY").await;
    let list = json!({ "ignored_users": { pest.user_id(): {} } });
    let path = format!("/user/{}/account_data/m.ignored_user_list", harness::enc(reader.user_id()));
    reader.put(&path, &list).await.ok();
    let since = reader.now().await;
    pest.text(&room, "BUY").await;
    pest.set_state(
        &room,
        "m.room.member",
        pest.user_id(),
        &json!({ "membership": "join", "displayname": "P" }),
    )
    .await;
    let news = reader.sync(Some(&since), 0).await;
    for answer in [
        reader.sync(None, 0).await,
        news.clone(),
        reader.get(&in_room(&room, "messages?dir=b&limit=50")).await.ok(),
    ] {
        assert!(!answer.to_string().contains("BUY"), "{answer}");
    }
    // State is shown nevertheless, or the reader would lose track of the room.
    let shown = harness::timeline(&news, &room);
    assert!(shown.iter().any(|event| event["content"]["displayname"] == "P"), "{news}");
    let theirs = pest.create_room(json!({ "invite": [reader.user_id()] })).await;
    let invites = reader.sync(Some(&since), 0).await;
    assert!(invites["rooms"]["invite"].get(&theirs).is_none(), "{invites}");
}
