//! What answers must not betray.

use std::time::{Duration, Instant};

use harness::{Db, Homeserver, Server, both_databases, run_claim};
use serde_json::json;

use crate::client::support::{in_room, is_reference};

both_databases!(rooms_that_are_closed_look_like_rooms_that_do_not_exist);

#[test]
fn the_time_of_a_login_does_not_tell_whether_the_user_exists() {
    run_claim(login_takes_the_same_time, Db::Sqlite);
}

async fn login_takes_the_same_time(db: Db) {
    const TRIES: usize = 9;
    let running = Server::start_with(db, &[("passwords.test_only_cheap_hashing", false.into())]);
    let server = running.homeserver();
    let alice = server.register("alice").await;
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..TRIES {
        // In turn, so that whatever else the machine does hits both.
        for (times, user) in times.iter_mut().zip([alice.user_id(), "@nobody-at-all:localhost"]) {
            let body = json!({
                "type": "m.login.password", "password": "wrong",
                "identifier": { "type": "m.id.user", "user": user },
            });
            let begun = Instant::now();
            server.anonymous().post("/login", &body).await.err(403, "M_FORBIDDEN");
            times.push(begun.elapsed());
        }
    }
    let [known, unknown] = times.map(|mut times| {
        times.sort();
        times[TRIES / 2]
    });
    let (less, more) = (known.min(unknown), known.max(unknown));
    let alike = more < less * 2 || more - less < Duration::from_millis(5);
    assert!(alike, "known {known:?}, unknown {unknown:?}");
}

async fn rooms_that_are_closed_look_like_rooms_that_do_not_exist(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let stranger = server.register("stranger").await;
    let closed = alice.create_room(json!({})).await;
    let event = alice.text(&closed, "x").await;
    let nowhere = "!aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    for rest in [
        "messages?dir=b",
        "state",
        "state/m.room.name/",
        "members",
        "joined_members",
        "aliases",
        &format!("event/{event}"),
        &format!("context/{event}"),
    ] {
        let real = stranger.get(&in_room(&closed, rest)).await;
        let unreal = stranger.get(&in_room(nowhere, rest)).await;
        assert_eq!((real.status, &real.json), (unreal.status, &unreal.json), "{rest}");
    }
}
