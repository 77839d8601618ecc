//! Contacts that are perhaps one: who talks with them is told, and decides by a reaction or a command.

use harness::{Client, Homeserver, both_databases, enc, eventually};
use serde_json::{Value, json};

use super::support::{Channel, Talk, name, word};
use crate::client::support::{is_reference, list, text};

both_databases!(
    a_suggestion_is_shown_once_and_a_reaction_makes_both_one,
    what_was_merged_is_taken_apart_and_said_to_be_different_by_commands,
    somebody_is_looked_for_and_of_two_owners_one_is_named,
    what_somebody_in_the_room_may_not_see_is_not_shown_there,
);

const CONTACTS: &str = "/_kontor/contacts/v1/contacts";
const WEIGH: &str = "/_kontor/contacts/v1/suggestions/weigh";

/// A channel of people who speak Polish.
async fn open(server: &Homeserver, staff: &[&Client]) -> Channel {
    Channel::open_with(server, staff, json!({ "language": "pl" })).await
}

async fn talk_called(channel: &Channel, name: &str) -> Talk {
    let mut opening = channel.opening(&word());
    opening["profile"]["display_name"] = json!(name);
    channel.talk_of(&opening).await
}

/// Weighs all that changed, and lets those be told who are to be.
pub(super) async fn weigh(admin: &Client) {
    while admin.post(WEIGH, &json!({})).await.ok()["more"] == true {}
}

/// The messages of a backstage room that show somebody.
pub(super) async fn shown(client: &Client, room: &str) -> Vec<Value> {
    let timeline = client.whole_timeline(room).await;
    let shows = |event: &Value| {
        let body = event["content"]["body"].as_str().unwrap_or_default();
        event["sender"] == "@kontor:localhost"
            && body.starts_with("Może to ta sama osoba")
            && body.contains('✅')
    };
    timeline.into_iter().filter(shows).collect()
}

/// What is answered to an event.
async fn answer_to(client: &Client, room: &str, event: &str) -> String {
    let answer = || async {
        let timeline = client.whole_timeline(room).await;
        timeline.into_iter().find(|told| {
            told["sender"] == "@kontor:localhost"
                && told["content"]["m.relates_to"]["m.in_reply_to"]["event_id"] == event
        })
    };
    text(&eventually("an answer", answer).await["content"]["body"])
}

pub(super) async fn said(client: &Client, talk: &Talk, body: &str) -> String {
    let event = client.text(&talk.backstage, body).await;
    answer_to(client, &talk.backstage, &event).await
}

pub(super) async fn react(client: &Client, room: &str, event: &str, key: &str) {
    let content = json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": event, "key": key } });
    let path = format!("/rooms/{}/send/m.reaction/{}", enc(room), word());
    client.put(&path, &content).await.ok();
}

async fn contact_of(client: &Client, talk: &Talk) -> String {
    text(&talk.seen_by(client).await["contact_id"])
}

async fn a_suggestion_is_shown_once_and_a_reaction_makes_both_one(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = open(&server, &[&anna]).await;
    let name = name();
    let (one, other) = (talk_called(&channel, &name).await, talk_called(&channel, &name).await);
    weigh(&channel.admin).await;
    let told = eventually("a suggestion", || async { shown(&anna, &other.backstage).await.pop() }).await;
    let body = text(&told["content"]["body"]);
    assert!(
        body.contains(&name) && body.contains("to samo słowo w nazwie") && body.contains("!scal 1"),
        "{body}"
    );
    // A reaction that says neither does nothing, and one from elsewhere is none.
    react(&anna, &other.backstage, &text(&told["event_id"]), "👍").await;
    react(&anna, &one.backstage, &text(&told["event_id"]), "✅").await;
    react(&anna, &one.room, &text(&told["event_id"]), "✅").await;
    assert_ne!(contact_of(&anna, &one).await, contact_of(&anna, &other).await);
    react(&anna, &other.backstage, &text(&told["event_id"]), "✅").await;
    let answer = answer_to(&anna, &other.backstage, &text(&told["event_id"])).await;
    assert!(answer.contains(&name) && answer.contains("!cofnij"), "{answer}");
    assert_eq!(contact_of(&anna, &one).await, contact_of(&anna, &other).await);
    // Of two visitors the one that was there first stays.
    assert_eq!(contact_of(&anna, &other).await, one.contact);
    for weighed in [json!({}), json!({ "all": true })] {
        channel.admin.post(WEIGH, &weighed).await.ok();
        weigh(&channel.admin).await;
    }
    let all = [shown(&anna, &one.backstage).await, shown(&anna, &other.backstage).await].concat();
    assert_eq!(all.len(), 1, "{all:?}");
    channel.close().await;
}

