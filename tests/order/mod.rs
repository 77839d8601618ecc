//! One order for all: whatever a reader sees is complete, with any number of processes on one
//! PostgreSQL and whatever else the database is doing.

use std::io::Write;
use std::time::{Duration, Instant};

use harness::{Db, Homeserver, Server, both_databases, full_tier, run_claim};

use crate::traffic::{Steps, Traffic};

const ROOMS: usize = 20;
const SENDERS: usize = 200;
const PROCESSES: usize = 3;

both_databases!(concurrent_senders_and_readers_agree_on_one_order);

/// The same on one process: on SQLite the only way to run, and a check of the claim itself.
async fn concurrent_senders_and_readers_agree_on_one_order(server: Homeserver) {
    let mut traffic = Traffic::prepare(&server, 4).await;
    let servers = [server];
    traffic.read(&servers, Steps::Large).await;
    traffic.read(&servers, Steps::Small).await;
    traffic.send(&servers, 20, Some(messages_each()));
    traffic.senders_done().await;
    traffic.finish().await;
}

#[test]
fn three_processes_on_one_postgresql_miss_nothing_double_nothing_and_agree_on_the_order() {
    run_claim(three_processes_agree, Db::Postgres);
}

#[test]
fn a_snapshot_held_open_neither_breaks_the_order_nor_slows_it() {
    run_claim(a_held_snapshot_is_harmless, Db::Postgres);
}

fn messages_each() -> usize {
    if full_tier() { 100 } else { 5 }
}

struct House {
    processes: Vec<Server>,
    doors: Vec<Homeserver>,
}

fn three_processes(db: Db) -> House {
    let first = Server::start(db);
    let mut processes = vec![first.peer("b"), first.peer("c")];
    processes.insert(0, first);
    assert_eq!(processes.len(), PROCESSES);
    let doors = processes.iter().map(Server::homeserver).collect();
    House { processes, doors }
}

async fn three_processes_agree(db: Db) {
    let mut house = three_processes(db);
    let mut traffic = Traffic::prepare(&house.doors[0], ROOMS).await;
    for steps in [Steps::Large, Steps::Large, Steps::Small] {
        // Each reader goes through all processes, beginning at another one.
        house.doors.rotate_left(1);
        traffic.read(&house.doors, steps).await;
    }
    traffic.send(&house.doors, SENDERS, Some(messages_each()));
    traffic.senders_done().await;
    traffic.finish().await;
    assert!(house.processes.iter_mut().all(Server::is_running), "a process ended");
}

async fn a_held_snapshot_is_harmless(db: Db) {
    // Other tests on two cores make single figures jump; a counter row that is updated under an
    // open snapshot gets slower without end, which the full size shows.
    let slower_at_most = if full_tier() { 2.0 } else { 5.0 };
    let house = three_processes(db);
    let mut traffic = Traffic::prepare(&house.doors[0], ROOMS).await;
    traffic.read(&house.doors, Steps::Large).await;
    let alone = run(&mut traffic, &house.doors).await;
    let mut session = Server::shared_cluster().session(house.processes[0].database_name());
    let input = session.stdin.as_mut().expect("a pipe");
    writeln!(input, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class;").expect("psql");
    input.flush().expect("psql");
    let mut beside = Vec::new();
    for _ in 0..3 {
        beside.push(run(&mut traffic, &house.doors).await);
    }
    assert!(matches!(session.try_wait(), Ok(None)), "the snapshot was not held to the end");
    session.kill().expect("psql");
    session.wait().expect("psql");
    traffic.finish().await;
    let last = beside[beside.len() - 1];
    let ratio = last.as_secs_f64() / alone.as_secs_f64();
    assert!(ratio < slower_at_most, "alone {alone:?}, under the snapshot {beside:?}");
}

async fn run(traffic: &mut Traffic, doors: &[Homeserver]) -> Duration {
    let begun = Instant::now();
    traffic.send(doors, SENDERS, Some(messages_each()));
    traffic.senders_done().await;
    begun.elapsed()
}
