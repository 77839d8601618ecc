//! What goes out.

use super::World;
use crate::faults::Kind;
use kontor_bridge_kit::Rung;
use serde_json::json;
use std::time::{Duration, Instant};

pub async fn answers_arrive_once_and_in_order(world: World) {
    let texts: Vec<String> = (0..8).map(|number| format!("answer {number}")).collect();
    for lane in ["a", "b"] {
        let room = world.opened(lane).await;
        for text in &texts {
            world.home.says(&room, text);
        }
    }
    for lane in ["a", "b"] {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        world.sent_exactly(lane, &texts).await;
    }
    let keys: std::collections::HashSet<String> =
        world.sent("a").await.iter().map(|sent| sent["key"].to_string()).collect();
    assert_eq!(keys.len(), 8);
}

pub async fn a_transaction_that_comes_again_changes_nothing(world: World) {
    let room = world.opened("a").await;
    world.home.fault("transaction", Kind::DropAfter, 3, 0);
    world.home.says(&room, "one");
    world.home.says(&room, "two");
    world.sent_exactly("a", &["one", "two"]).await;
}

pub async fn a_network_in_trouble_gets_each_answer_once(world: World) {
    let room = world.opened("a").await;
    world.fault("send", Kind::Status, 1, 503).await;
    world.fault("send", Kind::Status, 1, 500).await;
    world.fault("send", Kind::Delay, 1, 300).await;
    let event = world.home.says(&room, "one");
    world.home.says(&room, "two");
    world.sent_exactly("a", &["one", "two"]).await;
    let told = world.until("the room is told", || async { world.rungs("a", &event).pop() }).await;
    assert!(told == "accepted" || told == "sent", "{told}");
}

pub async fn an_answer_of_unknown_fate_is_resolved_or_asked_about(world: World) {
    let room = world.opened("a").await;
    for (kind, text, arrives) in [(Kind::DropAfter, "taken", true), (Kind::DropBefore, "not taken", false)] {
        world.fault("send", kind, 1, 0).await;
        let before = world.sent("a").await.len();
        let questions = world.notices("a", "uncertain").len();
        let began = Instant::now();
        let event = world.home.says(&room, text);
        if world.asks(arrives) {
            let question = world.question("a", questions).await;
            assert!(began.elapsed() < Duration::from_secs(5), "asked after {:?}", began.elapsed());
            assert_eq!(question["content"]["m.relates_to"]["m.in_reply_to"]["event_id"], event.as_str());
            assert_eq!(world.rungs("a", &event).pop().as_deref(), Some("uncertain"));
            assert_eq!(world.sent("a").await.len(), before + usize::from(arrives));
            let key = if arrives { "✅" } else { "🔁" };
            world.reacts(&room, question["event_id"].as_str().unwrap(), key);
        }
        world
            .until("it is accepted", || async {
                world.rungs("a", &event).pop().filter(|rung| rung != "uncertain" && rung != "queued")
            })
            .await;
    }
    world.home.says(&room, "after");
    world.sent_exactly("a", &["taken", "not taken", "after"]).await;
}

pub async fn receipts_in_any_order_end_at_the_highest(world: World) {
    let room = world.opened("a").await;
    let event = world.home.says(&room, "one");
    let remote = world.until("it is sent", || async { world.sent("a").await.pop() }).await["remote"].clone();
    for (number, state) in ["read", "sent", "delivered", "accepted"].iter().enumerate() {
        let id = format!("receipt{number}");
        world.inject(json!({ "id": id, "box": "a", "type": "receipt", "of": remote, "state": state })).await;
    }
    let best = world.caps.best_receipt.name();
    world
        .until("the best is told", || async { world.rungs("a", &event).pop().filter(|rung| rung == best) })
        .await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(world.rungs("a", &event).pop().as_deref(), Some(best));
    if world.caps.best_receipt == Rung::Read {
        assert!(world.home.reads().iter().any(|read| read["event"] == event.as_str()));
    }
}

pub async fn a_receipt_before_the_answer_counts(world: World) {
    let room = world.opened("a").await;
    world.fault("send", Kind::Reorder, 1, 0).await;
    let event = world.home.says(&room, "one");
    let best = world.caps.best_receipt.min(Rung::Delivered).name();
    world
        .until("it is delivered", || async { world.rungs("a", &event).pop().filter(|rung| rung == best) })
        .await;
    world.sent_exactly("a", &["one"]).await;
}

pub async fn too_many_requests_pause_and_nothing_is_lost(world: World) {
    let room = world.opened("a").await;
    world.fault("send", Kind::Status, 3, 429).await;
    for text in ["one", "two", "three"] {
        world.home.says(&room, text);
    }
    world.sent_exactly("a", &["one", "two", "three"]).await;
}

