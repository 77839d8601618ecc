//! Who is turned away at the door, and what forms may bring in.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "this is test code: failing loudly is its purpose"
)]

mod support;

use kontor_bridge_kit::proof;
use kontor_emulators::database::Db;
use kontor_emulators::on_each_database;
use serde_json::{Value, json};
use support::{FORM_SECRET, Got, ORIGIN, Shop, ask, until};

on_each_database!(
    pages_of_other_origins_may_do_nothing,
    what_is_oversized_or_nonsense_is_refused_and_nothing_is_kept,
    who_writes_too_much_waits,
    a_server_sends_forms_signed_and_in_time_and_each_counts_once,
    a_browser_sends_forms_as_a_person_would,
    consents_are_kept_only_for_the_text_that_was_ticked,
    the_script_is_served_with_its_name_and_its_hash,
);

const FORM: &str = "/_kontor/intake/v1/contact";

async fn intake(shop: &Shop, headers: &[(&str, &str)], body: &[u8]) -> Got {
    ask(shop.address, "POST", FORM, headers, body).await
}

fn lead(id: &str) -> Value {
    json!({ "submission_id": id, "name": "Oksana", "email": "oksana@example.com", "phone": "601 234 567",
        "message": "Proszę o kontakt", "page": "https://shop.example/kontakt?x=1", "utm": { "source": "google" },
        "elapsed_ms": 9000 })
}

