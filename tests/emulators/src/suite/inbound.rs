//! What comes in.

use super::World;
use crate::faults::Kind;
use serde_json::json;

fn texts(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("text {number}")).collect()
}

fn strs(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

pub async fn everything_arrives_once_and_in_order(world: World) {
    let texts = texts(8);
    for (number, text) in texts.iter().enumerate() {
        for lane in ["a", "b", "c"] {
            world.writes(lane, &format!("{lane}{number}"), text).await;
        }
    }
    for lane in ["a", "b", "c"] {
        world.shown_exactly(lane, &strs(&texts)).await;
    }
    assert_eq!(world.home.conversations(), 3);
    // Platform time is the event's time, and the event says where it comes from.
    let event = world.events("a").into_iter().find(|event| event["content"]["body"] == "text 0").unwrap();
    let key = event["content"]["dev.kontor.remote"]["key"].as_str().unwrap();
    assert!(key.ends_with(&world.key("a0")), "{key}");
}

pub async fn repeated_lost_late_and_reordered_hooks_change_nothing(world: World) {
    let texts = texts(6);
    for kind in [Kind::Dup, Kind::DropAfter, Kind::DropBefore, Kind::Delay] {
        world.fault("hook", kind, 1, 300).await;
    }
    for (number, text) in texts.iter().enumerate() {
        world.writes("a", &format!("m{number}"), text).await;
        // The very same thing told anew, as after a reconnect.
        world.writes("a", &format!("m{number}"), text).await;
    }
    world.shown_exactly("a", &strs(&texts)).await;
    world.fault("hook", Kind::Reorder, 1, 0).await;
    world.writes("b", "r1", "one").await;
    world.writes("b", "r2", "two").await;
    let all = world
        .until("both arrive", || async { Some(world.shown("b")).filter(|shown| shown.len() == 2) })
        .await;
    assert!(all.contains(&"one".to_owned()) && all.contains(&"two".to_owned()), "{all:?}");
}

pub async fn a_homeserver_in_trouble_loses_and_doubles_nothing(world: World) {
    world.home.fault("open", Kind::DropAfter, 1, 0);
    world.home.fault("open", Kind::Status, 1, 503);
    for (kind, value) in [
        (Kind::DropBefore, 0),
        (Kind::DropAfter, 0),
        (Kind::Status, 502),
        (Kind::Status, 429),
        (Kind::DropAfter, 0),
    ] {
        world.home.fault("send", kind, 1, value);
    }
    let texts = texts(5);
    for (number, text) in texts.iter().enumerate() {
        world.writes("a", &format!("m{number}"), text).await;
    }
    world.shown_exactly("a", &strs(&texts)).await;
    assert_eq!(world.home.conversations(), 1);
}

pub async fn unknown_and_broken_items_do_not_hold_up_the_conversation(world: World) {
    let room = world.opened("a").await;
    world.inject(json!({ "id": "u1", "box": "a", "type": "hologram" })).await;
    world.inject(json!({ "id": "b1", "box": "a", "type": "broken" })).await;
    world.writes("a", "after", "after").await;
    world.shown_exactly("a", &["hello", "after"]).await;
    let unknown = world.until("the unknown is told", || async { world.notices("a", "network").pop() }).await;
    assert!(unknown["content"]["body"].as_str().unwrap().contains("hologram"), "{unknown}");
    let dead = world.until("the dead letter is told", || async { world.notices("a", "dead").pop() }).await;
    assert!(!dead.to_string().contains("hello"));
    // The button shows, and pressing it replays: it is still broken, so it is told anew.
    let id = dead["event_id"].as_str().unwrap().to_owned();
    world
        .until("the button shows", || async {
            let shown = |event: &serde_json::Value| {
                event["type"] == "m.reaction" && event["content"]["m.relates_to"]["event_id"] == id.as_str()
            };
            world.events("a").iter().any(shown).then_some(())
        })
        .await;
    world.reacts(&room, &id, "🔁");
    world.until("it was replayed", || async { (world.notices("a", "dead").len() == 2).then_some(()) }).await;
}

pub async fn a_file_comes_home_behind_its_placeholder(world: World) {
    world.control("setup", json!({ "file": "f1", "contents": "PNG of a turtle" })).await;
    world.fault("file", Kind::Status, 2, 503).await;
    world.home.fault("upload", Kind::DropAfter, 1, 0);
    world.inject(json!({ "id": "m1", "box": "a", "type": "file", "file": "f1", "name": "zolw.png" })).await;
    world.writes("a", "m2", "after").await;
    world.shown_exactly("a", &["📎 zolw.png …", "after"]).await;
    let file = world
        .until("the file is there", || async {
            world
                .events("a")
                .into_iter()
                .find(|event| event["content"]["m.new_content"]["msgtype"] == "m.image")
        })
        .await;
    let mxc = file["content"]["m.new_content"]["url"].as_str().unwrap().to_owned();
    assert!(world.home.file(&mxc).unwrap().ends_with(b"PNG of a turtle"));
    let replaced = world.events("a").into_iter().filter(|event| !event["content"]["m.new_content"].is_null());
    assert_eq!(replaced.count(), 1);
}

pub async fn a_file_that_is_gone_is_said_to_be(world: World) {
    world.inject(json!({ "id": "m1", "box": "a", "type": "file", "file": "none", "name": "brak.png" })).await;
    let said = world
        .until("it is said", || async {
            world.events("a").into_iter().find(|event| !event["content"]["m.new_content"].is_null())
        })
        .await;
    assert_eq!(said["content"]["m.new_content"]["dev.kontor.file"]["state"], "lost");
}

pub async fn changes_and_reactions_follow_their_message(world: World) {
    let find = |event_type: &'static str| {
        let world = &world;
        world.until("a change arrives", move || async move {
            world.events("a").into_iter().find(|event| match event_type {
                "edit" => !event["content"]["m.new_content"].is_null(),
                other => event["type"] == other && event["sender"] != crate::home::BOT,
            })
        })
    };
    // The change overtakes its message.
    world.inject(json!({ "id": "e1", "box": "a", "type": "edit", "of": "m1", "text": "two" })).await;
    world.writes("a", "m1", "one").await;
    let edit = find("edit").await;
    assert_eq!(edit["content"]["m.new_content"]["body"], "two");
    if world.customers_can("react") {
        world.inject(json!({ "id": "x1", "box": "a", "type": "react", "of": "m1", "key": "👍" })).await;
        assert_eq!(find("m.reaction").await["content"]["m.relates_to"]["key"], "👍");
    }
    if !world.customers_can("delete") {
        return;
    }
    world.inject(json!({ "id": "d1", "box": "a", "type": "delete", "of": "m1" })).await;
    let message = world.events("a").into_iter().find(|event| event["content"]["body"] == "one").unwrap();
    assert_eq!(find("m.room.redaction").await["redacts"], message["event_id"]);
}

