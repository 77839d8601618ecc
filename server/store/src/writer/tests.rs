//! The writer's claims, on every database there is.

use crate::change::{RoomStep, Stream};
use crate::db::{PRAGMAS, Source};
use crate::table::{CHUNKS, Table, insert_sql};
use crate::testing::{TestStore, stores};
use crate::{Change, Committed, Store, Value};
use kontor_model::{Nid, Pos};

async fn count(store: &Store, sql: &'static str) -> i64 {
    store.reader().first(sql, Vec::new()).await.unwrap().unwrap().int(0).unwrap()
}

async fn close(stores: Vec<TestStore>) {
    for store in stores {
        store.close().await;
    }
}

fn step(room: Nid, from: i64, to: i64, ord: Value) -> RoomStep {
    let extremities = format!("[\"${to}\"]");
    RoomStep { room, from, to, depth: to, extremities, last_ord: ord, linear: true, snapshot: None }
}

fn new_room(room: Nid) -> Change {
    let mut change = Change::default();
    let pos = change.position(Stream::Event, Some(room), None);
    change.make_room(&format!("!{room}:x"), "12", false, 0, step(room, 0, 1, pos));
    change
}

fn move_room(room: Nid, from: i64, to: i64) -> Change {
    let mut change = Change::default();
    let pos = change.position(Stream::Event, Some(room), None);
    change.step(step(room, from, to, pos));
    change
}

#[tokio::test]
async fn positions_have_no_gap_and_no_double_under_many_writers() {
    let stores = stores().await;
    for store in &stores {
        let mut waiting = Vec::new();
        for user in 0..300 {
            let mut change = Change::default();
            change.set_account_data(user, None, "x", "{}");
            change.set_account_data(user, None, "y", "{}");
            waiting.push(store.enqueue(change).await);
        }
        let mut taken = Vec::new();
        for receipt in waiting {
            let Committed { first, last } = receipt.wait().await.unwrap();
            taken.extend(first.0..=last.0);
        }
        taken.sort_unstable();
        assert_eq!(taken, (1..=600).collect::<Vec<_>>());
        assert_eq!(store.log().newest(), Pos(600));
        assert_eq!(store.log().between(Pos(0), Pos(600)).unwrap().len(), 600);
    }
    close(stores).await;
}

#[tokio::test]
async fn a_chain_of_steps_moves_a_room_and_a_lost_revision_drops_only_its_chain() {
    let stores = stores().await;
    for store in &stores {
        store.submit(new_room(7)).await.unwrap();
        store.submit(new_room(8)).await.unwrap();
        let mut chain = Vec::new();
        for revision in 1..20 {
            chain.push(store.enqueue(move_room(7, revision, revision + 1)).await);
        }
        // Built on an event that does not exist, and everything upon it.
        let lost = store.enqueue(move_room(8, 5, 6)).await;
        let upon = store.enqueue(move_room(8, 6, 7)).await;
        let after = store.enqueue(move_room(8, 1, 9)).await;
        for receipt in chain {
            receipt.wait().await.unwrap();
        }
        assert!(lost.wait().await.unwrap_err().is_conflict());
        assert!(upon.wait().await.unwrap_err().is_conflict());
        let seven = count(store, "SELECT revision FROM room WHERE room_nid = 7").await;
        let eight = count(store, "SELECT revision FROM room WHERE room_nid = 8").await;
        // In the batch of the lost one it may be refused with it; then it is simply tried again.
        let came = after.wait().await.is_ok();
        assert_eq!((seven, eight), (20, if came { 9 } else { 1 }));
    }
    close(stores).await;
}

#[tokio::test]
async fn while_it_is_another_processs_turn_a_room_does_not_move() {
    let stores = stores().await;
    for store in &stores {
        let other = store.other_process().await;
        store.submit(new_room(7)).await.unwrap();
        // On a slow machine 50 ms may be over before they are used; then it is tried again.
        let mut revision = 1;
        let mut refused = false;
        for _ in 0..200 {
            if !other.take_turn(7).await.unwrap() {
                continue;
            }
            match store.submit(move_room(7, revision, revision + 1)).await {
                Ok(_) => revision += 1,
                Err(error) => {
                    assert!(error.is_conflict());
                    refused = true;
                    break;
                }
            }
        }
        assert!(refused, "nobody waited for the other's turn");
        assert!(other.take_turn(7).await.is_ok());
        let _ = other.submit(move_room(7, revision, revision + 1)).await.map(|_| revision += 1);
        // Turns end by themselves.
        while !store.take_turn(7).await.unwrap() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let there = count(store, "SELECT revision FROM room WHERE room_nid = 7").await;
        assert_eq!(there, revision);
        other.close().await;
    }
    close(stores).await;
}

