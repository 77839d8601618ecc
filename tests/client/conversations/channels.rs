//! How channels are, and until when answers are taken, as people are told of it.

use harness::{Client, Homeserver, both_databases, enc, eventually};
use serde_json::{Value, json};

use super::support::{Channel, Talk, word};
use crate::client::support::{is_reference, text};

both_databases!(
    how_a_channel_is_is_told_once_for_each_change_where_it_matters,
    what_is_wrong_with_one_account_is_told_in_its_conversations_only,
    a_paused_channel_says_so_and_a_removed_one_keeps_its_history,
    until_when_answers_are_taken_is_shown_before_anybody_writes,
    a_link_leads_a_customer_to_their_card_once,
);

impl Channel {
    async fn is(&self, report: Value) {
        let path = format!("/_kontor/bridge/v1/channels/{}/health", self.id);
        self.bot.put(&path, &report).await.ok();
    }

    fn path(&self, rest: &str) -> String {
        format!("/_kontor/admin/v1/channels/{}{rest}", self.id)
    }

    /// The customer says something that was written then.
    async fn says_at(&self, talk: &Talk, ts: i64) {
        let path = format!("/rooms/{}/send/m.room.message/{}?ts={ts}", enc(&talk.room), word());
        let content = json!({ "msgtype": "m.text", "body": "x" });
        self.bot.put(&self.as_customer(talk, &path), &content).await.ok();
    }
}

fn now_ms() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    i64::try_from(now).unwrap()
}

/// Notices of a kind backstage, oldest first.
async fn notices(client: &Client, talk: &Talk, kind: &str) -> Vec<String> {
    let all = client.whole_timeline(&talk.backstage).await;
    let of_kind = all.iter().filter(|event| event["content"]["dev.kontor.notice"] == kind);
    of_kind.map(|event| text(&event["content"]["body"])).collect()
}

/// Waits for so many notices, and gives the last.
async fn notice(client: &Client, talk: &Talk, kind: &str, count: usize) -> String {
    eventually("a notice backstage", || async {
        let all = notices(client, talk, kind).await;
        assert!(all.len() <= count, "told too often: {all:?}");
        (all.len() == count).then(|| all.last().cloned().unwrap_or_default())
    })
    .await
}

const CHANNEL: &str = "dev.kontor.channel";
const WINDOW: &str = "dev.kontor.window";

async fn how_a_channel_is_is_told_once_for_each_change_where_it_matters(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let (talk, closed) = (channel.talk(&word()).await, channel.talk(&word()).await);
    anna.post(&closed.path("/status"), &json!({ "status": "closed" })).await.ok();
    channel.is(json!({ "state": "connected" })).await;
    assert_eq!(channel.admin.get(&channel.path("")).await.ok()["state"], "connected");
    channel.is(json!({ "state": "degraded", "since": now_ms() })).await;
    let down = json!({ "state": "down", "detail": "No answer at all.", "backlog": 3, "dead": 1 });
    channel.is(down.clone()).await;
    let told = notice(&anna, &talk, CHANNEL, 1).await;
    assert!(told.contains("Shop: nie ma połączenia z siecią"), "{told}");
    let shown = anna.state(&talk.backstage, CHANNEL, "").await.ok();
    assert_eq!(shown["state"], "down");
    let seen = channel.admin.get("/_kontor/admin/v1/channels").await.ok();
    let seen = seen["channels"].as_array().unwrap().iter().find(|one| one["id"] == *channel.id).cloned();
    assert_eq!(seen.unwrap()["detail"], "No answer at all.");
    // Said again and again, it is told once; administrators read the reason.
    channel.is(down.clone()).await;
    channel.is(down).await;
    let sync = channel.admin.get("/sync?timeout=0").await.ok();
    let invited = sync["rooms"]["invite"].as_object().cloned().unwrap_or_default();
    assert!(!invited.is_empty(), "an administrator is told: {sync}");
    channel.is(json!({ "state": "connected" })).await;
    let told = notice(&anna, &talk, CHANNEL, 2).await;
    assert!(told.contains("kanał znów działa"), "{told}");
    channel.is(json!({ "state": "bad_credentials", "detail": "x" })).await;
    assert!(notice(&anna, &talk, CHANNEL, 3).await.contains("administrator go odnowi"));
    assert!(notices(&anna, &closed, CHANNEL).await.is_empty(), "closed conversations are left alone");
    channel.is(json!({ "state": "connected" })).await;
    channel.close().await;
}

async fn what_is_wrong_with_one_account_is_told_in_its_conversations_only(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let mut opening = channel.opening(&word());
    opening["account"] = json!("business:5");
    let (theirs, other) = (channel.talk_of(&opening).await, channel.talk(&word()).await);
    let report = |state: &str| json!({ "state": "degraded", "since": 0, "accounts": [{ "account": "business:5", "state": state }] });
    channel.is(report("read_only")).await;
    assert!(notice(&anna, &theirs, CHANNEL, 1).await.contains("tylko do odczytu"));
    channel.is(report("disconnected")).await;
    assert!(notice(&anna, &theirs, CHANNEL, 2).await.contains("zostało odłączone"));
    channel
        .is(json!({ "state": "connected", "accounts": [{ "account": "business:5", "state": "connected" }] }))
        .await;
    assert!(notice(&anna, &theirs, CHANNEL, 3).await.contains("znów działa"));
    assert!(notices(&anna, &other, CHANNEL).await.is_empty());
    channel.close().await;
}

