//! One room before joining it.

use harness::{Homeserver, both_databases, enc};
use serde_json::json;

both_databases!(
    a_summary_says_what_the_room_is_and_what_the_reader_is_in_it,
    a_summary_is_found_by_alias_too,
    the_older_addresses_answer_with_the_older_names_as_well,
    a_room_that_the_reader_may_not_know_of_does_not_exist,
    summaries_need_a_login,
);

fn summary(room: &str) -> String {
    format!("/_matrix/client/v1/room_summary/{}", enc(room))
}

async fn a_summary_says_what_the_room_is_and_what_the_reader_is_in_it(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room = alice
        .create_room(json!({
            "preset": "public_chat", "name": "Name", "topic": "Topic", "room_version": "11",
            "initial_state": [
                { "type": "m.room.encryption", "content": { "algorithm": "m.megolm.v1.aes-sha2" } },
                { "type": "m.room.avatar", "content": { "url": "mxc://localhost/abc" } },
                { "type": "m.room.guest_access", "content": { "guest_access": "can_join" } },
            ],
        }))
        .await;
    let told = bob.get(&summary(&room)).await.ok();
    for (field, value) in [
        ("room_id", json!(room)),
        ("name", json!("Name")),
        ("topic", json!("Topic")),
        ("avatar_url", json!("mxc://localhost/abc")),
        ("join_rule", json!("public")),
        ("room_version", json!("11")),
        ("encryption", json!("m.megolm.v1.aes-sha2")),
        ("num_joined_members", json!(1)),
        ("guest_can_join", json!(true)),
        ("world_readable", json!(false)),
        ("membership", json!("leave")),
    ] {
        assert_eq!(told[field], value, "{field}");
    }
    bob.join(&room).await;
    let told = bob.get(&summary(&room)).await.ok();
    assert_eq!((&told["membership"], &told["num_joined_members"]), (&json!("join"), &json!(2)));
}

async fn a_summary_is_found_by_alias_too(server: Homeserver) {
    let alice = server.register("alice").await;
    let local = format!("summary-{}", alice.localpart());
    let room = alice.create_room(json!({ "preset": "public_chat", "room_alias_name": local })).await;
    let alias = format!("#{local}:localhost");
    let told = alice.get(&summary(&alias)).await.ok();
    assert_eq!((&told["room_id"], &told["canonical_alias"]), (&json!(room), &json!(alias)));
    alice.get(&summary("#nothing-like-it:localhost")).await.err(404, "M_NOT_FOUND");
    alice.get(&summary("#far:elsewhere.example")).await.err(404, "M_NOT_FOUND");
    alice.get(&summary("nonsense")).await.err(400, "M_INVALID_PARAM");
}

async fn the_older_addresses_answer_with_the_older_names_as_well(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({ "preset": "public_chat", "room_version": "12" })).await;
    let room = enc(&room);
    for path in [format!("summary/{room}"), format!("rooms/{room}/summary")] {
        let told = alice.get(&format!("/_matrix/client/unstable/im.nheko.summary/{path}")).await.ok();
        assert_eq!((&told["room_version"], &told["im.nheko.summary.version"]), (&json!("12"), &json!("12")));
        assert_eq!(told["membership"], "join");
    }
}

async fn a_room_that_the_reader_may_not_know_of_does_not_exist(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room = alice.create_room(json!({ "preset": "private_chat", "name": "secret" })).await;
    let closed = bob.get(&summary(&room)).await.err(404, "M_NOT_FOUND");
    let absent = bob.get(&summary("!nothing:localhost")).await.err(404, "M_NOT_FOUND");
    assert_eq!(closed, absent, "the two can be told apart");
    alice.invite(&room, &bob).await;
    assert_eq!(bob.get(&summary(&room)).await.ok()["membership"], "invite");
}

async fn summaries_need_a_login(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.public_room().await;
    server.anonymous().get(&summary(&room)).await.err(401, "M_MISSING_TOKEN");
}
