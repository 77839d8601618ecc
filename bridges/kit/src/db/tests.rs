//! The memory on both databases: on SQLite always, on PostgreSQL when `KONTOR_TEST_PG_URL` is set.

use super::{Change, Db, inbox, journal, kept, lane, outbox, take};
use crate::channel::{Commit, Entry, Item, Keep};
use crate::ladder::{Rung, Standing};
use crate::seal::Seal;
use crate::testing::{Dice, Folder, folder};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

struct Memory {
    db: Db,
    seal: Seal,
    channel: String,
    _folder: Folder,
}

async fn memories() -> Vec<Memory> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut urls = Vec::new();
    let first = folder();
    urls.push((format!("sqlite://{}/bridge.db", first.path().display()), first));
    if let Ok(server) = std::env::var("KONTOR_TEST_PG_URL") {
        urls.push((database(&server).await, folder()));
    }
    let mut all = Vec::new();
    for (url, folder) in urls {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let channel = format!("test_{}_{number}", std::process::id());
        let seal = Seal::new(&[1; 32], Arc::new(Dice::default())).unwrap();
        all.push(Memory { db: Db::open(&url).await.unwrap(), seal, channel, _folder: folder });
    }
    all
}

/// One database for all tests: every test has a channel of its own.
async fn database(server: &str) -> String {
    sqlx::any::install_default_drivers();
    let mut connection = <sqlx::AnyConnection as sqlx::Connection>::connect(server).await.unwrap();
    // It may be there already.
    let _ = sqlx::query("CREATE DATABASE kontor_kit_unit").execute(&mut connection).await;
    format!("{}/kontor_kit_unit", server.rsplit_once('/').unwrap().0)
}

impl Memory {
    async fn take(&self, commit: Commit) -> kontor_model::Result<crate::channel::Committed> {
        take::commit(&self.db, &self.channel, &self.seal, &commit, Some(("c", "7")), 1000).await
    }
}

fn item(key: &str, lane: &str, at: i64) -> Item {
    Item { key: key.into(), lane: lane.into(), at, raw: key.as_bytes().to_vec() }
}

fn entry(lane: &str, key: &str) -> Entry {
    Entry { lane: lane.into(), key: key.into(), body: format!("body of {key}") }
}

#[tokio::test]
async fn an_item_is_taken_once_and_a_batch_is_in_order() {
    for memory in memories().await {
        let items = vec![item("late", "a", 2), item("early", "a", 1), item("other", "b", 3)];
        let done = memory.take(Commit { items: items.clone(), ..Commit::default() }).await.unwrap();
        assert!(done.items.iter().all(|taken| taken.fresh));
        let again = memory.take(Commit { items, ..Commit::default() }).await.unwrap();
        assert!(again.items.iter().all(|taken| !taken.fresh));
        let (db, channel) = (&memory.db, memory.channel.as_str());
        let heads = inbox::heads(db, &memory.seal, channel, "a").await.unwrap();
        let keys: Vec<&str> = heads.iter().map(|taken| taken.item.key.as_str()).collect();
        assert_eq!(keys, ["early", "late"]);
        assert_eq!(heads[0].item.raw, b"early");
        assert_eq!(take::cursor(db, channel, "c").await.unwrap().as_deref(), Some("7"));
        let mut due = lane::due(db, channel, lane::Way::In, 2000, 10).await.unwrap();
        due.sort();
        assert_eq!(due, ["a", "b"]);
        for taken in heads {
            db.write(inbox::done(taken.id)).await.unwrap();
            assert!(db.write(inbox::done(taken.id)).await.unwrap_err().is_conflict());
        }
        lane::rest(db, channel, "a", lane::Way::In).await.unwrap();
        lane::rest(db, channel, "b", lane::Way::In).await.unwrap();
        assert_eq!(lane::due(db, channel, lane::Way::In, 2000, 10).await.unwrap(), ["b"]);
    }
}

#[tokio::test]
async fn what_cannot_be_stored_is_refused_whole() {
    for memory in memories().await {
        for bad in ["", "\0", &"x".repeat(256)] {
            let items = vec![item("good", "a", 1), item(bad, "a", 1)];
            assert!(memory.take(Commit { items, ..Commit::default() }).await.is_err(), "{bad:?}");
        }
        let heads = inbox::heads(&memory.db, &memory.seal, &memory.channel, "a").await.unwrap();
        assert!(heads.is_empty());
    }
}

#[tokio::test]
async fn a_journal_has_no_gaps_however_many_write_at_once() {
    for memory in memories().await {
        let memory = Arc::new(memory);
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..40 {
            let memory = Arc::clone(&memory);
            tasks.spawn(async move {
                // Every key twice.
                let commit =
                    Commit { journal: vec![entry("a", &format!("k{}", number / 2))], ..Commit::default() };
                memory.take(commit).await.unwrap().journal[0]
            });
        }
        let noted = tasks.join_all().await;
        assert_eq!(noted.iter().filter(|noted| noted.fresh).count(), 20);
        let read = journal::since(&memory.db, &memory.channel, "a", 0, 100).await.unwrap();
        let numbers: Vec<i64> = read.iter().map(|(seq, ..)| *seq).collect();
        assert_eq!(numbers, (1..=20).collect::<Vec<_>>());
        let body = memory.seal.open("journal", &read[0].3).unwrap();
        assert_eq!(String::from_utf8(body).unwrap(), format!("body of {}", read[0].1));
        assert_eq!(journal::newest(&memory.db, &memory.channel, "a").await.unwrap(), 20);
        assert_eq!(journal::newest(&memory.db, &memory.channel, "b").await.unwrap(), 0);
    }
}

