//! Requests with a transaction id, repeated fifty times at the same moment: all are answered alike,
//! and there is one effect. That is so with one process and with two that share a database.
//!
//! Every operation whose path ends in a transaction id has its claim here, and further ones where a
//! repeated request meets what the first one did.

use futures_util::future::join_all;
use harness::conformance::SPECIFICATION;
use harness::{Client, Db, Homeserver, Server, both_databases, enc, on_each_database, timeline};
use serde_json::{Value, json};

use crate::client::support::{in_room, is_reference, list, text};

both_databases!(
    fifty_repeats_of_a_message_send_it_once,
    fifty_repeats_of_a_reaction_send_it_once,
    fifty_repeats_of_a_redaction_redact_once,
    fifty_repeats_of_a_redaction_that_is_sent_as_an_event_redact_once,
    fifty_repeats_of_a_message_to_a_device_deliver_it_once,
    fifty_repeats_of_a_delayed_message_delay_it_once,
    fifty_repeats_of_delayed_state_set_it_once,
    fifty_repeats_may_take_the_last_place,
);

on_each_database!(fifty_repeats_at_two_processes_have_one_effect);

/// Repeats of a request.
const REPEATS: usize = 50;
/// Type of the events and messages that are sent.
const KIND: &str = "dev.kontor.once";
/// Below it are the endpoints for delayed events (MSC4140).
const DELAYED: &str = "/_matrix/client/unstable/org.matrix.msc4140";

/// Operations of the specification that have a claim below.
const CLAIMED: [&str; 3] = ["redactEvent", "sendMessage", "sendToDevice"];

/// Two people in a room. One of them asks, at one process or at several, and the other one looks.
struct House {
    doors: Vec<Client>,
    watcher: Client,
    room: String,
    since: String,
}

impl House {
    async fn at(servers: &[Homeserver]) -> Self {
        let first = &servers[0];
        let (sender, watcher) = (first.register("sender").await, first.register("watcher").await);
        let room = sender.room_with(&[&watcher]).await;
        let doors = servers.iter().map(|server| server.client_like(&sender)).collect();
        let since = watcher.now().await;
        Self { doors, watcher, room, since }
    }

    fn sender(&self) -> &Client {
        &self.doors[0]
    }

    /// Sends a request fifty times at once; returns the answer that all got. A late repeat gets it too.
    async fn repeat(&self, path: &str, body: &Value) -> Value {
        let door = |number: usize| &self.doors[number % self.doors.len()];
        let answers = join_all((0..REPEATS).map(|number| door(number).put(path, body))).await;
        let answers: Vec<Value> = answers.into_iter().map(|answer| answer.ok()).collect();
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        for door in &self.doors {
            assert_eq!(door.put(path, body).await.ok(), answers[0]);
        }
        answers[0].clone()
    }

    /// What the other one is told of the room and of messages to the device, up to a mark that is
    /// set now and not among it.
    async fn told(&mut self) -> (Vec<Value>, Vec<Value>) {
        let mark = self.sender().send(&self.room, "dev.kontor.mark", &json!({})).await;
        let (mut events, mut messages) = (Vec::new(), Vec::new());
        let room = self.room.clone();
        self.watcher
            .sync_until(&mut self.since, |answer| {
                events.extend(timeline(answer, &room));
                messages.extend(list(&answer["to_device"]["events"]));
                events.iter().any(|event| event["event_id"] == mark.as_str()).then_some(())
            })
            .await;
        events.retain(|event| event["type"] != "dev.kontor.mark");
        (events, messages)
    }

    /// The one event that the other one is told of the room.
    #[track_caller]
    fn one(told: (Vec<Value>, Vec<Value>), answer: &Value) -> Value {
        let (mut events, messages) = told;
        assert_eq!((events.len(), messages.len()), (1, 0), "{events:?} {messages:?}, but {answer}");
        let event = events.remove(0);
        assert_eq!(event["event_id"], answer["event_id"]);
        event
    }
}