pub async fn a_customer_whose_id_changes_keeps_the_conversation(world: World) {
    let room = world.opened("old").await;
    let moved = |id: &str, from: &str, to: &str| json!({ "id": id, "box": from, "type": "moved", "to": to });
    // The network tells it twice; the company is told once.
    world.inject(moved("mv1", "old", "new")).await;
    world.inject(moved("mv1", "old", "new")).await;
    world.writes("new", "m1", "from the new id").await;
    world.shown_exactly("old", &["hello", "from the new id"]).await;
    let told = |to: &str| ("c1".to_owned(), world.external_id(to));
    assert_eq!(world.home.moves(), [told("new")]);
    world.home.says(&room, "to the new id");
    world.sent_exactly("new", &["to the new id"]).await;
    // Nobody is there to be told: it waits, and what is written under the new id waits behind it.
    world.home.fault("address", Kind::DropBefore, 1, 0);
    world.home.fault("address", Kind::Status, 2, 503);
    world.inject(moved("mv2", "new", "newer")).await;
    world.writes("newer", "m2", "from the newest").await;
    world.shown_exactly("old", &["hello", "from the new id", "from the newest"]).await;
    assert_eq!(world.home.moves(), [told("new"), told("newer")]);
    world.home.says(&room, "to the newest");
    world.sent_exactly("newer", &["to the newest"]).await;
    // An answer that got lost: it is told again, which changes nothing.
    world.home.fault("address", Kind::DropAfter, 1, 0);
    world.inject(moved("mv3", "newer", "last")).await;
    world.writes("last", "m3", "at last").await;
    world.shown_exactly("old", &["hello", "from the new id", "from the newest", "at last"]).await;
    assert_eq!(world.home.moves(), [told("new"), told("newer"), told("last"), told("last")]);
    // All of its ids lead to the one conversation.
    assert_eq!(world.home.conversations(), 1);
    for name in ["old", "new", "newer", "last"] {
        assert_eq!(world.room(name).as_ref(), Some(&room), "{name}");
    }
}
