//! A departed member gets nothing more, whichever way it is asked for.

use harness::{Client, Homeserver, both_databases, enc, timeline};
use serde_json::{Value, json};

use crate::client::support::{
    bring_in, ids, in_room, is_reference, list, room_showing, state_event, sync_with, text,
};

both_databases!(
    a_departed_member_reads_the_state_as_it_was_at_the_leave,
    a_departed_member_reads_the_members_as_they_were_at_the_leave,
    a_ban_after_the_leave_shows_no_later_state,
    a_departed_member_gets_no_later_events_in_sync,
    sync_tells_the_last_events_up_to_the_leave_once,
    the_first_sync_tells_left_rooms_only_when_asked,
    a_sync_that_was_away_during_stay_and_leave_tells_the_stay,
    a_departed_member_gets_no_receipts_and_no_typing,
    a_departed_member_can_do_nothing_in_the_room,
    a_departed_member_gets_nothing_by_any_token,
    a_forgotten_room_is_closed_to_the_departed_member,
    a_refused_invitation_shows_nothing,
    an_unban_shows_nothing_more,
);

/// A room with an owner and somebody who left; afterwards much changed there.
struct Left {
    owner: Client,
    gone: Client,
    room: String,
    /// Tokens of the departed member from before the leave.
    since: String,
}

async fn left(server: &Homeserver) -> Left {
    let owner = server.register("owner").await;
    let gone = server.register("gone").await;
    let room = room_showing(&owner, "shared").await;
    bring_in(&owner, &room, &gone).await;
    owner.set_state(&room, "m.room.topic", "", &json!({ "topic": "before" })).await;
    owner.text(&room, "before").await;
    let since = gone.now().await;
    gone.leave(&room).await;
    let later = server.register("later").await;
    bring_in(&owner, &room, &later).await;
    owner.set_state(&room, "m.room.topic", "", &json!({ "topic": "SECRET" })).await;
    owner.set_state(&room, "dev.kontor.test", "new", &json!({ "word": "SECRET" })).await;
    owner.text(&room, "SECRET").await;
    owner
        .put(&format!("/profile/{}/displayname", enc(owner.user_id())), &json!({ "displayname": "SECRET" }))
        .await
        .ok();
    Left { owner, gone, room, since }
}

fn no_secret(answer: &Value) {
    assert!(!answer.to_string().contains("SECRET"), "{answer}");
}

async fn a_departed_member_reads_the_state_as_it_was_at_the_leave(server: Homeserver) {
    let Left { gone, room, .. } = left(&server).await;
    let state = gone.get(&in_room(&room, "state")).await.ok();
    no_secret(&state);
    assert_eq!(state_event(&state, "m.room.topic", "").unwrap()["content"]["topic"], "before");
    let own = state_event(&state, "m.room.member", gone.user_id()).unwrap();
    assert_eq!(own["content"]["membership"], "leave");
    assert_eq!(gone.state(&room, "m.room.topic", "").await.ok()["topic"], "before");
    gone.state(&room, "dev.kontor.test", "new").await.refused();
}

async fn a_departed_member_reads_the_members_as_they_were_at_the_leave(server: Homeserver) {
    let Left { owner, gone, room, .. } = left(&server).await;
    let members = gone.get(&in_room(&room, "members")).await.ok();
    no_secret(&members);
    let mut who: Vec<_> = list(&members["chunk"]).iter().map(|event| text(&event["state_key"])).collect();
    who.sort();
    let mut expected = [owner.user_id().to_owned(), gone.user_id().to_owned()];
    expected.sort();
    assert_eq!(who, expected);
    let now = owner.now().await;
    let at_now = gone.get(&in_room(&room, &format!("members?at={}", enc(&now)))).await;
    no_secret(&at_now.json);
    let joined = gone.get(&in_room(&room, "joined_members")).await;
    joined.err(403, "M_FORBIDDEN");
}

async fn a_ban_after_the_leave_shows_no_later_state(server: Homeserver) {
    if is_reference() {
        return;
    }
    let Left { owner, gone, room, .. } = left(&server).await;
    owner.ban(&room, &gone).await;
    no_secret(&gone.get(&in_room(&room, "state")).await.ok());
    no_secret(&gone.get(&in_room(&room, "members")).await.ok());
    assert_eq!(gone.state(&room, "m.room.topic", "").await.ok()["topic"], "before");
    let filter = json!({ "room": { "include_leave": true } });
    no_secret(&sync_with(&gone, None, &filter, "").await);
}

