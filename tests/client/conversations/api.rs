//! The company API: who sees what, versions of cards, what bridges tell, and the document about it all.

use harness::{Homeserver, both_databases, enc};
use serde_json::json;

use super::kept::patch;
use super::support::{Channel, word};
use crate::client::support::{is_reference, list, text};

both_databases!(
    what_one_may_not_see_is_not_there,
    a_card_is_changed_by_whoever_read_it_last,
    what_is_said_about_a_customer_and_agreed_to_is_on_the_card,
    a_bridge_tells_of_its_own_channels_only,
    channels_are_made_changed_and_removed_by_administrators,
    the_document_describes_what_is_served,
    ids_and_words_that_cannot_be_are_refused,
);

const CONTACTS: &str = "/_kontor/contacts/v1/contacts";

async fn what_one_may_not_see_is_not_there(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (anna, eve) = (server.register("anna").await, server.register("eve").await);
    let channel = Channel::open(&server, &[&anna]).await;
    let talk = channel.talk(&word()).await;
    let card = format!("{CONTACTS}/{}", talk.contact);
    assert_eq!(anna.get(&card).await.ok()["contact_id"], json!(talk.contact));
    for path in [card.clone(), talk.path("")] {
        let (hidden, none) = (eve.get(&path).await, eve.get(&format!("{path}x")).await);
        assert_eq!((hidden.status, &hidden.json), (404, &none.json), "as if it were not there");
        channel.bot.get(&path).await.err(403, "M_FORBIDDEN");
        server.anonymous().get(&path).await.err(401, "M_MISSING_TOKEN");
    }
    patch(&eve, &card, "1", &json!({ "stage": "lead" })).await.err(404, "M_NOT_FOUND");
    for act in ["/claim", "/assign", "/status"] {
        let body = json!({ "user_id": eve.user_id(), "status": "open" });
        eve.post(&talk.path(act), &body).await.err(404, "M_NOT_FOUND");
    }
    // Others may have made contacts that everybody sees.
    for list in [CONTACTS, "/_kontor/contacts/v1/conversations"] {
        let seen = eve.get(&format!("{list}?limit=500")).await.ok().to_string();
        assert!(!seen.contains(&talk.contact) && !seen.contains(&talk.id));
    }
    let guest = server.signed_in(server.anonymous().post("/register?kind=guest", &json!({})).await);
    guest.get(CONTACTS).await.err(403, "M_GUEST_ACCESS_FORBIDDEN");
    // Pages lead through all of them.
    for _ in 0..4 {
        channel.talk(&word()).await;
    }
    let (mut seen, mut from) = (Vec::new(), String::new());
    loop {
        let page = anna.get(&format!("{CONTACTS}?limit=2{from}")).await.ok();
        seen.extend(list(&page["contacts"]).iter().map(|one| text(&one["contact_id"])));
        match page["next"].as_str() {
            Some(next) => from = format!("&from={}", enc(next)),
            None => break,
        }
    }
    assert!(seen.len() >= 5 && seen.is_sorted() && seen.contains(&talk.contact));
    let count = seen.len();
    seen.dedup();
    assert_eq!(seen.len(), count, "each once");
    channel.close().await;
}

async fn a_card_is_changed_by_whoever_read_it_last(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let talk = channel.talk(&word()).await;
    let card = format!("{CONTACTS}/{}", talk.contact);
    let version = anna.get(&card).await.ok()["version"].to_string();
    let change =
        json!({ "stage": "customer", "fields": { "display_name": "Oksana", "phone": "+48 601 234 567" } });
    anna.patch(&card, &change).await.err(400, "M_MISSING_PARAM");
    let changed = patch(&anna, &card, &version, &change).await.ok();
    assert_eq!(
        (&changed["stage"], &changed["fields"]["display_name"]["value"]),
        (&json!("customer"), &json!("Oksana"))
    );
    patch(&anna, &card, &version, &change).await.err(412, "DEV_KONTOR_CHANGED");
    for (room, name) in [(&talk.room, "Oksana · Shop"), (&talk.backstage, "Oksana · wewnętrzne")] {
        assert_eq!(anna.state(room, "m.room.name", "").await.ok()["name"], name);
        assert!(text(&anna.state(room, "m.room.topic", "").await.ok()["topic"]).starts_with("klient · http"));
    }
    let version = changed["version"].to_string();
    for bad in [
        json!({ "stage": "king" }),
        json!({ "fields": { "shoe": "42" } }),
        json!({ "id": "x" }),
        json!({ "fields": { "language": "fr" } }),
    ] {
        let answer = patch(&anna, &card, &version, &bad).await;
        assert_eq!(answer.status, 400, "{answer}");
    }
    let back = patch(&anna, &card, &version, &json!({ "fields": { "display_name": null } })).await.ok();
    assert_eq!(back["fields"]["display_name"]["source"], "network", "what the network says is there again");
    channel.close().await;
}

