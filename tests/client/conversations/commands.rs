//! What employees type backstage and are answered there.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use harness::{Client, Db, Homeserver, Server, both_databases, enc, eventually, on_each_database};
use serde_json::{Value, json};

use super::support::{Channel, Talk, word};
use crate::client::support::{is_reference, list, text};

both_databases!(
    the_card_is_told_backstage_in_the_language_of_its_word_and_as_html,
    a_conversation_is_taken_given_and_given_back,
    a_status_is_set_with_the_moment_at_which_it_ends,
    notes_decisions_and_tasks_are_on_the_card_until_their_words_are_taken_back,
    the_api_writes_notes_and_tasks_that_are_said_backstage,
    files_and_messages_are_found_as_far_as_the_asker_reads_them,
    a_command_never_reaches_the_customer,
    edits_notices_and_quotations_are_no_commands,
    whoever_may_not_see_the_contact_is_told_nothing,
);

on_each_database!(a_command_is_done_once_whatever_crashes, two_processes_do_each_command_once);

const CONTACTS: &str = "/_kontor/contacts/v1/contacts";

/// The answers to a command.
async fn answers(client: &Client, room: &str, command: &str) -> Vec<Value> {
    let timeline = client.whole_timeline(room).await;
    let answers = |event: &Value| event["content"]["m.relates_to"]["m.in_reply_to"]["event_id"] == *command;
    timeline.into_iter().filter(answers).collect()
}

/// Types something backstage; gives its one answer.
async fn ask(client: &Client, talk: &Talk, body: &str) -> Value {
    let event = client.text(&talk.backstage, body).await;
    let mut answers = answers(client, &talk.backstage, &event).await;
    assert_eq!(answers.len(), 1, "one answer to {body:?}: {answers:?}");
    let answer = answers.remove(0);
    assert_eq!(
        (&answer["content"]["msgtype"], &answer["sender"]),
        (&json!("m.notice"), &json!("@kontor:localhost"))
    );
    answer["content"].clone()
}

async fn said(client: &Client, talk: &Talk, body: &str) -> String {
    text(&ask(client, talk, body).await["body"])
}

async fn card(client: &Client, talk: &Talk) -> Value {
    client.get(&format!("{CONTACTS}/{}", talk.contact)).await.ok()
}

async fn the_card_is_told_backstage_in_the_language_of_its_word_and_as_html(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let customer = word();
    let mut opening = channel.opening(&customer);
    opening["profile"]["display_name"] = json!("Ola <b>\"Nowak\"</b>");
    channel.ask(&opening).await.ok();
    let talk = channel.talk_of(&opening).await;
    channel.say(&talk, "Is anybody there?").await;
    let told = ask(&anna, &talk, "!karta").await;
    let body = text(&told["body"]);
    for part in [
        "Ola <b>\"Nowak\"</b> · Shop · zainteresowany",
        &format!("E-mail: {customer}@Example.com (tylko podane)"),
        "Status: otwarta",
        "Prowadzi: nikt",
        "Czeka od: ",
        "(0 min)",
        "Ostatnia odpowiedź: jeszcze nie",
        &format!("/_kontor/card/{}", talk.id),
    ] {
        assert!(body.contains(part), "{part}: {body}");
    }
    let html = text(&told["formatted_body"]);
    assert!(html.contains("Ola &lt;b&gt;&quot;Nowak&quot;&lt;/b&gt;") && !html.contains("<b>"), "{html}");
    assert_eq!((&told["format"], &told["m.mentions"]), (&json!("org.matrix.custom.html"), &json!({})));
    for (command, part) in [
        ("!card", "Assigned to: nobody"),
        ("!КАРТКА", "Веде: ніхто"),
        ("  !Karta ", "Prowadzi: nikt"),
        ("!help", "Commands."),
        ("!pomoc", "Polecenia."),
        ("!допомога", "Команди."),
        // Of no language of its own: the channel's.
        ("!status", "Write a status"),
        ("!kart", "I do not know !kart. !help"),
    ] {
        assert!(said(&anna, &talk, command).await.contains(part), "{command}");
    }
    channel.close().await;
}