#[tokio::test]
async fn a_failed_guard_refuses_its_own_change_and_no_other() {
    let stores = stores().await;
    for store in &stores {
        let mut waiting = Vec::new();
        for user in 1..=50 {
            let mut change = Change::default();
            // Every second guard finds no row.
            let sql = "UPDATE nid_block SET next = next + 1 WHERE one = $1";
            change.guard(sql, vec![Value::from(i64::from(user % 2 == 0))]);
            change.set_account_data(user, None, "x", "{}");
            waiting.push((user, store.enqueue(change).await));
        }
        for (user, receipt) in waiting {
            let outcome = receipt.wait().await;
            assert_eq!(outcome.is_ok(), user % 2 == 0, "user {user}");
            assert!(outcome.is_ok() || outcome.unwrap_err().is_conflict());
        }
        assert_eq!(count(store, "SELECT count(*) FROM account_data").await, 25);
        assert_eq!(count(store, "SELECT count(*) FROM stream_log").await, 25);
    }
    close(stores).await;
}

#[tokio::test]
async fn what_a_guard_wrote_goes_with_a_step_that_came_too_late() {
    let stores = stores().await;
    for store in &stores {
        store.submit(new_room(1)).await.unwrap();
        let before = count(store, "SELECT next FROM nid_block").await;
        for (from, fits) in [(77, false), (1, true)] {
            let mut change = move_room(1, from, 100);
            change.guard("UPDATE nid_block SET next = next + 1000000 WHERE one = 1", Vec::new());
            assert_eq!(store.submit(change).await.is_ok(), fits);
            let wrote = count(store, "SELECT next FROM nid_block").await - before;
            assert_eq!(wrote >= 1_000_000, fits, "{wrote}");
        }
    }
    close(stores).await;
}

#[tokio::test]
async fn a_taken_key_refuses_its_own_change_and_no_other() {
    let stores = stores().await;
    for store in &stores {
        let mut waiting = Vec::new();
        for room in [1, 2, 2, 3, 1, 4] {
            waiting.push(store.enqueue(new_room(room)).await);
        }
        let mut made = 0;
        for receipt in waiting {
            made += i64::from(receipt.wait().await.is_ok());
        }
        assert_eq!(made, 4);
        assert_eq!(count(store, "SELECT count(*) FROM room").await, 4);
        assert_eq!(
            count(store, "SELECT max(position) FROM stream_log").await,
            4,
            "refused ones take no position"
        );
    }
    close(stores).await;
}

#[tokio::test]
async fn bulk_changes_are_written_and_closing_loses_nothing_that_was_queued() {
    let stores = stores().await;
    for store in stores {
        let mut waiting = Vec::new();
        for user in 0..50 {
            let mut change = Change::default();
            change.set_account_data(user, None, "x", "{}");
            let bulk = store.clone();
            waiting.push(if user % 2 == 0 {
                tokio::spawn(async move { bulk.submit_bulk(change).await })
            } else {
                tokio::spawn(async move { bulk.submit(change).await })
            });
        }
        for task in waiting {
            task.await.unwrap().unwrap();
        }
        let mut queued = Vec::new();
        for user in 100..150 {
            let mut change = Change::default();
            change.set_account_data(user, None, "x", "{}");
            queued.push(store.enqueue(change).await);
        }
        store.close().await;
        for receipt in queued {
            receipt.wait().await.unwrap();
        }
    }
}

#[tokio::test]
async fn every_insert_statement_is_one_that_the_database_takes() {
    let stores = stores().await;
    for store in &stores {
        for table in Table::ALL {
            for rows in CHUNKS {
                store.prepare(insert_sql(*table, rows)).await;
            }
        }
    }
    close(stores).await;
}

#[tokio::test]
async fn every_connection_is_durable_and_wipes_what_it_deletes() {
    for store in &stores().await {
        if !store.is_sqlite() {
            assert_eq!(store.setting("SHOW synchronous_commit").await, "on");
            continue;
        }
        // Names of values as the pragmas answer them.
        let answers =
            [("INCREMENTAL", "2"), ("ON", "1"), ("OFF", "0"), ("FULL", "2"), ("WAL", "wal"), ("MEMORY", "2")];
        for (pragma, value) in PRAGMAS {
            let expected =
                answers.iter().find(|(name, _)| name == value).map_or(*value, |(_, answer)| *answer);
            for answer in store.settings_of_all(&format!("PRAGMA {pragma}")).await {
                assert_eq!(answer, expected, "{pragma}");
            }
        }
    }
}