async fn what_is_said_about_a_customer_and_agreed_to_is_on_the_card(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let customer = word();
    let talk = channel.talk(&customer).await;
    let path = format!("/_kontor/bridge/v1/conversations/{}", talk.id);
    let claims = json!({ "claims": [
        { "kind": "email", "value": format!("{customer}@example.com"), "trust": "proven", "source": "shop" },
        { "kind": "phone", "value": "601 234 567", "trust": "claimed", "source": "form" },
    ] });
    for _ in 0..2 {
        channel.bot.post(&format!("{path}/claims"), &claims).await.ok();
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let given_at = u64::try_from(now).unwrap() - 1_000;
    let consent = |act: &str| {
        json!({ "consents": [{ "purpose": "marketing_email", "state": "given", "text_version": "2026-05",
        "text_sha256": "a".repeat(64), "act": act, "source": "form", "given_at": given_at }] })
    };
    for _ in 0..2 {
        channel.bot.post(&format!("{path}/consents"), &consent("ticked")).await.ok();
    }
    channel.bot.post(&format!("{path}/consents"), &consent("preticked")).await.err(400, "M_INVALID_PARAM");
    let card = anna.get(&format!("{CONTACTS}/{}", talk.contact)).await.ok();
    let claims = list(&card["claims"]);
    assert_eq!(claims.len(), 2, "{card}");
    assert_eq!(
        (&claims[0]["trust"], &claims[0]["kind"]),
        (&json!("proven"), &json!("email")),
        "the better one stays"
    );
    assert_eq!(list(&card["consents"]).len(), 1);
    assert_eq!(card["fields"]["page"]["value"], "https://shop.example/chairs");
    assert_eq!(card["fields"]["email"]["trust"], "proven");
    assert_eq!(list(&card["identities"])[0]["external_id"], json!(customer));
    assert_eq!(list(&card["conversations"])[0]["conversation_id"], json!(talk.id));
    channel.close().await;
}

async fn a_bridge_tells_of_its_own_channels_only(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (channel, other) = (Channel::open(&server, &[]).await, Channel::open(&server, &[]).await);
    let talk = channel.talk(&word()).await;
    let path = format!("/_kontor/bridge/v1/conversations/{}/claims", talk.id);
    other.bot.post(&path, &json!({ "claims": [] })).await.err(404, "M_NOT_FOUND");
    let health = |id: &str| format!("/_kontor/bridge/v1/channels/{id}/health");
    let report = json!({ "state": "connected", "detail": "all is well", "since": 1 });
    other.bot.put(&health(&channel.id), &report).await.err(403, "M_FORBIDDEN");
    channel.bot.put(&health(&channel.id), &json!({ "state": "fine" })).await.err(400, "M_INVALID_PARAM");
    channel.bot.put(&health(&channel.id), &report).await.ok();
    let told = channel.admin.get(&format!("/_kontor/admin/v1/channels/{}", channel.id)).await.ok();
    assert_eq!(told["health"]["state"], "connected");
    channel.close().await;
    other.close().await;
}

async fn channels_are_made_changed_and_removed_by_administrators(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let (all, one) = ("/_kontor/admin/v1/channels", format!("/_kontor/admin/v1/channels/{}", channel.id));
    let wish = |id: &str| json!({ "id": id, "kind": "webchat", "application_service": channel.id });
    anna.post(all, &wish("x")).await.err(403, "M_FORBIDDEN");
    anna.get(all).await.err(403, "M_FORBIDDEN");
    channel.admin.post(all, &wish(&channel.id)).await.err(409, "M_UNKNOWN");
    for bad in [
        json!({ "kind": "webchat" }),
        wish("Big"),
        wish("a_b"),
        json!({ "id": "x1", "kind": "webchat", "application_service": "nobody" }),
        json!({ "id": "x1", "kind": "webchat", "application_service": channel.id, "language": "de" }),
    ] {
        assert_eq!(channel.admin.post(all, &bad).await.status, 400, "{bad}");
    }
    let ghost = channel.talk(&word()).await.ghost;
    let with_ghost = json!({ "members": [ghost] });
    channel.admin.patch(&one, &with_ghost).await.err(403, "M_FORBIDDEN");
    channel.admin.patch(&one, &json!({ "kind": "mail" })).await.err(400, "M_INVALID_PARAM");
    let changed = channel.admin.patch(&one, &json!({ "name": "Chairs", "language": "uk" })).await.ok();
    assert_eq!((&changed["name"], &changed["members"]), (&json!("Chairs"), &json!([anna.user_id()])));
    let listed = channel.admin.get(all).await.ok();
    assert!(list(&listed["channels"]).iter().any(|one| one["id"] == *channel.id));
    channel.admin.delete(&one).await.ok();
    channel.admin.delete(&one).await.err(404, "M_NOT_FOUND");
    channel.ask(&channel.opening("x")).await.err(404, "M_NOT_FOUND");
    channel.close().await;
}

async fn the_document_describes_what_is_served(server: Homeserver) {
    if is_reference() {
        return;
    }
    let document = server.anonymous().get("/_kontor/openapi.json").await.ok();
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() >= 14);
    for (path, methods) in paths {
        // Whoever signs what it sends has no token.
        let of_users = |described: &Value| described["security"][0]["signature"].is_null();
        for (method, described) in methods.as_object().unwrap().iter().filter(|(_, one)| of_users(one)) {
            assert!(described["summary"].is_string() && described["responses"].is_object(), "{path}");
            let method = method.to_uppercase().parse().unwrap();
            let path = path.replace("{id}", "x");
            let answer = server.request(method, &path, None, Some(&json!({}))).await;
            answer.err(401, "M_MISSING_TOKEN");
        }
    }
}