async fn messages(house: &mut House) {
    let content = json!({ "msgtype": "m.text", "body": "once" });
    let answer = house.repeat(&in_room(&house.room, "send/m.room.message/t"), &content).await;
    assert_eq!(House::one(house.told().await, &answer)["content"], content);
    // Also when the repeat says something else: the transaction decides.
    let other = json!({ "msgtype": "m.text", "body": "other" });
    assert_eq!(house.repeat(&in_room(&house.room, "send/m.room.message/t"), &other).await, answer);
    assert!(house.told().await.0.is_empty());
}

async fn reactions(house: &mut House) {
    let message = house.sender().text(&house.room, "a message").await;
    house.told().await;
    let relation = json!({ "rel_type": "m.annotation", "event_id": message, "key": "👍" });
    let content = json!({ "m.relates_to": relation });
    let answer = house.repeat(&in_room(&house.room, "send/m.reaction/t"), &content).await;
    assert_eq!(House::one(house.told().await, &answer)["content"], content);
}

async fn redactions(house: &mut House) {
    let message = house.sender().text(&house.room, "said too much").await;
    house.told().await;
    let path = in_room(&house.room, &format!("redact/{}/t", enc(&message)));
    let answer = house.repeat(&path, &json!({ "reason": "typo" })).await;
    redacted(house, &message, &answer).await;
}

async fn redactions_as_events(house: &mut House) {
    let message = house.sender().text(&house.room, "said too much").await;
    house.told().await;
    let path = in_room(&house.room, "send/m.room.redaction/t");
    let answer = house.repeat(&path, &json!({ "redacts": message })).await;
    redacted(house, &message, &answer).await;
}

async fn redacted(house: &mut House, message: &str, answer: &Value) {
    let event = House::one(house.told().await, answer);
    assert_eq!(event["type"], "m.room.redaction", "{event}");
    let left = house.watcher.event(&house.room, message).await.ok();
    assert_eq!(left["content"], json!({}), "{left}");
    assert_eq!(left["unsigned"]["redacted_because"]["event_id"], answer["event_id"], "{left}");
}

async fn messages_to_devices(house: &mut House) {
    let body = json!({ "messages": { house.watcher.user_id(): { "*": { "n": 1 } } } });
    let path = format!("/sendToDevice/{KIND}/once");
    house.repeat(&path, &body).await;
    assert_eq!(house.told().await.1.len(), 1);
    // Later as well, although the message was received.
    house.repeat(&path, &body).await;
    assert!(house.told().await.1.is_empty());
    // The id belongs to the type, and to the device that sends.
    house.sender().put("/sendToDevice/dev.kontor.other/once", &body).await.ok();
    let phone = house.sender().homeserver().login(house.sender().user_id()).await;
    phone.put(&path, &body).await.ok();
    assert_eq!(house.told().await.1.len(), 2);
}

/// A request that delays an event until it is asked for.
async fn delayed(house: &mut House, path: &str, body: &Value) -> Value {
    let name = text(&house.repeat(path, body).await["delay_id"]);
    let waiting = house.sender().get(&format!("{DELAYED}/delayed_events")).await.ok();
    assert_eq!(list(&waiting["delayed_events"]).len(), 1, "{waiting}");
    assert!(house.told().await.0.is_empty());
    // To send it is asked for at several places at once as well.
    let send = format!("{DELAYED}/delayed_events/{}/send", enc(&name));
    let nothing = json!({});
    for answer in join_all(house.doors.iter().map(|door| door.post(&send, &nothing))).await {
        assert!(answer.status == 200 || answer.status == 404, "{answer}");
    }
    let settled = house.sender().get(&format!("{DELAYED}/delayed_events/{}", enc(&name))).await.ok();
    let event = House::one(house.told().await, &settled["finalised"]);
    // The id is not free again.
    assert_eq!(text(&house.repeat(path, body).await["delay_id"]), name);
    assert!(house.told().await.0.is_empty());
    event
}