async fn a_conversation_is_taken_given_and_given_back(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (anna, bob) = (server.register("anna").await, server.register("bob").await);
    let channel = Channel::open(&server, &[&anna]).await;
    let talk = channel.talk(&word()).await;
    assert_eq!(said(&anna, &talk, "!moje").await, "Rozmowa jest Twoja.");
    assert_eq!(talk.seen_by(&anna).await["assignee"], anna.user_id());
    assert!(said(&anna, &talk, "!mine").await.contains("already"));
    let given = said(&anna, &talk, &format!("!przypisz @{}", bob.localpart())).await;
    assert!(given.contains(bob.user_id()), "{given}");
    assert_eq!(talk.seen_by(&anna).await["assignee"], bob.user_id());
    for room in [&talk.room, &talk.backstage] {
        bob.text(room, "here I am").await;
    }
    let taken = said(&anna, &talk, "!claim").await;
    assert!(taken.contains(bob.user_id()), "{taken}");
    assert_eq!(talk.seen_by(&anna).await["assignee"], bob.user_id());
    assert!(said(&bob, &talk, "!призначити ніхто").await.contains("ніхто"));
    assert!(talk.seen_by(&anna).await.get("assignee").is_none());
    // As clients write a mention: the name in the text, the id beside it.
    let mention = json!({ "msgtype": "m.text", "body": "!assign Bob: ", "m.mentions": { "user_ids": [bob.user_id()] } });
    anna.send(&talk.backstage, "m.room.message", &mention).await;
    assert_eq!(talk.seen_by(&anna).await["assignee"], bob.user_id());
    said(&anna, &talk, "!przypisz mnie").await;
    assert_eq!(talk.seen_by(&anna).await["assignee"], anna.user_id());
    for nobody in
        ["!assign", "!assign @nobody", "!assign @x:elsewhere.example", &format!("!assign {}", talk.ghost)]
    {
        assert!(said(&anna, &talk, nobody).await.contains("no such employee"), "{nobody}");
    }
    assert_eq!(talk.seen_by(&anna).await["assignee"], anna.user_id());
    channel.close().await;
}

async fn a_status_is_set_with_the_moment_at_which_it_ends(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let talk = channel.talk(&word()).await;
    for (command, status) in [
        ("!status closed", "closed"),
        ("!status otwarta", "open"),
        ("!статус очікує", "pending"),
        ("!status odłóż 2h", "snoozed"),
        ("!status snoozed 2030-12-24 10:00", "snoozed"),
    ] {
        said(&anna, &talk, command).await;
        assert_eq!(talk.seen_by(&anna).await["status"], status, "{command}");
        // A year ahead is the longest sleep.
        if command.contains("2h") {
            let until = talk.seen_by(&anna).await["snoozed_until"].as_u64().unwrap();
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
            let hours = (until - u64::try_from(now).unwrap()) as f64 / 3_600_000.0;
            assert!((1.9..2.01).contains(&hours), "{hours}");
        }
    }
    let before = talk.seen_by(&anna).await;
    for bad in
        ["!status", "!status gone", "!status snoozed", "!status snoozed yesterday", "!status snoozed 01:99"]
    {
        said(&anna, &talk, bad).await;
        assert_eq!(talk.seen_by(&anna).await, before, "{bad}");
    }
    channel.close().await;
}