async fn ids_and_words_that_cannot_be_are_refused(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let talk = channel.talk(&word()).await;
    let long = "x".repeat(3_000);
    for bad in ["%00", "a%00b", "%F0%9F%92%A9", "..", long.as_str()] {
        let api = "/_kontor/contacts/v1";
        for path in [
            format!("{api}/contacts/{bad}"),
            format!("{api}/conversations/{bad}"),
            format!("{api}/conversations/{bad}/versions?event_id=x"),
            format!("{api}/conversations/{}/versions?event_id={bad}", talk.id),
            format!("{api}/contacts?from={bad}"),
            format!("{api}/conversations?from={bad}"),
            format!("{api}/conversations?waiting=true&from=1_{bad}"),
            format!("{api}/conversations?channel={bad}"),
            format!("{api}/conversations?contact={bad}"),
            format!("{api}/conversations?status={bad}"),
            format!("{api}/conversations?assignee={bad}"),
            format!("{api}/tasks?assignee={bad}"),
        ] {
            let status = anna.get(&path).await.status;
            assert!([200, 400, 404, 413].contains(&status), "{path:.120}: {status}");
        }
        let note = json!({ "text": "x" });
        assert_eq!(anna.post(&format!("{api}/conversations/{bad}/notes"), &note).await.status, 404);
        let claims = json!({ "claims": [] });
        let path = format!("/_kontor/bridge/v1/conversations/{bad}/claims");
        assert_eq!(channel.bot.post(&path, &claims).await.status, 404);
        let path = format!("/_kontor/bridge/v1/channels/{bad}/health");
        let status = channel.bot.put(&path, &json!({ "state": "connected" })).await.status;
        assert!([400, 404, 413].contains(&status), "{path:.120}: {status}");
        let status = channel.admin.get(&format!("/_kontor/admin/v1/channels/{bad}")).await.status;
        assert!([400, 404, 413].contains(&status), "{bad:.40}: {status}");
        let status = channel.admin.delete(&format!("/_kontor/admin/v1/webhooks/{bad}")).await.status;
        assert!([400, 404, 413].contains(&status), "{bad:.40}: {status}");
    }
    channel.close().await;
}
