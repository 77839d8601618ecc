//! What is not told: nothing is found, counted, or shown around a result that its finder may not see.

use harness::{Client, Homeserver, both_databases, enc};
use serde_json::json;

use super::{finds_nothing, found, search, until_found, word};
use crate::client::support::{bring_in, room_showing};

both_databases!(
    who_left_finds_what_came_before_and_nothing_after,
    who_was_removed_finds_nothing_of_later,
    history_before_the_join_is_found_only_where_it_may_be_seen,
    strangers_and_the_invited_find_nothing,
    forgotten_rooms_are_not_searched,
    messages_of_ignored_users_are_neither_found_nor_counted,
    who_left_finds_the_text_from_before_an_edit,
    what_stands_around_a_result_ends_where_sight_ends,
    groups_and_pages_tell_nothing_more,
    words_of_erased_accounts_are_not_found_by_those_who_came_later,
);

async fn who_left_finds_what_came_before_and_nothing_after(server: Homeserver) {
    let owner = server.register("owner").await;
    let gone = server.register("gone").await;
    let room = owner.room_with(&[&gone]).await;
    let it = word("tajemnica");
    let before = owner.text(&room, &it).await;
    gone.leave(&room).await;
    for _ in 0..3 {
        owner.text(&room, &it).await;
    }
    owner.set_state(&room, "m.room.topic", "", &json!({ "topic": it })).await;
    until_found(&owner, &it, 5).await;
    let answer =
        search(&gone, &it, json!({ "include_state": true, "event_context": { "after_limit": 9 } })).await;
    assert_eq!((found(&answer), &answer["count"]), (vec![before], &json!(1)), "{answer}");
    assert_eq!(answer.to_string().matches(&it).count(), 2, "the text and what to highlight: {answer}");
    bring_in(&owner, &room, &gone).await;
    // Back again, shared history shows what was missed.
    assert_eq!(search(&gone, &it, json!({})).await["count"], 5);
}

async fn who_was_removed_finds_nothing_of_later(server: Homeserver) {
    let owner = server.register("owner").await;
    let (kicked, banned) = (server.register("kicked").await, server.register("banned").await);
    let room = owner.room_with(&[&kicked, &banned]).await;
    let (early, late) = (word("wczesniej"), word("pozniej"));
    owner.text(&room, &early).await;
    owner.kick(&room, &kicked).await;
    owner.ban(&room, &banned).await;
    owner.text(&room, &late).await;
    until_found(&owner, &late, 1).await;
    for client in [&kicked, &banned] {
        assert_eq!(search(client, &early, json!({})).await["count"], 1);
        finds_nothing(client, &late).await;
    }
}

async fn history_before_the_join_is_found_only_where_it_may_be_seen(server: Homeserver) {
    let owner = server.register("owner").await;
    for (setting, expected) in [("world_readable", 3), ("shared", 3), ("invited", 2), ("joined", 1)] {
        let guest = server.register("guest").await;
        let room = room_showing(&owner, setting).await;
        let it = word("dzieje");
        owner.text(&room, &it).await;
        owner.invite(&room, &guest).await;
        owner.text(&room, &it).await;
        guest.join(&room).await;
        owner.text(&room, &it).await;
        until_found(&owner, &it, 3).await;
        let answer = search(&guest, &it, json!({})).await;
        assert_eq!((&answer["count"], found(&answer).len()), (&json!(expected), expected), "{setting}");
    }
}

async fn strangers_and_the_invited_find_nothing(server: Homeserver) {
    let owner = server.register("owner").await;
    let (stranger, invited) = (server.register("stranger").await, server.register("invited").await);
    for setting in ["world_readable", "shared", "invited", "joined"] {
        let room = room_showing(&owner, setting).await;
        let it = word("obcy");
        owner.invite(&room, &invited).await;
        owner.text(&room, &it).await;
        until_found(&owner, &it, 1).await;
        finds_nothing(&stranger, &it).await;
        if setting == "shared" || setting == "joined" {
            finds_nothing(&invited, &it).await;
        }
        let filter = json!({ "filter": { "rooms": [room] } });
        assert_eq!(search(&stranger, &it, filter).await["count"], 0);
    }
}

async fn forgotten_rooms_are_not_searched(server: Homeserver) {
    let owner = server.register("owner").await;
    let guest = server.register("guest").await;
    let room = owner.room_with(&[&guest]).await;
    let it = word("zapomniane");
    owner.text(&room, &it).await;
    until_found(&guest, &it, 1).await;
    guest.leave(&room).await;
    assert_eq!(search(&guest, &it, json!({})).await["count"], 1);
    guest.post(&format!("/rooms/{}/forget", enc(&room)), &json!({})).await.ok();
    finds_nothing(&guest, &it).await;
}

async fn ignore(client: &Client, other: &Client) {
    let path = format!("/user/{}/account_data/m.ignored_user_list", enc(client.user_id()));
    client.put(&path, &json!({ "ignored_users": { other.user_id(): {} } })).await.ok();
}

