//! What customers and employees do, there and back, against an emulated Telegram.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "this is test code: failing loudly is its purpose"
)]

#[allow(dead_code, reason = "each test uses what it needs")]
mod support;

use kontor_emulators::telegram::UPDATES;
use serde_json::{Map, Value, json};
use support::{Nature, called, event, message, sent, world};

/// The customer of the fixtures.
const OKSANA: &str = "730112233";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_telegram_was_seen_to_tell_arrives() {
    let world = world(Nature::Bot, false).await;
    let all: Map<String, Value> = serde_json::from_str(UPDATES).unwrap();
    assert_eq!(all.len(), 30);
    for file in [
        "AgACphoto3",
        "AgACphoto4",
        "AgACphoto5",
        "BQACdoc",
        "AwACvoice",
        "BAACvid",
        "DQACvn",
        "CgACan",
        "CAACst",
    ] {
        world.control("setup", json!({ "file": file, "contents": file })).await;
    }
    // Telegram's order is that of the numbers.
    let mut updates: Vec<(&String, &Value)> = all.iter().collect();
    updates.sort_by_key(|(_, update)| update["update_id"].as_i64());
    for (_, update) in &updates {
        world.inject(json!({ "update": update })).await;
    }
    let in_bot = [
        "Dzień dobry, kiedy wysyłka?",
        "Zobacz 👉 tutaj",
        "📎 photo_4.jpg …",
        "Dwa zdjęcia",
        "📎 photo_6.jpg …",
        "📎 faktura 12-2026.pdf …",
        "📎 voice_8.ogg …",
        "📎 IMG_1.mp4 …",
        "📎 video_note_10.mp4 …",
        "📎 animation_11.mp4 …",
        "📎 sticker_12.webp …",
        "📍 52.2297, 21.0122",
        "📍 Paczkomat WAW01, ul. Prosta 1",
        "📱 +48601234567",
        "👤 Kurier +48602000111",
        "> ul. Prosta 1",
        "↪ przekazane od: Ktoś",
        "* Dzień dobry, kiedy wysyłka zamówienia 77?",
        "[wciśnięto: human]",
        "Klient zablokował bota",
        "Czy jest rozmiar 42?",
        "Sklep: Tak, jest.",
        "🤖 automatyczna odpowiedź: Jesteśmy czynni 9-17.",
        "Czy jest rozmiar 43?",
    ];
    for part in in_bot {
        message(&world, OKSANA, part).await;
    }
    // The phone number is proven, the courier's is not; the link's code came with its link.
    let claims = world.home.claims();
    let proven: Vec<&Value> =
        claims.iter().flat_map(|claims| claims["claims"].as_array().into_iter().flatten()).collect();
    let phone = proven.iter().find(|claim| claim["kind"] == "phone").unwrap();
    assert_eq!((&phone["value"], &phone["trust"]), (&json!("+48601234567"), &json!("proven")));
    assert_eq!(proven.iter().filter(|claim| claim["kind"] == "phone").count(), 1);
    assert!(proven.iter().any(|claim| claim["kind"] == "link_code" && claim["value"] == "ct_9f2c4b"));
    // Files came home in the place of their placeholders.
    let voice =
        event(&world, OKSANA, "the voice", |event| event["content"]["m.new_content"]["msgtype"] == "m.audio")
            .await;
    assert!(voice["content"]["m.new_content"]["org.matrix.msc3245.voice"].is_object());
    // What the customer took back on the company's account is gone from the room.
    event(&world, OKSANA, "the deletion", |event| event["type"] == "m.room.redaction").await;
    // A dead letter would be told; there is none, and everything is confirmed.
    assert!(world.notices(OKSANA, "dead").is_empty());
    assert!(world.notices(OKSANA, "failed").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn formatted_text_goes_both_ways() {
    let world = world(Nature::Bot, false).await;
    let entities = json!([{ "type": "bold", "offset": 3, "length": 4 }]);
    world
        .inject(json!({ "id": "m1", "box": "a", "type": "message", "content": { "text": "👉 pilne!", "entities": entities } }))
        .await;
    let shown = message(&world, "a", "pilne").await;
    assert_eq!(shown["content"]["formatted_body"], "👉 <strong>piln</strong>e!");
    let room = world.room("a").unwrap();
    let html = "Proszę <strong>kliknąć</strong> <a href=\"https://x.example/\">👉 tu</a>";
    let content = json!({ "msgtype": "m.text", "body": "Proszę kliknąć tu", "format": "org.matrix.custom.html",
        "formatted_body": html, "m.relates_to": { "m.in_reply_to": { "event_id": shown["event_id"] } } });
    world.home.act(&room, "m.room.message", content);
    let sent = &sent(&world, "a", 1).await[0];
    assert_eq!(sent["text"], "Proszę kliknąć 👉 tu");
    assert_eq!(
        sent["entities"],
        json!([
            { "type": "bold", "offset": 7, "length": 7 },
            { "type": "text_link", "offset": 15, "length": 5, "url": "https://x.example/" },
        ])
    );
    assert_eq!(sent["reply_to"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_that_change_nothing_are_not_shown() {
    let world = world(Nature::Bot, false).await;
    world.writes("a", "m1", "one").await;
    world.inject(json!({ "id": "e1", "box": "a", "type": "edit", "of": "m1", "text": "one" })).await;
    world.inject(json!({ "id": "e2", "box": "a", "type": "edit", "of": "m1", "text": "two" })).await;
    world.writes("a", "m2", "after").await;
    message(&world, "a", "after").await;
    let changes: Vec<Value> =
        world.events("a").into_iter().filter(|event| !event["content"]["m.new_content"].is_null()).collect();
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0]["content"]["m.new_content"]["body"], "two");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_unknown_blocks_nothing() {
    let world = world(Nature::Bot, false).await;
    world.opened("a").await;
    world.inject(json!({ "update": { "x_stars": { "amount": 5 } } })).await;
    world.inject(json!({ "id": "x", "box": "a", "type": "x_update" })).await;
    world
        .inject(json!({ "id": "s", "box": "a", "type": "message", "content": { "story": { "id": 1 } } }))
        .await;
    world.writes("a", "m2", "after").await;
    message(&world, "a", "after").await;
    message(&world, "a", "relacja").await;
    message(&world, "a", "x_hologram").await;
    world
        .until("everything is confirmed", || async {
            let waiting = world.control("pending", json!({})).await["pending"].as_u64();
            (waiting == Some(0)).then_some(())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_number_is_asked_for_by_a_button() {
    let world = world(Nature::Bot, false).await;
    let room = world.opened("a").await;
    world.home.says(&room, "!telefon");
    let asked = sent(&world, "a", 1).await;
    assert_eq!(asked[0]["markup"]["keyboard"][0][0]["request_contact"], true);
    assert_eq!(asked[0]["text"], "Prosimy o udostępnienie numeru telefonu przyciskiem poniżej.");
    let user: i64 = world.external_id("a").parse().unwrap();
    let card = json!({ "phone_number": "48601234567", "first_name": "a", "user_id": user });
    world.inject(json!({ "id": "c", "box": "a", "type": "message", "content": { "contact": card } })).await;
    message(&world, "a", "+48601234567").await;
    world.home.says(&room, "Dziękuję");
    assert_eq!(sent(&world, "a", 2).await[1]["markup"]["remove_keyboard"], true);
    world.home.says(&room, "!");
    assert_eq!(sent(&world, "a", 3).await[2]["markup"], Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_blocks_the_bot_is_told_of_and_cannot_be_written_to() {
    let world = world(Nature::Bot, false).await;
    let room = world.opened("a").await;
    world.inject(json!({ "id": "b", "box": "a", "type": "block" })).await;
    let notice = message(&world, "a", "Klient zablokował bota").await;
    assert_eq!(notice["content"]["dev.kontor.blocked"], true);
    let said = world.home.says(&room, "one");
    let failed = message(&world, "a", "Nie dostarczono: klient jest tą drogą nieosiągalny").await;
    assert!(failed["content"]["body"].as_str().unwrap().contains("klient zablokował bota"), "{failed}");
    assert_eq!(world.rungs("a", &said).pop().as_deref(), Some("failed"));
    world.inject(json!({ "id": "u", "box": "a", "type": "unblock" })).await;
    message(&world, "a", "Klient odblokował bota").await;
    world.home.says(&room, "two");
    world.sent_exactly("a", &["two"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pressed_button_is_answered_and_shown_by_its_label() {
    let world = world(Nature::Bot, false).await;
    world.opened("a").await;
    world.inject(json!({ "id": "p", "box": "a", "type": "press", "data": "human", "of": "open-a" })).await;
    message(&world, "a", "[wciśnięto: human]").await;
    assert_eq!(called(&world, "answercallbackquery").await["callback_query_id"], "query-p");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_is_one_conversation_of_several_people_and_may_move() {
    let world = world(Nature::Bot, false).await;
    let group = -100_500;
    let lane = group.to_string();
    for (number, who) in ["jan", "ola"].into_iter().enumerate() {
        world
            .inject(json!({ "id": format!("g{number}"), "box": who, "group": group, "type": "text", "text": "cześć" }))
            .await;
    }
    message(&world, &lane, "jan:\ncześć").await;
    message(&world, &lane, "ola:\ncześć").await;
    world
        .inject(json!({ "id": "r", "box": "ola", "group": group, "type": "react", "of": "1", "key": "👍" }))
        .await;
    event(&world, &lane, "the reaction", |event| event["type"] == "m.reaction").await;
    let moved = json!({ "migrate_to_chat_id": -100_777 });
    world
        .inject(json!({ "id": "mv", "box": "jan", "group": group, "type": "message", "content": moved }))
        .await;
    world
        .inject(json!({ "id": "n1", "box": "jan", "group": -100_777, "type": "text", "text": "tu jestem" }))
        .await;
    message(&world, &lane, "jan:\ntu jestem").await;
    assert_eq!(world.home.conversations(), 1);
    let room = world.room(&lane).unwrap();
    world.home.says(&room, "witamy");
    world.sent_exactly("-100777", &["witamy"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_go_out_as_what_they_are() {
    let world = world(Nature::Bot, false).await;
    let room = world.opened("a").await;
    let file = |kind: &str, media_type: &str, name: &str, contents: &[u8]| {
        let mxc = world.home.stores(media_type, contents);
        json!({ "msgtype": kind, "body": name, "url": mxc, "info": { "mimetype": media_type } })
    };
    world.home.act(&room, "m.room.message", file("m.image", "image/png", "x.png", b"png"));
    let mut voice = file("m.audio", "audio/ogg", "g.ogg", b"ogg");
    voice["org.matrix.msc3245.voice"] = json!({});
    world.home.act(&room, "m.room.message", voice);
    world.home.act(&room, "m.room.message", file("m.file", "application/pdf", "umowa \"1\".pdf", b"pdf"));
    world.home.act(&room, "m.room.message", file("m.video", "video/mp4", "v.mp4", b"mp4"));
    // What Telegram cannot show as a picture arrives as a file.
    world.home.act(&room, "m.room.message", file("m.image", "image/png", "y.png", b"not a picture"));
    let mut long = file("m.image", "image/png", "z.png", b"z");
    long["filename"] = json!("z.png");
    long["body"] = json!("słowo ".repeat(300));
    world.home.act(&room, "m.room.message", long);
    let sent = sent(&world, "a", 7).await;
    let kinds: Vec<&str> = sent.iter().map(|sent| sent["kind"].as_str().unwrap_or("text")).collect();
    assert_eq!(kinds, ["photo", "voice", "document", "video", "document", "photo", "text"]);
    assert_eq!(sent[2]["name"], "umowa _1_.pdf");
    assert_eq!(sent[4]["contents"], "not a picture");
    assert!(sent[6]["text"].as_str().unwrap().starts_with("słowo słowo"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_too_large_for_bots_is_told_of() {
    let world = world(Nature::Bot, false).await;
    world.control("setup", json!({ "file": "big", "contents": "x", "size": 48 << 20 })).await;
    world.inject(json!({ "id": "m", "box": "a", "type": "file", "file": "big", "name": "film.mp4" })).await;
    message(&world, "a", "📎 film.mp4 (48 MB): za duży: bot może pobrać pliki do 20 MB").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_texts_are_divided_as_telegram_counts() {
    let world = world(Nature::Bot, false).await;
    let room = world.opened("a").await;
    let text = "👉👉👉 ".repeat(1000);
    world.home.says(&room, &text);
    let sent = sent(&world, "a", 2).await;
    let whole: String = sent.iter().filter_map(|sent| sent["text"].as_str()).collect();
    let squeeze = |text: &str| text.split_whitespace().collect::<String>();
    assert_eq!(squeeze(&whole), squeeze(&text));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_elses_poll_and_webhook_are_noticed() {
    let world = world(Nature::Bot, false).await;
    world.opened("a").await;
    // A webhook that was set meanwhile is removed: the bridge is to ask.
    let base = world.emulator();
    let set =
        format!("{base}/bot{}/setWebhook?url=https://other.example/x", kontor_emulators::telegram::TOKEN);
    world.client().get(&set).send().await.unwrap();
    world.writes("a", "m2", "after").await;
    message(&world, "a", "after").await;
    called(&world, "deletewebhook").await;
    // Another program that asks is an alarm.
    let poll = format!("{base}/bot{}/getUpdates?timeout=0", kontor_emulators::telegram::TOKEN);
    world
        .until("the bridge notices", || async {
            world.client().get(&poll).send().await.unwrap();
            let told = world.home.health();
            told.iter()
                .any(|report| report["detail"].as_str().is_some_and(|why| why.contains("Another program")))
                .then_some(())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxys_answer_leaves_the_fate_unknown_and_the_agent_is_asked() {
    let world = world(Nature::Bot, false).await;
    let room = world.opened("a").await;
    world.fault("send", kontor_emulators::faults::Kind::DropAfter, 1, 502).await;
    let said = world.home.says(&room, "one");
    world.question("a", 0).await;
    assert_eq!(world.rungs("a", &said).pop().as_deref(), Some("uncertain"));
    assert_eq!(world.sent_texts("a").await, ["one"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_employee_writes_buttons_and_the_customer_presses_one() {
    let world = world(Nature::Bot, false).await;
    let room = world.opened("a").await;
    world.home.says(&room, "Czy pasuje jutro?\n[[Tak]] [[Nie]]");
    let asked = sent(&world, "a", 1).await[0].clone();
    assert_eq!(asked["text"], "Czy pasuje jutro?");
    assert_eq!(asked["markup"]["inline_keyboard"][0][0]["text"], "Tak");
    let of = asked["remote"].as_str().unwrap();
    world.inject(json!({ "id": "p", "box": "a", "type": "press", "data": "Tak", "of": of })).await;
    let pressed = message(&world, "a", "[wciśnięto: Tak]").await;
    assert!(pressed["content"]["m.relates_to"]["m.in_reply_to"]["event_id"].is_string(), "{pressed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_files_of_an_employee_arrive_in_their_order() {
    let world = world(Nature::Bot, false).await;
    let room = world.opened("a").await;
    for name in ["1.png", "2.png", "3.png"] {
        let mxc = world.home.stores("image/png", b"png");
        let content =
            json!({ "msgtype": "m.image", "body": name, "url": mxc, "info": { "mimetype": "image/png" } });
        world.home.act(&room, "m.room.message", content);
    }
    let sent = sent(&world, "a", 3).await;
    let names: Vec<&str> = sent.iter().filter_map(|sent| sent["name"].as_str()).collect();
    assert_eq!(names, ["1.png", "2.png", "3.png"]);
}
