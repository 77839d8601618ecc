//! Visitors of whom nothing is known are forgotten when they were silent for long; all others stay.

use std::time::{Duration, Instant};

use harness::{Client, Db, Server, on_each_database};
use serde_json::{Value, json};

use super::size::change;
use super::support::{Channel, Talk, name, word};
use crate::client::support::{list, text};

on_each_database!(visitors_of_whom_nothing_is_known_are_forgotten_and_all_others_stay);

const CONTACTS: &str = "/_kontor/contacts/v1/contacts";
/// The sweep takes a step every minute.
const PATIENCE: Duration = Duration::from_secs(240);

/// Tables whose rows are of a contact.
const TABLES: [&str; 12] = [
    "contact",
    "contact_field",
    "contact_identity",
    "contact_name",
    "contact_token",
    "contact_voice",
    "contact_due",
    "contact_tag",
    "company_person",
    "claim",
    "consent",
    "arrival",
];

/// Makes all contacts but one as old as can be: ids begin with the moment at which they were made.
fn aged(but: &str) -> String {
    let mut sql = Vec::new();
    let mut age = |table: &str, column: &str| {
        sql.push(format!(
            "UPDATE {table} SET {column} = '00' || substr({column}, 3) WHERE {column} <> '{but}'"
        ));
    };
    TABLES.iter().for_each(|table| age(table, "contact_id"));
    age("contact", "redirect_to");
    age("contact_merge", "from_id");
    age("contact_merge", "into_id");
    sql.push(format!("UPDATE contact_voice SET last_ts = 1 WHERE contact_id <> '{but}'"));
    sql.push(format!("UPDATE contact_identity SET last_seen_ts = 1 WHERE contact_id <> '{but}'"));
    sql.join(";\n")
}

/// The id that a contact has since then.
fn old(id: &str) -> String {
    format!("00{}", &id[2..])
}

/// Somebody who looked in: a name, and nothing to reach them by.
struct Visitor {
    id: String,
    name: String,
}

/// A visitor who came through something that opens no conversations.
async fn looked_in(admin: &Client) -> Visitor {
    let (name, arrival) = (name(), word());
    let came = json!({
        "arrival_id": arrival, "channel": "website", "id_type": "visitor", "external_id": arrival, "display_name": name,
    });
    let told = admin.post("/_kontor/contacts/v1/arrivals", &json!({ "arrivals": [came] })).await.ok();
    Visitor { id: text(&told["arrivals"][0]["contact_id"]), name }
}

async fn card(client: &Client, id: &str) -> Value {
    client.get(&format!("{CONTACTS}/{id}")).await.ok()
}

/// Ids of all contacts.
async fn listed(client: &Client) -> Vec<String> {
    let page = client.get(&format!("{CONTACTS}?limit=500")).await.ok();
    assert!(page["next"].is_null(), "{page}");
    list(&page["contacts"]).iter().map(|one| text(&one["contact_id"])).collect()
}

async fn found(client: &Client, name: &str) -> usize {
    let path = format!("/_kontor/contacts/v1/lookup?q={}", harness::enc(name));
    list(&client.get(&path).await.ok()["candidates"]).len()
}