fn signature(at: i64, body: &[u8]) -> String {
    let signed = [at.to_string().as_bytes(), b".", body].concat();
    let tag = proof::hmac_sha256(FORM_SECRET.as_bytes(), &signed);
    format!("t={at},v1={}", tag.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

async fn pages_of_other_origins_may_do_nothing(db: Db) {
    let shop = Shop::open(db).await;
    let (token, _) = shop.visitor(json!({})).await;
    let calls = [
        ("GET", "config"),
        ("POST", "session"),
        ("GET", "events?since=0"),
        ("POST", "messages"),
        ("POST", "files"),
        ("POST", "typing"),
        ("POST", "read"),
        ("POST", "rating"),
        ("POST", "end"),
        ("POST", "lead"),
        ("GET", "me"),
        ("DELETE", "me"),
    ];
    for origin in
        ["https://evil.example", "https://shop.example.evil.example", "null", "https://other.example"]
    {
        for (method, call) in calls {
            let got = shop.call_from(origin, "w_1", method, call, &token, &json!({})).await;
            assert_eq!(got.status, 403, "{method} {call} from {origin}");
            assert_eq!(got.header("access-control-allow-origin"), None, "nothing is reflected");
            let path = format!("/_kontor/widget/v1/{call}?w=w_1").replace("since=0?", "since=0&");
            let asks = [("origin", origin), ("access-control-request-method", method)];
            let got = ask(shop.address, "OPTIONS", &path, &asks, b"").await;
            assert_eq!(
                (got.status, got.header("access-control-allow-origin")),
                (403, None),
                "preflight of {call}"
            );
        }
    }
    // Without an origin at all only reading is possible, as from the page's own server.
    let got = ask(shop.address, "POST", "/_kontor/widget/v1/session?w=w_1", &[], b"{}").await;
    assert_eq!(got.status, 403);
    let own = [("origin", ORIGIN), ("access-control-request-method", "POST")];
    let got = ask(shop.address, "OPTIONS", "/_kontor/widget/v1/messages?w=w_1", &own, b"").await;
    assert_eq!((got.status, got.header("access-control-allow-origin")), (204, Some(ORIGIN)));
    assert_eq!(got.header("vary"), Some("Origin"));
    assert_eq!(got.header("access-control-allow-credentials"), None);
    assert_eq!(shop.home.conversations(), 0);
}

async fn what_is_oversized_or_nonsense_is_refused_and_nothing_is_kept(db: Db) {
    let shop = Shop::open(db).await;
    let (token, _) = shop.visitor(json!({})).await;
    let message = |text: String| json!({ "client_id": "00000001", "text": text });
    for (status, call, body) in [
        (413, "messages", message("x".repeat(9000))),
        (413, "messages", message("ż".repeat(4001))),
        (400, "messages", message("  \n ".to_owned())),
        (400, "messages", message("\u{0}".to_owned())),
        (400, "messages", json!({ "client_id": "1", "text": "x" })),
        (400, "messages", json!({ "client_id": "../../../../etc", "text": "x" })),
        (400, "messages", json!({ "text": "x" })),
        (400, "messages", json!({ "client_id": "00000001", "text": ["x"] })),
        (400, "messages", json!({ "client_id": "00000001", "text": "x", "from": "agent" })),
        (422, "messages", json!({ "client_id": "00000001", "text": "x", "profile": { "email": "nobody" } })),
        (
            422,
            "messages",
            json!({ "client_id": "00000001", "text": "x", "consents": [
            { "id": "contact", "version": "2026-05", "text_sha256": "0".repeat(64), "given_at": 1 }] }),
        ),
        (413, "session", json!({ "page": "x".repeat(9000) })),
        (400, "session", json!({ "nonsense": 1 })),
        (400, "read", json!({ "up_to": "x" })),
        (400, "files", json!({})),
        (404, "nowhere", json!({})),
    ] {
        let got = shop.call("POST", call, &token, &body).await;
        assert_eq!(
            got.status,
            status,
            "{call} {}: {}",
            body.to_string().chars().take(80).collect::<String>(),
            got.text()
        );
        assert!(got.json()["error"].is_string());
    }
    for path in [
        "/_kontor/widget/v1/config",
        "/_kontor/widget/v1/config?w=nobody",
        "/nowhere",
        "/_kontor/intake/v1/x",
    ] {
        let got = ask(shop.address, "GET", path, &[("origin", ORIGIN)], b"").await;
        assert!((400..500).contains(&got.status), "{path}: {}", got.status);
    }
    assert!(shop.events(&token, 0).await.is_empty());
    assert_eq!(shop.home.conversations(), 0);
}

async fn who_writes_too_much_waits(db: Db) {
    let mut settings = support::settings();
    settings["widgets"][0]["limits"] = json!({});
    let shop = Shop::with(db, settings).await;
    let (token, id) = shop.visitor(json!({})).await;
    for number in 0..10 {
        shop.writes(&token, &format!("0000000{number}"), &format!("text {number}")).await;
    }
    let more = json!({ "client_id": "00000010", "text": "one too many" });
    let got = shop.call("POST", "messages", &token, &more).await;
    assert_eq!((got.status, got.header("retry-after")), (429, Some("3")));
    shop.pass(3000);
    shop.writes(&token, "00000010", "after a while").await;
    for number in 0..4 {
        shop.visitor(json!({ "page": format!("https://shop.example/{number}") })).await;
    }
    let got = shop.call("POST", "session", "", &json!({})).await;
    assert_eq!(got.status, 429, "the sixth browser of an address in an hour");
    // Who is known already is no new visitor.
    assert_eq!(shop.call("POST", "session", &token, &json!({})).await.status, 200);
    let room = shop.room(&id).await;
    let expected: Vec<String> =
        (0..10).map(|number| format!("text {number}")).chain(["after a while".to_owned()]).collect();
    until("all are there, in order", || async { (shop.shown(&room) == expected).then_some(()) }).await;
}

async fn a_server_sends_forms_signed_and_in_time_and_each_counts_once(db: Db) {
    let shop = Shop::open(db).await;
    let body = lead("f-1").to_string();
    let now = shop.now() / 1000;
    let json_type = ("content-type", "application/json");
    for (what, header) in [
        ("stale", signature(now - 301, body.as_bytes())),
        ("early", signature(now + 301, body.as_bytes())),
        ("of another body", signature(now, b"{}")),
        ("forged", format!("t={now},v1={}", "0".repeat(64))),
        ("nonsense", "x".to_owned()),
    ] {
        let got = intake(&shop, &[("kontor-signature", &header), json_type], body.as_bytes()).await;
        assert_eq!(got.status, 401, "{what}");
    }
    assert_eq!(shop.home.conversations(), 0);
    for _ in 0..3 {
        let header = signature(shop.now() / 1000, body.as_bytes());
        let got = intake(&shop, &[("kontor-signature", &header), json_type], body.as_bytes()).await;
        assert_eq!(got.status, 200, "{}", got.text());
    }
    // Without an id of its own the same form is the same for ten minutes, and not after.
    let mut nameless = lead("");
    nameless["submission_id"] = Value::Null;
    nameless["message"] = json!("Bez numeru");
    let nameless = nameless.to_string();
    for pass in [0, 60_000, 660_000] {
        shop.pass(pass);
        let header = signature(shop.now() / 1000, nameless.as_bytes());
        let got = intake(&shop, &[("kontor-signature", &header), json_type], nameless.as_bytes()).await;
        assert_eq!(got.status, 200, "{}", got.text());
    }
    let room = "!room1:stand.in";
    let expected = ["Proszę o kontakt", "Bez numeru", "Bez numeru"];
    until("all are there once", || async { (shop.shown(room) == expected).then_some(()) }).await;
    assert_eq!(shop.home.conversations(), 1, "one person, one conversation");
    let notice = shop
        .home
        .events(room)
        .into_iter()
        .find(|event| !event["content"]["dev.kontor.lead"].is_null())
        .unwrap();
    let fact = &notice["content"]["dev.kontor.lead"];
    assert_eq!((&fact["form"], &fact["verified"]), (&json!("contact"), &json!(false)));
    assert_eq!(fact["page"], "https://shop.example/kontakt");
    assert!(notice["content"]["body"].as_str().unwrap().contains("oksana@example.com"));
    // There is no window to answer in, and the employee is told so.
    let answer = shop.home.says(room, "Dzień dobry");
    until("it failed", || async { shop.rungs(room, &answer).contains(&"failed".to_owned()).then_some(()) })
        .await;
}

async fn a_browser_sends_forms_as_a_person_would(db: Db) {
    let shop = Shop::open(db).await;
    let json_type = ("content-type", "application/json");
    let send = async |origin: &str, body: Value| {
        intake(&shop, &[("origin", origin), json_type], body.to_string().as_bytes()).await
    };
    let with = |name: &str, value: Value| {
        let mut body = lead("f-2");
        body[name] = value;
        body
    };
    assert_eq!(send("https://evil.example", lead("f-2")).await.status, 403);
    assert_eq!(intake(&shop, &[json_type], lead("f-2").to_string().as_bytes()).await.status, 403);
    assert_eq!(send(ORIGIN, with("elapsed_ms", json!(2999))).await.status, 422, "faster than a person");
    assert_eq!(send(ORIGIN, with("elapsed_ms", Value::Null)).await.status, 400);
    assert_eq!(send(ORIGIN, with("email", json!("nonsense"))).await.status, 422);
    assert_eq!(send(ORIGIN, with("message", json!("x".repeat(9000)))).await.status, 413);
    let mut nobody = lead("f-2");
    nobody["email"] = Value::Null;
    nobody["phone"] = Value::Null;
    assert_eq!(send(ORIGIN, nobody).await.status, 422, "nobody to answer to");
    // The trap looks like a success to whoever walked into it.
    assert_eq!(send(ORIGIN, with("website", json!("https://spam.example"))).await.status, 200);
    assert_eq!(shop.home.conversations(), 0);
    let got = send(ORIGIN, lead("f-2")).await;
    assert_eq!((got.status, got.header("access-control-allow-origin")), (200, Some(ORIGIN)));
    // A plain HTML form, without any script.
    let started = (shop.now() - 5000).to_string();
    let form = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("name", "Jan"),
            ("email", "jan@example.com"),
            ("message", "Zażółć"),
            ("started", &started),
        ])
        .extend_pairs([("consent_contact", "2026-05"), ("utm_source", "gazeta"), ("submit", "Wyślij")])
        .finish();
    let plain = ("content-type", "application/x-www-form-urlencoded");
    let got = intake(&shop, &[("origin", ORIGIN), plain], form.as_bytes()).await;
    assert_eq!((got.status, got.header("location")), (303, Some("https://shop.example/thanks")));
    until("both are there", || async { (shop.home.conversations() == 2).then_some(()) }).await;
    // Which of two customers comes first is nobody's promise.
    until("the message is there", || async {
        ["!room1:stand.in", "!room2:stand.in"].iter().any(|room| shop.shown(room) == ["Zażółć"]).then_some(())
    })
    .await;
}

