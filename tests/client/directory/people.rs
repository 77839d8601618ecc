//! The user directory.

use harness::{Client, Db, Homeserver, Server, both_databases, enc, on_each_database};
use serde_json::{Value, json};

use crate::client::support::{list, text};

both_databases!(
    people_are_found_by_name_and_id,
    a_changed_name_is_found_at_once,
    a_limited_answer_says_so,
    locked_and_closed_accounts_and_guests_are_not_found,
    odd_questions_are_answered_or_refused,
);
on_each_database!(where_the_house_says_so_only_acquaintances_are_found, many_people_are_no_burden);

async fn find(client: &Client, term: &str, limit: u64) -> Value {
    client.post("/user_directory/search", &json!({ "search_term": term, "limit": limit })).await.ok()
}

async fn found(client: &Client, term: &str) -> Vec<String> {
    list(&find(client, term, 50).await["results"]).iter().map(|user| text(&user["user_id"])).collect()
}

async fn call(client: &Client, name: &str) {
    let path = format!("/profile/{}/displayname", enc(client.user_id()));
    client.put(&path, &json!({ "displayname": name })).await.ok();
}

async fn people_are_found_by_name_and_id(server: Homeserver) {
    let searcher = server.register("szukajacy").await;
    let zaneta = server.register("zn").await;
    let unique = zaneta.localpart().replace('-', "");
    call(&zaneta, &format!("Żaneta Łęcka {unique}")).await;
    let path = format!("/profile/{}/avatar_url", enc(zaneta.user_id()));
    zaneta.put(&path, &json!({ "avatar_url": "mxc://localhost/face" })).await.ok();
    let id = zaneta.user_id().to_owned();
    for term in [
        format!("żaneta {unique}"),
        format!("ZANETA lecka {unique}"),
        format!("lec {unique}"),
        unique.clone(),
        zaneta.localpart().to_owned(),
        id.clone(),
        id.to_uppercase().replace("LOCALHOST", "localhost"),
    ] {
        assert_eq!(found(&searcher, &term).await, [id.clone()], "{term}");
    }
    let shown = &find(&searcher, &unique, 10).await;
    assert_eq!(
        shown,
        &json!({ "limited": false, "results": [{
            "user_id": id, "display_name": format!("Żaneta Łęcka {unique}"), "avatar_url": "mxc://localhost/face",
        }] })
    );
    for term in [format!("aneta {unique}"), format!("jan {unique}"), format!("@zaneta{unique}")] {
        assert!(found(&searcher, &term).await.is_empty(), "{term}");
    }
}

async fn a_changed_name_is_found_at_once(server: Homeserver) {
    let searcher = server.register("szukajacy").await;
    let other = server.register("zmienny").await;
    let unique = other.localpart().replace('-', "q");
    for name in ["Pierwsza", "Druga", "Trzecia"] {
        call(&other, &format!("{name}{unique}")).await;
        assert_eq!(found(&searcher, &format!("{name}{unique}")).await, [other.user_id()]);
    }
    assert!(found(&searcher, &format!("druga{unique}")).await.is_empty());
    let path = format!("/profile/{}/displayname", enc(other.user_id()));
    other.delete(&path).await.ok();
    assert!(found(&searcher, &format!("trzecia{unique}")).await.is_empty());
    assert_eq!(found(&searcher, other.localpart()).await, [other.user_id()]);
}

async fn a_limited_answer_says_so(server: Homeserver) {
    let searcher = server.register("szukajacy").await;
    let unique = searcher.localpart().replace('-', "l");
    for number in 0..12 {
        let other = server.register("wielu").await;
        call(&other, &format!("{unique} {number:02}")).await;
    }
    let answer = find(&searcher, &unique, 5).await;
    assert_eq!((list(&answer["results"]).len(), &answer["limited"]), (5, &json!(true)));
    let answer = find(&searcher, &unique, 12).await;
    assert_eq!((list(&answer["results"]).len(), &answer["limited"]), (12, &json!(false)));
    let names: Vec<_> = list(&answer["results"]).iter().map(|user| text(&user["display_name"])).collect();
    assert!(names.is_sorted(), "{names:?}");
    let usual = searcher.post("/user_directory/search", &json!({ "search_term": unique })).await.ok();
    assert_eq!((list(&usual["results"]).len(), &usual["limited"]), (10, &json!(true)));
    assert_eq!(find(&searcher, &unique, 0).await, json!({ "results": [], "limited": true }));
}

