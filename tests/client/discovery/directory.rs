//! The room directory.

use crate::client::support::{list, text};
use harness::{Client, Db, Homeserver, Server, both_databases, enc, on_each_database};
use serde_json::{Value, json};

both_databases!(
    published_rooms_are_found_by_words_of_name_topic_and_alias,
    rooms_can_be_chosen_by_their_type,
    the_list_follows_what_happens_in_rooms,
    pages_lead_forward_and_back,
    directories_of_other_servers_are_not_to_be_had_yet,
    networks_of_bridges_hold_nothing,
);
on_each_database!(
    without_login_the_list_is_shown_only_where_the_configuration_says_so,
    only_administrators_publish_where_the_configuration_says_so,
    many_published_rooms_do_not_slow_a_page_down,
);

async fn published(owner: &Client, mut request: Value) -> String {
    request["visibility"] = json!("public");
    owner.create_room(request).await
}

async fn search(client: &Client, body: Value) -> Value {
    client.post("/publicRooms", &body).await.ok()
}

async fn found(client: &Client, words: &str) -> Vec<String> {
    let answer = search(client, json!({ "filter": { "generic_search_term": words } })).await;
    list(&answer["chunk"]).iter().map(|room| text(&room["room_id"])).collect()
}

/// A word that no other claim uses.
fn word(client: &Client, word: &str) -> String {
    format!("{word}{}", client.localpart().replace(|letter: char| !letter.is_alphanumeric(), ""))
}

async fn published_rooms_are_found_by_words_of_name_topic_and_alias(server: Homeserver) {
    let alice = server.register("alice").await;
    let own = word(&alice, "w");
    let by_name = published(&alice, json!({ "name": format!("Żółć {own}") })).await;
    let by_topic = published(&alice, json!({ "topic": format!("about {own}") })).await;
    let by_alias = published(&alice, json!({ "room_alias_name": format!("x{own}") })).await;
    let hidden = alice.create_room(json!({ "preset": "public_chat", "name": own })).await;
    let rooms = found(&alice, &own.to_uppercase()).await;
    for room in [&by_name, &by_topic, &by_alias] {
        assert!(rooms.contains(room), "{rooms:?}");
    }
    assert!(!rooms.contains(&hidden));
    assert_eq!(found(&alice, &format!("zolc {own}")).await, [by_name.clone()]);
    let shown = search(&alice, json!({ "filter": { "generic_search_term": format!("zolc {own}") } })).await;
    assert_eq!(shown["total_room_count_estimate"], 1);
    let room = &shown["chunk"][0];
    assert_eq!((&room["name"], &room["num_joined_members"]), (&json!(format!("Żółć {own}")), &json!(1)));
    assert_eq!((&room["world_readable"], &room["guest_can_join"]), (&json!(false), &json!(false)));
}

async fn rooms_can_be_chosen_by_their_type(server: Homeserver) {
    let alice = server.register("alice").await;
    let own = word(&alice, "t");
    let plain = published(&alice, json!({ "name": own })).await;
    let space = published(&alice, json!({ "name": own, "creation_content": { "type": "m.space" } })).await;
    for (types, wanted) in [
        (json!([null]), vec![plain.clone()]),
        (json!(["m.space"]), vec![space.clone()]),
        (json!(["other"]), vec![]),
        (json!([null, "m.space"]), vec![plain.clone(), space.clone()]),
    ] {
        let filter = json!({ "generic_search_term": own, "room_types": types });
        let answer = search(&alice, json!({ "filter": filter })).await;
        let rooms: Vec<_> = list(&answer["chunk"]).iter().map(|room| text(&room["room_id"])).collect();
        assert_eq!(rooms, wanted);
    }
}

async fn the_list_follows_what_happens_in_rooms(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let own = word(&alice, "f");
    let first = published(&alice, json!({ "name": own })).await;
    let second = published(&alice, json!({ "name": own })).await;
    assert_eq!(found(&alice, &own).await, [first.clone(), second.clone()]);
    bob.join(&second).await;
    assert_eq!(found(&alice, &own).await, [second.clone(), first.clone()], "most members first");
    alice.set_state(&first, "m.room.name", "", &json!({ "name": "otherwise" })).await;
    assert_eq!(found(&alice, &own).await, [second.clone()]);
    let path = format!("/directory/list/room/{}", enc(&second));
    alice.put(&path, &json!({ "visibility": "private" })).await.ok();
    assert!(found(&alice, &own).await.is_empty());
    alice.put(&path, &json!({})).await.ok();
    assert_eq!(found(&alice, &own).await, [second]);
}