async fn notes_decisions_and_tasks_are_on_the_card_until_their_words_are_taken_back(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (anna, bob) = (server.register("anna").await, server.register("bob").await);
    let channel = Channel::open(&server, &[&anna, &bob]).await;
    let talk = channel.talk(&word()).await;
    let version = card(&anna, &talk).await["notes"].clone();
    assert_eq!(version, json!([]));
    let noted = anna.text(&talk.backstage, "!notatka Rings after 15:00\nand never on Mondays").await;
    said(&bob, &talk, "!decision Free delivery").await;
    let task = format!("!zadanie Send the offer @{} 2099-12-24", bob.localpart());
    assert!(said(&anna, &talk, &task).await.contains("2099-12-24 23:59"));
    said(&anna, &talk, "!task Call back").await;
    for empty in ["!notatka", "!decyzja", "!szukaj"] {
        assert!(said(&anna, &talk, empty).await.contains(&format!("na przykład {empty} ")), "{empty}");
    }
    let told = card(&anna, &talk).await;
    let notes: Vec<_> = list(&told["notes"])
        .iter()
        .map(|note| (text(&note["kind"]), text(&note["text"]), text(&note["author"])))
        .collect();
    assert_eq!(
        notes,
        [
            ("decision".to_owned(), "Free delivery".to_owned(), bob.user_id().to_owned()),
            (
                "note".to_owned(),
                "Rings after 15:00\nand never on Mondays".to_owned(),
                anna.user_id().to_owned()
            ),
        ]
    );
    assert_eq!(told["notes"][1]["event_id"], json!(noted), "the event is the evidence");
    let tasks = list(&told["tasks"]);
    assert_eq!(
        (tasks[0]["number"].as_i64(), text(&tasks[0]["text"]), text(&tasks[0]["assignee"])),
        (Some(1), "Send the offer".to_owned(), bob.user_id().to_owned())
    );
    assert_eq!((tasks[1]["number"].as_i64(), tasks[1].get("assignee")), (Some(2), None));
    let body = said(&bob, &talk, "!card").await;
    for part in ["1. Send the offer", "2. Call back", "Decision: Free delivery", "Rings after 15:00"] {
        assert!(body.contains(part), "{part}: {body}");
    }
    let mine = bob.get("/_kontor/contacts/v1/tasks").await.ok();
    assert!(list(&mine["tasks"]).iter().any(|one| one["conversation_id"] == json!(talk.id)), "{mine}");
    assert_eq!(said(&bob, &talk, "!zrobione 1").await, "Zrobione: Send the offer");
    for none in ["!done 1", "!done 7", "!done", "!done x"] {
        assert!(said(&bob, &talk, none).await.starts_with("There is no such task"), "{none}");
    }
    let told = card(&anna, &talk).await;
    assert_eq!(
        (&told["tasks"][1]["number"], &told["tasks"][1]["done_by"]),
        (&json!(1), &json!(bob.user_id()))
    );
    let listed = said(&anna, &talk, "!zadania").await;
    assert!(listed.contains("2. Call back") && !listed.contains("offer"), "{listed}");
    anna.redact(&talk.backstage, &noted).await;
    let told = card(&anna, &talk).await;
    assert_eq!(list(&told["notes"]).len(), 1, "{told}");
    assert!(!said(&bob, &talk, "!card").await.contains("Mondays"));
    channel.close().await;
}

