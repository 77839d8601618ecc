//! What happened with a contact over all its conversations.

use harness::{Client, Homeserver, both_databases, enc, eventually};
use serde_json::{Value, json};

use super::support::{Channel, Talk, word};
use crate::client::support::{is_reference, list, text};

both_databases!(
    the_past_of_a_contact_is_that_of_all_its_conversations_in_one_order,
    files_and_words_of_a_contact_are_found_over_all_its_conversations,
    whoever_is_not_in_a_room_reads_nothing_of_it,
);

/// What was said, without what else happened.
const SAID: &str = "timeline?kinds=message";
const CONTACTS: &str = "/_kontor/contacts/v1/contacts";

/// All pages of a list, each of two items.
pub(super) async fn pages(client: &Client, contact: &str, what: &str) -> Vec<Value> {
    let (mut all, mut from) = (Vec::new(), String::new());
    let and = if what.contains('?') { '&' } else { '?' };
    loop {
        let page = client.get(&format!("{CONTACTS}/{contact}/{what}{and}limit=2{from}")).await.ok();
        let items = list(&page["items"]);
        assert!(items.len() <= 2, "{page}");
        all.extend(items);
        match page["next"].as_str() {
            Some(next) => from = format!("&from={next}"),
            None => return all,
        }
    }
}

fn bodies(items: &[Value]) -> Vec<(String, String)> {
    let body = |item: &Value| (text(&item["side"]), text(&item["event"]["content"]["body"]));
    items.iter().map(body).collect()
}

async fn merged(channel: &Channel) -> (Talk, Talk) {
    let (one, other) = (channel.stranger().await, channel.stranger().await);
    let path = format!("{CONTACTS}/{}/merge", one.contact);
    channel.admin.post(&path, &json!({ "from": [other.contact] })).await.ok();
    (one, other)
}

async fn the_past_of_a_contact_is_that_of_all_its_conversations_in_one_order(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let (one, other) = merged(&channel).await;
    channel.say(&one, "first").await;
    channel.say(&other, "second").await;
    let third = anna.text(&one.room, "thrid").await;
    anna.text(&one.backstage, "among us").await;
    let edit = json!({
        "msgtype": "m.text", "body": "* third", "m.new_content": { "msgtype": "m.text", "body": "third" },
        "m.relates_to": { "rel_type": "m.replace", "event_id": third },
    });
    anna.put(&format!("/rooms/{}/send/m.room.message/{}", enc(&one.room), word()), &edit).await.ok();
    let gone = channel.say(&other, "taken back").await;
    let path = format!("/rooms/{}/redact/{}/{}", enc(&other.room), enc(&gone), word());
    channel.bot.put(&channel.as_customer(&other, &path), &json!({})).await.ok();
    let past = pages(&anna, &one.contact, SAID).await;
    let newest = &past[0]["event"];
    assert!(newest["content"].as_object().unwrap().is_empty(), "{newest}");
    assert!(newest["unsigned"]["redacted_because"].is_object(), "{newest}");
    let told: Vec<(String, String)> = bodies(&past[1..]);
    let said = |side: &str, body: &str| (side.to_owned(), body.to_owned());
    assert_eq!(
        told,
        [
            said("backstage", "among us"),
            said("customer", "thrid"),
            said("customer", "second"),
            said("customer", "first")
        ]
    );
    let edited =
        &past[2]["event"]["unsigned"]["m.relations"]["m.replace"]["content"]["m.new_content"]["body"];
    assert_eq!(*edited, json!("third"));
    assert_eq!(
        (&past[3]["conversation_id"], &past[4]["conversation_id"]),
        (&json!(other.id), &json!(one.id))
    );
    // The same of the id that leads there, and each its own after all.
    assert_eq!(pages(&anna, &other.contact, SAID).await.len(), past.len());
    anna.post("/_kontor/contacts/v1/merges/undo", &json!({ "contact_id": other.contact })).await.ok();
    assert_eq!(bodies(&pages(&anna, &other.contact, SAID).await)[1..], [said("customer", "second")]);
    for wrong in ["from=x", "from=-1", "from=1.2.3", "limit=0", "limit=501", "kinds=all", "kinds="] {
        anna.get(&format!("{CONTACTS}/{}/timeline?{wrong}", one.contact)).await.err(400, "M_INVALID_PARAM");
    }
    channel.close().await;
}

async fn files_and_words_of_a_contact_are_found_over_all_its_conversations(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let (one, other) = merged(&channel).await;
    let (needle, mut sent) = (word(), Vec::new());
    for talk in [&one, &other, &one] {
        channel.say(talk, &format!("where is {needle}?")).await;
        let file = json!({ "msgtype": "m.file", "body": "order.pdf", "url": "mxc://localhost/abc" });
        let path = format!("/rooms/{}/send/m.room.message/{}", enc(&talk.room), word());
        sent.push(text(&anna.put(&path, &file).await.ok()["event_id"]));
    }
    let files = pages(&anna, &one.contact, "files").await;
    let found: Vec<String> = files.iter().map(|file| text(&file["event"]["event_id"])).collect();
    sent.reverse();
    assert_eq!(found, sent);
    anna.text(&one.backstage, &format!("!search {needle}")).await;
    let path = format!("{CONTACTS}/{}/search?q={needle}", one.contact);
    let found = eventually("all three are found", || async {
        let found = list(&anna.get(&path).await.ok()["items"]);
        (found.len() == 3).then_some(found)
    })
    .await;
    assert_eq!(found[1]["conversation_id"], json!(other.id));
    anna.get(&format!("{CONTACTS}/{}/search?q=", one.contact)).await.err(400, "M_INVALID_PARAM");
    channel.close().await;
}

async fn whoever_is_not_in_a_room_reads_nothing_of_it(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (anna, piotr) = (server.register("anna").await, server.register("piotr").await);
    let channel = Channel::open_with(&server, &[&anna], json!({ "visibility": "all" })).await;
    let talk = channel.talk(&word()).await;
    channel.say(&talk, "for anna only").await;
    assert_eq!(bodies(&pages(&anna, &talk.contact, "timeline").await).len(), 1);
    // The card is everybody's, the rooms are not.
    assert!(pages(&piotr, &talk.contact, "timeline").await.is_empty());
    let path = format!("{CONTACTS}/{}", talk.contact);
    assert!(list(&piotr.get(&format!("{path}/search?q=anna")).await.ok()["items"]).is_empty());
    let version = anna.get(&path).await.ok()["version"].to_string();
    let hidden = json!({ "owner": anna.user_id(), "visibility": "owner" });
    anna.patch_if(&path, &version, &hidden).await.ok();
    for what in ["timeline", "files", "search?q=anna"] {
        piotr.get(&format!("{path}/{what}")).await.err(404, "M_NOT_FOUND");
    }
    channel.close().await;
}
