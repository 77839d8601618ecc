//! Lazy loading: members are told when somebody of them speaks.

use std::collections::BTreeSet;

use harness::{Client, Homeserver, both_databases, enc};
use serde_json::{Value, json};

use crate::client::support::{in_room, list, sync_with, text};

both_databases!(
    the_first_lazy_sync_tells_the_members_who_speak_the_reader_and_the_heroes,
    a_lazy_sync_tells_members_who_begin_to_speak,
    a_lazy_sync_tells_the_reader_itself_on_joining,
    membership_changes_in_the_gap_are_told_to_lazy_clients,
    lazy_messages_tell_the_members_of_their_senders,
    a_lazy_context_tells_the_members_of_its_senders,
    without_lazy_loading_all_members_are_told,
);

fn lazy(limit: usize) -> Value {
    json!({ "room": { "state": { "lazy_load_members": true }, "timeline": { "limit": limit } } })
}

/// Users whose member events a list holds.
fn members(events: &Value) -> BTreeSet<String> {
    let members = list(events).into_iter().filter(|event| event["type"] == "m.room.member");
    members.map(|event| text(&event["state_key"])).collect()
}

struct Crowd {
    alice: Client,
    others: Vec<Client>,
    room: String,
}

/// A named room of nine in which everybody joined long before the last messages.
async fn crowd(server: &Homeserver) -> Crowd {
    let alice = server.register("alice").await;
    let mut others = Vec::new();
    let room = alice.create_room(json!({ "preset": "public_chat", "name": "Crowd" })).await;
    for n in 0..8 {
        let other = server.register(&format!("other{n}")).await;
        other.join(&room).await;
        others.push(other);
    }
    for n in 0..12 {
        alice.text(&room, &format!("{n}")).await;
    }
    Crowd { alice, others, room }
}

async fn the_first_lazy_sync_tells_the_members_who_speak_the_reader_and_the_heroes(server: Homeserver) {
    let Crowd { alice, others, room } = crowd(&server).await;
    others[3].text(&room, "me").await;
    let answer = sync_with(&others[5], None, &lazy(5), "").await;
    let told = &answer["rooms"]["join"][&room];
    let mut expected: BTreeSet<_> =
        [&alice, &others[3], &others[5]].into_iter().map(|client| client.user_id().to_owned()).collect();
    expected.extend(list(&told["summary"]["m.heroes"]).iter().map(text));
    assert_eq!(members(&told["state"]["events"]), expected);
    assert!(expected.len() < 9, "{expected:?}");
    assert!(list(&told["state"]["events"]).iter().any(|event| event["type"] == "m.room.create"));
    assert_eq!(told["summary"]["m.joined_member_count"], 9);
    // A room without a name is named after its heroes, so their names must be known.
    let room = alice.room_with(&[&others[0], &others[1]]).await;
    for n in 0..5 {
        alice.text(&room, &format!("{n}")).await;
    }
    let answer = sync_with(&alice, None, &lazy(2), "").await;
    let told = &answer["rooms"]["join"][&room];
    let heroes: BTreeSet<_> = list(&told["summary"]["m.heroes"]).iter().map(text).collect();
    assert_eq!(heroes.len(), 2, "{told}");
    assert!(heroes.is_subset(&members(&told["state"]["events"])), "heroes without a name: {told}");
}

async fn a_lazy_sync_tells_members_who_begin_to_speak(server: Homeserver) {
    let Crowd { alice, others, room } = crowd(&server).await;
    let filter = lazy(5);
    let since = text(&sync_with(&alice, None, &filter, "").await["next_batch"]);
    others[2].text(&room, "hello").await;
    let answer = sync_with(&alice, Some(&since), &filter, "").await;
    let told = &answer["rooms"]["join"][&room];
    assert_eq!(members(&told["state"]["events"]), BTreeSet::from([others[2].user_id().to_owned()]));
}

async fn a_lazy_sync_tells_the_reader_itself_on_joining(server: Homeserver) {
    let Crowd { alice, others: _, room } = crowd(&server).await;
    let late = server.register("late").await;
    let filter = lazy(3);
    let since = text(&sync_with(&late, None, &filter, "").await["next_batch"]);
    late.join(&room).await;
    for n in 0..5 {
        alice.text(&room, &format!("{n}")).await;
    }
    let answer = sync_with(&late, Some(&since), &filter, "").await;
    let told = &answer["rooms"]["join"][&room];
    let members = members(&told["state"]["events"]);
    assert!(members.contains(late.user_id()) && members.contains(alice.user_id()), "{told}");
}

async fn membership_changes_in_the_gap_are_told_to_lazy_clients(server: Homeserver) {
    let Crowd { alice, others, room } = crowd(&server).await;
    let filter = lazy(3);
    let since = text(&sync_with(&alice, None, &filter, "").await["next_batch"]);
    others[0].leave(&room).await;
    let late = server.register("late").await;
    late.join(&room).await;
    for n in 0..5 {
        alice.text(&room, &format!("{n}")).await;
    }
    let answer = sync_with(&alice, Some(&since), &filter, "").await;
    let told = members(&answer["rooms"]["join"][&room]["state"]["events"]);
    assert!(told.contains(others[0].user_id()) && told.contains(late.user_id()), "{answer}");
}

async fn lazy_messages_tell_the_members_of_their_senders(server: Homeserver) {
    let Crowd { alice, others, room } = crowd(&server).await;
    others[1].text(&room, "one").await;
    let filter = enc(&json!({ "lazy_load_members": true }).to_string());
    let page = alice.get(&in_room(&room, &format!("messages?dir=b&limit=3&filter={filter}"))).await.ok();
    let expected = BTreeSet::from([alice.user_id().to_owned(), others[1].user_id().to_owned()]);
    assert_eq!(members(&page["state"]), expected);
    let page = alice.get(&in_room(&room, "messages?dir=b&limit=3")).await.ok();
    assert!(list(&page["state"]).is_empty(), "{page}");
}

async fn a_lazy_context_tells_the_members_of_its_senders(server: Homeserver) {
    let Crowd { alice, others, room } = crowd(&server).await;
    let event = others[1].text(&room, "one").await;
    let filter = enc(&json!({ "lazy_load_members": true }).to_string());
    let path = format!("context/{}?limit=4&filter={filter}", enc(&event));
    let context = alice.get(&in_room(&room, &path)).await.ok();
    let expected = BTreeSet::from([alice.user_id().to_owned(), others[1].user_id().to_owned()]);
    assert_eq!(members(&context["state"]), expected);
    assert!(list(&context["state"]).iter().any(|event| event["type"] == "m.room.create"), "{context}");
}

async fn without_lazy_loading_all_members_are_told(server: Homeserver) {
    let Crowd { alice, others, room } = crowd(&server).await;
    let answer = alice.sync(None, 0).await;
    assert_eq!(members(&answer["rooms"]["join"][&room]["state"]["events"]).len(), others.len() + 1);
}
