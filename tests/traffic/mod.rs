//! Load for the claims about order and crashes: senders that insist on an answer, readers that
//! sync all along, and the comparison of what was acknowledged with what is there.

mod reader;
mod sender;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use harness::{Client, Homeserver};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

pub use reader::{Reader, Steps};

/// How long a sender or reader bears a server that does not answer.
const PATIENCE: Duration = Duration::from_secs(120);

/// A message whose sending was answered with 200.
#[derive(Debug, Clone)]
pub struct Acknowledged {
    pub room: String,
    pub event_id: String,
    pub body: String,
}

/// Rooms, their people, and what was acknowledged in them so far.
pub struct Traffic {
    /// The first one's owner is in all rooms.
    pub rooms: Vec<String>,
    owner: Client,
    people: Vec<Client>,
    acknowledged: Arc<Mutex<Vec<Acknowledged>>>,
    enough: Arc<AtomicBool>,
    senders: Vec<JoinHandle<()>>,
    readers: Vec<JoinHandle<Reader>>,
    batches: usize,
}

impl Traffic {
    /// Makes `rooms` rooms, with one owner and one person of its own in each.
    pub async fn prepare(server: &Homeserver, rooms: usize) -> Self {
        let owner = server.register("owner").await;
        let (mut ids, mut people) = (Vec::new(), Vec::new());
        for _ in 0..rooms {
            let person = server.register("person").await;
            ids.push(owner.room_with(&[&person]).await);
            people.push(person);
        }
        Self {
            rooms: ids,
            owner,
            people,
            acknowledged: Arc::default(),
            enough: Arc::default(),
            senders: Vec::new(),
            readers: Vec::new(),
            batches: 0,
        }
    }

    /// Starts `count` concurrent senders, spread over rooms and servers, of `messages` each or
    /// until [`Self::finish`].
    pub fn send(&mut self, servers: &[Homeserver], count: usize, messages: Option<usize>) {
        self.batches += 1;
        for number in 0..count {
            let room = number % self.rooms.len();
            let server = &servers[(number / self.rooms.len() + number) % servers.len()];
            let person = if number % 2 == 0 { &self.owner } else { &self.people[room] };
            let sender = sender::Sender {
                client: server.client_like(person),
                room: self.rooms[room].clone(),
                name: format!("batch {} sender {number}", self.batches),
                messages,
                enough: Arc::clone(&self.enough),
                acknowledged: Arc::clone(&self.acknowledged),
            };
            self.senders.push(tokio::spawn(sender.run()));
        }
    }

    /// Starts a reader who syncs through the servers in turn, from the state of now.
    pub async fn read(&mut self, servers: &[Homeserver], steps: Steps) {
        let clients = servers.iter().map(|server| server.client_like(&self.owner)).collect();
        let reader = Reader::start(clients, self.rooms.clone(), steps).await;
        let (enough, acknowledged) = (Arc::clone(&self.enough), Arc::clone(&self.acknowledged));
        self.readers.push(tokio::spawn(reader.run(enough, acknowledged)));
    }