async fn a_departed_member_gets_no_later_events_in_sync(server: Homeserver) {
    if is_reference() {
        return;
    }
    let Left { owner, gone, room, since } = left(&server).await;
    no_secret(&gone.sync(None, 0).await);
    for more in ["", "&full_state=true", "&use_state_after=true", "&full_state=true&use_state_after=true"] {
        for filter in [
            json!({}),
            json!({ "room": { "include_leave": true, "timeline": { "limit": 100 } } }),
            json!({ "room": { "include_leave": true, "timeline": { "limit": 1 }, "state": { "lazy_load_members": true } } }),
        ] {
            for since in [None, Some(since.as_str())] {
                let answer = sync_with(&gone, since, &filter, more).await;
                no_secret(&answer);
                assert!(answer["rooms"]["join"].get(&room).is_none(), "{answer}");
            }
        }
    }
    let since = gone.now().await;
    owner.text(&room, "SECRET").await;
    owner.set_state(&room, "m.room.topic", "", &json!({ "topic": "SECRET again" })).await;
    let answer = gone.sync(Some(&since), 0).await;
    assert!(answer["rooms"].get("leave").is_none_or(|left| left.get(&room).is_none()), "{answer}");
    no_secret(&answer);
}

async fn sync_tells_the_last_events_up_to_the_leave_once(server: Homeserver) {
    let owner = server.register("owner").await;
    let gone = server.register("gone").await;
    let room = owner.room_with(&[&gone]).await;
    let since = gone.now().await;
    let message = owner.text(&room, "goodbye").await;
    gone.leave(&room).await;
    owner.text(&room, "SECRET").await;
    let answer = gone.sync(Some(&since), 0).await;
    let told = &answer["rooms"]["leave"][&room];
    let events = list(&told["timeline"]["events"]);
    assert_eq!(events.len(), 2, "{told}");
    assert_eq!(events[0]["event_id"], message);
    assert_eq!(events[1]["content"]["membership"], "leave");
    assert_ne!(told["timeline"]["limited"], true, "{told}");
    let next = text(&answer["next_batch"]);
    let answer = gone.sync(Some(&next), 0).await;
    assert!(answer["rooms"]["leave"].get(&room).is_none(), "told twice: {answer}");
}

async fn the_first_sync_tells_left_rooms_only_when_asked(server: Homeserver) {
    let Left { gone, room, .. } = left(&server).await;
    let plain = gone.sync(None, 0).await;
    assert!(plain["rooms"]["leave"].get(&room).is_none(), "{plain}");
    let filter = json!({ "room": { "include_leave": true } });
    let archived = sync_with(&gone, None, &filter, "").await;
    let told = &archived["rooms"]["leave"][&room];
    let events = list(&told["timeline"]["events"]);
    assert_eq!(events.last().unwrap()["content"]["membership"], "leave", "{told}");
    assert!(events.iter().any(|event| event["content"]["body"] == "before"), "{told}");
    no_secret(&archived);
}

async fn a_sync_that_was_away_during_stay_and_leave_tells_the_stay(server: Homeserver) {
    let owner = server.register("owner").await;
    let gone = server.register("gone").await;
    let room = room_showing(&owner, "joined").await;
    owner.text(&room, "SECRET").await;
    let since = gone.now().await;
    bring_in(&owner, &room, &gone).await;
    let heard = owner.text(&room, "heard").await;
    owner.kick(&room, &gone).await;
    owner.text(&room, "SECRET").await;
    let answer = gone.sync(Some(&since), 0).await;
    let told = &answer["rooms"]["leave"][&room];
    no_secret(&answer);
    let seen = ids(&told["timeline"]["events"]);
    assert!(seen.contains(&heard), "{told}");
    let last = list(&told["timeline"]["events"]).pop().unwrap();
    assert_eq!(last["content"]["membership"], "leave", "{told}");
}

async fn a_departed_member_gets_no_receipts_and_no_typing(server: Homeserver) {
    let Left { owner, gone, room, .. } = left(&server).await;
    let since = gone.now().await;
    let message = owner.text(&room, "read me").await;
    owner.post(&in_room(&room, &format!("receipt/m.read/{}", enc(&message))), &json!({})).await.ok();
    let typing = in_room(&room, &format!("typing/{}", enc(owner.user_id())));
    owner.put(&typing, &json!({ "typing": true, "timeout": 30_000 })).await.ok();
    for since in [None, Some(since.as_str())] {
        let filter = json!({ "room": { "include_leave": true } });
        let answer = sync_with(&gone, since, &filter, "").await;
        let text = answer.to_string();
        assert!(!text.contains("m.receipt") && !text.contains("m.typing"), "{answer}");
    }
}

