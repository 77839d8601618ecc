//! Crashes between any two steps.

use super::World;
use kontor_bridge_kit::steps::Step;
use serde_json::json;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(15);

pub async fn on_the_way_in(mut world: World) {
    let mut expected = Vec::new();
    world.control("setup", json!({ "file": "f1", "contents": "bytes" })).await;
    for step in [Step::Opened, Step::Taken, Step::Posted, Step::Done, Step::Uploaded, Step::Replaced] {
        let text = format!("{step:?}");
        world.arm(step, 0);
        if matches!(step, Step::Uploaded | Step::Replaced) {
            let name = format!("{text}.png");
            world.inject(json!({ "id": text, "box": "a", "type": "file", "file": "f1", "name": name })).await;
            expected.push(format!("📎 {name} …"));
        } else {
            world.writes("a", &text, &text).await;
            expected.push(text);
        }
        assert!(world.die_and_rise(PATIENCE).await, "{step:?} was never reached");
    }
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    world.shown_exactly("a", &expected).await;
    assert_eq!(world.home.conversations(), 1);
    let replaced =
        |world: &World| world.events("a").iter().filter(|e| !e["content"]["m.new_content"].is_null()).count();
    world.until("both files are there", || async { (replaced(&world) == 2).then_some(()) }).await;
}

pub async fn on_the_way_out(mut world: World) {
    let room = world.opened("a").await;
    let mut expected = Vec::new();
    for step in [Step::Stored, Step::Marked, Step::Answered, Step::Recorded, Step::Told] {
        let text = format!("{step:?}");
        let questions = world.notices("a", "uncertain").len();
        world.arm(step, 0);
        let event = world.home.says(&room, &text);
        expected.push(text);
        assert!(world.die_and_rise(PATIENCE).await, "{step:?} was never reached");
        let unknown = matches!(step, Step::Marked | Step::Answered);
        let asks = unknown && world.asks(step == Step::Answered);
        if asks {
            let question = world.question("a", questions).await;
            let key = if step == Step::Marked { "🔁" } else { "✅" };
            world.reacts(&room, question["event_id"].as_str().unwrap(), key);
        }
        world
            .until("it is accepted", || async {
                world.rungs("a", &event).pop().filter(|rung| rung != "uncertain" && rung != "queued")
            })
            .await;
        assert_eq!(world.notices("a", "uncertain").len(), questions + usize::from(asks), "{step:?}");
    }
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    world.sent_exactly("a", &expected).await;
}

/// Killed again and again wherever it happens to be; then everything is counted.
pub async fn again_and_again_in_both_directions(mut world: World) {
    let lanes = ["a", "b", "c"];
    let mut rooms = Vec::new();
    for lane in lanes {
        rooms.push(world.opened(lane).await);
    }
    let mut shown = vec!["hello".to_owned()];
    let mut said = Vec::new();
    let mut events = Vec::new();
    for round in 0..8_u64 {
        for (lane, room) in lanes.iter().zip(&rooms) {
            world.writes(lane, &format!("{lane}{round}"), &format!("in {round}")).await;
            let text = format!("out {round}");
            let event = world.home.says(room, &text);
            events.push((*lane, text, event));
        }
        shown.push(format!("in {round}"));
        said.push(format!("out {round}"));
        tokio::time::sleep(Duration::from_millis(round * 37 % 140)).await;
        world.crash();
        world.start();
    }
    let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
    for lane in lanes {
        world.shown_exactly(lane, &shown).await;
    }
    for lane in lanes {
        if world.asks(false) {
            // At most once, and what did not go out for certain is asked about.
            for (_, text, event) in events.iter().filter(|(of, _, _)| *of == lane) {
                let settled = |rung: &String| rung != "queued" && rung != "sending";
                let rung = world
                    .until("all are sent or asked about", || async {
                        world.rungs(lane, event).pop().filter(settled)
                    })
                    .await;
                let times = world.sent_texts(lane).await.iter().filter(|sent| *sent == text).count();
                assert!(times == 1 || (times == 0 && rung == "uncertain"), "{text}: {times} times, {rung}");
            }
            let mut rest = said.iter();
            let sent = world.sent_texts(lane).await;
            assert!(sent.iter().all(|text| rest.any(|said| said == text)), "out of order: {sent:?}");
        } else {
            let said: Vec<&str> = said.iter().map(String::as_str).collect();
            world.sent_exactly(lane, &said).await;
        }
    }
}