    /// Number of acknowledged messages.
    pub fn count(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    /// The acknowledged events.
    pub fn event_ids(&self) -> Vec<String> {
        self.acknowledged.lock().unwrap().iter().map(|sent| sent.event_id.clone()).collect()
    }

    /// Waits until `more` messages were acknowledged from now on.
    pub async fn acknowledge(&self, more: usize) {
        let (wanted, begun) = (self.count() + more, Instant::now());
        while self.count() < wanted {
            assert!(begun.elapsed() < PATIENCE, "the senders are stuck at {} messages", self.count());
            self.fail_early();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn fail_early(&self) {
        let ended = self.senders.iter().filter(|sender| sender.is_finished()).count();
        let endless = !self.enough.load(Ordering::Relaxed);
        assert!(!(endless && ended == self.senders.len()), "all senders have ended");
    }

    /// Waits until every sender has sent all its messages.
    pub async fn senders_done(&mut self) {
        for sender in self.senders.drain(..) {
            sender.await.expect("a sender");
        }
    }

    /// Ends senders and readers and compares: every acknowledged message is there exactly once,
    /// nothing is there twice, and every reader saw the same messages in the same order.
    pub async fn finish(mut self) {
        self.enough.store(true, Ordering::Relaxed);
        self.senders_done().await;
        let mut readers = Vec::new();
        for reader in self.readers.drain(..) {
            readers.push(reader.await.expect("a reader"));
        }
        let acknowledged = self.acknowledged.lock().unwrap().clone();
        assert!(!acknowledged.is_empty(), "nothing was sent");
        for room in &self.rooms {
            let there = messages(&self.owner.whole_timeline(room).await);
            compare(room, &there, &acknowledged);
            for reader in &readers {
                reader.compare(room, &there);
            }
        }
    }
}

/// (event id, body) of the messages among events.
pub fn messages(events: &[Value]) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    events
        .iter()
        .filter(|event| event["type"] == "m.room.message")
        .map(|event| (text(&event["event_id"]), text(&event["content"]["body"])))
        .collect()
}

fn compare(room: &str, there: &[(String, String)], acknowledged: &[Acknowledged]) {
    let mut bodies = HashSet::new();
    let mut ids = HashMap::new();
    for (id, body) in there {
        assert!(bodies.insert(body), "{body:?} is there twice in {room}");
        assert!(ids.insert(id, body).is_none(), "event {id} is there twice in {room}");
    }
    for sent in acknowledged.iter().filter(|sent| sent.room == room) {
        let body = ids.get(&sent.event_id);
        let right = body.is_some_and(|body| **body == sent.body);
        assert!(right, "acknowledged {sent:?}, but there is {body:?}");
    }
}

/// Content of a text message.
pub fn text_message(body: &str) -> Value {
    json!({ "msgtype": "m.text", "body": body })
}

/// Numbers that differ from call to call, for places where every run should hit another moment.
pub fn jitter(below: u64) -> u64 {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let mut hasher = std::hash::DefaultHasher::new();
    std::hash::Hash::hash(&(CALLS.fetch_add(1, Ordering::Relaxed), std::process::id()), &mut hasher);
    std::hash::Hasher::finish(&hasher) % below
}

#[cfg(test)]
mod tests {
    use super::{Acknowledged, Reader, compare};

    fn there(ids: &[&str]) -> Vec<(String, String)> {
        ids.iter().map(|id| ((*id).to_owned(), format!("body of {id}"))).collect()
    }

    fn acknowledged(id: &str) -> Acknowledged {
        Acknowledged { room: "!r".into(), event_id: id.into(), body: format!("body of {id}") }
    }

    #[test]
    fn everything_in_its_place_passes() {
        compare("!r", &there(&["$a", "$b"]), &[acknowledged("$a")]);
        Reader::planted("!r", there(&["$a", "$b"])).compare("!r", &there(&["$a", "$b"]));
    }

    #[test]
    #[should_panic(expected = "but there is None")]
    fn a_lost_message_is_found() {
        compare("!r", &there(&["$a"]), &[acknowledged("$a"), acknowledged("$b")]);
    }

    #[test]
    #[should_panic(expected = "is there twice")]
    fn a_doubled_message_is_found() {
        let doubled = [there(&["$a"]), vec![("$b".into(), "body of $a".into())]].concat();
        compare("!r", &doubled, &[acknowledged("$a")]);
    }

    #[test]
    #[should_panic(expected = "differs at message 0")]
    fn another_order_is_found() {
        Reader::planted("!r", there(&["$b", "$a"])).compare("!r", &there(&["$a", "$b"]));
    }

    #[test]
    #[should_panic(expected = "another number of messages")]
    fn a_missed_message_is_found() {
        Reader::planted("!r", there(&["$a"])).compare("!r", &there(&["$a", "$b"]));
    }
}
