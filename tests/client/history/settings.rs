//! What each of the four settings shows to whom, written out.

use harness::{Client, Homeserver, both_databases};

use super::{doors, oracle::Story};
use crate::client::support::{bring_in, is_reference, room_showing, text};

both_databases!(
    who_joined_sees_what_the_setting_says,
    who_left_keeps_what_the_setting_showed,
    who_came_back_sees_what_the_setting_says_of_the_absence,
    who_was_banned_keeps_what_the_setting_showed,
    who_is_only_invited_sees_nothing_unless_the_room_is_open,
    who_never_was_in_sees_nothing_unless_the_room_is_open,
    a_change_of_the_setting_holds_from_then_on,
    a_room_without_the_setting_is_shared,
);

const SETTINGS: [&str; 4] = ["world_readable", "shared", "invited", "joined"];

/// Which of the numbered messages the reader finds; every other door is held against the oracle.
async fn found(reader: &Client, owner: &Client, room: &str, note: &str) -> String {
    let story = Story::of(owner, room).await;
    doors::all_keep_the_rule(reader, room, &story, note).await;
    let texts = reader.whole_timeline(room).await.into_iter().map(|event| text(&event["content"]["body"]));
    texts.collect::<Vec<_>>().concat()
}

/// A room in which `1` was said before the reader was invited, `2` before the reader joined, `3`
/// after.
async fn room_with_reader(owner: &Client, reader: &Client, setting: &str) -> String {
    let room = room_showing(owner, setting).await;
    owner.text(&room, "1").await;
    owner.invite(&room, reader).await;
    owner.text(&room, "2").await;
    reader.join(&room).await;
    owner.text(&room, "3").await;
    room
}

async fn who_joined_sees_what_the_setting_says(server: Homeserver) {
    let (owner, reader) = (server.register("owner").await, server.register("reader").await);
    for (setting, expected) in SETTINGS.into_iter().zip(["123", "123", "23", "3"]) {
        let room = room_with_reader(&owner, &reader, setting).await;
        assert_eq!(found(&reader, &owner, &room, setting).await, expected, "{setting}");
    }
}

async fn who_left_keeps_what_the_setting_showed(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (owner, reader) = (server.register("owner").await, server.register("reader").await);
    for (setting, expected) in SETTINGS.into_iter().zip(["1234", "123", "23", "3"]) {
        let room = room_with_reader(&owner, &reader, setting).await;
        reader.leave(&room).await;
        owner.text(&room, "4").await;
        // Later messages of an open room are open to everybody.
        assert_eq!(found(&reader, &owner, &room, setting).await, expected, "{setting}");
    }
}

async fn who_came_back_sees_what_the_setting_says_of_the_absence(server: Homeserver) {
    let (owner, reader) = (server.register("owner").await, server.register("reader").await);
    for (setting, expected) in SETTINGS.into_iter().zip(["123456", "123456", "2356", "36"]) {
        let room = room_with_reader(&owner, &reader, setting).await;
        reader.leave(&room).await;
        owner.text(&room, "4").await;
        owner.invite(&room, &reader).await;
        owner.text(&room, "5").await;
        reader.join(&room).await;
        owner.text(&room, "6").await;
        assert_eq!(found(&reader, &owner, &room, setting).await, expected, "{setting}");
    }
}

async fn who_was_banned_keeps_what_the_setting_showed(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (owner, reader) = (server.register("owner").await, server.register("reader").await);
    for (setting, expected) in SETTINGS.into_iter().zip(["1234", "123", "23", "3"]) {
        let room = room_with_reader(&owner, &reader, setting).await;
        owner.ban(&room, &reader).await;
        owner.text(&room, "4").await;
        assert_eq!(found(&reader, &owner, &room, setting).await, expected, "{setting}");
    }
}

async fn who_is_only_invited_sees_nothing_unless_the_room_is_open(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (owner, reader) = (server.register("owner").await, server.register("reader").await);
    for setting in SETTINGS {
        let room = room_showing(&owner, setting).await;
        owner.text(&room, "1").await;
        owner.invite(&room, &reader).await;
        owner.text(&room, "2").await;
        if setting == "world_readable" {
            assert_eq!(found(&reader, &owner, &room, setting).await, "12");
        } else {
            let story = Story::of(&owner, &room).await;
            doors::all_keep_the_rule(&reader, &room, &story, setting).await;
        }
    }
}

async fn who_never_was_in_sees_nothing_unless_the_room_is_open(server: Homeserver) {
    let (owner, stranger) = (server.register("owner").await, server.register("stranger").await);
    for setting in SETTINGS {
        let room = room_showing(&owner, setting).await;
        owner.text(&room, "1").await;
        if setting == "world_readable" {
            assert_eq!(found(&stranger, &owner, &room, setting).await, "1");
        } else {
            let story = Story::of(&owner, &room).await;
            doors::all_keep_the_rule(&stranger, &room, &story, setting).await;
        }
    }
}

async fn a_change_of_the_setting_holds_from_then_on(server: Homeserver) {
    let (owner, reader) = (server.register("owner").await, server.register("reader").await);
    let room = room_showing(&owner, "shared").await;
    for (message, setting) in [("1", "joined"), ("2", "world_readable"), ("3", "invited"), ("4", "shared")] {
        owner.text(&room, message).await;
        let content = serde_json::json!({ "history_visibility": setting });
        owner.set_state(&room, "m.room.history_visibility", "", &content).await;
    }
    owner.text(&room, "5").await;
    bring_in(&owner, &room, &reader).await;
    assert_eq!(found(&reader, &owner, &room, "after all changes").await, "135");
}

async fn a_room_without_the_setting_is_shared(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (owner, reader) = (server.register("owner").await, server.register("reader").await);
    let room = room_showing(&owner, "dev.kontor.unheard_of").await;
    owner.text(&room, "1").await;
    bring_in(&owner, &room, &reader).await;
    assert_eq!(found(&reader, &owner, &room, "unknown value").await, "1");
}