async fn locked_and_closed_accounts_and_guests_are_not_found(server: Homeserver) {
    let admin = server.register_admin("szef").await;
    let locked = server.register("zamkniety").await;
    let closed = server.register("odszedl").await;
    for client in [&locked, &closed] {
        assert_eq!(found(&admin, client.localpart()).await, [client.user_id()]);
    }
    let path = format!("/_matrix/client/v1/admin/lock/{}", enc(locked.user_id()));
    admin.put(&path, &json!({ "locked": true })).await.ok();
    let auth = json!({
        "type": "m.login.password", "password": server.password(),
        "identifier": { "type": "m.id.user", "user": closed.user_id() },
    });
    let asked = closed.post("/account/deactivate", &json!({})).await;
    if asked.status == 401 {
        let mut auth = auth.clone();
        auth["session"] = asked.json["session"].clone();
        closed.post("/account/deactivate", &json!({ "auth": auth })).await.ok();
        assert!(found(&admin, closed.localpart()).await.is_empty());
    }
    assert!(found(&admin, locked.localpart()).await.is_empty());
    admin.put(&path, &json!({ "locked": false })).await.ok();
    assert_eq!(found(&admin, locked.localpart()).await, [locked.user_id()]);
    let guest = server.anonymous().post("/register?kind=guest", &json!({})).await;
    let guest = server.signed_in(guest);
    assert!(found(&admin, guest.user_id()).await.is_empty());
}

async fn odd_questions_are_answered_or_refused(server: Homeserver) {
    let alice = server.register("alice").await;
    for term in ["", " ", "@", ":", "%", "\u{0}", "'; --", "*"] {
        assert_eq!(find(&alice, term, 10).await["results"], json!([]), "{term:?}");
    }
    for body in [json!({}), json!({ "search_term": 1 }), json!({ "search_term": "a", "limit": -1 })] {
        alice.post("/user_directory/search", &body).await.refused();
    }
    let long = json!({ "search_term": "a".repeat(5_000) });
    alice.post("/user_directory/search", &long).await.err(400, "M_INVALID_PARAM");
    let question = json!({ "search_term": "alice" });
    server.anonymous().post("/user_directory/search", &question).await.err(401, "M_MISSING_TOKEN");
}

async fn where_the_house_says_so_only_acquaintances_are_found(db: Db) {
    let server = Server::start_with(db, &[("user_directory.shows", "acquainted".into())]);
    let house = server.homeserver();
    let searcher = house.register("szukajacy").await;
    let [shares, open, readable, left, stranger] =
        ["dzieli", "otwarty", "czytelny", "odszedl", "obcy"].map(|name| house.register(name));
    let (shares, open, readable) = (shares.await, open.await, readable.await);
    let (left, stranger) = (left.await, stranger.await);
    searcher.room_with(&[&shares]).await;
    open.public_room().await;
    crate::client::support::room_showing(&readable, "world_readable").await;
    let room = searcher.room_with(&[&left]).await;
    left.leave(&room).await;
    stranger.create_room(json!({})).await;
    for (other, seen) in
        [(&shares, true), (&open, true), (&readable, true), (&left, false), (&stranger, false)]
    {
        assert_eq!(!found(&searcher, other.localpart()).await.is_empty(), seen, "{}", other.user_id());
    }
    assert_eq!(found(&searcher, searcher.localpart()).await, [searcher.user_id()]);
    stranger.public_room().await;
    assert_eq!(found(&searcher, stranger.localpart()).await, [stranger.user_id()]);
}

async fn many_people_are_no_burden(db: Db) {
    let count = if harness::full_tier() { 10_000 } else { 300 };
    let server = Server::start(db);
    let house = server.homeserver();
    let searcher = house.register("szukajacy").await;
    for part in (0..count).collect::<Vec<_>>().chunks(20) {
        let register = |number: &u32| {
            let body = json!({ "username": format!("osoba{number}"), "password": house.password(), "auth": { "type": "m.login.dummy" }, "inhibit_login": true });
            let anonymous = house.anonymous();
            async move { anonymous.post("/register", &body).await.ok() }
        };
        futures_util::future::join_all(part.iter().map(register)).await;
    }
    assert_eq!(found(&searcher, "osoba1").await.len(), 50);
    let began = std::time::Instant::now();
    for number in 0..100 {
        let id = format!("osoba{}", number * 2 + 100);
        assert!(found(&searcher, &id).await.contains(&format!("@{id}:localhost")));
    }
    let each = began.elapsed() / 100;
    eprintln!("user directory {db:?} with {count} people: {:.2} ms a search", each.as_secs_f64() * 1e3);
    assert!(each < std::time::Duration::from_millis(100), "{each:?}");
}
