//! A customer's conversation comes home: the real server, the real bridge of the website chat, and
//! customers who write to it, in a browser and by the widget's own calls.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use harness::{Bridge, Client, Db, Response, Server, enc, eventually, on_each_database};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::sync::Mutex;

use crate::client::website::{Reply, Website};

on_each_database!(
    a_visitor_and_an_employee_talk_in_a_browser_whatever_is_killed,
    whatever_is_killed_nothing_is_lost_and_nothing_is_doubled,
    what_is_refused_at_the_door_is_one_line_in_the_log_and_nothing_else,
    a_bridge_is_refused_outside_of_its_namespace,
    a_registration_is_made_once_and_renewed_when_it_is_lost,
);

/// A shop, its server, its bridge, and an employee.
struct House {
    shop: Website,
    server: Server,
    bridge: Bridge,
    anna: Client,
    admin: Client,
}

impl House {
    async fn open(db: Db) -> Self {
        let shop = Website::open(|_| Reply::status(404)).await;
        let server = Server::start(db);
        let homeserver = server.homeserver();
        let (admin, anna) = (homeserver.register_admin("admin").await, homeserver.register("anna").await);
        anna.put(&format!("/profile/{}/displayname", enc(anna.user_id())), &json!({ "displayname": "Anna" }))
            .await
            .ok();
        let bridge = Bridge::start(db, &server, &admin, &[&anna], &shop.url(""));
        let page = format!(
            "<!doctype html><meta charset=utf-8><title>Sklep</title><h1>Sklep</h1>\
             <script src=\"{}/_kontor/widget/v1/widget.js\" data-widget=\"shop\" data-lang=\"pl\" async></script>",
            bridge.url()
        );
        shop.say(move |_| Reply::of("text/html; charset=utf-8", page.clone()));
        Self { shop, server, bridge, anna, admin }
    }

    /// The bridge's own user, with its token.
    fn bot(&self) -> Client {
        let json = json!({
            "user_id": "@webchat-bridge:localhost", "access_token": self.bridge.token(), "device_id": "",
        });
        let answer = Response { asked: String::new(), status: 200, headers: Default::default(), json };
        self.server.homeserver().signed_in(answer)
    }

    /// The conversations that there are.
    async fn conversations(&self) -> Vec<Value> {
        let all = self.admin.get("/_kontor/contacts/v1/conversations?limit=100").await.ok();
        all["conversations"].as_array().cloned().unwrap_or_default()
    }
}

async fn a_visitor_and_an_employee_talk_in_a_browser_whatever_is_killed(db: Db) {
    let mut house = House::open(db).await;
    let arguments = [
        house.server.homeserver().base_url().to_owned(),
        house.shop.url("/"),
        house.anna.token().to_owned(),
        house.anna.user_id().to_owned(),
    ];
    tokio::task::spawn_blocking(move || told(&arguments, &mut house)).await.unwrap();
}

/// Follows what the script says: kills what it asks to be killed, and says when that is back.
fn told(arguments: &[String], house: &mut House) {
    let mut script = Command::new(super::node());
    script.arg(super::folder().join("conversation.mjs")).args(arguments);
    let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("node runs");
    let output = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut said = Vec::new();
    for line in output.lines().map_while(Result::ok) {
        match line.as_str() {
            "KILL bridge" => house.bridge.kill_and_start_again(),
            "KILL server" => house.server.kill_and_start_again(),
            _ => {}
        }
        if line.starts_with("KILL") {
            let input = child.stdin.as_mut().expect("a pipe");
            writeln!(input, "back").expect("the script listens");
        }
        said.push(line);
    }
    let status = child.wait().expect("it ran");
    let done = status.success() && said.last().is_some_and(|line| line == "done");
    assert!(done, "conversation.mjs failed ({status}) after:\n{}", said.join("\n"));
}

/// A visitor as the widget makes one: what is not answered is asked again with the same id.
#[derive(Clone)]
struct Visitor {
    bridge: String,
    origin: String,
    http: reqwest::Client,
    token: String,
}

impl Visitor {
    async fn new(house: &House) -> Self {
        let (bridge, origin) = (house.bridge.url(), house.shop.url(""));
        let http = house.server.homeserver().http().clone();
        let mut visitor = Self { bridge, origin, http, token: String::new() };
        let session = visitor.call(Method::POST, "session?w=shop", &json!({})).await;
        visitor.token = session["visitor_token"].as_str().expect("a token").to_owned();
        visitor
    }