async fn messages_of_ignored_users_are_neither_found_nor_counted(server: Homeserver) {
    let reader = server.register("reader").await;
    let (pest, friend) = (server.register("pest").await, server.register("friend").await);
    let room = reader.room_with(&[&pest, &friend]).await;
    let it = word("natret");
    pest.text(&room, &format!("{it} KUP")).await;
    let kept = friend.text(&room, &it).await;
    pest.text(&room, &format!("{it} KUP")).await;
    until_found(&reader, &it, 3).await;
    ignore(&reader, &pest).await;
    let wish = json!({ "event_context": {}, "groupings": { "group_by": [{ "key": "sender" }] } });
    let answer = search(&reader, &it, wish).await;
    assert_eq!((found(&answer), &answer["count"]), (vec![kept], &json!(1)));
    assert!(!answer.to_string().contains("KUP"), "{answer}");
    assert_eq!(answer["groups"]["sender"].as_object().unwrap().len(), 1);
    assert_eq!(search(&friend, &it, json!({})).await["count"], 3);
}

async fn who_left_finds_the_text_from_before_an_edit(server: Homeserver) {
    let owner = server.register("owner").await;
    let gone = server.register("gone").await;
    let room = owner.room_with(&[&gone]).await;
    let (old, new) = (word("przed"), word("po"));
    let message = owner.text(&room, &old).await;
    gone.leave(&room).await;
    let edit = json!({
        "msgtype": "m.text", "body": format!("* {new}"), "m.new_content": { "msgtype": "m.text", "body": new },
        "m.relates_to": { "rel_type": "m.replace", "event_id": message },
    });
    owner.send(&room, "m.room.message", &edit).await;
    assert_eq!(found(&until_found(&owner, &new, 1).await), [message.clone()]);
    finds_nothing(&owner, &old).await;
    finds_nothing(&gone, &new).await;
    let answer = search(&gone, &old, json!({})).await;
    assert_eq!((found(&answer), &answer["count"]), (vec![message], &json!(1)));
    assert!(!answer.to_string().contains(&new), "{answer}");
}

async fn what_stands_around_a_result_ends_where_sight_ends(server: Homeserver) {
    let owner = server.register("owner").await;
    let guest = server.register("guest").await;
    let room = room_showing(&owner, "joined").await;
    let it = word("okno");
    owner.text(&room, "SECRET before").await;
    bring_in(&owner, &room, &guest).await;
    owner.text(&room, &it).await;
    guest.leave(&room).await;
    owner.text(&room, "SECRET after").await;
    until_found(&owner, &it, 1).await;
    let wish = json!({ "event_context": { "before_limit": 20, "after_limit": 20, "include_profile": true }, "include_state": true });
    let answer = search(&guest, &it, wish.clone()).await;
    assert_eq!(found(&answer).len(), 1);
    assert!(!answer.to_string().contains("SECRET"), "{answer}");
    assert!(search(&owner, &it, wish).await.to_string().matches("SECRET").count() == 2);
}

async fn groups_and_pages_tell_nothing_more(server: Homeserver) {
    let owner = server.register("owner").await;
    let gone = server.register("gone").await;
    let room = owner.room_with(&[&gone]).await;
    let it = word("grupa");
    for number in 0..30 {
        if number == 15 {
            gone.leave(&room).await;
        }
        owner.text(&room, &format!("{it} {number}")).await;
    }
    until_found(&owner, &it, 30).await;
    for order in ["rank", "recent"] {
        let group_by = json!([{ "key": "room_id" }, { "key": "sender" }]);
        let wish = json!({ "order_by": order, "groupings": { "group_by": group_by } });
        let mut seen = Vec::new();
        let mut from: Option<String> = None;
        loop {
            let page = super::search_from(&gone, &it, wish.clone(), from.as_deref()).await;
            assert_eq!(page["count"], 15);
            seen.extend(found(&page));
            let Some(next) = page["next_batch"].as_str() else { break };
            from = Some(next.to_owned());
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 15, "{order}");
    }
}

async fn words_of_erased_accounts_are_not_found_by_those_who_came_later(server: Homeserver) {
    let owner = server.register("owner").await;
    let erased = server.register("erased").await;
    let room = owner.room_with(&[&erased]).await;
    let it = word("wymazane");
    erased.text(&room, &it).await;
    let stays = owner.text(&room, &it).await;
    until_found(&owner, &it, 2).await;
    let identifier = json!({ "type": "m.id.user", "user": erased.user_id() });
    let auth = json!({ "type": "m.login.password", "password": server.password(), "identifier": identifier });
    let body = json!({ "auth": auth, "erase": true });
    erased.post("/account/deactivate", &body).await.ok();
    let late = server.register("late").await;
    bring_in(&owner, &room, &late).await;
    let answer = search(&late, &it, json!({ "event_context": {} })).await;
    assert_eq!((found(&answer), &answer["count"]), (vec![stays], &json!(1)), "{answer}");
    assert_eq!(search(&owner, &it, json!({})).await["count"], 2);
}
