//! The queue, the clocks, and whose a conversation is.

use std::time::{Duration, Instant};

use harness::{Client, Db, Homeserver, Server, both_databases, enc, eventually, on_each_database};
use serde_json::{Value, json};

use super::support::{Channel, Talk, word};
use crate::client::support::{is_reference, list, text};

both_databases!(
    when_the_last_person_leaves_messages_still_come_and_the_queue_has_it,
    a_customer_waits_from_the_first_message_until_an_answer,
    the_first_answer_claims_a_conversation,
    of_two_who_answer_at_once_one_is_delivered_and_the_other_is_told_whose_it_is,
    statuses_are_set_and_written_down,
    a_conversation_is_given_to_somebody_who_comes_into_its_rooms,
);

on_each_database!(what_sleeps_wakes_up, two_processes_deliver_one_of_two_answers);

const LIST: &str = "/_kontor/contacts/v1/conversations";

/// Ids of the conversations that a list holds.
async fn listed(client: &Client, query: &str) -> Vec<String> {
    let told = client.get(&format!("{LIST}?{query}")).await.ok();
    list(&told["conversations"]).iter().map(|one| text(&one["conversation_id"])).collect()
}

async fn when_the_last_person_leaves_messages_still_come_and_the_queue_has_it(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let talk = channel.talk(&word()).await;
    channel.say(&talk, "Hello?").await;
    anna.text(&talk.room, "Good morning").await;
    let queue = format!("unassigned=true&channel={}", channel.id);
    assert!(listed(&channel.admin, &queue).await.is_empty(), "anna has it");
    anna.leave(&talk.room).await;
    let left = Instant::now();
    eventually("the queue has it", || async {
        (listed(&channel.admin, &queue).await == [talk.id.clone()]).then_some(())
    })
    .await;
    assert!(left.elapsed() < Duration::from_secs(5));
    let said = channel.say(&talk, "Are you there?").await;
    let told = talk.seen_by(&channel.admin).await;
    assert!(told["waits_since"].is_i64() && told["unassigned_since"].is_i64(), "{told}");
    // Who is given it reads what was said meanwhile.
    let bob = server.register("bob").await;
    channel.admin.post(&talk.path("/assign"), &json!({ "user_id": bob.user_id() })).await.ok();
    assert_eq!(bob.event(&talk.room, &said).await.ok()["content"]["body"], "Are you there?");
    channel.close().await;
}

async fn a_customer_waits_from_the_first_message_until_an_answer(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let (talk, other) = (channel.talk(&word()).await, channel.talk(&word()).await);
    assert!(talk.seen_by(&anna).await.get("waits_since").is_none(), "nobody wrote yet");
    channel.say(&talk, "one").await;
    let since = talk.seen_by(&anna).await["waits_since"].clone();
    channel.say(&talk, "two").await;
    channel.say(&other, "me too").await;
    assert_eq!(talk.seen_by(&anna).await["waits_since"], since, "since the first message");
    let waiting = format!("waiting=true&channel={}", channel.id);
    assert_eq!(listed(&anna, &waiting).await, [talk.id.clone(), other.id.clone()]);
    assert_eq!(listed(&anna, &format!("{waiting}&limit=1")).await, [talk.id.clone()]);
    let page = anna.get(&format!("{LIST}?{waiting}&limit=1")).await.ok();
    assert_eq!(listed(&anna, &format!("{waiting}&from={}", text(&page["next"]))).await, [other.id.clone()]);
    let notice = json!({ "msgtype": "m.notice", "body": "automatic" });
    channel
        .bot
        .put(&format!("/rooms/{}/send/m.room.message/{}", enc(&talk.room), word()), &notice)
        .await
        .ok();
    anna.send(&talk.room, "m.room.message", &notice).await;
    assert_eq!(talk.seen_by(&anna).await["waits_since"], since, "notices are no answers");
    anna.text(&talk.room, "At last").await;
    let answered = talk.seen_by(&anna).await;
    assert!(answered.get("waits_since").is_none() && answered["last_answered"].is_i64(), "{answered}");
    assert_eq!(listed(&anna, &waiting).await, [other.id.clone()]);
    channel.close().await;
}

async fn the_first_answer_claims_a_conversation(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (anna, bob) = (server.register("anna").await, server.register("bob").await);
    let channel = Channel::open(&server, &[&anna, &bob]).await;
    let talk = channel.talk(&word()).await;
    anna.text(&talk.backstage, "Whose is this?").await;
    assert!(talk.seen_by(&anna).await.get("assignee").is_none(), "talking backstage claims nothing");
    bob.text(&talk.room, "I am here").await;
    bob.text(&talk.room, "What is it?").await;
    assert_eq!(talk.seen_by(&anna).await["assignee"], bob.user_id());
    anna.text(&talk.room, "I help").await;
    assert_eq!(talk.seen_by(&anna).await["assignee"], bob.user_id(), "it has somebody");
    anna.post(&talk.path("/claim"), &json!({})).await.err(409, "M_UNKNOWN");
    bob.post(&talk.path("/assign"), &json!({ "user_id": null })).await.ok();
    anna.post(&talk.path("/claim"), &json!({})).await.ok();
    assert_eq!(listed(&anna, &format!("assignee={}", enc(anna.user_id()))).await, [talk.id.clone()]);
    channel.close().await;
}