async fn the_api_writes_notes_and_tasks_that_are_said_backstage(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (anna, eve) = (server.register("anna").await, server.register("eve").await);
    let channel = Channel::open(&server, &[&anna]).await;
    let talk = channel.talk(&word()).await;
    let made = anna.post(&talk.path("/notes"), &json!({ "kind": "decision", "text": "Free delivery" })).await;
    assert_eq!(made.status, 201, "{made}");
    let event = anna.event(&talk.backstage, &text(&made.json["event_id"])).await.ok();
    let body = text(&event["content"]["body"]);
    assert!(body.contains(anna.user_id()) && body.contains("Decyzja: Free delivery"), "{body}");
    let task = json!({ "text": "Call back", "assignee": anna.user_id(), "due": 4_000_000_000_000_u64 });
    assert_eq!(anna.post(&talk.path("/tasks"), &task).await.status, 201);
    let told = card(&anna, &talk).await;
    assert_eq!(
        (&told["notes"][0]["text"], &told["notes"][0]["author"]),
        (&json!("Free delivery"), &json!(anna.user_id()))
    );
    assert_eq!(
        (&told["tasks"][0]["text"], &told["tasks"][0]["due"]),
        (&json!("Call back"), &json!(4_000_000_000_000_u64))
    );
    for _ in 0..2 {
        anna.patch(&talk.path("/tasks/1"), &json!({ "done": true })).await.ok();
        assert!(card(&anna, &talk).await["tasks"][0]["done_ts"].is_i64());
    }
    anna.patch(&talk.path("/tasks/1"), &json!({ "done": false })).await.ok();
    assert!(card(&anna, &talk).await["tasks"][0].get("done_ts").is_none());
    for (bad, status) in [
        (json!({ "text": "" }), 400),
        (json!({ "text": "x".repeat(10_001) }), 400),
        (json!({ "text": "x", "kind": "poem" }), 400),
        (json!({}), 400),
    ] {
        assert_eq!(anna.post(&talk.path("/notes"), &bad).await.status, status, "{bad}");
    }
    for bad in
        [json!({ "text": "x", "due": 1 }), json!({ "text": "x", "assignee": "bob" }), json!({ "text": 1 })]
    {
        assert_eq!(anna.post(&talk.path("/tasks"), &bad).await.status, 400, "{bad}");
    }
    let ghost = json!({ "text": "x", "assignee": talk.ghost });
    anna.post(&talk.path("/tasks"), &ghost).await.err(403, "M_FORBIDDEN");
    anna.patch(&talk.path("/tasks/9"), &json!({ "done": true })).await.err(404, "M_NOT_FOUND");
    eve.post(&talk.path("/notes"), &json!({ "text": "x" })).await.err(404, "M_NOT_FOUND");
    eve.patch(&talk.path("/tasks/1"), &json!({ "done": true })).await.err(404, "M_NOT_FOUND");
    channel.bot.post(&talk.path("/notes"), &json!({ "text": "x" })).await.err(403, "M_FORBIDDEN");
    let told = card(&anna, &talk).await;
    assert_eq!((list(&told["notes"]).len(), list(&told["tasks"]).len()), (1, 1));
    channel.close().await;
}

async fn files_and_messages_are_found_as_far_as_the_asker_reads_them(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let (talk, other) = (channel.talk(&word()).await, channel.talk(&word()).await);
    assert!(said(&anna, &talk, "!pliki").await.contains("nie ma plików"));
    for (room, name) in
        [(&talk.room, "one.txt"), (&talk.backstage, "two <i>.txt"), (&other.room, "foreign.txt")]
    {
        let mxc = anna.upload("text/plain", name, name.as_bytes().to_vec()).await;
        let info = json!({ "mimetype": "text/plain", "size": 1450 });
        let content = json!({ "msgtype": "m.file", "body": name, "url": mxc, "info": info });
        anna.send(room, "m.room.message", &content).await;
    }
    let told = ask(&anna, &talk, "!files").await;
    let body = text(&told["body"]);
    let (one, two) = (body.find("one.txt").unwrap(), body.find("two <i>.txt").unwrap());
    assert!(two < one && !body.contains("foreign.txt"), "the newest first: {body}");
    assert!(body.contains(&format!("https://matrix.to/#/{}/$", talk.room)), "{body}");
    assert!(body.contains("one.txt · 1.5 kB · @anna"), "{body}");
    assert!(text(&told["formatted_body"]).contains("two &lt;i&gt;.txt"));
    let found = channel.say(&talk, "The żółty armchair, please").await;
    anna.text(&talk.backstage, "żółty is sold out").await;
    anna.text(&other.room, "żółty elsewhere").await;
    let body = eventually("the index has them", || async {
        let body = said(&anna, &talk, "!szukaj zolty").await;
        (body.contains("armchair") && body.contains("sold out")).then_some(body)
    })
    .await;
    assert!(!body.contains("elsewhere") && !body.contains("szukaj") && body.contains(&found), "{body}");
    assert!(said(&anna, &talk, "!find unheardof").await.contains("Nothing"));
    // Somebody who left the customer's room finds what is said backstage only.
    let bob = server.register("bob").await;
    let path = format!("/_kontor/admin/v1/channels/{}", channel.id);
    channel.admin.patch(&path, &json!({ "members": [anna.user_id(), bob.user_id()] })).await.ok();
    eventually("bob is brought in", || async {
        (list(&bob.get("/joined_rooms").await.ok()["joined_rooms"]).len() == 4).then_some(())
    })
    .await;
    bob.leave(&talk.room).await;
    bob.post(&format!("/rooms/{}/forget", enc(&talk.room)), &json!({})).await.ok();
    let body = said(&bob, &talk, "!files").await;
    assert!(body.contains("two") && !body.contains("one.txt"), "{body}");
    let body = said(&bob, &talk, "!find zolty").await;
    assert!(body.contains("sold out") && !body.contains("armchair"), "{body}");
    channel.close().await;
}