pub async fn a_revoked_token_is_told_and_messages_wait(world: World) {
    let room = world.opened("a").await;
    world.control("setup", json!({ "token_valid": false })).await;
    world.home.says(&room, "one");
    world
        .until("it is told", || async {
            world.home.health().iter().any(|report| report["state"] == "bad_credentials").then_some(())
        })
        .await;
    // What comes in does not depend on our access, unless we have to ask for it.
    world.writes("a", "meanwhile", "meanwhile").await;
    if !world.caps.pulls {
        world.shown_exactly("a", &["hello", "meanwhile"]).await;
    }
    assert!(world.sent("a").await.is_empty());
    world.control("setup", json!({ "token_valid": true })).await;
    world.shown_exactly("a", &["hello", "meanwhile"]).await;
    world.sent_exactly("a", &["one"]).await;
    world
        .until("it works again", || async {
            world.home.health().last().is_some_and(|report| report["state"] == "connected").then_some(())
        })
        .await;
}

pub async fn a_closed_window_is_told_with_the_next_step(world: World) {
    let room = world.opened("a").await;
    world.control("setup", json!({ "closed": ["a"] })).await;
    let event = world.home.says(&room, "one");
    let notice = world.until("it is told", || async { world.notices("a", "failed").pop() }).await;
    assert!(notice["content"]["body"].as_str().unwrap().contains("szablon"), "{notice}");
    assert_eq!(world.rungs("a", &event).pop().as_deref(), Some("failed"));
    world.control("setup", json!({ "closed": [] })).await;
    world.home.says(&room, "two");
    world.sent_exactly("a", &["two"]).await;
}

pub async fn a_blocked_conversation_blocks_only_itself(world: World) {
    let (a, b) = (world.opened("a").await, world.opened("b").await);
    world
        .control("fault", json!({ "op": "send", "kind": "status", "times": 0, "lane": "a", "value": 503 }))
        .await;
    world.home.says(&a, "one");
    world.home.says(&a, "two");
    world.home.says(&b, "other");
    world.sent_exactly("b", &["other"]).await;
    assert!(world.sent("a").await.is_empty());
    world.heal().await;
    world.sent_exactly("a", &["one", "two"]).await;
}

pub async fn changes_and_files_of_agents_follow(world: World) {
    let room = world.opened("a").await;
    let event = world.home.says(&room, "one");
    let sent = |count: usize| {
        let world = &world;
        world.until("it is sent", move || async move {
            Some(world.sent("a").await).filter(|sent| sent.len() >= count)
        })
    };
    // What is taken back before it was sent is not sent at all.
    sent(1).await;
    let new = json!({ "msgtype": "m.text", "body": "uno" });
    let relation = json!({ "rel_type": "m.replace", "event_id": event });
    let edit =
        json!({ "msgtype": "m.text", "body": "* uno", "m.new_content": new, "m.relates_to": relation });
    world.home.act(&room, "m.room.message", edit);
    let reaction = world.reacts(&room, &event, "🎉");
    sent(2 + usize::from(world.caps.reactions)).await;
    world.home.redacts(&room, &reaction);
    world.home.redacts(&room, &event);
    let mxc = world.home.stores("image/png", b"a picture");
    let file =
        json!({ "msgtype": "m.image", "body": "x.png", "url": mxc, "info": { "mimetype": "image/png" } });
    world.home.act(&room, "m.room.message", file);
    let mut expected = vec!["text"];
    expected.extend(world.caps.edits.then_some("edit"));
    expected.extend(world.caps.reactions.then_some("react"));
    expected.extend(world.caps.reactions.then_some("react"));
    expected.extend(world.caps.deletes.then_some("delete"));
    expected.push("file");
    let count = expected.len();
    let sent = sent(count).await;
    let kinds: Vec<&str> = sent.iter().filter_map(|sent| sent["type"].as_str()).collect();
    assert_eq!(kinds, expected);
    let remote = &sent[0]["remote"];
    assert!(sent.iter().all(|sent| sent["of"].is_null() || sent["of"] == *remote), "{sent:?}");
    assert_eq!(sent.last().unwrap()["contents"], "a picture");
}

pub async fn own_events_and_notices_stay_home(world: World) {
    let room = world.opened("a").await;
    world.home.act(&room, "m.room.message", json!({ "msgtype": "m.notice", "body": "for agents" }));
    let noticed = json!({ "msgtype": "m.text", "body": "of the house", "dev.kontor.notice": "x" });
    world.home.act(&room, "m.room.message", noticed);
    world.home.act_as(
        "@kontor_ghost9:stand.in",
        &room,
        "m.room.message",
        json!({ "msgtype": "m.text", "body": "g" }),
    );
    world.home.act(
        "!unknown:stand.in",
        "m.room.message",
        json!({ "msgtype": "m.text", "body": "elsewhere" }),
    );
    world.home.says(&room, "for the customer");
    world.sent_exactly("a", &["for the customer"]).await;
}
