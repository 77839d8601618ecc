//! What the company's own programs are told.

use harness::{Db, Homeserver, Server, both_databases, eventually, on_each_database};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;

use super::support::{Channel, word};
use crate::client::support::{is_reference, list, text};
use crate::client::website::{Asked, Reply, Website};

both_databases!(only_administrators_make_webhooks_and_see_their_secret_once);

on_each_database!(
    news_of_a_contact_are_told_in_order_signed_and_again_until_they_are_taken,
    what_was_not_told_is_told_after_a_crash,
);

const HOOKS: &str = "/_kontor/admin/v1/webhooks";

fn field(asked: &Asked, name: &str) -> String {
    let line = asked
        .head
        .lines()
        .find_map(|line| line.to_lowercase().strip_prefix(&format!("{name}: ")).map(str::to_owned));
    line.unwrap_or_default()
}

async fn only_administrators_make_webhooks_and_see_their_secret_once(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (anna, admin) = (server.register("anna").await, server.register_admin("admin").await);
    anna.post(HOOKS, &json!({ "url": "https://x.example" })).await.err(403, "M_FORBIDDEN");
    for bad in [
        json!({ "url": "ftp://x" }),
        json!({ "url": "https://a:b@x.example" }),
        json!({ "url": "https://x.example", "kinds": ["everything"] }),
        json!({ "url": "https://x.example", "kinds": [] }),
        json!({}),
    ] {
        assert_eq!(admin.post(HOOKS, &bad).await.status, 400, "{bad}");
    }
    let made =
        admin.post(HOOKS, &json!({ "url": "https://x.example/hook", "kinds": ["contact.created"] })).await;
    assert_eq!(made.status, 201);
    assert_eq!(text(&made.json["secret"]).len(), 43);
    let listed = admin.get(HOOKS).await.ok();
    assert!(!listed.to_string().contains(&text(&made.json["secret"])));
    let one = format!("{HOOKS}/{}", text(&made.json["id"]));
    admin.delete(&one).await.ok();
    admin.delete(&one).await.err(404, "M_NOT_FOUND");
}

/// What was taken of a contact, in order, each once.
fn taken(site: &Website, contact: &str) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    let mut kinds = Vec::new();
    for asked in site.asked().iter().filter(|asked| asked.json["contact_id"] == contact) {
        let id = text(&asked.json["id"]);
        if !seen.contains(&id) {
            seen.push(id);
            kinds.push(text(&asked.json["type"]));
        }
    }
    kinds
}

async fn news_of_a_contact_are_told_in_order_signed_and_again_until_they_are_taken(db: Db) {
    let process = Server::start(db);
    let server = process.homeserver();
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let mut refused = 0;
    let site = Website::open(move |_| {
        refused += 1;
        Reply::status(if refused <= 2 { 503 } else { 200 })
    })
    .await;
    let made = channel.admin.post(HOOKS, &json!({ "url": site.url("/hook") })).await;
    let secret = text(&made.json["secret"]);
    let talk = channel.talk(&word()).await;
    let said = channel.say(&talk, "a secret word").await;
    anna.text(&talk.room, "an answer").await;
    anna.post(&talk.path("/status"), &json!({ "status": "closed" })).await.ok();
    let expected = [
        "contact.created",
        "conversation.opened",
        "message.received",
        "conversation.assigned",
        "message.answered",
        "conversation.status",
    ];
    eventually("everything is told", || async {
        (taken(&site, &talk.contact).len() == expected.len()).then_some(())
    })
    .await;
    let mut kinds = taken(&site, &talk.contact);
    // Claiming is part of answering: which of the two comes first is no matter.
    kinds[3..5].sort();
    let mut sorted = expected.map(str::to_owned);
    sorted[3..5].sort();
    assert_eq!(kinds, sorted);
    for asked in site.asked() {
        let signature = field(&asked, "kontor-signature");
        let (t, code) = signature.split_once(",v1=").expect("a signature");
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        // The body as it was sent: its keys are sorted, as ours are.
        mac.update(format!("{}.{}", t.trim_start_matches("t="), asked.json).as_bytes());
        let expected: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(code, expected);
        assert_eq!(field(&asked, "kontor-delivery"), text(&asked.json["id"]));
        assert!(!asked.json.to_string().contains("secret word"), "no words of people");
    }
    let received = site.asked().into_iter().find(|asked| asked.json["type"] == "message.received").unwrap();
    assert_eq!(
        (text(&received.json["event_id"]), text(&received.json["user_id"])),
        (said, talk.ghost.clone())
    );
    let waiting = || async {
        let hooks = channel.admin.get(HOOKS).await.ok();
        (list(&hooks["webhooks"])[0]["waiting"] == 0).then_some(())
    };
    eventually("nothing waits any more", waiting).await;
}

async fn what_was_not_told_is_told_after_a_crash(db: Db) {
    let mut process = Server::start(db);
    let server = process.homeserver();
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let site = Website::open(|_| Reply::status(500)).await;
    channel.admin.post(HOOKS, &json!({ "url": site.url("/hook"), "kinds": ["message.received"] })).await;
    let talk = channel.talk(&word()).await;
    let mut said = Vec::new();
    for n in 0..5 {
        said.push(channel.say(&talk, &n.to_string()).await);
    }
    site.until("it is tried", |asked| (asked.json["type"] == "message.received").then_some(())).await;
    process.kill_and_start_again();
    let before = site.asked().len();
    site.say(|_| Reply::status(200));
    let order = || async {
        let asked = site.asked();
        let ids: Vec<String> = asked.iter().skip(before).map(|asked| text(&asked.json["event_id"])).collect();
        let mut once = ids.clone();
        once.dedup();
        (once == said).then_some(())
    };
    eventually("all of them in order", order).await;
}
