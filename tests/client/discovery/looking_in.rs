//! Looking into rooms without joining them, also as a guest, and the endpoints that came before
//! `/sync`.

use crate::client::support::{ids, in_room, list, room_showing, state_event, text};
use harness::{Client, Homeserver, both_databases, enc};
use serde_json::json;

both_databases!(
    anybody_looks_into_a_room_that_is_open_to_the_world,
    a_guest_looks_into_an_open_room_and_joins_only_where_guests_may,
    what_comes_in_an_open_room_is_told_to_those_who_look_in,
    a_closed_room_is_not_looked_into,
    the_old_event_stream_tells_what_comes_in_own_rooms,
    the_old_first_answer_holds_rooms_with_their_messages_and_state,
    a_single_event_is_found_without_naming_its_room,
);

async fn guest(server: &Homeserver) -> Client {
    server.signed_in(server.anonymous().post("/register?kind=guest", &json!({})).await)
}

async fn anybody_looks_into_a_room_that_is_open_to_the_world(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room = room_showing(&alice, "world_readable").await;
    let event = alice.text(&room, "hello world").await;
    let told = bob.get(&in_room(&room, "initialSync?limit=1")).await.ok();
    assert_eq!((&told["room_id"], &told["visibility"]), (&json!(room), &json!("private")));
    assert_eq!(ids(&told["messages"]["chunk"]), [event.clone()]);
    assert!(state_event(&told["state"], "m.room.create", "").is_some());
    let start = told["messages"]["start"].as_str().expect("older messages");
    let older = bob.get(&in_room(&room, &format!("messages?dir=b&limit=100&from={}", enc(start)))).await.ok();
    let older = ids(&older["chunk"]);
    assert!(!older.is_empty() && !older.contains(&event), "{older:?}");
    let own = alice.get(&in_room(&room, "initialSync")).await.ok();
    assert_eq!(own["membership"], "join");
}

async fn a_guest_looks_into_an_open_room_and_joins_only_where_guests_may(server: Homeserver) {
    let (alice, guest) = (server.register("alice").await, guest(&server).await);
    let open =
        json!({ "type": "m.room.history_visibility", "content": { "history_visibility": "world_readable" } });
    let room = alice.create_room(json!({ "preset": "public_chat", "initial_state": [open] })).await;
    guest.get(&in_room(&room, "initialSync")).await.ok();
    guest.get(&in_room(&room, "messages?dir=b")).await.ok();
    guest.get(&in_room(&room, "state")).await.ok();
    guest.post(&in_room(&room, "join"), &json!({})).await.err(403, "M_GUEST_ACCESS_FORBIDDEN");
    alice.set_state(&room, "m.room.guest_access", "", &json!({ "guest_access": "can_join" })).await;
    guest.post(&in_room(&room, "join"), &json!({})).await.ok();
    guest.text(&room, "I am a guest").await;
    alice.set_state(&room, "m.room.guest_access", "", &json!({ "guest_access": "forbidden" })).await;
    let member = alice.state(&room, "m.room.member", guest.user_id()).await.ok();
    assert_eq!(member["membership"], "leave");
}

async fn what_comes_in_an_open_room_is_told_to_those_who_look_in(server: Homeserver) {
    let (alice, guest) = (server.register("alice").await, guest(&server).await);
    let room = room_showing(&alice, "world_readable").await;
    let now = guest.get(&format!("/events?room_id={}", enc(&room))).await.ok();
    assert_eq!(now["chunk"], json!([]));
    let path = format!(
        "/events?room_id={}&timeout=30000&from={}",
        enc(&room),
        enc(now["end"].as_str().expect("a place to go on"))
    );
    let (news, event) = tokio::join!(guest.get(&path), alice.text(&room, "news"));
    let news = news.ok();
    assert_eq!(ids(&news["chunk"]), [event]);
    assert_eq!((&news["chunk"][0]["room_id"], &news["start"]), (&json!(room), &now["end"]));
    let end = enc(news["end"].as_str().expect("a place to go on"));
    let rest = guest.get(&format!("/events?room_id={}&from={end}", enc(&room))).await.ok();
    assert_eq!(rest["chunk"], json!([]));
}

async fn a_closed_room_is_not_looked_into(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room = room_showing(&alice, "shared").await;
    let event = alice.text(&room, "secret").await;
    bob.get(&in_room(&room, "initialSync")).await.err(403, "M_FORBIDDEN");
    bob.get(&format!("/events?room_id={}&from=s1_1_0_0", enc(&room))).await.err(403, "M_FORBIDDEN");
    bob.get(&format!("/events?room_id={}", enc("!nothing:localhost"))).await.err(403, "M_FORBIDDEN");
    bob.get(&format!("/events/{}", enc(&event))).await.err(404, "M_NOT_FOUND");
}

async fn the_old_event_stream_tells_what_comes_in_own_rooms(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room = alice.room_with(&[&bob]).await;
    let now = bob.get("/events").await.ok();
    assert_eq!(now["chunk"], json!([]));
    let path = format!("/events?timeout=30000&from={}", enc(now["end"].as_str().expect("a place to go on")));
    let (news, event) = tokio::join!(bob.get(&path), alice.text(&room, "news"));
    let news = news.ok();
    assert_eq!((ids(&news["chunk"]), &news["chunk"][0]["room_id"]), (vec![event], &json!(room)));
    bob.get("/events?from=nonsense").await.err(400, "M_INVALID_PARAM");
}

async fn the_old_first_answer_holds_rooms_with_their_messages_and_state(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room = alice.create_room(json!({ "visibility": "public", "name": "Name" })).await;
    let event = alice.text(&room, "newest").await;
    let invited = bob.create_room(json!({ "invite": [alice.user_id()] })).await;
    let left = alice.public_room().await;
    alice.leave(&left).await;
    let told = alice.get("/initialSync?limit=1").await.ok();
    let of = |id: &str| list(&told["rooms"]).into_iter().find(|room| room["room_id"] == id);
    let own = of(&room).expect("the room");
    assert_eq!((&own["membership"], &own["visibility"]), (&json!("join"), &json!("public")));
    assert_eq!(ids(&own["messages"]["chunk"]), [event]);
    let name = state_event(&own["state"], "m.room.name", "").expect("a name");
    assert_eq!((&name["content"]["name"], &name["room_id"]), (&json!("Name"), &json!(room)));
    assert_eq!(of(&invited).expect("the invitation")["membership"], "invite");
    assert!(of(&left).is_none());
    let told = alice.get("/initialSync?archived=true").await.ok();
    assert!(list(&told["rooms"]).iter().any(|room| room["room_id"] == left && room["membership"] == "leave"));
    let from = enc(&text(&told["end"]));
    assert_eq!(alice.get(&format!("/events?from={from}")).await.ok()["chunk"], json!([]));
}

async fn a_single_event_is_found_without_naming_its_room(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.public_room().await;
    let event = alice.text(&room, "here").await;
    let found = alice.get(&format!("/events/{}", enc(&event))).await.ok();
    assert_eq!((&found["event_id"], &found["room_id"]), (&json!(event), &json!(room)));
    alice.get("/events/%24nothing").await.err(404, "M_NOT_FOUND");
    alice.get("/events/%00").await.err(404, "M_NOT_FOUND");
}
