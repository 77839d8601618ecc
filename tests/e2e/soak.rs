//! Two hours of a busy bot, told in minutes: a thousand customers, and every minute of Telegram's clock something
//! breaks. In the end every message is accounted for, nothing is stuck, and memory is where it was.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt as _};
use harness::{Db, enc, full_tier, on_each_database};
use serde_json::{Value, json};

use super::telegram::House;

on_each_database!(two_hours_of_faults_lose_nothing_and_leave_memory_flat);

/// How large it is.
struct Size {
    customers: usize,
    minutes: usize,
    /// Messages of customers, and answers, in a minute.
    written: usize,
    answered: usize,
}

impl Size {
    fn now() -> Self {
        match full_tier() {
            true => Self { customers: 1000, minutes: 120, written: 60, answered: 10 },
            false => Self { customers: 12, minutes: 8, written: 8, answered: 3 },
        }
    }
}

/// What is to be found at the end.
#[derive(Default)]
struct Book {
    /// What customers wrote, in order.
    written: BTreeMap<usize, Vec<String>>,
    answered: BTreeSet<String>,
    rooms: Vec<String>,
    bridge_mb: Vec<f64>,
    server_mb: Vec<f64>,
}

/// Requests at once.
const AT_ONCE: usize = 8;
/// For all that waits to arrive at the end.
const AT_LAST: Duration = Duration::from_secs(240);

/// What goes wrong in a minute, told to the emulator.
fn fault(minute: usize) -> Value {
    let of = |op: &str, kind: &str, times: u32, value: u64| json!({ "op": op, "kind": kind, "times": times, "value": value });
    match minute % 8 {
        0 => of("hook", "dup", 1, 0),
        1 => of("send", "status", 2, 500),
        2 => of("hook", "drop_after", 1, 0),
        3 => of("send", "drop_before", 1, 0),
        4 => of("hook", "status", 1, 500),
        5 => of("send", "status", 2, 429),
        6 => of("send", "drop_after", 1, 502),
        _ => of("hook", "delay", 1, 300),
    }
}

async fn two_hours_of_faults_lose_nothing_and_leave_memory_flat(db: Db) {
    let (size, mut book) = (Size::now(), Book::default());
    let mut house = House::open(db).await;
    let mut next = 0;
    for minute in 0..size.minutes {
        house.telegram.control("fault", &fault(minute)).await;
        for _ in 0..size.written {
            // Everybody comes once, then again and again.
            let (customer, text) = (next % size.customers, format!("in {next}"));
            house.telegram.writes(&format!("c{customer}"), &format!("m{next}"), &text).await;
            book.written.entry(customer).or_default().push(text);
            next += 1;
        }
        // The minute is over when the bridge has taken everything.
        house
            .until("the bridge takes it", async || {
                house.telegram.control("pending", &json!({})).await["pending"] == 0
            })
            .await;
        if minute == 0 {
            house.room().await;
        }
        house.answer(&mut book, minute, &size).await;
        house.telegram.control("clock", &json!({ "advance_ms": 60_000 })).await;
        if minute % 3 == 2 {
            book.bridge_mb.extend(house.bridge.resident_mb());
            house.bridge.kill_and_start_again();
        }
        if minute % 10 == 6 {
            book.server_mb.extend(house.server.resident_mb());
            house.server.kill_and_start_again();
        }
    }
    house.telegram.control("fault", &json!({ "op": "", "kind": "status", "times": 0, "value": 0 })).await;
    assert!(book.answered.len() > size.minutes, "too few answers to tell anything");
    house.account(&book).await;
    flat("bridge", &book.bridge_mb);
    flat("server", &book.server_mb);
}

/// The later half needs about as much as the earlier one.
fn flat(what: &str, megabytes: &[f64]) {
    eprintln!("{what}: {megabytes:.0?} MB");
    let (early, late) = megabytes.split_at(megabytes.len() / 2);
    let middle = |all: &[f64]| {
        let mut all = all.to_vec();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied()
    };
    let (Some(early), Some(late)) = (middle(early), middle(late)) else { return };
    assert!(late <= early * 1.25 + 8.0, "{what} grows from {early:.0} MB to {late:.0} MB");
}