async fn pages_lead_forward_and_back(server: Homeserver) {
    let alice = server.register("alice").await;
    let own = word(&alice, "p");
    for number in 0..5 {
        published(&alice, json!({ "name": format!("{own} {number}") })).await;
    }
    let whole = found(&alice, &own).await;
    assert_eq!(whole.len(), 5);
    let page = async |since: Option<&str>| {
        let mut body = json!({ "limit": 2, "filter": { "generic_search_term": own } });
        if let Some(since) = since {
            body["since"] = json!(since);
        }
        let answer = search(&alice, body).await;
        let rooms: Vec<_> = list(&answer["chunk"]).iter().map(|room| text(&room["room_id"])).collect();
        (rooms, answer)
    };
    let (first, answer) = page(None).await;
    assert!(answer["prev_batch"].is_null());
    let (second, answer) = page(answer["next_batch"].as_str()).await;
    let back = answer["prev_batch"].as_str().expect("a page before").to_owned();
    let (third, answer) = page(answer["next_batch"].as_str()).await;
    assert!(answer["next_batch"].is_null());
    assert_eq!([first.clone(), second, third].concat(), whole);
    assert_eq!(page(Some(&back)).await.0, first);
    alice.get("/publicRooms?since=nonsense").await.err(400, "M_INVALID_PARAM");
}

async fn directories_of_other_servers_are_not_to_be_had_yet(server: Homeserver) {
    let alice = server.register("alice").await;
    alice.get("/publicRooms?limit=1&server=localhost").await.ok();
    alice.get("/publicRooms?server=elsewhere.example").await.err(404, "M_NOT_FOUND");
    alice.post("/publicRooms?server=elsewhere.example", &json!({})).await.err(404, "M_NOT_FOUND");
    alice.get("/publicRooms?server=%00").await.err(400, "M_INVALID_PARAM");
}

async fn networks_of_bridges_hold_nothing(server: Homeserver) {
    let alice = server.register("alice").await;
    published(&alice, json!({ "name": "here" })).await;
    let answer = search(&alice, json!({ "third_party_instance_id": "irc" })).await;
    assert_eq!(answer["chunk"], json!([]));
    let both = json!({ "third_party_instance_id": "irc", "include_all_networks": true });
    alice.post("/publicRooms", &both).await.err(400, "M_INVALID_PARAM");
    assert_eq!(alice.get("/thirdparty/protocols").await.ok(), json!({}));
    for (path, known) in [("location", true), ("user", true), ("protocol/irc", false), ("user/irc", false)] {
        let answer = alice.get(&format!("/thirdparty/{path}")).await;
        if known {
            assert_eq!(answer.ok(), json!([]));
        } else {
            answer.err(404, "M_NOT_FOUND");
        }
    }
}

async fn without_login_the_list_is_shown_only_where_the_configuration_says_so(db: Db) {
    let server = Server::start(db);
    let home = server.homeserver();
    home.anonymous().get("/publicRooms").await.err(401, "M_MISSING_TOKEN");
    let server = Server::start_with(db, &[("rooms.public_rooms_without_login", true.into())]);
    let home = server.homeserver();
    let alice = home.register("alice").await;
    let room = published(&alice, json!({ "name": "open" })).await;
    let answer = home.anonymous().get("/publicRooms").await.ok();
    assert_eq!(answer["chunk"][0]["room_id"], room);
    home.anonymous().post("/publicRooms", &json!({})).await.err(401, "M_MISSING_TOKEN");
}

async fn only_administrators_publish_where_the_configuration_says_so(db: Db) {
    let server = Server::start_with(db, &[("rooms.publish_rooms", "admins".into())]);
    let home = server.homeserver();
    let (alice, root) = (home.register("alice").await, home.register_admin("root").await);
    alice.post("/createRoom", &json!({ "visibility": "public" })).await.err(403, "M_FORBIDDEN");
    let room = alice.public_room().await;
    let path = format!("/directory/list/room/{}", enc(&room));
    alice.put(&path, &json!({ "visibility": "public" })).await.err(403, "M_FORBIDDEN");
    root.put(&path, &json!({ "visibility": "public" })).await.ok();
    assert_eq!(alice.get("/publicRooms").await.ok()["chunk"][0]["room_id"], room);
}

async fn many_published_rooms_do_not_slow_a_page_down(db: Db) {
    let server = Server::start(db);
    let home = server.homeserver();
    let alice = home.register("alice").await;
    let rooms = if harness::full_tier() { 10_000 } else { 300 };
    for number in 0..rooms {
        published(&alice, json!({ "name": format!("room {number}") })).await;
    }
    alice.get("/publicRooms?limit=5").await.ok();
    let begun = std::time::Instant::now();
    let answer = alice.get("/publicRooms?limit=5").await.ok();
    assert_eq!(answer["total_room_count_estimate"], rooms);
    assert!(begun.elapsed() < std::time::Duration::from_millis(500), "{:?}", begun.elapsed());
}
