//! Visitors and employees, through the running bridge: who is let in as whom, and what arrives where.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "this is test code: failing loudly is its purpose"
)]

mod support;

use kontor_emulators::database::Db;
use kontor_emulators::on_each_database;
use serde_json::{Value, json};
use support::{DEADLINE, Shop, until};

on_each_database!(
    a_visitor_writes_an_employee_answers_and_both_see_how_far_it_got,
    a_page_waits_for_news_and_is_told_of_typing_and_reading,
    only_a_proven_person_finds_the_conversation_on_another_device,
    forged_stale_and_replayed_proofs_are_refused_and_nothing_is_kept,
    a_browser_is_remembered_as_long_as_it_comes_back_also_over_a_restart,
    files_go_both_ways_and_only_of_known_kinds,
    what_an_employee_takes_back_is_told_to_no_page_any_more,
    a_visitor_rates_ends_takes_their_data_and_is_forgotten,
    a_thousand_visitors_each_have_their_own_conversation,
);

async fn a_visitor_writes_an_employee_answers_and_both_see_how_far_it_got(db: Db) {
    let shop = Shop::open(db).await;
    let (token, id) =
        shop.visitor(json!({ "page": "https://shop.example/buty?token=secret", "language": "pl" })).await;
    assert_eq!(shop.home.conversations(), 0, "a visitor who says nothing is nobody's work");
    let first = shop.writes(&token, "00000001", "Dzień dobry <b>x</b>").await;
    let again = shop.writes(&token, "00000001", "Dzień dobry <b>x</b>").await;
    assert_eq!((&first["seq"], &first["id"]), (&again["seq"], &again["id"]), "one id, one message");
    let room = shop.room(&id).await;
    until("it is in the room", || async { (shop.shown(&room) == ["Dzień dobry <b>x</b>"]).then_some(()) })
        .await;
    let html = json!({ "msgtype": "m.text", "body": "W czym pomóc?", "format": "org.matrix.custom.html",
        "formatted_body": "W <b>czym</b> pomóc?<script>x</script>" });
    let answer = shop.home.act(&room, "m.room.message", html);
    let got = shop.call("GET", "events?since=1", &token, &Value::Null).await.json();
    let event = &got["events"][0];
    assert_eq!(
        (&event["seq"], &event["from"], &event["text"]),
        (&json!(2), &json!("agent"), &json!("W czym pomóc?"))
    );
    assert_eq!(event["name"], "Anna");
    assert_eq!(event["rich"], json!(["W ", { "t": "b", "c": ["czym"] }, " pomóc?"]));
    // Asking for what comes after says that this one is there.
    shop.events(&token, 2).await;
    until("delivered", || async {
        shop.rungs(&room, &answer).contains(&"delivered".to_owned()).then_some(())
    })
    .await;
    let read = shop.call("POST", "read", &token, &json!({ "up_to": 2 })).await;
    assert_eq!(read.status, 204);
    until("read", || async { shop.rungs(&room, &answer).contains(&"read".to_owned()).then_some(()) }).await;
    // Nothing was doubled, and nothing personal of the page's address came along.
    assert_eq!(shop.shown(&room).len(), 1);
    assert!(!format!("{:?}", shop.home.events(&room)).contains("secret"));
}

