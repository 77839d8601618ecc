//! Lists of members.

use harness::{Client, Homeserver, both_databases, enc};
use serde_json::{Value, json};

use crate::client::support::{in_room, list, text};

both_databases!(
    members_are_listed_by_membership,
    members_are_listed_as_they_were_at_a_token,
    joined_members_have_names_and_pictures,
    joined_rooms_lists_joined_rooms_only,
);

/// User ids of the member events in an answer.
fn who(answer: &Value) -> Vec<String> {
    let mut who: Vec<_> = list(&answer["chunk"]).iter().map(|event| text(&event["state_key"])).collect();
    who.sort();
    who
}

fn names(people: &[&Client]) -> Vec<String> {
    let mut names: Vec<_> = people.iter().map(|person| person.user_id().to_owned()).collect();
    names.sort();
    names
}

async fn members_are_listed_by_membership(server: Homeserver) {
    let owner = server.register("owner").await;
    let joined = server.register("joined").await;
    let invited = server.register("invited").await;
    let gone = server.register("gone").await;
    let banned = server.register("banned").await;
    let room = owner.room_with(&[&joined, &gone, &banned]).await;
    owner.invite(&room, &invited).await;
    gone.leave(&room).await;
    owner.ban(&room, &banned).await;
    for (query, expected) in [
        ("", vec![&owner, &joined, &invited, &gone, &banned]),
        ("?membership=join", vec![&owner, &joined]),
        ("?membership=ban", vec![&banned]),
        ("?not_membership=leave", vec![&owner, &joined, &invited, &banned]),
        ("?membership=knock", vec![]),
    ] {
        let answer = joined.get(&in_room(&room, &format!("members{query}"))).await.ok();
        assert_eq!(who(&answer), names(&expected), "{query}");
        let event = &answer["chunk"][0];
        assert!(event.is_null() || event["room_id"] == room, "{event}");
    }
    joined.get(&in_room(&room, "members?membership=dancing")).await;
    let stranger = server.register("stranger").await;
    stranger.get(&in_room(&room, "members")).await.err(403, "M_FORBIDDEN");
    invited.get(&in_room(&room, "members")).await.err(403, "M_FORBIDDEN");
}

async fn members_are_listed_as_they_were_at_a_token(server: Homeserver) {
    let owner = server.register("owner").await;
    let first = server.register("first").await;
    let second = server.register("second").await;
    let room = owner.room_with(&[&first]).await;
    owner.text(&room, "x").await;
    let then = owner.now().await;
    owner.invite(&room, &second).await;
    second.join(&room).await;
    first.leave(&room).await;
    let path = format!("members?membership=join&at={}", enc(&then));
    assert_eq!(who(&owner.get(&in_room(&room, &path)).await.ok()), names(&[&owner, &first]));
    let answer = owner.get(&in_room(&room, "members?membership=join")).await.ok();
    assert_eq!(who(&answer), names(&[&owner, &second]));
    // A token of a timeline works as well.
    let sync = owner.sync(None, 0).await;
    let prev_batch = text(&sync["rooms"]["join"][&room]["timeline"]["prev_batch"]);
    owner.get(&in_room(&room, &format!("members?at={}", enc(&prev_batch)))).await.ok();
}

async fn joined_members_have_names_and_pictures(server: Homeserver) {
    let owner = server.register("owner").await;
    let guest = server.register("guest").await;
    let gone = server.register("gone").await;
    let profile = format!("/profile/{}", enc(guest.user_id()));
    guest.put(&format!("{profile}/displayname"), &json!({ "displayname": "Guest" })).await.ok();
    guest.put(&format!("{profile}/avatar_url"), &json!({ "avatar_url": "mxc://localhost/g" })).await.ok();
    let room = owner.room_with(&[&guest, &gone]).await;
    gone.leave(&room).await;
    let joined = owner.get(&in_room(&room, "joined_members")).await.ok()["joined"].clone();
    assert_eq!(joined.as_object().unwrap().len(), 2, "{joined}");
    assert_eq!(joined[guest.user_id()]["display_name"], "Guest", "{joined}");
    assert_eq!(joined[guest.user_id()]["avatar_url"], "mxc://localhost/g", "{joined}");
}

async fn joined_rooms_lists_joined_rooms_only(server: Homeserver) {
    let owner = server.register("owner").await;
    let guest = server.register("guest").await;
    let joined = owner.room_with(&[&guest]).await;
    let left = owner.room_with(&[&guest]).await;
    guest.leave(&left).await;
    owner.create_room(json!({ "invite": [guest.user_id()] })).await;
    assert_eq!(guest.get("/joined_rooms").await.ok()["joined_rooms"], json!([joined]));
}
