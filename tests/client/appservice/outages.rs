//! Services that are away, servers that end: nothing is lost, nothing comes twice, and one that is
//! away costs the others nothing.

use std::collections::HashMap;

use harness::{Db, Homeserver, Server, both_databases, eventually, on_each_database};
use serde_json::{Value, json};

use super::support::{Bridge, Door, as_user, word};

both_databases!(
    a_service_that_was_away_is_told_everything_the_same_transaction_first,
    a_service_that_is_away_delays_no_other,
    a_service_that_says_it_is_there_is_told_at_once,
);

on_each_database!(
    a_transaction_is_the_same_after_kill_9,
    one_of_several_processes_tells_and_all_know_new_services,
    what_a_service_sent_is_remembered_after_a_restart,
);

/// All tries of a transaction hold the same.
fn same_every_time(door: &Door) {
    let mut seen: HashMap<String, Value> = HashMap::new();
    for handed in door.handed() {
        let first = seen.entry(handed.txn).or_insert_with(|| handed.body.clone());
        assert_eq!(*first, handed.body, "a transaction changed between two tries");
    }
}

async fn a_service_that_was_away_is_told_everything_the_same_transaction_first(server: Homeserver) {
    let (bridge, anna) = (Bridge::open(&server).await, server.register("anna").await);
    let ghost = bridge.ghost("ghost").await;
    let room = bridge.room(&anna, &ghost).await;
    bridge.door.told(&anna.text(&room, "before").await).await;
    bridge.door.refuse(Some(500));
    let mut said = vec![anna.text(&room, "the first").await];
    let tries =
        || async { (bridge.door.handed().iter().filter(|one| !one.taken).count() >= 2).then_some(()) };
    eventually("two tries", tries).await;
    for n in 0..30 {
        said.push(anna.text(&room, &format!("{n}")).await);
    }
    bridge.door.refuse(None);
    bridge.door.told(said.last().unwrap()).await;
    assert!(bridge.door.ids().ends_with(&said));
    same_every_time(&bridge.door);
    bridge.close().await;
}

async fn a_service_that_is_away_delays_no_other(server: Homeserver) {
    let (away, bridge) = (Bridge::open(&server).await, Bridge::open(&server).await);
    let anna = server.register("anna").await;
    let (gone, ghost) = (away.ghost("ghost").await, bridge.ghost("ghost").await);
    away.door.refuse(Some(503));
    let (lost, room) = (away.room(&anna, &gone).await, bridge.room(&anna, &ghost).await);
    for n in 0..20 {
        anna.text(&lost, &format!("{n}")).await;
        bridge.door.told(&anna.text(&room, &format!("{n}")).await).await;
    }
    assert!(away.door.taken().is_empty());
    away.close().await;
    bridge.close().await;
}

async fn a_service_that_says_it_is_there_is_told_at_once(server: Homeserver) {
    let (bridge, anna) = (Bridge::open(&server).await, server.register("anna").await);
    let ghost = bridge.ghost("ghost").await;
    let room = bridge.room(&anna, &ghost).await;
    bridge.door.refuse(Some(503));
    let event = anna.text(&room, "x").await;
    // After four tries the next one would be eight seconds away.
    let tries =
        || async { (bridge.door.handed().iter().filter(|one| !one.taken).count() >= 4).then_some(()) };
    eventually("four tries", tries).await;
    bridge.door.refuse(None);
    let began = std::time::Instant::now();
    let path = format!("/_matrix/client/v1/appservice/{}/ping", bridge.id);
    bridge.bot.post(&path, &json!({})).await.ok();
    bridge.door.told(&event).await;
    assert!(began.elapsed().as_secs() < 4, "{:?}", began.elapsed());
    bridge.close().await;
}

async fn a_transaction_is_the_same_after_kill_9(db: Db) {
    let mut process = Server::start(db);
    let server = process.homeserver();
    let (bridge, anna) = (Bridge::open(&server).await, server.register("anna").await);
    let ghost = bridge.ghost("ghost").await;
    let room = bridge.room(&anna, &ghost).await;
    bridge.door.told(&anna.text(&room, "before").await).await;
    let mut said = Vec::new();
    for round in 0..3 {
        bridge.door.refuse(Some(500));
        let tries = bridge.door.handed().len();
        for n in 0..5 {
            said.push(anna.text(&room, &format!("{round} {n}")).await);
        }
        let tried = || async { (bridge.door.handed().len() > tries).then_some(()) };
        eventually("a try", tried).await;
        process.kill_and_start_again();
        bridge.door.refuse(None);
        bridge.door.told(said.last().unwrap()).await;
    }
    assert!(bridge.door.ids().ends_with(&said));
    same_every_time(&bridge.door);
    process.restart();
    let last = anna.text(&room, "after").await;
    bridge.door.told(&last).await;
    said.push(last);
    assert!(bridge.door.ids().ends_with(&said));
}

async fn one_of_several_processes_tells_and_all_know_new_services(db: Db) {
    if db == Db::Sqlite {
        return;
    }
    let mut first = Server::start(db);
    let second = first.peer("b");
    let (bridge, anna) = (Bridge::open(&first.homeserver()).await, first.homeserver().register("anna").await);
    let ghost = bridge.ghost("ghost").await;
    let room = bridge.room(&anna, &ghost).await;
    let bot = super::support::client(&second.homeserver(), bridge.bot.user_id(), bridge.bot.token());
    let known = || async { (bot.get("/account/whoami").await.status == 200).then_some(()) };
    eventually("the other process knows the service", known).await;
    let other = second.homeserver().client_like(&anna);
    let mut said = Vec::new();
    for n in 0..10 {
        said.push(anna.text(&room, &format!("{n}")).await);
        said.push(other.text(&room, &format!("{n} elsewhere")).await);
    }
    bridge.door.told(said.last().unwrap()).await;
    assert!(bridge.door.ids().ends_with(&said));
    first.kill();
    said.push(other.text(&room, "the leader is gone").await);
    bridge.door.told(said.last().unwrap()).await;
    assert!(bridge.door.ids().ends_with(&said));
    same_every_time(&bridge.door);
}

async fn what_a_service_sent_is_remembered_after_a_restart(db: Db) {
    let mut process = Server::start(db);
    let server = process.homeserver();
    let (bridge, anna) = (Bridge::open(&server).await, server.register("anna").await);
    let ghost = bridge.ghost("ghost").await;
    let room = bridge.room(&anna, &ghost).await;
    let path = format!("/rooms/{}/send/m.room.message/{}", harness::enc(&room), word());
    let content = json!({ "msgtype": "m.text", "body": "once" });
    let send = async || bridge.bot.put(&as_user(&path, &ghost), &content).await.ok()["event_id"].clone();
    let first = send().await;
    assert_eq!(send().await, first);
    process.kill_and_start_again();
    assert_eq!(send().await, first, "the same request after a crash is the same event");
}