    async fn call(&self, method: Method, call: &str, body: &Value) -> Value {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(60) {
            let url = format!("{}/_kontor/widget/v1/{call}", self.bridge);
            let mut request = self.http.request(method.clone(), url).header("origin", &self.origin);
            if !self.token.is_empty() {
                request = request.bearer_auth(&self.token);
            }
            if method == Method::POST {
                request = request.json(body);
            }
            if let Ok(answer) = request.send().await
                && answer.status().is_success()
                && let Ok(json) = answer.json().await
            {
                return json;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the bridge never answered {call}");
    }

    async fn writes(&self, number: usize, text: &str) {
        let body = json!({ "client_id": format!("message-{number:04}"), "text": text });
        self.call(Method::POST, "messages?w=shop", &body).await;
    }

    /// Everything that the page shows of employees.
    async fn answers(&self) -> Vec<String> {
        let mut since = 0;
        let mut all = Vec::new();
        loop {
            let path = format!("events?w=shop&wait=0&since={since}");
            let page = self.call(Method::GET, &path, &Value::Null).await;
            let events = page["events"].as_array().cloned().unwrap_or_default();
            for event in &events {
                // Numbers have no gaps: nothing that was told before can have been missed.
                assert_eq!(event["seq"], since + 1);
                since += 1;
                if event["from"] == "agent" && event["kind"] == "message" {
                    all.push(event["text"].as_str().unwrap_or_default().to_owned());
                }
            }
            if events.is_empty() {
                return all;
            }
        }
    }
}

/// What is said in a room by customers, in order.
async fn said_by_customers(reader: &Client, room: &str) -> Vec<String> {
    let path = format!("/rooms/{}/messages?dir=f&limit=1000", enc(room));
    let Some(page) = reader.try_request(Method::GET, &path, None).await else { return Vec::new() };
    let events = page.json["chunk"].as_array().cloned().unwrap_or_default();
    let by_customers = events.iter().filter(|event| {
        event["type"] == "m.room.message"
            && event["sender"].as_str().is_some_and(|sender| sender.starts_with("@kontor_webchat_"))
    });
    by_customers.map(|event| event["content"]["body"].as_str().unwrap_or_default().to_owned()).collect()
}

/// How often something is killed.
fn kills() -> usize {
    if harness::full_tier() { 24 } else { 8 }
}

/// Messages of each visitor and each way.
const MESSAGES: usize = 40;
const VISITORS: usize = 3;

async fn whatever_is_killed_nothing_is_lost_and_nothing_is_doubled(db: Db) {
    let house = House::open(db).await;
    let mut talks = Vec::new();
    for number in 0..VISITORS {
        let visitor = Visitor::new(&house).await;
        visitor.writes(0, &format!("hello {number}")).await;
        let room = eventually("the conversation is opened", || async {
            for one in house.conversations().await {
                let room = one["room_id"].as_str().unwrap_or_default().to_owned();
                if said_by_customers(&house.anna, &room).await == [format!("hello {number}")] {
                    return Some(room);
                }
            }
            None
        })
        .await;
        talks.push((visitor, room));
    }
    let anna = house.anna.clone();
    let House { server, bridge, .. } = house;
    let (server, bridge) = (Arc::new(Mutex::new(server)), Arc::new(Mutex::new(bridge)));
    let mut tasks = tokio::task::JoinSet::new();
    for (visitor, room) in talks.clone() {
        let (anna, to) = (anna.clone(), room.clone());
        tasks.spawn(async move {
            for number in 1..=MESSAGES {
                visitor.writes(number, &format!("in {number}")).await;
                tokio::time::sleep(Duration::from_millis(150)).await;
            }
        });
        tasks.spawn(async move {
            for number in 1..=MESSAGES {
                agent_says(&anna, &to, number).await;
                tokio::time::sleep(Duration::from_millis(150)).await;
            }
        });
    }
    for round in 0..kills() {
        tokio::time::sleep(Duration::from_millis(300 + (round as u64 * 137) % 500)).await;
        let (server, bridge) = (Arc::clone(&server), Arc::clone(&bridge));
        tokio::task::spawn_blocking(move || match round % 4 {
            0 | 2 => bridge.blocking_lock().kill_and_start_again(),
            1 => server.blocking_lock().kill_and_start_again(),
            _ => {
                bridge.blocking_lock().kill();
                server.blocking_lock().kill_and_start_again();
                bridge.blocking_lock().start_again();
            }
        })
        .await
        .unwrap();
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    check_all(&anna, &talks).await;
    bridge.lock().await.terminate();
}

/// An employee's client sends, and sends again with the same transaction until it is answered.
async fn agent_says(anna: &Client, room: &str, number: usize) {
    let path = format!("/rooms/{}/send/m.room.message/answer{number}", enc(room));
    let content = json!({ "msgtype": "m.text", "body": format!("out {number}") });
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(60) {
        let answer = anna.try_request(Method::PUT, &path, Some(&content)).await;
        if answer.is_some_and(|answer| answer.status == 200) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the server never took answer {number}");
}

async fn check_all(anna: &Client, talks: &[(Visitor, String)]) {
    for (number, (visitor, room)) in talks.iter().enumerate() {
        let mut came = vec![format!("hello {number}")];
        came.extend((1..=MESSAGES).map(|number| format!("in {number}")));
        eventually("everything came home", || async {
            (said_by_customers(anna, room).await.len() >= came.len()).then_some(())
        })
        .await;
        let went: Vec<String> = (1..=MESSAGES).map(|number| format!("out {number}")).collect();
        eventually("everything went out", || async {
            (visitor.answers().await.len() >= went.len()).then_some(())
        })
        .await;
        // What would be doubled comes within the pauses of another try.
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(said_by_customers(anna, room).await, came, "once each, and in order");
        assert_eq!(visitor.answers().await, went, "once each, and in order");
    }
}

/// A signature of the shop's server.
fn signature(at: u64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(harness::SECRET.as_bytes()).unwrap();
    mac.update(format!("{at}.{body}").as_bytes());
    let tag = mac.finalize().into_bytes();
    format!("t={at},v1={}", tag.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// The same signed form again and again.
async fn one_form_however_often(http: &reqwest::Client, url: &str, lead: &str, now: u64) {
    for _ in 0..3 {
        let request = http.post(url).header("kontor-signature", signature(now, lead));
        let request = request.header("content-type", "application/json").body(lead.to_owned());
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
}

type Headers<'a> = &'a [(&'a str, String)];

async fn what_is_refused_at_the_door_is_one_line_in_the_log_and_nothing_else(db: Db) {
    const CANARY: &str = "only between the two of us";
    let house = House::open(db).await;
    let (bridge, shop) = (house.bridge.url(), house.shop.url(""));
    let visitor = Visitor::new(&house).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let lead =
        json!({ "submission_id": "f-1", "email": "oksana@example.com", "message": CANARY }).to_string();
    let message = |text: &str| json!({ "client_id": "message-0001", "text": text }).to_string();
    let (form, messages) = ("_kontor/intake/v1/contact", "_kontor/widget/v1/messages?w=shop");
    let bearer = format!("Bearer {}", visitor.token);
    let evil = "https://evil.example".to_owned();
    let calls: [(&str, &str, Headers<'_>, String, u16); 9] = [
        ("unsigned", form, &[], lead.clone(), 403),
        ("stale", form, &[("kontor-signature", signature(now - 400, &lead))], lead.clone(), 401),
        ("forged", form, &[("kontor-signature", signature(now, "{}"))], lead.clone(), 401),
        ("from a foreign page", form, &[("origin", evil.clone())], lead.clone(), 403),
        (
            "from a foreign page",
            messages,
            &[("origin", evil), ("authorization", bearer.clone())],
            message(CANARY),
            403,
        ),
        ("of nobody", messages, &[("origin", shop.clone())], message(CANARY), 401),
        (
            "long",
            messages,
            &[("origin", shop.clone()), ("authorization", bearer.clone())],
            message(&CANARY.repeat(400)),
            413,
        ),
        (
            "huge",
            messages,
            &[("origin", shop.clone()), ("authorization", bearer.clone())],
            CANARY.repeat(3_000),
            413,
        ),
        ("garbage", messages, &[("origin", shop.clone()), ("authorization", bearer)], CANARY.to_owned(), 400),
    ];
    let refusals = || house.bridge.log().lines().filter(|line| line.contains("was refused")).count();
    let http = house.server.homeserver().http().clone();
    for (number, (what, path, headers, body, status)) in calls.into_iter().enumerate() {
        let mut request = http.post(format!("{bridge}/{path}")).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let answer = request.body(body).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{what}");
        eventually("the log says so", || async { (refusals() > number).then_some(()) }).await;
        assert_eq!(refusals(), number + 1, "{what}: one line each");
    }
    one_form_however_often(&http, &format!("{bridge}/{form}"), &lead, now).await;
    let talk = eventually("the form's conversation", || async { house.conversations().await.pop() }).await;
    let room = talk["room_id"].as_str().unwrap();
    eventually("the form's words", || async {
        (!said_by_customers(&house.anna, room).await.is_empty()).then_some(())
    })
    .await;
    visitor.writes(2, "and then a real one").await;
    eventually("the second conversation", || async {
        (house.conversations().await.len() == 2).then_some(())
    })
    .await;
    assert_eq!(said_by_customers(&house.anna, room).await, [CANARY]);
    assert!(!house.bridge.log().contains(CANARY) && !house.bridge.log().contains(&visitor.token));
    assert!(!house.bridge.log().contains("oksana@example.com"));
}

async fn a_bridge_is_refused_outside_of_its_namespace(db: Db) {
    let house = House::open(db).await;
    let bot = house.bot();
    let visitor = Visitor::new(&house).await;
    visitor.writes(1, "Dzień dobry").await;
    let talk = eventually("a conversation", || async { house.conversations().await.pop() }).await;
    let backstage = talk["backstage_room_id"].as_str().unwrap().to_owned();
    // Whom it may not be.
    let register = |name: &str| json!({ "type": "m.login.application_service", "username": name });
    bot.post("/register", &register("maria")).await.err(400, "M_EXCLUSIVE");
    bot.post("/register", &register("kontor_mail_1")).await.err(400, "M_EXCLUSIVE");
    let as_anna = format!("user_id={}", enc(house.anna.user_id()));
    bot.get(&format!("/account/whoami?{as_anna}")).await.err(403, "M_FORBIDDEN");
    let path = format!("/rooms/{}/send/m.room.message/t1", enc(&backstage));
    let word = json!({ "msgtype": "m.text", "body": "x" });
    bot.put(&path, &word).await.err(403, "M_FORBIDDEN");
    bot.put(&format!("{path}?{as_anna}"), &word).await.err(403, "M_FORBIDDEN");
    bot.post(&format!("/join/{}", enc(&backstage)), &json!({})).await.err(403, "M_FORBIDDEN");
    // Channels and customers that are not its own.
    let opening = |channel: &str, ghost: Value| {
        json!({ "channel": channel, "account": "shop", "id_type": "visitor", "external_id": "x", "lane": "x",
            "profile": {}, "claims": [], "context": {}, "ghost_localpart": ghost })
    };
    let path = "/_kontor/bridge/v1/conversations";
    bot.post(path, &opening("webchat", json!("maria"))).await.err(400, "M_EXCLUSIVE");
    bot.post(path, &opening("mail", Value::Null)).await.err(404, "M_NOT_FOUND");
    // It is no employee and no administrator.
    bot.get("/_kontor/contacts/v1/contacts").await.err(403, "M_FORBIDDEN");
    bot.get("/_kontor/admin/v1/channels").await.err(403, "M_FORBIDDEN");
    // And without its token nobody is the bridge.
    house.server.homeserver().anonymous().post(path, &json!({})).await.err(401, "M_MISSING_TOKEN");
}

async fn a_registration_is_made_once_and_renewed_when_it_is_lost(db: Db) {
    let mut house = House::open(db).await;
    let before = house.bridge.token();
    house.bridge.register(&house.admin, &[]);
    assert_eq!(house.bridge.token(), before, "nothing changes when all is well");
    house.bridge.terminate();
    house.bridge.forget_registration();
    house.bridge.register(&house.admin, &[]);
    assert_ne!(house.bridge.token(), before);
    house.bridge.start_again();
    let visitor = Visitor::new(&house).await;
    visitor.writes(1, "jeszcze jestem").await;
    let talk = eventually("a conversation", || async { house.conversations().await.pop() }).await;
    let room = talk["room_id"].as_str().unwrap();
    agent_says(&house.anna, room, 1).await;
    eventually("the answer", || async { (visitor.answers().await == ["out 1"]).then_some(()) }).await;
    // Who is no administrator registers nothing.
    let refused = house.bridge.try_register(&house.anna, &[]);
    assert!(!refused.0 && refused.1.contains("refuses"), "{}", refused.1);
}