async fn consents_are_kept_only_for_the_text_that_was_ticked(db: Db) {
    let shop = Shop::open(db).await;
    let config = shop.call("GET", "config?lang=pl-PL", "", &Value::Null).await.json();
    let text = &config["consents"][0];
    assert_eq!((&config["language"], &text["text"]), (&json!("pl"), &json!("Zgadzam się na kontakt")));
    let (token, _) = shop.visitor(json!({})).await;
    let given_at = shop.now();
    let ticked = json!({ "id": "contact", "version": "2026-05", "text_sha256": text["text_sha256"], "given_at": given_at });
    let mut old = ticked.clone();
    old["version"] = json!("2025-01");
    let mut body = lead("f-3");
    body["consents"] = json!([old]);
    assert_eq!(
        shop.call("POST", "lead", &token, &body).await.status,
        422,
        "a text that is not the current one"
    );
    body["consents"] = json!([ticked]);
    let got = shop.call("POST", "lead", &token, &body).await;
    assert_eq!((got.status, &got.json()["seq"]), (200, &json!(1)), "{}", got.text());
    let told = until("the company keeps it", || async {
        shop.home.claims().into_iter().find(|told| told["consents"].is_array())
    })
    .await;
    let consent = &told["consents"][0];
    assert_eq!(consent["text_sha256"], text["text_sha256"]);
    assert_eq!(
        (&consent["purpose"], &consent["state"], &consent["act"], &consent["source"], &consent["given_at"]),
        (&json!("contact"), &json!("given"), &json!("ticked"), &json!("form"), &json!(given_at))
    );
    // Who ticks nothing agreed to nothing.
    let (token, _) = shop.visitor(json!({})).await;
    shop.call("POST", "lead", &token, &lead("f-4")).await;
    until("the second is there", || async { (shop.home.conversations() == 2).then_some(()) }).await;
    let consents = shop.home.claims().into_iter().filter(|told| told["consents"].is_array());
    assert_eq!(consents.count(), 1);
}