async fn delayed_messages(house: &mut House) {
    let path = in_room(&house.room, &format!("send/{KIND}/t?org.matrix.msc4140.delay=600000"));
    let event = delayed(house, &path, &json!({ "body": "later" })).await;
    assert_eq!(event["content"], json!({ "body": "later" }));
    let path = format!("{DELAYED}/rooms/{}/delayed_event/{KIND}/u", enc(&house.room));
    let event = delayed(house, &path, &json!({ "delay": 600_000, "content": { "body": "later" } })).await;
    assert_eq!(event["content"], json!({ "body": "later" }));
}

async fn delayed_state(house: &mut House) {
    let path = format!("{DELAYED}/rooms/{}/delayed_event/{KIND}/t", enc(&house.room));
    let body = json!({ "delay": 600_000, "state_key": "k", "content": { "body": "later" } });
    let event = delayed(house, &path, &body).await;
    assert_eq!((&event["state_key"], &event["content"]), (&json!("k"), &json!({ "body": "later" })));
}

async fn fifty_repeats_of_a_message_send_it_once(server: Homeserver) {
    messages(&mut House::at(&[server]).await).await;
}

async fn fifty_repeats_of_a_reaction_send_it_once(server: Homeserver) {
    reactions(&mut House::at(&[server]).await).await;
}

async fn fifty_repeats_of_a_redaction_redact_once(server: Homeserver) {
    redactions(&mut House::at(&[server]).await).await;
}

async fn fifty_repeats_of_a_redaction_that_is_sent_as_an_event_redact_once(server: Homeserver) {
    redactions_as_events(&mut House::at(&[server]).await).await;
}

async fn fifty_repeats_of_a_message_to_a_device_deliver_it_once(server: Homeserver) {
    messages_to_devices(&mut House::at(&[server]).await).await;
}

async fn fifty_repeats_of_a_delayed_message_delay_it_once(server: Homeserver) {
    delayed_messages(&mut House::at(&[server]).await).await;
}

async fn fifty_repeats_of_delayed_state_set_it_once(server: Homeserver) {
    delayed_state(&mut House::at(&[server]).await).await;
}

async fn fifty_repeats_may_take_the_last_place(server: Homeserver) {
    if is_reference() {
        return;
    }
    let house = House::at(&[server]).await;
    let path =
        |txn: &str| in_room(&house.room, &format!("send/{KIND}/{txn}?org.matrix.msc4140.delay=600000"));
    for number in 1..100 {
        house.sender().put(&path(&number.to_string()), &json!({})).await.ok();
    }
    house.repeat(&path("last"), &json!({})).await;
    house.sender().put(&path("one more"), &json!({})).await.err(429, "M_LIMIT_EXCEEDED");
}

async fn fifty_repeats_at_two_processes_have_one_effect(db: Db) {
    // One process at a time serves from SQLite.
    if db == Db::Sqlite {
        return;
    }
    let first = Server::start(db);
    let second = first.peer("second");
    let servers = [first.homeserver(), second.homeserver()];
    messages(&mut House::at(&servers).await).await;
    reactions(&mut House::at(&servers).await).await;
    redactions(&mut House::at(&servers).await).await;
    redactions_as_events(&mut House::at(&servers).await).await;
    messages_to_devices(&mut House::at(&servers).await).await;
    delayed_messages(&mut House::at(&servers).await).await;
    delayed_state(&mut House::at(&servers).await).await;
}

#[test]
fn every_operation_with_a_transaction_id_is_claimed() {
    let mut found: Vec<&str> = SPECIFICATION
        .operations
        .iter()
        .filter(|operation| operation.path.to_lowercase().contains("{txnid}"))
        .map(|operation| operation.id.as_str())
        .collect();
    found.sort_unstable();
    assert_eq!(found, CLAIMED);
}