/// Both answer at the same moment; exactly one is delivered, and the other one is told.
async fn answer_at_once(channel: &Channel, talk: &Talk, anna: &Client, bob: &Client) {
    let content = json!({ "msgtype": "m.text", "body": "me" });
    let (txn, other) = (word(), word());
    let (one, two) = tokio::join!(
        anna.send_txn(&talk.room, "m.room.message", &txn, &content),
        bob.send_txn(&talk.room, "m.room.message", &other, &content),
    );
    let statuses = [one.status, two.status];
    assert!(statuses.contains(&200) && statuses.contains(&403), "{statuses:?} {one} {two}");
    let (won, lost) = if one.status == 200 { (anna, bob) } else { (bob, anna) };
    let refused = if one.status == 200 { two } else { one };
    assert!(text(&refused.json["error"]).contains(won.user_id()), "it says whose it is: {refused}");
    assert_eq!(talk.seen_by(&channel.admin).await["assignee"], won.user_id());
    let timeline = anna.whole_timeline(&talk.room).await;
    assert_eq!(timeline.iter().filter(|event| event["content"]["body"] == "me").count(), 1);
    let notice = eventually("backstage is told", || async {
        let timeline = lost.whole_timeline(&talk.backstage).await;
        timeline.into_iter().find(|event| event["content"]["msgtype"] == "m.notice")
    })
    .await;
    let said = text(&notice["content"]["body"]);
    assert!(said.contains(won.user_id()) && said.contains(lost.user_id()), "{said}");
}

async fn of_two_who_answer_at_once_one_is_delivered_and_the_other_is_told_whose_it_is(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (anna, bob) = (server.register("anna").await, server.register("bob").await);
    let channel = Channel::open_with(&server, &[&anna, &bob], json!({ "exclusive": true })).await;
    for _ in 0..5 {
        let talk = channel.talk(&word()).await;
        channel.say(&talk, "Hello?").await;
        answer_at_once(&channel, &talk, &anna, &bob).await;
        // The customer may go on, and so may reactions of the owner; not those of the other.
        let said = channel.say(&talk, "Thanks").await;
        let owner = text(&talk.seen_by(&channel.admin).await["assignee"]);
        let other = if owner == anna.user_id() { &bob } else { &anna };
        let reaction =
            json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": said, "key": "x" } });
        other.send_txn(&talk.room, "m.reaction", &word(), &reaction).await.err(403, "M_FORBIDDEN");
        let given = json!({ "user_id": other.user_id() });
        channel.admin.post(&talk.path("/assign"), &given).await.ok();
        other.text(&talk.room, "I take over").await;
    }
    let path = format!("/_kontor/admin/v1/channels/{}", channel.id);
    channel.admin.patch(&path, &json!({ "exclusive": false })).await.ok();
    let talk = channel.talk(&word()).await;
    anna.text(&talk.room, "one").await;
    bob.text(&talk.room, "two").await;
    channel.close().await;
}

async fn two_processes_deliver_one_of_two_answers(db: Db) {
    let first = Server::start(db);
    let server = first.homeserver();
    let (anna, bob) = (server.register("anna").await, server.register("bob").await);
    let channel = Channel::open_with(&server, &[&anna, &bob], json!({ "exclusive": true })).await;
    let second = (db == Db::Postgres).then(|| first.peer("second"));
    let bob = second.as_ref().map_or_else(|| bob.clone(), |second| second.homeserver().client_like(&bob));
    for _ in 0..10 {
        let talk = channel.talk(&word()).await;
        answer_at_once(&channel, &talk, &anna, &bob).await;
    }
}

async fn statuses_are_set_and_written_down(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let talk = channel.talk(&word()).await;
    let set = async |body: Value| anna.post(&talk.path("/status"), &body).await;
    for (bad, status) in
        [(json!({ "status": "gone" }), 400), (json!({ "status": "snoozed" }), 400), (json!({}), 400)]
    {
        assert_eq!(set(bad).await.status, status);
    }
    assert_eq!(set(json!({ "status": "closed" })).await.ok()["status"], "closed");
    assert_eq!(listed(&anna, &format!("status=closed&channel={}", channel.id)).await, [talk.id.clone()]);
    channel.say(&talk, "One more thing").await;
    assert_eq!(talk.seen_by(&anna).await["status"], "open", "the customer opens it again");
    let again = channel.talk(&word()).await;
    assert_ne!(again.id, talk.id);
    channel.close().await;
}

async fn what_sleeps_wakes_up(db: Db) {
    let process = Server::start(db);
    let server = process.homeserver();
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let talk = channel.talk("1").await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let soon = json!({ "status": "snoozed", "snoozed_until": u64::try_from(now).unwrap() + 1_000 });
    assert_eq!(anna.post(&talk.path("/status"), &soon).await.ok()["status"], "snoozed");
    eventually("it wakes up", || async { (talk.seen_by(&anna).await["status"] == "open").then_some(()) })
        .await;
}

async fn a_conversation_is_given_to_somebody_who_comes_into_its_rooms(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (anna, bob) = (server.register("anna").await, server.register("bob").await);
    let channel = Channel::open(&server, &[&anna]).await;
    let talk = channel.talk(&word()).await;
    bob.get(&talk.path("")).await.err(404, "M_NOT_FOUND");
    anna.post(&talk.path("/assign"), &json!({ "user_id": bob.user_id() })).await.ok();
    assert_eq!(talk.seen_by(&bob).await["assignee"], bob.user_id());
    for room in [&talk.room, &talk.backstage] {
        bob.text(room, "here I am").await;
    }
    for user in [talk.ghost.as_str(), "@nobody:localhost", "@x:elsewhere.example"] {
        anna.post(&talk.path("/assign"), &json!({ "user_id": user })).await.err(403, "M_FORBIDDEN");
    }
    channel.close().await;
}
