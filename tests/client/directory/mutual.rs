//! Rooms that two users are both in.

use harness::{Homeserver, both_databases, enc};
use serde_json::json;

use crate::client::support::{list, text};

const PATH: &str = "/_matrix/client/v1/mutual_rooms";

both_databases!(
    only_rooms_that_both_have_joined_are_told,
    many_rooms_come_in_pages,
    ones_own_id_and_odd_ids_are_refused,
);

async fn only_rooms_that_both_have_joined_are_told(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let both = alice.room_with(&[&bob]).await;
    let left = alice.room_with(&[&bob]).await;
    bob.leave(&left).await;
    let invited = alice.create_room(json!({ "invite": [bob.user_id()] })).await;
    bob.create_room(json!({})).await;
    for (asker, other) in [(&alice, &bob), (&bob, &alice)] {
        let answer = asker.get(&format!("{PATH}?user_id={}", enc(other.user_id()))).await.ok();
        assert_eq!(answer, json!({ "joined": [both], "count": 1 }), "not {left} nor {invited}");
    }
    let older = format!(
        "/_matrix/client/unstable/uk.half-shot.msc2666/user/mutual_rooms?user_id={}",
        enc(bob.user_id())
    );
    assert_eq!(alice.get(&older).await.ok()["joined"], json!([both]));
    let stranger = server.register("stranger").await;
    for other in [stranger.user_id(), "@nobody:localhost", "@nobody:elsewhere.example"] {
        let answer = alice.get(&format!("{PATH}?user_id={}", enc(other))).await.ok();
        assert_eq!(answer, json!({ "joined": [], "count": 0 }), "{other}");
    }
}

async fn many_rooms_come_in_pages(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let mut rooms = Vec::new();
    for _ in 0..105 {
        let room = alice.public_room().await;
        bob.join(&room).await;
        rooms.push(room);
    }
    let mut seen = Vec::new();
    let mut from = String::new();
    loop {
        let page = alice.get(&format!("{PATH}?user_id={}{from}", enc(bob.user_id()))).await.ok();
        assert_eq!(page["count"], 105);
        seen.extend(list(&page["joined"]).iter().map(text));
        let Some(next) = page["next_batch"].as_str() else { break };
        from = format!("&from={}", enc(next));
    }
    assert!(!from.is_empty(), "more than one page");
    seen.sort();
    rooms.sort();
    assert_eq!(seen, rooms);
}

async fn ones_own_id_and_odd_ids_are_refused(server: Homeserver) {
    let alice = server.register("alice").await;
    for user in [alice.user_id(), "alice", "", "@a", "@a\u{0}:x"] {
        alice.get(&format!("{PATH}?user_id={}", enc(user))).await.err(400, "M_INVALID_PARAM");
    }
    let asked = format!("{PATH}?user_id=%40x%3Alocalhost");
    for token in ["x", "m1_", "m1_-1", "m1_99999999999999999999"] {
        alice.get(&format!("{asked}&from={token}")).await.err(400, "M_INVALID_PARAM");
    }
    alice.get(PATH).await.refused();
    server.anonymous().get(&asked).await.err(401, "M_MISSING_TOKEN");
}