async fn a_departed_member_can_do_nothing_in_the_room(server: Homeserver) {
    let Left { owner, gone, room, .. } = left(&server).await;
    let before = owner.whole_timeline(&room).await.last().cloned().unwrap();
    let message = text(&before["event_id"]);
    let sent =
        gone.send_txn(&room, "m.room.message", "t", &json!({ "msgtype": "m.text", "body": "x" })).await;
    sent.err(403, "M_FORBIDDEN");
    let topic = gone.put(&in_room(&room, "state/m.room.topic/"), &json!({ "topic": "mine" })).await;
    topic.err(403, "M_FORBIDDEN");
    gone.put(&in_room(&room, &format!("redact/{}/t", enc(&message))), &json!({})).await.refused();
    gone.post(&in_room(&room, "invite"), &json!({ "user_id": gone.user_id() })).await.refused();
    gone.post(&in_room(&room, "kick"), &json!({ "user_id": owner.user_id() })).await.refused();
    gone.post(&in_room(&room, &format!("receipt/m.read/{}", enc(&message))), &json!({})).await;
    let typing = in_room(&room, &format!("typing/{}", enc(gone.user_id())));
    gone.put(&typing, &json!({ "typing": true, "timeout": 30_000 })).await.err(403, "M_FORBIDDEN");
    let since = text(&owner.sync(None, 0).await["next_batch"]);
    let message = owner.text(&room, "still ours").await;
    let answer = owner.sync(Some(&since), 0).await;
    assert_eq!(timeline(&answer, &room).last().unwrap()["event_id"], message);
    assert!(!answer.to_string().contains(gone.user_id()), "{answer}");
    let mut by_gone = owner.whole_timeline(&room).await.into_iter().filter(|e| e["sender"] == gone.user_id());
    assert_eq!(by_gone.next_back().unwrap()["content"]["membership"], "leave");
}

async fn a_departed_member_gets_nothing_by_any_token(server: Homeserver) {
    if is_reference() {
        return;
    }
    let Left { owner, gone, room, since } = left(&server).await;
    let ahead = owner.now().await;
    let tokens = [since, ahead, gone.now().await];
    for from in &tokens {
        for dir in ["b", "f"] {
            for to in ["", tokens[0].as_str(), tokens[1].as_str()] {
                let to = if to.is_empty() { String::new() } else { format!("&to={}", enc(to)) };
                let path = format!("messages?dir={dir}&limit=50&from={}{to}", enc(from));
                no_secret(&gone.get(&in_room(&room, &path)).await.ok());
            }
        }
    }
}

async fn a_forgotten_room_is_closed_to_the_departed_member(server: Homeserver) {
    let Left { owner, gone, room, .. } = left(&server).await;
    owner.post(&in_room(&room, "forget"), &json!({})).await.err(400, "M_UNKNOWN");
    let known = text(&gone.whole_timeline(&room).await[0]["event_id"]);
    gone.post(&in_room(&room, "forget"), &json!({})).await.ok();
    for path in ["messages?dir=b", "state", "members"] {
        gone.get(&in_room(&room, path)).await.err(403, "M_FORBIDDEN");
    }
    gone.event(&room, &known).await.refused();
    gone.get(&in_room(&room, &format!("context/{}", enc(&known)))).await.refused();
    let filter = json!({ "room": { "include_leave": true } });
    let archived = sync_with(&gone, None, &filter, "").await;
    assert!(archived["rooms"]["leave"].get(&room).is_none(), "{archived}");
    // Coming back opens it again.
    bring_in(&owner, &room, &gone).await;
    gone.event(&room, &known).await.ok();
}

async fn a_refused_invitation_shows_nothing(server: Homeserver) {
    if is_reference() {
        return;
    }
    let owner = server.register("owner").await;
    let guest = server.register("guest").await;
    for setting in ["shared", "joined"] {
        let room = room_showing(&owner, setting).await;
        owner.text(&room, "SECRET").await;
        owner.set_state(&room, "m.room.topic", "", &json!({ "topic": "told to the invited" })).await;
        owner.invite(&room, &guest).await;
        let since = guest.now().await;
        guest.leave(&room).await;
        owner.text(&room, "SECRET").await;
        let answer = guest.sync(Some(&since), 0).await;
        assert!(answer["rooms"]["leave"].get(&room).is_some(), "{answer}");
        assert!(answer["rooms"]["invite"].get(&room).is_none(), "{answer}");
        no_secret(&answer);
        let filter = json!({ "room": { "include_leave": true } });
        no_secret(&sync_with(&guest, None, &filter, "").await);
        for path in ["messages?dir=b", "state", "members"] {
            guest.get(&in_room(&room, path)).await.err(403, "M_FORBIDDEN");
        }
    }
}

async fn an_unban_shows_nothing_more(server: Homeserver) {
    if is_reference() {
        return;
    }
    let Left { owner, gone, room, .. } = left(&server).await;
    owner.ban(&room, &gone).await;
    let since = gone.now().await;
    owner.text(&room, "SECRET").await;
    owner.post(&in_room(&room, "unban"), &json!({ "user_id": gone.user_id() })).await.ok();
    owner.text(&room, "SECRET").await;
    no_secret(&gone.sync(Some(&since), 0).await);
    no_secret(&gone.get(&in_room(&room, "messages?dir=b&limit=100")).await.ok());
    no_secret(&gone.get(&in_room(&room, "state")).await.ok());
}
