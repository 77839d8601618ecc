//! Accounts that are closed for good.

use harness::{Client, Db, Homeserver, Server, both_databases, enc, eventually, on_each_database};
use serde_json::json;

use super::password;
use crate::client::support::{in_room, is_reference, list};

both_databases!(
    closing_an_account_needs_the_password_and_ends_every_session,
    a_closed_account_leaves_its_rooms_and_declines_its_invitations,
    the_name_of_a_closed_account_stays_taken,
    an_administrator_closes_accounts,
    later_members_do_not_read_what_an_erased_account_wrote,
);

on_each_database!(a_killed_process_does_not_keep_a_closed_account_in_its_rooms);

async fn close(client: &Client, erase: bool) {
    let body = json!({ "auth": password(client), "erase": erase });
    let answer = client.post("/account/deactivate", &body).await.ok();
    assert_eq!(answer["id_server_unbind_result"], "success");
}

async fn membership(asker: &Client, room: &str, user: &str) -> String {
    let state = asker.state(room, "m.room.member", user).await;
    state.json["membership"].as_str().unwrap_or_default().to_owned()
}

async fn gone(asker: &Client, room: &str, user: &str) {
    eventually("the closed account left", || async {
        (membership(asker, room, user).await == "leave").then_some(())
    })
    .await;
}

async fn closing_an_account_needs_the_password_and_ends_every_session(server: Homeserver) {
    let anna = server.register("anna").await;
    let second = server.login(anna.user_id()).await;
    let asked = anna.post("/account/deactivate", &json!({})).await;
    assert_eq!(asked.status, 401, "{asked}");
    assert!(list(&asked.json["flows"]).contains(&json!({ "stages": ["m.login.password"] })), "{asked}");
    let mut wrong = json!({ "auth": password(&anna) });
    wrong["auth"]["password"] = json!("wrong");
    assert_eq!(anna.post("/account/deactivate", &wrong).await.status, 401);
    anna.get("/account/whoami").await.ok();
    close(&anna, false).await;
    for client in [&anna, &second] {
        client.get("/account/whoami").await.err(401, "M_UNKNOWN_TOKEN");
    }
    let login = json!({
        "type": "m.login.password", "password": server.password(),
        "identifier": { "type": "m.id.user", "user": anna.user_id() },
    });
    let refused = server.anonymous().post("/login", &login).await;
    assert_eq!(refused.status, 403, "{refused}");
}

async fn a_closed_account_leaves_its_rooms_and_declines_its_invitations(server: Homeserver) {
    let (anna, bob) = (server.register("anna").await, server.register("bob").await);
    let mut rooms = Vec::new();
    for _ in 0..5 {
        rooms.push(bob.room_with(&[&anna]).await);
    }
    let invited = bob.create_room(json!({})).await;
    bob.invite(&invited, &anna).await;
    close(&anna, false).await;
    for room in rooms.iter().chain([&invited]) {
        gone(&bob, room, anna.user_id()).await;
    }
    let body = json!({ "user_id": anna.user_id() });
    if !is_reference() {
        bob.post(&in_room(&rooms[0], "invite"), &body).await.refused();
    }
}

async fn the_name_of_a_closed_account_stays_taken(server: Homeserver) {
    let anna = server.register("anna").await;
    close(&anna, true).await;
    let path = format!("/register/available?username={}", anna.localpart());
    server.anonymous().get(&path).await.err(400, "M_USER_IN_USE");
    let body = json!({ "username": anna.localpart(), "password": "a good long password",
                       "auth": { "type": "m.login.dummy" } });
    server.anonymous().post("/register", &body).await.err(400, "M_USER_IN_USE");
}

async fn an_administrator_closes_accounts(server: Homeserver) {
    if is_reference() {
        return;
    }
    let admin = server.register_admin("admin").await;
    let (anna, bob) = (server.register("anna").await, server.register("bob").await);
    let room = bob.room_with(&[&anna]).await;
    let path = |user: &Client| format!("/_kontor/admin/v1/people/{}/deactivate", enc(user.user_id()));
    bob.post(&path(&anna), &json!({})).await.err(403, "M_FORBIDDEN");
    admin.post(&path(&admin), &json!({})).await.err(403, "M_FORBIDDEN");
    admin.post(&path(&anna), &json!({})).await.ok();
    anna.get("/account/whoami").await.err(401, "M_UNKNOWN_TOKEN");
    gone(&bob, &room, anna.user_id()).await;
    admin.post(&path(&anna), &json!({})).await.err(404, "M_NOT_FOUND");
    admin.get(&super::path("lock", anna.user_id())).await.err(404, "M_NOT_FOUND");
}

async fn later_members_do_not_read_what_an_erased_account_wrote(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (anna, bob) = (server.register("anna").await, server.register("bob").await);
    let (carl, dora) = (server.register("carl").await, server.register("dora").await);
    let room = bob.room_with(&[&anna]).await;
    let words = anna.text(&room, "remember me not").await;
    let kept = bob.text(&room, "bob stays").await;
    close(&anna, true).await;
    gone(&bob, &room, anna.user_id()).await;
    let profile = bob.get(&format!("/profile/{}", enc(anna.user_id()))).await;
    assert!(profile.json.get("displayname").is_none(), "{profile}");
    for late in [&carl, &dora] {
        crate::client::support::bring_in(&bob, &room, late).await;
        let timeline = late.whole_timeline(&room).await;
        let of =
            |id: &str| timeline.iter().find(|event| event["event_id"] == id).cloned().unwrap_or_default();
        assert_eq!(of(&words)["content"], json!({}), "{timeline:?}");
        assert_eq!(of(&kept)["content"]["body"], "bob stays");
        assert_eq!(late.event(&room, &words).await.ok()["content"], json!({}));
        let first = late.sync(None, 0).await;
        assert!(!first.to_string().contains("remember me not"), "{first}");
    }
    assert_eq!(bob.event(&room, &words).await.ok()["content"]["body"], "remember me not");
}

async fn a_killed_process_does_not_keep_a_closed_account_in_its_rooms(db: Db) {
    let mut running = Server::start(db);
    let server = running.homeserver();
    let (anna, bob) = (server.register("anna").await, server.register("bob").await);
    let mut rooms = Vec::new();
    for _ in 0..20 {
        rooms.push(bob.room_with(&[&anna]).await);
    }
    close(&anna, false).await;
    running.kill_and_start_again();
    let bob = running.homeserver().client_like(&bob);
    for room in &rooms {
        gone(&bob, room, anna.user_id()).await;
    }
}
