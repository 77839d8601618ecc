//! The disk fills up, and is given room again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::{Client, Cluster, Db, Scratch, Server, full_tier, on_each_database, skip};
use reqwest::Method;

use crate::traffic::{jitter, messages, text_message};

on_each_database!(a_full_disk_refuses_messages_and_heals_when_there_is_room_again);

const BALLAST_MIB: usize = 16;

/// A small file system of its own, mounted in a scratch folder.
struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    fn mount(scratch: &Scratch, mib: usize) -> Option<Self> {
        let folder = scratch.path().to_owned();
        let size = format!("size={mib}m,mode=0755");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&folder).status();
        mounted.is_ok_and(|status| status.success()).then_some(Self { folder })
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.folder).status();
    }
}

async fn a_full_disk_refuses_messages_and_heals_when_there_is_room_again(db: Db) {
    // Unmounted last, when nothing uses it any more.
    let (scratch, mib) = match db {
        Db::Sqlite => (Scratch::new("disk"), 48),
        Db::Postgres => (Scratch::new("disk"), 160),
    };
    let Some(disk) = SmallDisk::mount(&scratch, mib) else {
        skip("disk full: mounting a small file system needs root and a kernel that allows it");
        return;
    };
    let ballast = disk.folder.join("ballast");
    fs::write(&ballast, vec![1; BALLAST_MIB << 20]).expect("room for the ballast");
    let (mut cluster, mut server) = match db {
        Db::Sqlite => (None, Server::start_in(scratch, None, &[])),
        Db::Postgres => {
            let cluster = Cluster::start_in(scratch);
            let url = cluster.create_database();
            (Some(cluster), Server::start_on(Some(&url), &[]))
        }
    };
    let alice = server.homeserver().register("alice").await;
    let room = alice.public_room().await;
    let mut acknowledged = Vec::new();
    let rounds = if full_tier() { 5 } else { 1 };
    for round in 0..rounds {
        fill(&alice, &room, round, &mut acknowledged).await;
        assert!(server.is_running(), "kontor ended on a full disk");
        fs::remove_file(&ballast).expect("own file");
        if let Some(cluster) = &mut cluster {
            // PostgreSQL ends when its own log finds no room; its service manager starts it.
            cluster.start_again_if_ended();
        }
        let after = format!("round {round}: room again");
        let taken = harness::eventually("a message is taken again", || send(&alice, &room, &after)).await;
        acknowledged.push(taken);
        refill(&ballast, round + 1 < rounds);
    }
    compare(&alice, &room, &acknowledged).await;
    server.kill_and_start_again();
    compare(&alice, &room, &acknowledged).await;
}

/// Sends large messages until the server has refused two.
async fn fill(alice: &Client, room: &str, round: usize, acknowledged: &mut Vec<String>) {
    let mut refused = 0;
    for number in 0..8_000 {
        // Nothing that a database could compress.
        let padding: String = (0..2_500).map(|_| format!("{:016x}", jitter(u64::MAX))).collect();
        match send(alice, room, &format!("round {round} message {number} {padding}")).await {
            Some(event) => acknowledged.push(event),
            None => refused += 1,
        }
        if refused == 2 {
            return;
        }
    }
    panic!("the disk never filled up");
}

async fn send(alice: &Client, room: &str, body: &str) -> Option<String> {
    let txn = format!("{}-{}", body.len(), jitter(u64::MAX));
    let path = format!("/rooms/{}/send/m.room.message/{txn}", harness::enc(room));
    let answer = alice.try_request(Method::PUT, &path, Some(&text_message(body))).await?;
    match answer.status {
        200 => Some(answer.json["event_id"].as_str().expect("an event id").to_owned()),
        500.. => None,
        _ => panic!("a full disk is no mistake of the client: {answer}"),
    }
}

/// Fills what is free again, so that the next round gets to the end of the disk as well.
fn refill(ballast: &Path, wanted: bool) {
    if wanted {
        let _ = fs::write(ballast, vec![1; BALLAST_MIB << 19]);
    }
}

async fn compare(alice: &Client, room: &str, acknowledged: &[String]) {
    let there = messages(&alice.whole_timeline(room).await);
    for event in acknowledged {
        let times = there.iter().filter(|(id, _)| id == event).count();
        assert_eq!(times, 1, "acknowledged event {event} is there {times} times");
    }
}