impl House {
    /// Some of those who wrote are answered.
    async fn answer(&self, book: &mut Book, minute: usize, size: &Size) {
        if minute.is_multiple_of(4) || book.rooms.len() < size.answered {
            self.find_rooms(book).await;
        }
        let rooms = book.rooms.clone();
        for number in 0..size.answered.min(rooms.len()) {
            let answer = format!("out {minute}-{number}");
            let room = &rooms[(minute * size.answered + number) % rooms.len()];
            self.says(room, &answer.replace(' ', ""), &answer).await;
            book.answered.insert(answer);
        }
    }

    /// The rooms of all customers.
    async fn find_rooms(&self, book: &mut Book) {
        let (mut from, mut rooms) = (String::new(), Vec::new());
        loop {
            let path = format!("/_kontor/contacts/v1/conversations?limit=100{from}");
            let page = self.admin.get(&path).await;
            if page.status != 200 {
                return;
            }
            let all = page.json["conversations"].as_array().into_iter().flatten();
            rooms.extend(all.filter_map(|one| Some(one["room_id"].as_str()?.to_owned())));
            match page.json["next"].as_str() {
                Some(next) => from = format!("&from={}", enc(next)),
                None => break,
            }
        }
        book.rooms = rooms;
    }

    /// Every message is where it belongs, once; what is not known is asked.
    async fn account(&self, book: &Book) {
        let mut found = Book::default();
        let began = Instant::now();
        self.until_at_last(began, "everybody has a room", async || {
            let mut all = Book::default();
            self.find_rooms(&mut all).await;
            all.rooms.len() == book.written.len()
        })
        .await;
        self.find_rooms(&mut found).await;
        let customers = Size::now().customers;
        let asked = stream::iter(found.rooms.iter().map(|room| async move {
            self.until_at_last(began, "something is shown", async || !self.shown_in(room).await.0.is_empty())
                .await;
            let first = self.shown_in(room).await.0.remove(0);
            let number: usize = first.trim_start_matches("in ").parse().expect("a number");
            let (customer, texts) = (number % customers, &book.written[&(number % customers)]);
            let all = async || self.shown_in(room).await.0.len() >= texts.len();
            self.until_at_last(began, "everything is shown", all).await;
            let (shown, asked) = self.shown_in(room).await;
            assert_eq!(&shown, texts, "what c{customer} wrote");
            asked
        }));
        let mut asked: usize = asked.buffer_unordered(AT_ONCE).fold(0, async |sum, asked| sum + asked).await;
        loop {
            let sent = self.telegram.control("sent", &json!({})).await;
            let sent: Vec<String> = sent["sent"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|one| Some(one["text"].as_str()?.to_owned()))
                .collect();
            let once: BTreeSet<&String> = sent.iter().collect();
            assert_eq!(once.len(), sent.len(), "something was sent twice");
            let missing = book.answered.iter().filter(|answer| !once.contains(answer)).count();
            if missing <= asked {
                eprintln!(
                    "{} answers: {} sent, {missing} not, {asked} asked about",
                    book.answered.len(),
                    sent.len()
                );
                break;
            }
            assert!(
                began.elapsed() < AT_LAST,
                "{missing} answers are neither sent nor asked about ({asked})"
            );
            tokio::time::sleep(Duration::from_secs(2)).await;
            asked = 0;
            for room in &found.rooms {
                asked += self.shown_in(room).await.1;
            }
        }
        self.until_at_last(began, "nothing waits in any lane", async || {
            let channels = self.admin.get("/_kontor/admin/v1/channels").await;
            let health = &channels.json["channels"][0]["health"];
            health["backlog"] == 0 && health["dead"] == 0
        })
        .await;
    }

    async fn until_at_last(&self, began: Instant, what: &str, so: impl AsyncFn() -> bool) {
        while !so().await {
            assert!(began.elapsed() < AT_LAST, "never: {what}");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// What the customer said in a room, oldest first, and about how many answers Anna is asked.
    async fn shown_in(&self, room: &str) -> (Vec<String>, usize) {
        let path = format!("/rooms/{}/messages?dir=b&limit=200", enc(room));
        let answer = self.anna.get(&path).await;
        let events: Vec<&Value> = answer.json["chunk"].as_array().into_iter().flatten().rev().collect();
        let theirs = events.iter().filter(|event| {
            event["type"] == "m.room.message"
                && event["sender"].as_str().is_some_and(|sender| sender.starts_with("@kontor_telegram_"))
        });
        let shown = theirs.filter_map(|event| Some(event["content"]["body"].as_str()?.to_owned())).collect();
        let asked =
            events.iter().filter(|event| event["content"]["dev.kontor.notice"] == "uncertain").count();
        (shown, asked)
    }
}