async fn what_was_merged_is_taken_apart_and_said_to_be_different_by_commands(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = open(&server, &[&anna]).await;
    let name = name();
    let (one, other) = (talk_called(&channel, &name).await, talk_called(&channel, &name).await);
    weigh(&channel.admin).await;
    let listed = said(&anna, &other, "!scal").await;
    assert!(listed.contains(&format!("1: {name}")) && listed.contains("!scal 1 nie"), "{listed}");
    assert!(said(&anna, &other, "!scal 7").await.contains("Nie ma tu numeru 7"));
    assert!(said(&anna, &other, "!scal 1").await.contains("jeden kontakt"));
    assert!(said(&anna, &other, "!scal 1").await.contains("już jeden kontakt"));
    assert_eq!(contact_of(&anna, &other).await, one.contact);
    let apart = said(&anna, &one, "!undo").await;
    assert_eq!(apart, format!("Apart again: {name} and {name}."));
    assert_eq!(contact_of(&anna, &other).await, other.contact);
    assert!(said(&anna, &one, "!скасувати").await.contains("Немає чого"));
    assert!(said(&anna, &other, "!scal 1 nie").await.contains("różne osoby"));
    assert!(said(&anna, &other, "!scal").await.contains("Nikogo tu nie podpowiadam"));
    assert!(said(&anna, &other, "!scal 1").await.contains("!scal 1 tak"));
    assert_eq!(contact_of(&anna, &other).await, other.contact);
    assert!(said(&anna, &other, "!scal 1 tak").await.contains("!cofnij"));
    assert_eq!(contact_of(&anna, &other).await, one.contact);
    channel.close().await;
}

async fn somebody_is_looked_for_and_of_two_owners_one_is_named(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (anna, piotr) = (server.register("anna").await, server.register("piotr").await);
    let channel = open(&server, &[&anna, &piotr]).await;
    let (name, nickname) = (name(), name());
    let (one, other) = (talk_called(&channel, &name).await, talk_called(&channel, &nickname).await);
    for (talk, owner) in [(&one, &anna), (&other, &piotr)] {
        let path = format!("{CONTACTS}/{}", talk.contact);
        let version = anna.get(&path).await.ok()["version"].to_string();
        anna.patch_if(&path, &version, &json!({ "owner": owner.user_id() })).await.ok();
    }
    assert!(said(&anna, &other, "!merge Xyzzy Plugh").await.contains("Nothing was found"));
    let found = said(&anna, &other, &format!("!merge {name}")).await;
    assert!(found.contains(&format!("1: {name}")) && found.contains("!merge 1"), "{found}");
    let asked = said(&anna, &other, "!merge 1").await;
    for part in [anna.user_id(), piotr.user_id(), "!merge 1 @person"] {
        assert!(asked.contains(part), "{part}: {asked}");
    }
    let local = anna.user_id().split(':').next().unwrap();
    assert!(said(&anna, &other, &format!("!merge 1 {local}")).await.contains("One contact now"));
    let card = anna.get(&format!("{CONTACTS}/{}", one.contact)).await.ok();
    assert_eq!(card["owner"], json!(anna.user_id()));
    assert_eq!(list(&card["conversations"]).len(), 2);
    channel.close().await;
}

async fn what_somebody_in_the_room_may_not_see_is_not_shown_there(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (anna, piotr) = (server.register("anna").await, server.register("piotr").await);
    let channel = open(&server, &[&anna, &piotr]).await;
    let name = name();
    let one = talk_called(&channel, &name).await;
    let path = format!("{CONTACTS}/{}", one.contact);
    let version = anna.get(&path).await.ok()["version"].to_string();
    let hidden = json!({ "owner": anna.user_id(), "visibility": "owner" });
    anna.patch_if(&path, &version, &hidden).await.ok();
    let other = talk_called(&channel, &name).await;
    weigh(&channel.admin).await;
    assert!(shown(&piotr, &other.backstage).await.is_empty());
    assert!(said(&piotr, &other, "!scal").await.contains("Nikogo tu nie podpowiadam"));
    assert!(said(&piotr, &other, &format!("!scal {name}")).await.contains("Nic nie znaleziono"));
    // Whoever sees both asks where everybody reads the answer.
    let told = said(&anna, &other, "!scal").await;
    assert!(
        !told.contains(&name) && told.contains("Nie wszyscy") && told.contains("/_kontor/card/"),
        "{told}"
    );
    let path = format!("{CONTACTS}/{}/suggestions", other.contact);
    let found = list(&anna.get(&path).await.ok()["suggestions"]);
    assert_eq!(found[0]["contact_id"], json!(one.contact), "{found:?}");
    assert_eq!(found[0]["fields"]["display_name"]["value"], json!(name));
    assert!(list(&piotr.get(&path).await.ok()["suggestions"]).is_empty());
    channel.close().await;
}