async fn a_command_never_reaches_the_customer(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let talk = channel.talk(&word()).await;
    let first = anna.text(&talk.room, "Good morning! Yes!").await;
    let message = |body: &str| json!({ "msgtype": "m.text", "body": body });
    let mut edit = message("* !notatka secret");
    edit["m.new_content"] = message("!notatka secret");
    edit["m.relates_to"] = json!({ "rel_type": "m.replace", "event_id": first });
    let mut reply = message("> <@x:y> hi\n\n!notatka secret");
    reply["m.relates_to"] = json!({ "m.in_reply_to": { "event_id": first } });
    let caption =
        json!({ "msgtype": "m.image", "filename": "a.png", "body": "!notatka secret", "url": "mxc://x/y" });
    let notice = json!({ "msgtype": "m.notice", "body": "!notatka secret" });
    for content in [
        message("!notatka secret"),
        message(" !notatk secret"),
        message("!КАРТКА secret"),
        edit,
        reply,
        caption,
        notice,
    ] {
        let answer = anna.send_txn(&talk.room, "m.room.message", &word(), &content).await;
        assert!(answer.status == 403 && text(&answer.json["error"]).contains("internal room"), "{answer}");
    }
    let told = eventually("backstage is told", || async {
        let timeline = anna.whole_timeline(&talk.backstage).await;
        timeline.into_iter().find(|event| event["content"]["msgtype"] == "m.notice")
    })
    .await;
    assert!(text(&told["content"]["body"]).contains("!pomoc") && !told.to_string().contains("secret"));
    // Whoever only shouts is heard, and customers may say what they like.
    anna.text(&talk.room, "!!! Sale !!!").await;
    channel.say(&talk, "!karta").await;
    let last = anna.text(&talk.room, "the end").await;
    channel.wait_for(&last).await;
    assert!(!json!(channel.told()).to_string().contains("secret"));
    assert!(!json!(anna.whole_timeline(&talk.room).await).to_string().contains("secret"));
    assert_eq!(card(&anna, &talk).await["notes"], json!([]));
    channel.close().await;
}

async fn edits_notices_and_quotations_are_no_commands(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let talk = channel.talk(&word()).await;
    let first = anna.text(&talk.backstage, "A word").await;
    for content in [
        json!({ "msgtype": "m.notice", "body": "!moje" }),
        json!({ "msgtype": "m.emote", "body": "!moje" }),
        json!({ "msgtype": "m.text", "body": "* !moje", "m.new_content": { "msgtype": "m.text", "body": "!moje" },
            "m.relates_to": { "rel_type": "m.replace", "event_id": first } }),
        json!({ "msgtype": "m.text", "body": "> <@x:y> !moje\n\nwhat is that?", "m.relates_to": { "m.in_reply_to": { "event_id": first } } }),
        json!({ "msgtype": "m.text", "body": "is it !moje?" }),
        json!({ "msgtype": "m.text" }),
    ] {
        let event = anna.send(&talk.backstage, "m.room.message", &content).await;
        assert_eq!(answers(&anna, &talk.backstage, &event).await, Vec::<Value>::new(), "{content}");
    }
    assert!(talk.seen_by(&anna).await.get("assignee").is_none());
    // In a thread, the answer stays there.
    let threaded = json!({ "msgtype": "m.text", "body": "!moje", "m.relates_to": { "rel_type": "m.thread", "event_id": first } });
    let event = anna.send(&talk.backstage, "m.room.message", &threaded).await;
    let answers = answers(&anna, &talk.backstage, &event).await;
    assert_eq!(
        (
            &answers[0]["content"]["m.relates_to"]["rel_type"],
            &answers[0]["content"]["m.relates_to"]["event_id"]
        ),
        (&json!("m.thread"), &json!(first))
    );
    channel.close().await;
}

