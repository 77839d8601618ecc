//! The index takes care of itself: it is made anew when it is lost, and one of several processes
//! keeps it.

use harness::{Cluster, Db, Server, on_each_database};
use serde_json::json;

use super::{finds_nothing, found, search, until_found, word};

on_each_database!(a_lost_index_is_made_anew, a_crash_loses_nothing);

/// Takes the index away from a server that is not running.
fn lose_index(server: &Server, db: Db) {
    if db == Db::Postgres {
        let cluster: &Cluster = Server::shared_cluster();
        for table in ["search_state", "search_chunk", "search_posting", "search_edit"] {
            cluster.sql(server.database_name(), &format!("TRUNCATE {table}"));
        }
        return;
    }
    let mut lost = 0;
    for file in std::fs::read_dir(server.folder()).unwrap().flatten() {
        if file.file_name().to_string_lossy().contains("-search") {
            std::fs::remove_file(file.path()).unwrap();
            lost += 1;
        }
    }
    assert!(lost > 0, "there is a file for the index");
}

async fn a_lost_index_is_made_anew(db: Db) {
    let mut server = Server::start(db);
    let alice = server.homeserver().register("alice").await;
    let rooms = [alice.create_room(json!({})).await, alice.create_room(json!({ "name": "Bez nazwy" })).await];
    let (it, old, new) = (word("trwale"), word("stare"), word("nowe"));
    let mut sent = Vec::new();
    for number in 0..20 {
        sent.push(alice.text(&rooms[number % 2], &format!("{it} {number}")).await);
    }
    let message = alice.text(&rooms[0], &old).await;
    let edit = json!({
        "msgtype": "m.text", "body": "*", "m.new_content": { "msgtype": "m.text", "body": new },
        "m.relates_to": { "rel_type": "m.replace", "event_id": message },
    });
    alice.send(&rooms[0], "m.room.message", &edit).await;
    alice.redact(&rooms[0], &sent[4]).await;
    until_found(&alice, &it, 19).await;
    until_found(&alice, &new, 1).await;
    for round in 0..2 {
        server.terminate();
        lose_index(&server, db);
        if round == 1 && db == Db::Sqlite {
            std::fs::write(server.folder().join("kontor.db-search"), b"no database at all".repeat(300))
                .unwrap();
        }
        server.start_again();
        let alice = server.homeserver().client_like(&alice);
        until_found(&alice, &it, 19).await;
        assert_eq!(found(&until_found(&alice, &new, 1).await), [message.clone()]);
        finds_nothing(&alice, &old).await;
        assert_eq!(search(&alice, "nazwy", json!({})).await["count"], 1);
        // And goes on from there.
        let fresh = word("swieze");
        alice.text(&rooms[1], &fresh).await;
        until_found(&alice, &fresh, 1).await;
        assert!(!found(&search(&alice, &it, json!({})).await).contains(&sent[4]));
    }
}

async fn a_crash_loses_nothing(db: Db) {
    let mut server = Server::start(db);
    let mut alice = server.homeserver().register("alice").await;
    let room = alice.create_room(json!({})).await;
    let it = word("kraksa");
    for round in 1..=3 {
        for _ in 0..10 {
            alice.text(&room, &it).await;
        }
        server.kill_and_start_again();
        alice = server.homeserver().client_like(&alice);
        until_found(&alice, &it, round * 10).await;
    }
}

/// PostgreSQL alone lets several processes serve.
#[test]
fn any_process_finds_what_was_sent_to_any_other() {
    harness::run_claim(
        async |db| {
            let mut first = Server::start(db);
            let second = first.peer("b");
            let alice = first.homeserver().register("alice").await;
            let there = second.homeserver().client_like(&alice);
            let room = alice.create_room(json!({})).await;
            let it = word("wszedzie");
            for round in 0..5 {
                alice.text(&room, &it).await;
                there.text(&room, &it).await;
                until_found(&there, &it, round * 2 + 2).await;
                until_found(&alice, &it, round * 2 + 2).await;
            }
            // Whoever kept the index, the other one takes over.
            first.kill();
            there.text(&room, &it).await;
            until_found(&there, &it, 11).await;
        },
        Db::Postgres,
    );
}