#[tokio::test]
async fn kept_values_expire_and_secrets_are_sealed() {
    for memory in memories().await {
        let keep = |name: &str, value: Option<&str>, secret| Keep {
            name: name.into(),
            value: value.map(str::to_owned),
            until: Some(5000),
            secret,
        };
        let kept_values = vec![keep("open", Some("1"), false), keep("secret", Some("2"), true)];
        memory.take(Commit { kept: kept_values, ..Commit::default() }).await.unwrap();
        let (db, channel) = (&memory.db, memory.channel.as_str());
        assert_eq!(kept::get(db, channel, "open", 1000).await.unwrap(), Some((b"1".to_vec(), false)));
        let (sealed, secret) = kept::get(db, channel, "secret", 1000).await.unwrap().unwrap();
        assert!(secret && memory.seal.open("kept", &sealed).unwrap() == b"2");
        assert_eq!(kept::get(db, channel, "open", 5000).await.unwrap(), None);
        memory.take(Commit { kept: vec![keep("open", None, false)], ..Commit::default() }).await.unwrap();
        assert_eq!(kept::get(db, channel, "open", 1000).await.unwrap(), None);
        kept::prune(db, channel, 6000).await.unwrap();
        assert_eq!(kept::get(db, channel, "secret", 1000).await.unwrap(), None);
    }
}

#[tokio::test]
async fn an_outbox_row_is_written_once_and_changed_only_as_it_was_read() {
    for memory in memories().await {
        let (db, channel) = (&memory.db, memory.channel.as_str());
        let event = format!("$event-{channel}");
        for _ in 0..2 {
            let mut change = Change::default();
            let fresh = outbox::Fresh {
                lane: "a",
                room: "!r",
                event_id: &event,
                part: 0,
                act: "send",
                ours: format!("ours-{channel}"),
                target: &event,
                content: b"{}".to_vec(),
            };
            outbox::add(&mut change, channel, &memory.seal, &fresh, 1000).unwrap();
            db.write(change).await.unwrap();
        }
        assert_eq!(outbox::of_event(db, channel, &event).await.unwrap().len(), 1);
        let row = outbox::head(db, channel, "a").await.unwrap().unwrap();
        let accepted = outbox::Becomes {
            standing: Standing::at(Rung::Accepted),
            open: false,
            tries: 1,
            next_at: 0,
            remote: Some("r1".into()),
            tell: true,
            waiting: false,
        };
        db.write(outbox::become_(&row, &accepted, 1000).unwrap()).await.unwrap();
        let stale = db.write(outbox::become_(&row, &accepted, 2000).unwrap()).await;
        assert!(stale.unwrap_err().is_conflict());
        assert!(outbox::head(db, channel, "a").await.unwrap().is_none());
        let found = outbox::of_receipt(db, channel, "a", None, Some("r1")).await.unwrap().unwrap();
        assert_eq!(found.standing.rung, Rung::Accepted);
        let told = outbox::to_tell(db, channel, 5000).await.unwrap();
        assert_eq!(told.len(), 1);
        let mut change = Change::default();
        outbox::told(&mut change, &told[0]);
        db.write(change).await.unwrap();
        assert!(outbox::to_tell(db, channel, 5000).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn one_process_at_a_time_works_on_a_channel() {
    for memory in memories().await {
        let folder = folder();
        let lease = || super::channel::lease(&memory.db, &memory.channel, folder.path());
        let held = lease().await.unwrap();
        assert!(held.is_some());
        assert!(lease().await.unwrap().is_none());
        drop(held);
        let mut free = false;
        for _ in 0..100 {
            free = lease().await.unwrap().is_some();
            if free {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        assert!(free, "the lease was never free again");
    }
}

#[tokio::test]
async fn raw_bytes_are_forgotten_and_keys_are_not() {
    for memory in memories().await {
        let (db, channel) = (&memory.db, memory.channel.as_str());
        let items = vec![item("k", "a", 1)];
        memory.take(Commit { items: items.clone(), ..Commit::default() }).await.unwrap();
        assert_eq!(inbox::purge(db, channel, 9000).await.unwrap(), 0, "it is not done yet");
        let heads = inbox::heads(db, &memory.seal, channel, "a").await.unwrap();
        db.write(inbox::done(heads[0].id)).await.unwrap();
        assert_eq!(inbox::purge(db, channel, 9000).await.unwrap(), 1);
        let again = memory.take(Commit { items, ..Commit::default() }).await.unwrap();
        assert!(!again.items[0].fresh);
        assert!(inbox::heads(db, &memory.seal, channel, "a").await.unwrap().is_empty());
    }
}
