//! No 200 for a send leaves before the data is on the disk, as the kernel saw it.

use std::collections::{HashMap, HashSet};
use std::fs;

use harness::{Db, Server, full_tier, run_claim, skip};

use crate::traffic::Traffic;

#[test]
fn no_send_is_answered_before_the_fdatasync_that_covers_it() {
    if full_tier() {
        run_claim(answers_follow_the_disk, Db::Sqlite);
    } else {
        skip("the strace run belongs to ./tests/run --full");
    }
}

async fn answers_follow_the_disk(db: Db) {
    let mut server = Server::start(db);
    let trace = server.folder().join("trace");
    let calls = "trace=pwrite64,write,writev,sendto,sendmsg,fdatasync,fsync";
    let to = trace.display().to_string();
    // -D: kontor stays our child, and the tracer goes when kontor goes.
    server.restart_under(&["strace", "-D", "-f", "-y", "-s", "70000", "-e", calls, "-o", &to]);
    let doors = [server.homeserver()];
    let mut traffic = Traffic::prepare(&doors[0], 4).await;
    traffic.send(&doors, 20, Some(10));
    traffic.senders_done().await;
    let sent = traffic.event_ids();
    traffic.finish().await;
    server.kill();
    let trace = String::from_utf8_lossy(&fs::read(&trace).expect("strace wrote")).into_owned();
    let answered = check(&trace, &sent);
    assert_eq!(answered.len(), sent.len(), "strace did not see every answer");
}

/// Goes through the trace in its order and checks each answer; gives the events answered.
fn check<'a>(trace: &str, sent: &'a [String]) -> HashSet<&'a str> {
    // Where each event first went into the log, and the last sync of the log that ended well.
    let mut written: HashMap<&str, usize> = HashMap::new();
    let mut synced_from = 0;
    let mut syncing: HashMap<&str, usize> = HashMap::new();
    let mut answered = HashSet::new();
    for (number, line) in trace.lines().enumerate() {
        let (process, call) = line.split_once(' ').unwrap_or_default();
        let call = call.trim_start();
        let events = || sent.iter().map(String::as_str).filter(|id| call.contains(id));
        if call.starts_with("pwrite64(") && call.contains("-wal>") {
            for id in events() {
                written.entry(id).or_insert(number);
            }
        } else if is_sync(call) && call.contains("-wal>") {
            syncing.insert(process, number);
            if call.ends_with("= 0") {
                synced_from = synced_from.max(number);
            }
        } else if call.starts_with("<... fdatasync resumed") || call.starts_with("<... fsync resumed") {
            if let Some(begun) = syncing.get(process).filter(|_| call.ends_with("= 0")) {
                synced_from = synced_from.max(*begun);
            }
        } else if call.contains("HTTP/1.1 200") && call.contains("\\\"event_id\\\"") {
            for id in events().collect::<Vec<_>>() {
                let at = written.get(id).unwrap_or_else(|| panic!("{id}: answered before it was written"));
                assert!(*at < synced_from, "{id}: answered before it was synced (line {number})");
                answered.insert(id);
            }
        }
    }
    answered
}

fn is_sync(call: &str) -> bool {
    call.starts_with("fdatasync(") || call.starts_with("fsync(")
}

const WRITE: &str = r#"7 pwrite64(9</d/kontor.db-wal>, "..$abc..", 4096, 32) = 4096"#;
const SYNC: &str = "7 fdatasync(9</d/kontor.db-wal>) = 0";
const ANSWER: &str =
    r#"8 sendto(5<TCP>, "HTTP/1.1 200 OK\r\n\r\n{\"event_id\":\"$abc\"}", 60, 0, NULL, 0) = 60"#;

#[test]
fn a_good_trace_passes() {
    let sent = ["$abc".to_owned()];
    assert_eq!(check(&[WRITE, SYNC, ANSWER].join("\n"), &sent).len(), 1);
    let (begun, ended) =
        ("7 fdatasync(9</d/kontor.db-wal> <unfinished ...>", "7 <... fdatasync resumed>) = 0");
    assert_eq!(check(&[WRITE, begun, ended, ANSWER].join("\n"), &sent).len(), 1);
}

#[test]
#[should_panic(expected = "answered before it was synced")]
fn an_answer_before_the_sync_is_found() {
    check(&[SYNC, WRITE, ANSWER, SYNC].join("\n"), &["$abc".to_owned()]);
}

#[test]
#[should_panic(expected = "answered before it was synced")]
fn an_answer_during_the_sync_is_found() {
    let begun = "7 fdatasync(9</d/kontor.db-wal> <unfinished ...>";
    check(&[WRITE, begun, ANSWER].join("\n"), &["$abc".to_owned()]);
}
