//! The disk fills up, and is given room again.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use harness::{Client, Db, Scratch, Server, full_tier, run_claim, skip};
use reqwest::Method;

use crate::traffic::{messages, text_message};

const DISK_MIB: usize = 64;
const BALLAST_MIB: usize = 16;

#[test]
fn a_full_disk_refuses_messages_and_heals_when_there_is_room_again() {
    run_claim(the_disk_fills_up, Db::Sqlite);
}

/// A small file system of its own, mounted in a scratch folder.
struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    fn mount(scratch: &Scratch) -> Option<Self> {
        let folder = scratch.path().to_owned();
        let size = format!("size={DISK_MIB}m,mode=0755");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&folder).status();
        mounted.is_ok_and(|status| status.success()).then_some(Self { folder })
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.folder).status();
    }
}

async fn the_disk_fills_up(_: Db) {
    let scratch = Scratch::new("disk");
    let Some(disk) = SmallDisk::mount(&scratch) else {
        skip("disk full: mounting a small file system needs root and a kernel that allows it");
        return;
    };
    let ballast = disk.folder.join("ballast");
    fs::write(&ballast, vec![1; BALLAST_MIB << 20]).expect("room for the ballast");
    let mut server = Server::start_in(scratch, None, &[]);
    let alice = server.homeserver().register("alice").await;
    let room = alice.public_room().await;
    let mut acknowledged = Vec::new();
    let rounds = if full_tier() { 5 } else { 1 };
    for round in 0..rounds {
        fill(&alice, &room, round, &mut acknowledged).await;
        assert!(server.is_running(), "kontor ended on a full disk:\n{}", server.log());
        // Reading still works.
        alice.get("/account/whoami").await.ok();
        fs::remove_file(&ballast).expect("own file");
        let after = format!("round {round}: room again");
        acknowledged
            .push(harness::eventually("a message is taken again", || send(&alice, &room, &after)).await);
        refill(&ballast, round + 1 < rounds);
    }
    compare(&alice, &room, &acknowledged).await;
    server.kill_and_start_again();
    compare(&alice, &room, &acknowledged).await;
    drop(server);
    drop(disk);
}

/// Sends large messages until the server refuses five in a row.
async fn fill(alice: &Client, room: &str, round: usize, acknowledged: &mut Vec<String>) {
    let padding = "x".repeat(40_000);
    let mut refused = 0;
    for number in 0..4_000 {
        match send(alice, room, &format!("round {round} message {number} {padding}")).await {
            Some(event) => acknowledged.push(event),
            None => refused += 1,
        }
        if refused == 5 {
            return;
        }
    }
    panic!("{DISK_MIB} MiB never filled up");
}

async fn send(alice: &Client, room: &str, body: &str) -> Option<String> {
    let txn = format!("{}-{}", body.len(), crate::traffic::jitter(u64::MAX));
    let path = format!("/rooms/{}/send/m.room.message/{txn}", harness::enc(room));
    let answer = alice.try_request(Method::PUT, &path, Some(&text_message(body))).await?;
    match answer.status {
        200 => Some(answer.json["event_id"].as_str().expect("an event id").to_owned()),
        500.. => None,
        _ => panic!("a full disk is no mistake of the client: {answer}"),
    }
}

/// Fills what is free again, so that the next round gets to the end of the disk as well.
fn refill(ballast: &std::path::Path, wanted: bool) {
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