async fn the_script_is_served_with_its_name_and_its_hash(db: Db) {
    let shop = Shop::open(db).await;
    let path = "/_kontor/widget/v1/widget.js";
    let got = ask(shop.address, "GET", path, &[("origin", ORIGIN)], b"").await;
    assert_eq!((got.status, got.header("access-control-allow-origin")), (200, Some(ORIGIN)));
    assert!(got.header("content-type").unwrap().starts_with("text/javascript"));
    assert!(got.body.len() <= 20 * 1024);
    let etag = got.header("etag").unwrap().to_owned();
    let again = ask(shop.address, "GET", path, &[("if-none-match", &etag)], b"").await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    let config = shop.call("GET", "config", "", &Value::Null).await.json();
    let name = config["script"]["name"].as_str().unwrap();
    let fixed = ask(shop.address, "GET", &format!("/_kontor/widget/v1/{name}"), &[], b"").await;
    assert_eq!(fixed.body, got.body);
    assert!(fixed.header("cache-control").unwrap().contains("immutable"));
    assert!(config["script"]["integrity"].as_str().unwrap().starts_with("sha384-"));
    let evil = ask(shop.address, "GET", path, &[("origin", "https://evil.example")], b"").await;
    assert_eq!(evil.header("access-control-allow-origin"), None);
}