/// Visitors of whom something is known, each something else; and the id of one who is linked to the first.
async fn known(channel: &Channel, anna: &Client) -> (Vec<(&'static str, Visitor)>, String) {
    let admin = &channel.admin;
    let mut all = Vec::new();
    for what in ["one that another is linked to", "an owner", "a name by an employee", "a company", "a tag"] {
        all.push((what, looked_in(admin).await));
    }
    let path = |index: usize, rest: &str| format!("{CONTACTS}/{}{rest}", all[index].1.id);
    admin.put(&path(4, "/tags/vip"), &json!({})).await.ok();
    for (index, wish) in
        [(1, json!({ "owner": anna.user_id() })), (2, json!({ "fields": { "display_name": all[2].1.name } }))]
    {
        let version = card(admin, &all[index].1.id).await["version"].to_string();
        admin.patch_if(&path(index, ""), &version, &wish).await.ok();
    }
    let made = admin.post("/_kontor/contacts/v1/companies", &json!({ "name": name() })).await;
    let company = text(&made.json["company_id"]);
    let person = format!("/_kontor/contacts/v1/companies/{company}/people/{}", all[3].1.id);
    admin.put(&person, &json!({ "role": "employee" })).await.ok();
    let other = looked_in(admin).await;
    admin.post(&path(0, "/merge"), &json!({ "from": [other.id] })).await.ok();
    // Those who have conversations.
    for what in ["a number", "a note", "a task", "who waits for an answer"] {
        let name = name();
        let mut opening = channel.opening(&word());
        opening["profile"]["display_name"] = json!(name);
        opening["claims"] = match what {
            "a number" => {
                json!([{ "kind": "phone", "value": "+48 512 342 152", "trust": "claimed", "source": "form" }])
            }
            _ => json!([]),
        };
        let talk = channel.talk_of(&opening).await;
        match what {
            "a note" => drop(anna.text(&talk.backstage, "!note asked for oak").await),
            "a task" => drop(anna.text(&talk.backstage, "!task call back").await),
            "who waits for an answer" => drop(channel.say(&talk, "Is anybody there?").await),
            _ => {}
        }
        all.push((what, Visitor { id: talk.contact, name }));
    }
    (all, other.id)
}

/// One who has a conversation, which was answered.
async fn talked(channel: &Channel, anna: &Client) -> (Value, Talk, String) {
    let name = name();
    let mut opening = channel.opening(&word());
    opening["profile"]["display_name"] = json!(name);
    opening["claims"] = json!([]);
    let talk = channel.talk_of(&opening).await;
    channel.say(&talk, "Do you have chairs?").await;
    anna.text(&talk.room, "We do.").await;
    (opening, talk, name)
}

async fn visitors_of_whom_nothing_is_known_are_forgotten_and_all_others_stay(db: Db) {
    let mut process = Server::start_with(db, &[("company.anonymous_visitors_days", toml::Value::from(1))]);
    let server = process.homeserver();
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let gone = looked_in(&channel.admin).await;
    let (opening, nameless, called) = talked(&channel, &anna).await;
    let (others, linked) = known(&channel, &anna).await;
    let recent = looked_in(&channel.admin).await;
    assert_eq!(card(&channel.admin, &gone.id).await["stage"], "visitor");
    process.terminate();
    change(&process, db, &aged(&recent.id));
    process.start_again();
    let admin = &channel.admin;
    let (path, end) = (format!("{CONTACTS}/{}", old(&gone.id)), Instant::now() + PATIENCE);
    assert_eq!(card(admin, &old(&gone.id)).await["stage"], "visitor", "it was there");
    assert_eq!((found(admin, &gone.name).await, found(admin, &called).await), (1, 1));
    // Both go in one step.
    while admin.get(&path).await.status == 200 {
        assert!(Instant::now() < end, "it is not forgotten within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    admin.get(&path).await.err(404, "M_NOT_FOUND");
    admin.get(&format!("{path}/timeline")).await.err(404, "M_NOT_FOUND");
    let all = listed(admin).await;
    assert!(!all.contains(&old(&gone.id)));
    assert_eq!((found(admin, &gone.name).await, found(admin, &called).await), (0, 0));
    for (what, other) in &others {
        let card = admin.get(&format!("{CONTACTS}/{}", old(&other.id))).await;
        assert_eq!((card.status, found(admin, &other.name).await), (200, 1), "{what}: {card}");
        assert!(all.contains(&old(&other.id)), "{what}");
    }
    let linked = admin.get(&format!("{CONTACTS}/{}", old(&linked))).await;
    assert_eq!(linked.json["contact_id"], json!(old(&others[0].1.id)), "{linked}");
    assert_eq!(found(admin, &recent.name).await, 1, "who was there today");
    // Who talked stays as somebody without a name, and so are the rooms called.
    let left = card(admin, &old(&nameless.contact)).await;
    assert!(!left.to_string().contains(&called) && left["fields"] == json!({}), "{left}");
    let unnamed = || async {
        let state = anna.state(&nameless.room, "m.room.name", "").await.ok();
        (!state.to_string().contains(&called)).then_some(())
    };
    harness::eventually("the room bears no name", unnamed).await;
    // What they write later finds its room.
    let again = channel.ask(&opening).await.ok();
    assert_eq!(
        (&again["room_id"], &again["contact_id"]),
        (&json!(nameless.room), &json!(old(&nameless.contact)))
    );
    channel.close().await;
}
