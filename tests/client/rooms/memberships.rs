//! Kicks, bans, leaving and forgetting: who may do what to whom.

use harness::{Client, Homeserver, both_databases, enc};
use serde_json::{Value, json};

use crate::client::support::{in_room, is_reference, list, text};

both_databases!(
    each_act_needs_its_power,
    nobody_acts_on_equals,
    an_unban_is_for_the_banned_only,
    who_is_not_in_the_room_acts_on_nobody,
    inviting_members_is_refused,
    the_invited_may_refuse_and_knockers_may_withdraw,
    only_who_left_may_forget,
    memberships_can_be_set_as_state_under_the_same_rules,
    a_kick_ends_an_invitation,
    a_second_invitation_leaves_the_person_invited,
);

async fn act(by: &Client, room: &str, act: &str, on: &Client) -> harness::Response {
    by.post(&in_room(room, act), &json!({ "user_id": on.user_id() })).await
}

async fn levels(owner: &Client, room: &str, change: Value) {
    let mut levels = owner.state(room, "m.room.power_levels", "").await.ok();
    for (key, value) in change.as_object().unwrap() {
        levels[key] = value.clone();
    }
    owner.set_state(room, "m.room.power_levels", "", &levels).await;
}

async fn each_act_needs_its_power(server: Homeserver) {
    let owner = server.register("owner").await;
    let helper = server.register("helper").await;
    let guest = server.register("guest").await;
    let room = owner.room_with(&[&helper, &guest]).await;
    let stranger = server.register("stranger").await;
    for (name, level) in [("kick", 30), ("ban", 40), ("invite", 20)] {
        let users = json!({ helper.user_id(): level - 1 });
        levels(&owner, &room, json!({ name: level, "users": users })).await;
        let target = if name == "invite" { &stranger } else { &guest };
        act(&helper, &room, name, target).await.err(403, "M_FORBIDDEN");
        levels(&owner, &room, json!({ "users": { helper.user_id(): level } })).await;
        act(&helper, &room, name, target).await.ok();
        if name == "kick" {
            owner.invite(&room, &guest).await;
            guest.join(&room).await;
        }
    }
    // Unbanning needs the power to ban and the power to kick.
    levels(&owner, &room, json!({ "users": { helper.user_id(): 39 } })).await;
    act(&helper, &room, "unban", &guest).await.err(403, "M_FORBIDDEN");
    levels(&owner, &room, json!({ "users": { helper.user_id(): 40 } })).await;
    act(&helper, &room, "unban", &guest).await.ok();
}

async fn nobody_acts_on_equals(server: Homeserver) {
    let owner = server.register("owner").await;
    let (one, two) = (server.register("one").await, server.register("two").await);
    let room = owner.room_with(&[&one, &two]).await;
    levels(&owner, &room, json!({ "users": { one.user_id(): 60, two.user_id(): 60 } })).await;
    for name in ["kick", "ban"] {
        act(&one, &room, name, &two).await.err(403, "M_FORBIDDEN");
        act(&one, &room, name, &owner).await.err(403, "M_FORBIDDEN");
    }
    let mut raised = owner.state(&room, "m.room.power_levels", "").await.ok();
    raised["users"][one.user_id()] = json!(61);
    one.put(&in_room(&room, "state/m.room.power_levels/"), &raised).await.err(403, "M_FORBIDDEN");
}

async fn an_unban_is_for_the_banned_only(server: Homeserver) {
    let owner = server.register("owner").await;
    let guest = server.register("guest").await;
    let room = owner.room_with(&[&guest]).await;
    act(&owner, &room, "unban", &guest).await.refused();
    guest.text(&room, "still in").await;
    owner.ban(&room, &guest).await;
    act(&owner, &room, "kick", &guest).await;
    let member = owner.state(&room, "m.room.member", guest.user_id()).await.ok();
    assert_eq!(member["membership"], "ban", "a kick is no unban");
    act(&owner, &room, "unban", &guest).await.ok();
    owner.invite(&room, &guest).await;
    guest.join(&room).await;
}

async fn who_is_not_in_the_room_acts_on_nobody(server: Homeserver) {
    let owner = server.register("owner").await;
    let guest = server.register("guest").await;
    let stranger = server.register("stranger").await;
    let room = owner.room_with(&[&guest]).await;
    for name in ["invite", "kick", "ban", "unban"] {
        act(&stranger, &room, name, &guest).await.refused();
    }
    act(&stranger, &room, "invite", &stranger).await.refused();
    stranger.post(&in_room(&room, "leave"), &json!({})).await.refused();
    act(&owner, &room, "kick", &stranger).await.refused();
}