async fn a_page_waits_for_news_and_is_told_of_typing_and_reading(db: Db) {
    let shop = Shop::open(db).await;
    let (token, id) = shop.visitor(json!({})).await;
    shop.writes(&token, "00000001", "halo").await;
    let room = shop.room(&id).await;
    let event = until("it is in the room", || async { shop.in_room(&room, "m.room.message").pop() }).await;
    let waiting = shop.call("GET", "events?since=1", &token, &Value::Null);
    let typing = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        let who = json!(["@anna:stand.in"]);
        shop.ephemeral(json!({ "type": "m.typing", "room_id": room, "content": { "user_ids": who } })).await;
    };
    let (got, ()) = tokio::join!(waiting, typing);
    assert_eq!(got.json()["events"][0]["kind"], "typing", "{}", got.text());
    let receipt =
        json!({ event["event_id"].as_str().unwrap(): { "m.read": { "@anna:stand.in": { "ts": 1 } } } });
    shop.ephemeral(json!({ "type": "m.receipt", "room_id": room, "content": receipt })).await;
    let read = until("the read mark comes", || async {
        let got = shop.call("GET", "events?since=1&wait=0&typing=1", &token, &Value::Null).await.json();
        got["events"].as_array().unwrap().iter().find(|event| event["kind"] == "read").cloned()
    })
    .await;
    assert_eq!(read["id"], "c.00000001");
    shop.home.says(&room, "już piszę");
    let got = shop.call("GET", "events?since=1&typing=1&read=c.00000001", &token, &Value::Null).await.json();
    let kinds: Vec<&str> =
        got["events"].as_array().unwrap().iter().map(|e| e["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"message"), "{got}");
}

async fn only_a_proven_person_finds_the_conversation_on_another_device(db: Db) {
    let shop = Shop::open(db).await;
    // Somebody nobody knows begins, and logs in to the shop meanwhile.
    let (anonymous, first) = shop.visitor(json!({})).await;
    shop.writes(&anonymous, "00000001", "anonymous").await;
    let login = json!({ "identity_token": shop.identity("klient-77") });
    let proven = shop.call("POST", "session", &anonymous, &login).await.json();
    assert_eq!((proven["visitor_id"].as_str(), &proven["proven"]), (Some(first.as_str()), &json!(true)));
    // Another device, the same person: the same conversation.
    let (phone, id) = shop.visitor(json!({ "identity_token": shop.identity("klient-77") })).await;
    assert_eq!(id, first);
    assert_eq!(shop.events(&phone, 0).await[0]["text"], "anonymous");
    // The same browser, another person: another visitor, who sees nothing of it.
    let other = json!({ "identity_token": shop.identity("klient-78") });
    let other = shop.call("POST", "session", &anonymous, &other).await.json();
    assert_ne!(other["visitor_id"].as_str(), Some(first.as_str()));
    let token = other["visitor_token"].as_str().unwrap();
    assert_ne!(token, anonymous);
    assert!(shop.events(token, 0).await.is_empty());
    // What is only claimed opens nothing, whoever's address it is.
    let claim = json!({ "profile": { "email": "klient-77@example.com", "name": "Oksana" } });
    let (claimed, id) = shop.visitor(claim).await;
    assert_ne!(id, first);
    assert!(shop.events(&claimed, 0).await.is_empty());
}

async fn forged_stale_and_replayed_proofs_are_refused_and_nothing_is_kept(db: Db) {
    let shop = Shop::open(db).await;
    let good = shop.identity("klient-77");
    let (claims, tag) = good.split_once('.').unwrap();
    let forged = format!("{claims}x.{tag}");
    // A hash of the identifier alone, as other chats take it: it would be good for ever.
    let bare = "e62b6831ce8779b3fdf6d2ed872a4eb3c7853a4a89fd8c152e263845a0027831";
    for body in [
        json!({ "identity_token": forged }),
        json!({ "identity_token": bare }),
        json!({ "identity_token": "" }),
        json!({ "identifier": "klient-77" }),
    ] {
        let got = shop.call("POST", "session", "", &body).await;
        assert_eq!(got.status, 401, "{body}: {}", got.text());
        assert!(got.header("access-control-allow-origin").is_some(), "the page may read why");
    }
    let proof = json!({ "identity_token": good });
    let other = shop.call_from("https://other.example", "w_2", "POST", "session", "", &proof).await;
    assert_eq!(other.status, 401, "a proof for another widget");
    shop.pass(901_000);
    assert_eq!(
        shop.call("POST", "session", "", &json!({ "identity_token": good })).await.status,
        401,
        "replayed"
    );
    // Tokens: made up, of another widget, and over.
    let (token, _) = shop.visitor(json!({})).await;
    for (widget, origin, token) in [
        ("w_1", support::ORIGIN, "made-up"),
        ("w_1", support::ORIGIN, ""),
        ("w_2", "https://other.example", &token),
    ] {
        let message = json!({ "client_id": "00000001", "text": "x" });
        let got = shop.call_from(origin, widget, "POST", "messages", token, &message).await;
        assert_eq!(got.status, 401, "{widget} {token}");
    }
    shop.pass(181 * 86_400_000);
    assert_eq!(shop.call("GET", "events?since=0", &token, &Value::Null).await.status, 401, "after 180 days");
    assert_eq!(shop.home.conversations(), 0);
}

async fn a_browser_is_remembered_as_long_as_it_comes_back_also_over_a_restart(db: Db) {
    let mut shop = Shop::open(db).await;
    let (token, id) = shop.visitor(json!({})).await;
    shop.writes(&token, "00000001", "one").await;
    for _ in 0..4 {
        shop.pass(100 * 86_400_000);
        assert_eq!(shop.events(&token, 0).await.len(), 1);
    }
    shop.restart().await;
    assert_eq!(shop.events(&token, 0).await[0]["text"], "one");
    let room = shop.room(&id).await;
    shop.home.says(&room, "two");
    let got = until("the answer", || async { shop.events(&token, 1).await.pop() }).await;
    assert_eq!((&got["seq"], &got["text"]), (&json!(2), &json!("two")));
}

async fn files_go_both_ways_and_only_of_known_kinds(db: Db) {
    let shop = Shop::open(db).await;
    let (token, id) = shop.visitor(json!({})).await;
    let png = [b"\x89PNG\r\n\x1a\n".as_slice(), &[7; 5000]].concat();
    let upload = async |kind: &str, bytes: &[u8]| {
        let head = format!(
            "--b\r\ncontent-disposition: form-data; name=\"client_id\"\r\n\r\n0000000f\r\n--b\r\n\
             content-disposition: form-data; name=\"file\"; filename=\"zdj.png\"\r\ncontent-type: {kind}\r\n\r\n"
        );
        let body = [head.as_bytes(), bytes, b"\r\n--b--\r\n"].concat();
        let bearer = format!("Bearer {token}");
        let headers = [
            ("origin", support::ORIGIN),
            ("authorization", bearer.as_str()),
            ("content-type", "multipart/form-data; boundary=b"),
        ];
        support::ask(shop.address, "POST", "/_kontor/widget/v1/files?w=w_1", &headers, &body).await
    };
    assert_eq!(upload("text/html", b"<script>x</script>").await.status, 422);
    assert_eq!(upload("image/png", b"<script>x</script>").await.status, 422);
    assert_eq!(upload("image/png", &vec![0; 11 << 20]).await.status, 413);
    assert_eq!(shop.home.conversations(), 0);
    assert_eq!(upload("image/png", &png).await.status, 200);
    assert_eq!(upload("image/png", &png).await.json()["seq"], 1, "again the same");
    let room = shop.room(&id).await;
    let image = until("the file is at home", || async {
        let all = shop.in_room(&room, "m.room.message");
        all.into_iter().find_map(|event| event["content"]["m.new_content"]["url"].as_str().map(str::to_owned))
    })
    .await;
    assert_eq!(shop.home.file(&image).unwrap(), png);
    // And from an employee: handed over, never drawn by the browser itself.
    let mxc = shop.home.stores("text/html", b"<script>x</script>");
    let file = json!({ "msgtype": "m.file", "body": "oferta ą.html", "url": mxc, "info": { "mimetype": "text/html" } });
    shop.home.act(&room, "m.room.message", file);
    let event = until("the file is told", || async { shop.events(&token, 1).await.pop() }).await;
    assert_eq!(event["file"]["name"], "oferta ą.html");
    let got = shop.call("GET", &format!("files/{}", event["seq"]), &token, &Value::Null).await;
    assert_eq!((got.status, got.body.as_slice()), (200, b"<script>x</script>".as_slice()));
    assert_eq!(got.header("content-type"), Some("application/octet-stream"));
    assert!(got.header("content-disposition").unwrap().starts_with("attachment"));
    let (stranger, _) = shop.visitor(json!({})).await;
    assert_eq!(shop.call("GET", "files/2", &stranger, &Value::Null).await.status, 404);
    assert_eq!(shop.call("GET", "files/1", &token, &Value::Null).await.status, 404);
}

async fn what_an_employee_takes_back_is_told_to_no_page_any_more(db: Db) {
    let shop = Shop::open(db).await;
    let (token, id) = shop.visitor(json!({})).await;
    shop.writes(&token, "00000001", "halo").await;
    let room = shop.room(&id).await;
    let event = shop.home.says(&room, "the secret price");
    until("it is there", || async { shop.events(&token, 1).await.pop() }).await;
    let change = json!({ "msgtype": "m.text", "body": "* the price", "m.new_content": { "msgtype": "m.text", "body": "the price" },
        "m.relates_to": { "rel_type": "m.replace", "event_id": event } });
    shop.home.act(&room, "m.room.message", change);
    let edit = until("it is changed", || async { shop.events(&token, 2).await.pop() }).await;
    assert_eq!((&edit["kind"], &edit["text"]), (&json!("edit"), &json!("the price")));
    shop.home.redacts(&room, &event);
    until("it is gone", || async {
        shop.events(&token, 3).await.pop().filter(|event| event["kind"] == "delete")
    })
    .await;
    let all = shop.events(&token, 0).await;
    assert_eq!(all.len(), 4, "the numbers stay: {all:?}");
    assert!(!format!("{all:?}").contains("price"), "{all:?}");
}

async fn a_visitor_rates_ends_takes_their_data_and_is_forgotten(db: Db) {
    let shop = Shop::open(db).await;
    let (token, id) =
        shop.visitor(json!({ "profile": { "name": "Oksana", "email": "o@example.com" } })).await;
    shop.writes(&token, "00000001", "halo").await;
    let room = shop.room(&id).await;
    assert_eq!(
        shop.call("POST", "rating", &token, &json!({ "client_id": "0000000r", "score": 6 })).await.status,
        400
    );
    let rating = json!({ "client_id": "0000000r", "score": 5, "comment": "super" });
    assert_eq!(shop.call("POST", "rating", &token, &rating).await.status, 204);
    assert_eq!(shop.call("POST", "end", &token, &json!({ "client_id": "0000000e" })).await.status, 204);
    let notices = until("both are told", || async {
        let all = shop.home.events(&room);
        let told = |name: &str| all.iter().any(|event| !event["content"][name].is_null());
        (told("dev.kontor.rating") && told("dev.kontor.ended")).then_some(all)
    })
    .await;
    assert!(
        notices
            .iter()
            .any(|event| event["content"]["body"].as_str().is_some_and(|body| body.contains("★★★★★")))
    );
    let mine = shop.call("GET", "me", &token, &Value::Null).await.json();
    assert_eq!(
        (&mine["visitor"]["email"], &mine["events"][0]["text"]),
        (&json!("o@example.com"), &json!("halo"))
    );
    assert_eq!(shop.call("DELETE", "me", &token, &Value::Null).await.status, 204);
    assert_eq!(shop.call("GET", "me", &token, &Value::Null).await.status, 401);
    until("the company is asked", || async {
        let all = shop.home.events(&room);
        all.into_iter().find(|event| !event["content"]["dev.kontor.erasure_request"].is_null())
    })
    .await;
    let late = shop.home.says(&room, "are you there?");
    let rungs = until("the employee is told", || async {
        Some(shop.rungs(&room, &late)).filter(|rungs| rungs.contains(&"failed".to_owned()))
    })
    .await;
    assert!(!rungs.contains(&"delivered".to_owned()));
}

/// A thousand people at once: each gets their own conversation, their own answer, and nobody else's.
async fn a_thousand_visitors_each_have_their_own_conversation(db: Db) {
    const MANY: usize = 1000;
    let shop = Shop::open(db).await;
    let mut visitors = Vec::new();
    for number in 0..MANY {
        let (token, id) = shop.visitor(json!({})).await;
        shop.writes(&token, &format!("client-{number:04}"), &format!("question {number}")).await;
        visitors.push((token, id));
    }
    let began = std::time::Instant::now();
    until("all conversations are there", || async { (shop.home.conversations() == MANY).then_some(()) })
        .await;
    let mut rooms = Vec::new();
    for (number, (_, id)) in visitors.iter().enumerate() {
        let room = shop.room(id).await;
        until("the question is in its room", || async { (!shop.shown(&room).is_empty()).then_some(()) })
            .await;
        assert_eq!(shop.shown(&room), [format!("question {number}")]);
        rooms.push(room);
    }
    // All of them wait at once; every one is answered.
    let waiting = visitors.iter().enumerate().map(|(number, (token, _))| {
        let shop = &shop;
        async move {
            let mut since = 1;
            let deadline = std::time::Instant::now() + DEADLINE;
            loop {
                let got =
                    shop.call("GET", &format!("events?since={since}"), token, &Value::Null).await.json();
                let events = got["events"].as_array().unwrap().clone();
                since = got["next"].as_i64().unwrap();
                if let Some(event) = events.iter().find(|event| event["kind"] == "message") {
                    assert_eq!(event["text"], format!("answer {number}"));
                    return;
                }
                assert!(std::time::Instant::now() < deadline, "no answer for {number}");
            }
        }
    });
    for (number, room) in rooms.iter().enumerate() {
        shop.home.says(room, &format!("answer {number}"));
    }
    futures_util::future::join_all(waiting).await;
    eprintln!("a thousand were answered in {} ms", began.elapsed().as_millis());
}
