//! What a search costs in a house with many messages.

use std::fs;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use harness::{Client, Db, Server, full_tier, on_each_database};
use serde_json::{Value, json};

use super::{found, search};

on_each_database!(a_search_among_many_messages_is_cheap);

/// Rooms that the messages are spread over.
const ROOMS: usize = 40;
/// Messages that are sent at the same time.
const AT_ONCE: usize = 20;
/// Repetitions of each question.
const REPEATS: u32 = 20;
/// Processor time of one search at most.
const LIMIT: Duration = Duration::from_millis(50);

/// The word of a number, as long as words are.
fn word(number: usize) -> String {
    let syllables = ["ba", "ro", "ki", "zu", "le", "mo", "wy", "da", "ne", "po", "szcz", "ta", "gę", "sią"];
    let mut rest = number + 14;
    let mut word = String::new();
    while rest > 0 {
        word.push_str(syllables[rest % 14]);
        rest /= 14;
    }
    word
}

/// Words as people use them: few often, most seldom.
fn text(number: usize) -> String {
    let mut words = vec!["wiadomosc".to_owned(), format!("numer{number}")];
    for place in 0..10 {
        let dice = (number * 7919 + place * 104_729) % 10_007;
        words.push(word(dice * dice / 10_007));
    }
    words.join(" ")
}

/// Processor time of a process so far.
fn used(pid: &str) -> Duration {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return Duration::ZERO };
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = [11, 12].iter().map(|at| fields[*at].parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

/// Processor time of the server and of its part of the database so far.
fn used_by(server: &Server, db: Db) -> Duration {
    let own = used(&server.pid().unwrap().to_string());
    if db == Db::Sqlite {
        return own;
    }
    let sql =
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let backends = Server::shared_cluster().sql(server.database_name(), sql);
    own + backends.lines().map(|pid| used(pid.trim())).sum::<Duration>()
}

async fn fill(client: &Client, rooms: &[String], messages: usize) {
    for part in (0..messages).collect::<Vec<_>>().chunks(AT_ONCE) {
        let send = |number: &usize| {
            let number = *number;
            // The first room has half of all messages.
            let room = if number.is_multiple_of(2) { 0 } else { number / 2 % rooms.len() };
            async move { client.text(&rooms[room], &text(number)).await }
        };
        join_all(part.iter().map(send)).await;
    }
}

async fn until_counted(client: &Client, count: usize) {
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        let answer = search(client, "wiadomosc", json!({})).await;
        if answer["count"] == count {
            return;
        }
        assert!(Instant::now() < end, "not indexed: {}", answer["count"]);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn a_search_among_many_messages_is_cheap(db: Db) {
    let messages = if full_tier() { 100_000 } else { 2_000 };
    let server = Server::start(db);
    let alice = server.homeserver().register("alice").await;
    let mut rooms = Vec::new();
    for _ in 0..ROOMS {
        rooms.push(alice.create_room(json!({})).await);
    }
    fill(&alice, &rooms, messages).await;
    until_counted(&alice, messages).await;
    let last = format!("numer{}", messages - 1);
    let (common, rare) = (word(3), word(4_000));
    let both = format!("{common} wiadomosc");
    let questions: [(&str, Value); 8] = [
        (&last, json!({})),
        (&rare, json!({ "order_by": "recent", "event_context": { "include_profile": true } })),
        (&common, json!({ "include_state": true })),
        (&both, json!({ "groupings": { "group_by": [{ "key": "room_id" }] } })),
        ("szcz", json!({ "filter": { "limit": 20 } })),
        ("num", json!({})),
        ("wiadomosc", json!({ "order_by": "recent", "event_context": {} })),
        ("wiadomosc", json!({ "filter": { "not_senders": ["@other:localhost"], "rooms": [rooms[0]] } })),
    ];
    let mut worst = Duration::ZERO;
    for (term, wish) in questions {
        search(&alice, term, wish.clone()).await;
        let (before, began) = (used_by(&server, db), Instant::now());
        let mut answer = Value::Null;
        for _ in 0..REPEATS {
            answer = search(&alice, term, wish.clone()).await;
        }
        // A connection that was closed meanwhile takes its share with it.
        let cost = used_by(&server, db).saturating_sub(before) / REPEATS;
        let took = began.elapsed() / REPEATS;
        eprintln!(
            "search {db:?} {messages} messages, {term:?} {wish}: {} found, CPU {:.1} ms, {:.1} ms",
            answer["count"],
            cost.as_secs_f64() * 1e3,
            took.as_secs_f64() * 1e3,
        );
        assert!(!found(&answer).is_empty(), "{term}");
        worst = worst.max(cost);
    }
    let limit = if full_tier() { LIMIT } else { LIMIT * 5 };
    assert!(worst < limit, "{worst:?} for one search");
}
