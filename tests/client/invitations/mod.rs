//! Whose invitations a person takes.

use harness::{Client, Homeserver, both_databases, enc};
use serde_json::{Value, json};

both_databases!(
    who_blocks_invitations_gets_none_by_any_way,
    invitations_from_before_are_not_told_while_they_are_blocked,
    invitations_are_taken_again_once_blocking_ends,
    lists_of_people_and_servers_decide_where_a_client_writes_them,
    an_ignored_person_invites_without_a_word,
);

const BLOCK: &str = "m.invite_permission_config";
const LISTS: &str = "org.matrix.msc4155.invite_permission_config";

async fn set(client: &Client, kind: &str, content: Value) {
    client.put(&format!("/user/{}/account_data/{kind}", enc(client.user_id())), &content).await.ok();
}

async fn invites(client: &Client) -> Vec<String> {
    let told = client.sync(None, 0).await;
    told["rooms"]["invite"].as_object().map(|rooms| rooms.keys().cloned().collect()).unwrap_or_default()
}

async fn who_blocks_invitations_gets_none_by_any_way(server: Homeserver) {
    for kind in [BLOCK, "org.matrix.msc4380.invite_permission_config"] {
        let (alice, bob) = (server.register("alice").await, server.register("bob").await);
        set(&bob, kind, json!({ "default_action": "block" })).await;
        let room = alice.create_room(json!({ "preset": "private_chat" })).await;
        let path = format!("/rooms/{}/invite", enc(&room));
        alice.post(&path, &json!({ "user_id": bob.user_id() })).await.err(403, "M_INVITE_BLOCKED");
        let path = format!("/rooms/{}/state/m.room.member/{}", enc(&room), enc(bob.user_id()));
        alice.put(&path, &json!({ "membership": "invite" })).await.err(403, "M_INVITE_BLOCKED");
        let request = json!({ "invite": [bob.user_id()] });
        alice.post("/createRoom", &request).await.err(403, "M_INVITE_BLOCKED");
        assert!(invites(&bob).await.is_empty());
    }
}

async fn invitations_from_before_are_not_told_while_they_are_blocked(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room = alice.create_room(json!({ "invite": [bob.user_id()] })).await;
    assert_eq!(invites(&bob).await, [room.clone()]);
    set(&bob, BLOCK, json!({ "default_action": "block" })).await;
    assert!(invites(&bob).await.is_empty());
    let member = alice.state(&room, "m.room.member", bob.user_id()).await.ok();
    assert_eq!(member["membership"], "invite", "other endpoints tell it");
}

async fn invitations_are_taken_again_once_blocking_ends(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    set(&bob, BLOCK, json!({ "default_action": "block" })).await;
    set(&bob, BLOCK, json!({})).await;
    let room = alice.create_room(json!({ "invite": [bob.user_id()] })).await;
    assert_eq!(invites(&bob).await, [room]);
}

async fn lists_of_people_and_servers_decide_where_a_client_writes_them(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let carl = server.register("carl").await;
    set(&bob, LISTS, json!({ "allowed_users": [carl.user_id()], "blocked_servers": ["local*"] })).await;
    let request = json!({ "invite": [bob.user_id()] });
    alice.post("/createRoom", &request).await.err(403, "M_INVITE_BLOCKED");
    let room = carl.create_room(request.clone()).await;
    assert_eq!(invites(&bob).await, [room]);
    set(&bob, LISTS, json!({ "ignored_users": [alice.user_id(), carl.user_id()] })).await;
    alice.create_room(request).await;
    assert!(invites(&bob).await.is_empty(), "the ignored are not told");
    let told = server.anonymous().get("/_matrix/client/versions").await.ok();
    assert_eq!(told["unstable_features"]["org.matrix.msc4155"], true);
}

async fn an_ignored_person_invites_without_a_word(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    set(&bob, "m.ignored_user_list", json!({ "ignored_users": { alice.user_id(): {} } })).await;
    let since = bob.now().await;
    let room = alice.create_room(json!({ "invite": [bob.user_id()] })).await;
    let news = bob.sync(Some(&since), 0).await;
    assert!(news["rooms"]["invite"].is_null() && invites(&bob).await.is_empty(), "{news}");
    set(&bob, "m.ignored_user_list", json!({ "ignored_users": {} })).await;
    assert_eq!(invites(&bob).await, [room]);
}