async fn a_paused_channel_says_so_and_a_removed_one_keeps_its_history(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let talk = channel.talk(&word()).await;
    let said = channel.say(&talk, "zostaje").await;
    channel.is(json!({ "state": "connected" })).await;
    let paused = channel.admin.post(&channel.path("/pause"), &json!({})).await.ok();
    assert_eq!(paused["state"], "paused");
    assert!(channel.site.asked().iter().any(|asked| asked.path == "/_bridge/v1/pause"));
    assert!(notice(&anna, &talk, CHANNEL, 1).await.contains("administrator wstrzymał kanał"));
    // Whoever was away when it was said hears it with the next report.
    let path = format!("/_kontor/bridge/v1/channels/{}/health", channel.id);
    assert_eq!(channel.bot.put(&path, &json!({ "state": "connected" })).await.ok()["paused"], true);
    let resumed = channel.admin.post(&channel.path("/resume"), &json!({})).await.ok();
    assert_eq!(resumed["state"], "connected");
    assert!(notice(&anna, &talk, CHANNEL, 2).await.contains("znów działa"));
    assert_eq!(anna.post(&channel.path("/pause"), &json!({})).await.status, 403);
    channel.admin.delete(&channel.path("")).await.ok();
    assert!(notice(&anna, &talk, CHANNEL, 3).await.contains("kanał został usunięty"));
    let kept = anna.get(&format!("/rooms/{}/event/{}", enc(&talk.room), enc(&said))).await.ok();
    assert_eq!(kept["content"]["body"], "zostaje");
    assert_eq!(talk.seen_by(&anna).await["room_id"], *talk.room);
    channel.close().await;
}

async fn until_when_answers_are_taken_is_shown_before_anybody_writes(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let limited = async |window: i64| {
        let mut opening = channel.opening(&word());
        opening["window_ms"] = json!(window);
        channel.talk_of(&opening).await
    };
    let (day, now) = (86_400_000, now_ms());
    let (open, closing, closed) = (limited(day).await, limited(day).await, limited(60_000).await);
    let free = channel.talk(&word()).await;
    channel.says_at(&open, now).await;
    channel.says_at(&closing, now - day + 3_600_000).await;
    channel.says_at(&closed, now - 61_000).await;
    channel.says_at(&free, now).await;
    assert!(notice(&anna, &open, WINDOW, 1).await.contains("Odpowiedzi dotrą do klienta do"));
    assert!(notice(&anna, &closing, WINDOW, 1).await.contains("Zostało mało czasu"));
    assert!(notice(&anna, &closed, WINDOW, 1).await.contains("Czas na odpowiedź minął"));
    assert_eq!(anna.state(&closed.backstage, WINDOW, "").await.ok()["state"], "closed");
    // A new message opens it again; one more in an open window is no news.
    channel.says_at(&closed, now_ms()).await;
    channel.says_at(&open, now_ms()).await;
    let told = notice(&anna, &closed, WINDOW, 2).await;
    assert!(told.contains("Odpowiedzi dotrą"), "{told}: {:?}", notices(&anna, &closed, WINDOW).await);
    let path = format!("/rooms/{}/send/m.room.message/{}", enc(&open.backstage), word());
    anna.put(&path, &json!({ "msgtype": "m.text", "body": "!karta" })).await.ok();
    let told = anna.whole_timeline(&open.backstage).await;
    assert!(
        told.iter().any(|event| text(&event["content"]["body"]).contains("Odpowiedź dotrze: do")),
        "{told:?}"
    );
    assert_eq!(notices(&anna, &open, WINDOW).await.len(), 1);
    assert!(notices(&anna, &free, WINDOW).await.is_empty());
    channel.close().await;
}

async fn a_link_leads_a_customer_to_their_card_once(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let known = channel.talk(&word()).await;
    let made = async || {
        let path = format!("/_kontor/contacts/v1/contacts/{}/links", known.contact);
        let made = anna.post(&path, &json!({})).await;
        assert_eq!(made.status, 201, "{made}");
        text(&made.json["code"])
    };
    let claim = |code: &str| json!([{ "kind": "link_code", "value": code, "trust": "platform", "source": "network" }]);
    let by_link = |code: &str| {
        let mut opening = channel.opening(&word());
        opening["claims"] = claim(code);
        opening
    };
    let code = made().await;
    assert!(
        code.len() <= 64 && code.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)),
        "{code}"
    );
    let first = channel.talk_of(&by_link(&code)).await;
    assert_eq!(first.contact, known.contact, "the link says who it is");
    let second = channel.talk_of(&by_link(&code)).await;
    assert_ne!(second.contact, known.contact, "a link works once");
    assert_ne!(channel.talk_of(&by_link("ct_guessed")).await.contact, known.contact);
    // Who writes already and then comes by a link is merged.
    let code = made().await;
    let path = format!("/_kontor/bridge/v1/conversations/{}/claims", second.id);
    channel.bot.post(&path, &json!({ "claims": claim(&code) })).await.ok();
    assert_eq!(second.seen_by(&anna).await["contact_id"], *known.contact);
    channel.close().await;
}