async fn whoever_may_not_see_the_contact_is_told_nothing(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (anna, eve) = (server.register("anna").await, server.register("eve").await);
    let channel = Channel::open(&server, &[&anna]).await;
    let talk = channel.talk(&word()).await;
    said(&anna, &talk, "!moje").await;
    // A colleague who was asked in, of another department.
    anna.invite(&talk.backstage, &eve).await;
    eve.join(&talk.backstage).await;
    for command in [
        "!card",
        "!mine",
        "!note x",
        "!task",
        "!task x",
        "!done 1",
        "!files",
        "!search x",
        "!assign me",
        "!status closed",
    ] {
        assert_eq!(said(&eve, &talk, command).await, "You may not see this contact.", "{command}");
    }
    let seen = talk.seen_by(&anna).await;
    assert_eq!((&seen["assignee"], &seen["status"]), (&json!(anna.user_id()), &json!("open")));
    assert!(said(&eve, &talk, "!help").await.contains("!card"));
    channel.close().await;
}

/// Every command has exactly one answer, and every task is there once.
async fn each_is_done_once(anna: &Client, talk: &Talk, expected: usize) {
    let timeline = anna.whole_timeline(&talk.backstage).await;
    let commands: Vec<String> = timeline
        .iter()
        .filter(|event| event["content"]["body"].as_str().is_some_and(|body| body.starts_with("!task")))
        .map(|event| text(&event["event_id"]))
        .collect();
    assert_eq!(commands.len(), expected);
    let mut answered: BTreeMap<String, usize> = BTreeMap::new();
    for event in &timeline {
        if let Some(id) = event["content"]["m.relates_to"]["m.in_reply_to"]["event_id"].as_str() {
            *answered.entry(id.to_owned()).or_default() += 1;
        }
    }
    for command in &commands {
        assert_eq!(answered.get(command), Some(&1), "one answer each");
    }
    let told = card(anna, talk).await;
    let mut numbers: Vec<i64> =
        list(&told["tasks"]).iter().filter_map(|task| task["number"].as_i64()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=i64::try_from(expected).unwrap()).collect::<Vec<_>>(), "one task each");
}

async fn a_command_is_done_once_whatever_crashes(db: Db) {
    let mut process = Server::start(db);
    let server = process.homeserver();
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let talk = channel.talk(&word()).await;
    let path = |n: usize| format!("/rooms/{}/send/m.room.message/t{n}", enc(&talk.backstage));
    let content = |n: usize| json!({ "msgtype": "m.text", "body": format!("!task number {n}") });
    let mut sent = 0;
    for _ in 0..3 {
        // Some are answered, some are cut off; then all are sent again, as clients do.
        let (paths, contents): (Vec<_>, Vec<_>) = (sent..sent + 8).map(|n| (path(n), content(n))).unzip();
        let burst = paths
            .iter()
            .zip(&contents)
            .map(|(path, content)| anna.try_request(reqwest::Method::PUT, path, Some(content)));
        let cut = async {
            tokio::time::sleep(std::time::Duration::from_millis(30)).await;
            process.kill();
        };
        tokio::join!(join_all(burst), cut);
        process.start_again();
        sent += 8;
        for n in 0..sent {
            anna.put(&path(n), &content(n)).await.ok();
        }
    }
    each_is_done_once(&anna, &talk, sent).await;
}

async fn two_processes_do_each_command_once(db: Db) {
    let first = Server::start(db);
    let server = first.homeserver();
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let talk = channel.talk(&word()).await;
    // SQLite has one process; there the same process is asked twice.
    let second = (db == Db::Postgres).then(|| first.peer("second"));
    let there = second.as_ref().map_or_else(|| anna.clone(), |second| second.homeserver().client_like(&anna));
    let asks = (0..20).flat_map(|n| [(n, &anna), (n, &there)]).map(|(n, client)| {
        let path = format!("/rooms/{}/send/m.room.message/t{n}", enc(&talk.backstage));
        let body = json!({ "msgtype": "m.text", "body": format!("!task number {n}") });
        async move { client.put(&path, &body).await.ok() }
    });
    join_all(asks).await;
    each_is_done_once(&anna, &talk, 20).await;
}
