//! Filters of lists.

use harness::{Client, Homeserver, both_databases, enc};
use serde_json::{Value, json};

use super::{Slider, rooms, sorted};

both_databases!(
    lists_are_filtered_by_what_rooms_are,
    lists_are_filtered_by_what_the_user_makes_of_rooms,
    filters_follow_changes,
);

async fn listed(client: &Client, filters: Value) -> Vec<String> {
    let body = json!({ "lists": { "l": { "ranges": [[0, 99]], "timeline_limit": 1, "filters": filters } } });
    let answer = Slider::new(client).slide(&body).await;
    assert_eq!(answer["lists"]["l"]["count"], rooms(&answer).len(), "{answer}");
    rooms(&answer)
}

async fn lists_are_filtered_by_what_rooms_are(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let plain = alice.create_room(json!({ "name": "Werkstatt Łódź" })).await;
    let encryption =
        json!({ "type": "m.room.encryption", "content": { "algorithm": "m.megolm.v1.aes-sha2" } });
    let secret = alice.create_room(json!({ "name": "Secret", "initial_state": [encryption] })).await;
    let space = alice.create_room(json!({ "creation_content": { "type": "m.space" } })).await;
    let child = json!({ "via": ["localhost"] });
    alice.set_state(&space, "m.space.child", &plain, &child).await;
    alice.set_state(&space, "m.space.child", &secret, &json!({})).await;
    let invited = bob.create_room(json!({ "invite": [alice.user_id()] })).await;

    assert_eq!(listed(&alice, json!({})).await, sorted(&[&plain, &secret, &space, &invited]));
    assert_eq!(listed(&alice, json!({ "is_encrypted": true })).await, sorted(&[&secret]));
    assert_eq!(listed(&alice, json!({ "is_encrypted": false })).await, sorted(&[&plain, &space, &invited]));
    assert_eq!(listed(&alice, json!({ "room_types": ["m.space"] })).await, sorted(&[&space]));
    assert_eq!(
        listed(
            &alice,
            json!({ "room_types": [null, "m.space"], "not_room_types": ["m.space"], "is_invite": false })
        )
        .await,
        sorted(&[&plain, &secret])
    );
    assert_eq!(listed(&alice, json!({ "is_invite": true })).await, sorted(&[&invited]));
    assert_eq!(listed(&alice, json!({ "is_invite": false })).await, sorted(&[&plain, &secret, &space]));
    assert_eq!(listed(&alice, json!({ "spaces": [space, "!unknown:localhost"] })).await, sorted(&[&plain]));
    assert!(listed(&bob, json!({ "spaces": [space] })).await.is_empty());
    assert_eq!(listed(&alice, json!({ "room_name_like": "łódź" })).await, sorted(&[&plain]));
}

async fn lists_are_filtered_by_what_the_user_makes_of_rooms(server: Homeserver) {
    let alice = server.register("alice").await;
    let direct = alice.create_room(json!({})).await;
    let tagged = alice.create_room(json!({})).await;
    let other = alice.create_room(json!({})).await;
    let user = enc(alice.user_id());
    let content = json!({ "@bob:localhost": [direct] });
    alice.put(&format!("/user/{user}/account_data/m.direct"), &content).await.ok();
    alice.put(&format!("/user/{user}/rooms/{}/tags/u.work", enc(&tagged)), &json!({})).await.ok();
    alice.put(&format!("/user/{user}/rooms/{}/tags/m.favourite", enc(&tagged)), &json!({})).await.ok();
    assert_eq!(listed(&alice, json!({ "is_dm": true })).await, sorted(&[&direct]));
    assert_eq!(listed(&alice, json!({ "is_dm": false })).await, sorted(&[&tagged, &other]));
    assert_eq!(listed(&alice, json!({ "tags": ["u.work", "u.x"] })).await, sorted(&[&tagged]));
    assert_eq!(listed(&alice, json!({ "not_tags": ["m.favourite"] })).await, sorted(&[&direct, &other]));
    assert!(listed(&alice, json!({ "tags": ["u.work"], "not_tags": ["m.favourite"] })).await.is_empty());
}

async fn filters_follow_changes(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({ "name": "one" })).await;
    let of = |filters: Value| json!({ "lists": { "l": { "ranges": [[0, 9]], "timeline_limit": 1, "filters": filters } } });
    let (secret, named) = (of(json!({ "is_encrypted": true })), of(json!({ "room_name_like": "two" })));
    let mut sliders = [Slider::new(&alice), Slider::new(&alice)];
    assert_eq!(sliders[0].slide(&secret).await["lists"]["l"]["count"], 0);
    assert_eq!(sliders[1].slide(&named).await["lists"]["l"]["count"], 0);
    let algorithm = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
    alice.set_state(&room, "m.room.encryption", "", &algorithm).await;
    alice.set_state(&room, "m.room.name", "", &json!({ "name": "two" })).await;
    assert_eq!(rooms(&sliders[0].slide(&secret).await), sorted(&[&room]));
    assert_eq!(rooms(&sliders[1].slide(&named).await), sorted(&[&room]));
}
