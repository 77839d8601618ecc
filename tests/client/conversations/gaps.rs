//! What follows by itself: names in rooms, people in rooms, the card beside rooms from before.

use harness::{Client, Db, Homeserver, Server, both_databases, eventually, on_each_database};
use serde_json::{Value, json};

use super::support::{Channel, word};
use crate::client::support::{is_reference, text};

both_databases!(
    names_follow_the_network_and_the_card,
    who_becomes_a_member_while_a_conversation_is_closed_is_there_when_it_goes_on,
);

on_each_database!(rooms_from_before_show_the_card_as_the_setting_says);

const LAYOUT: &str = "io.element.widgets.layout";

async fn names_follow_the_network_and_the_card(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let customer = word();
    let mut opening = channel.opening(&customer);
    let talk = channel.talk_of(&opening).await;
    let shown = async || {
        let ghost = anna.state(&talk.room, "m.room.member", &talk.ghost).await.ok();
        let name = anna.state(&talk.room, "m.room.name", "").await.ok();
        let backstage = anna.state(&talk.backstage, "m.room.name", "").await.ok();
        let profile = anna.get(&format!("/profile/{}/displayname", harness::enc(&talk.ghost))).await.ok();
        [&ghost["displayname"], &profile["displayname"], &name["name"], &backstage["name"]].map(text)
    };
    let named = |name: &str| {
        [name.to_owned(), name.to_owned(), format!("{name} · Shop"), format!("{name} · wewnętrzne")]
    };
    assert_eq!(shown().await, named(&format!("Customer {customer}")));
    opening["profile"]["display_name"] = json!("Oksana");
    channel.ask(&opening).await.ok();
    assert_eq!(shown().await, named("Oksana"), "what the network says");
    let path = format!("/_kontor/contacts/v1/contacts/{}", talk.contact);
    let change = async |name: Value| {
        let version = anna.get(&path).await.ok()["version"].to_string();
        anna.patch_if(&path, &version, &json!({ "fields": { "display_name": name } })).await.ok();
    };
    change(json!("Oksana Kowalska")).await;
    assert_eq!(shown().await, named("Oksana Kowalska"), "what an employee says comes first");
    opening["profile"]["display_name"] = json!("Ksenia");
    channel.ask(&opening).await.ok();
    assert_eq!(shown().await, named("Oksana Kowalska"));
    change(Value::Null).await;
    assert_eq!(shown().await, named("Ksenia"));
    let count = async || anna.whole_timeline(&talk.room).await.len();
    let before = count().await;
    channel.ask(&opening).await.ok();
    assert_eq!(count().await, before, "what is known fills no history");
    channel.close().await;
}

async fn who_becomes_a_member_while_a_conversation_is_closed_is_there_when_it_goes_on(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (anna, bob) = (server.register("anna").await, server.register("bob").await);
    let channel = Channel::open(&server, &[&anna]).await;
    let (closed, open) = (channel.talk(&word()).await, channel.talk(&word()).await);
    anna.post(&closed.path("/status"), &json!({ "status": "closed" })).await.ok();
    let path = format!("/_kontor/admin/v1/channels/{}", channel.id);
    channel.admin.patch(&path, &json!({ "members": [anna.user_id(), bob.user_id()] })).await.ok();
    let joined = async |client: &Client| {
        let mut rooms: Vec<String> =
            serde_json::from_value(client.get("/joined_rooms").await.ok()["joined_rooms"].clone()).unwrap();
        rooms.sort();
        rooms
    };
    let sorted = |mut rooms: Vec<String>| {
        rooms.sort();
        rooms
    };
    let (some, all) = (
        sorted(vec![open.room.clone(), open.backstage.clone()]),
        sorted(vec![
            open.room.clone(),
            open.backstage.clone(),
            closed.room.clone(),
            closed.backstage.clone(),
        ]),
    );
    eventually("bob comes where something goes on", || async { (joined(&bob).await == some).then_some(()) })
        .await;
    channel.say(&closed, "One more thing.").await;
    eventually("bob comes where it goes on again", || async { (joined(&bob).await == all).then_some(()) })
        .await;
    channel.close().await;
}

async fn rooms_from_before_show_the_card_as_the_setting_says(db: Db) {
    let mut process = Server::start(db);
    let (talk, anna, open, address) = {
        let server = process.homeserver();
        let anna = server.register("anna").await;
        let channel = Channel::open(&server, &[&anna]).await;
        let talk = channel.talk(&word()).await;
        let state = anna.state(&talk.backstage, "im.vector.modular.widgets", "dev.kontor.card").await;
        assert_eq!(state.status, 404, "nothing was said of clients yet");
        (talk, anna, channel, server.base_url().to_owned())
    };
    let widget = async |url: Option<&str>| {
        let so = || async {
            let state = anna.state(&talk.backstage, "im.vector.modular.widgets", "dev.kontor.card").await;
            let layout = anna.state(&talk.backstage, LAYOUT, "").await;
            let (state, layout) = (state.json, layout.json);
            let right = match url {
                Some(url) => {
                    text(&state["url"]).starts_with(&format!("{url}/_kontor/card/{}?", talk.id))
                        && layout["widgets"]["dev.kontor.card"]["container"] == "right"
                }
                None => state == json!({}) && layout == json!({}),
            };
            right.then_some(())
        };
        eventually("the room shows what the setting says", so).await;
    };
    let clients = |list: &[&str]| ("company.card_clients", toml::Value::from(list.to_vec()));
    let base = |url: &str| ("public_base_url", toml::Value::from(url));
    for (settings, url) in [
        (
            vec![base("https://one.example"), clients(&["https://element.example"])],
            Some("https://one.example"),
        ),
        (vec![base("https://two.example")], Some("https://two.example")),
        (vec![clients(&[])], None),
    ] {
        process.terminate();
        process.set(&settings);
        process.start_again();
        widget(url).await;
    }
    // The customer's room was never touched.
    let state = anna.state(&talk.room, "im.vector.modular.widgets", "dev.kontor.card").await;
    assert_eq!(state.status, 404);
    assert_eq!(process.homeserver().base_url(), address);
    open.close().await;
}