async fn inviting_members_is_refused(server: Homeserver) {
    if is_reference() {
        return;
    }
    let owner = server.register("owner").await;
    let guest = server.register("guest").await;
    let room = owner.room_with(&[&guest]).await;
    act(&owner, &room, "invite", &guest).await.err(403, "M_FORBIDDEN");
    act(&owner, &room, "invite", &owner).await.err(403, "M_FORBIDDEN");
    for body in [json!({}), json!({ "user_id": 1 }), json!({ "user_id": "nobody" }), json!([])] {
        owner.post(&in_room(&room, "invite"), &body).await.refused();
        owner.post(&in_room(&room, "ban"), &body).await.refused();
    }
}

async fn the_invited_may_refuse_and_knockers_may_withdraw(server: Homeserver) {
    let owner = server.register("owner").await;
    let guest = server.register("guest").await;
    let rule = json!({ "type": "m.room.join_rules", "content": { "join_rule": "knock" } });
    let room = owner.create_room(json!({ "initial_state": [rule] })).await;
    owner.invite(&room, &guest).await;
    guest.leave(&room).await;
    guest.post(&format!("/join/{}", enc(&room)), &json!({})).await.err(403, "M_FORBIDDEN");
    guest.post(&format!("/knock/{}", enc(&room)), &json!({})).await.ok();
    guest.leave(&room).await;
    let member = owner.state(&room, "m.room.member", guest.user_id()).await.ok();
    assert_eq!(member["membership"], "leave");
    // Leaving what one left changes nothing, whatever the answer.
    let count = owner.whole_timeline(&room).await.len();
    guest.post(&in_room(&room, "leave"), &json!({})).await;
    assert_eq!(owner.whole_timeline(&room).await.len(), count);
}

async fn only_who_left_may_forget(server: Homeserver) {
    if is_reference() {
        return;
    }
    let owner = server.register("owner").await;
    let guest = server.register("guest").await;
    let room = owner.room_with(&[&guest]).await;
    guest.post(&in_room(&room, "forget"), &json!({})).await.err(400, "M_UNKNOWN");
    owner.ban(&room, &guest).await;
    guest.post(&in_room(&room, "forget"), &json!({})).await.ok();
    guest.post(&in_room("!nowhere:localhost", "forget"), &json!({})).await.refused();
}

async fn memberships_can_be_set_as_state_under_the_same_rules(server: Homeserver) {
    let owner = server.register("owner").await;
    let guest = server.register("guest").await;
    let room = owner.create_room(json!({})).await;
    let path = |user: &Client| in_room(&room, &format!("state/m.room.member/{}", enc(user.user_id())));
    guest.put(&path(&guest), &json!({ "membership": "join" })).await.err(403, "M_FORBIDDEN");
    owner.put(&path(&guest), &json!({ "membership": "join" })).await.err(403, "M_FORBIDDEN");
    owner.put(&path(&guest), &json!({ "membership": "invite" })).await.ok();
    guest.put(&path(&guest), &json!({ "membership": "join", "displayname": "G" })).await.ok();
    guest.put(&path(&owner), &json!({ "membership": "leave" })).await.err(403, "M_FORBIDDEN");
    guest.put(&path(&guest), &json!({ "membership": "dancing" })).await.refused();
    guest.put(&path(&guest), &json!({})).await.refused();
    guest.put(&path(&guest), &json!({ "membership": "leave" })).await.ok();
    let invalid = in_room(&room, "state/m.room.member/nobody");
    owner.put(&invalid, &json!({ "membership": "invite" })).await.refused();
    let answer = guest.sync(None, 0).await;
    assert!(answer["rooms"]["join"].get(&room).is_none(), "{answer}");
}

async fn a_kick_ends_an_invitation(server: Homeserver) {
    let owner = server.register("owner").await;
    let guest = server.register("guest").await;
    let room = owner.create_room(json!({})).await;
    owner.invite(&room, &guest).await;
    owner.kick(&room, &guest).await;
    guest.post(&format!("/join/{}", enc(&room)), &json!({})).await.err(403, "M_FORBIDDEN");
}

async fn a_second_invitation_leaves_the_person_invited(server: Homeserver) {
    let owner = server.register("owner").await;
    let guest = server.register("guest").await;
    let room = owner.create_room(json!({})).await;
    owner.invite(&room, &guest).await;
    let before = owner.whole_timeline(&room).await.len();
    // A second invitation is refused or does nothing, but the person stays invited.
    act(&owner, &room, "invite", &guest).await;
    let events = owner.whole_timeline(&room).await;
    assert!(events.len() <= before + 1);
    let joined = list(&guest.get("/joined_rooms").await.ok()["joined_rooms"]);
    assert!(!joined.iter().any(|joined| text(joined) == room));
    guest.join(&room).await;
}
