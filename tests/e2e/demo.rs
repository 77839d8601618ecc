//! `kontor demo`: what a stranger starts first.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use harness::{Scratch, binary, eventually, wait_until};
use serde_json::{Value, json};

/// The demonstration as its terminal shows it.
struct Demo {
    child: Child,
    said: String,
    port: u16,
}

impl Demo {
    fn start(folder: &Path, port: u16) -> Self {
        Self::start_with(folder, port, &[])
    }

    fn start_with(folder: &Path, port: u16, more: &[&str]) -> Self {
        let mut command = Command::new(binary());
        command.args(["demo", "--port", &port.to_string(), "--data"]).arg(folder).args(more);
        // What is set for another server must not matter, and no network may be needed.
        command.env("KONTOR__SERVER_NAME", "elsewhere.example").env("HTTP_PROXY", "http://127.0.0.1:1");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it runs");
        let mut said = String::new();
        for line in BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok) {
            said.push_str(&line);
            said.push('\n');
            if line.starts_with("Ctrl-C") {
                break;
            }
        }
        assert!(said.contains("Ctrl-C"), "it did not start: {said}");
        Self { child, said, port }
    }

    fn password(&self, name: &str) -> String {
        let line = self.said.lines().find_map(|line| line.trim().strip_prefix(name));
        line.expect("a line for everybody").trim().to_owned()
    }

    fn url(&self, more: u16, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port + more)
    }

    fn end(&mut self, signal: &str) -> ExitStatus {
        let pid = self.child.id();
        Command::new("sh").args(["-c", &format!("kill -{signal} {pid}")]).status().expect("sh");
        wait_until(Duration::from_secs(40), || self.child.try_wait().ok().flatten()).expect("it ends")
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn all_are_free(port: u16) -> bool {
    (0..5).all(|more| TcpListener::bind(("127.0.0.1", port + more)).is_ok())
}

fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().tls_certs_only([]).build().expect("a client")
}

struct Visitor {
    http: reqwest::Client,
    chat: String,
    shop: String,
    token: String,
}

impl Visitor {
    async fn call(&self, call: &str, body: Option<Value>) -> Value {
        let url = format!("{}/_kontor/widget/v1/{call}", self.chat);
        let request = if body.is_some() { self.http.post(url) } else { self.http.get(url) };
        let request = request.header("origin", &self.shop).bearer_auth(&self.token);
        let request = body.iter().fold(request, |request, body| request.json(body));
        let answer = request.send().await.expect("an answer");
        assert!(answer.status().is_success(), "{call}: {}", answer.status());
        answer.json().await.expect("JSON")
    }
}

async fn login(http: &reqwest::Client, demo: &Demo, name: &str) -> String {
    let body = json!({ "type": "m.login.password", "identifier": { "type": "m.id.user", "user": name },
        "password": demo.password(name) });
    let answer =
        http.post(demo.url(0, "/_matrix/client/v3/login")).json(&body).send().await.expect("an answer");
    let answer: Value = answer.json().await.expect("JSON");
    answer["access_token"].as_str().unwrap_or_else(|| panic!("{name} cannot log in: {answer}")).to_owned()
}

/// The room in which this was said.
async fn room_with(http: &reqwest::Client, demo: &Demo, token: &str, text: &str) -> Option<String> {
    let sync =
        http.get(demo.url(0, "/_matrix/client/v3/sync?timeout=0")).bearer_auth(token).send().await.ok()?;
    let sync: Value = sync.json().await.ok()?;
    let rooms = sync["rooms"]["join"].as_object()?;
    let holds = |room: &Value| room["timeline"].to_string().contains(text);
    rooms.iter().find(|(_, room)| holds(room)).map(|(id, _)| id.clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demonstration_shows_it_all_goes_on_after_a_restart_and_leaves_nothing_running() {
    let (scratch, port, http) = (Scratch::new("demo"), harness::free_ports(5), client());
    let folder = scratch.path().join("data");
    let mut demo = Demo::start(&folder, port);
    let shop = http.get(demo.url(2, "/")).send().await.unwrap().text().await.unwrap();
    assert!(shop.contains(&demo.url(1, "/_kontor/widget/v1/widget.js")));
    let script = http.get(demo.url(1, "/_kontor/widget/v1/widget.js")).send().await.unwrap();
    assert!(script.status().is_success());

    let (chat, origin) = (demo.url(1, ""), demo.url(2, ""));
    let mut visitor = Visitor { http: http.clone(), chat, shop: origin, token: String::new() };
    let session = visitor.call("session?w=olcha", Some(json!({}))).await;
    visitor.token = session["visitor_token"].as_str().unwrap().to_owned();
    let word = json!({ "client_id": "message-1", "text": "czy jest lampa" });
    visitor.call("messages?w=olcha", Some(word)).await;

    let anna = login(&http, &demo, "anna").await;
    login(&http, &demo, "taras").await;
    login(&http, &demo, "maria").await;
    let room = eventually("the message", || room_with(&http, &demo, &anna, "czy jest lampa")).await;
    let send = |text: &'static str| {
        let path =
            format!("/_matrix/client/v3/rooms/{}/send/m.room.message/{}", harness::enc(&room), text.len());
        let url = format!("http://127.0.0.1:{port}{path}");
        http.put(url).bearer_auth(&anna).json(&json!({ "msgtype": "m.text", "body": text }))
    };
    assert!(send("jest").send().await.unwrap().status().is_success());
    let shown = |text: &'static str| {
        let visitor = &visitor;
        eventually("the answer", move || async move {
            let events = visitor.call("events?w=olcha&since=0&wait=0", None).await;
            events.to_string().contains(text).then_some(())
        })
    };
    shown("jest").await;

    let again = Command::new(binary()).args(["demo", "--port", &port.to_string()]).output().unwrap();
    let complaint = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(!again.status.success() && complaint.contains("already listens"), "{complaint}");

    let began = Instant::now();
    assert!(demo.end("INT").success() && began.elapsed() < Duration::from_secs(30));
    assert!(all_are_free(port), "nothing listens any more");

    // What was there is there, and who wrote is still the same.
    let mut second = Demo::start(&folder, port);
    assert_eq!(second.password("anna"), demo.password("anna"));
    assert!(send("nadal jest").send().await.unwrap().status().is_success());
    shown("nadal jest").await;

    // Killed without a word, it takes its processes along.
    second.end("KILL");
    let gone = wait_until(Duration::from_secs(30), || all_are_free(port).then_some(()));
    assert!(gone.is_some(), "something outlives the demonstration");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_story_is_told_to_its_end_and_can_be_told_again() {
    let (scratch, port, http) = (Scratch::new("story"), harness::free_ports(5), client());
    let folder = scratch.path().join("data");
    let mut demo = Demo::start_with(&folder, port, &["--story"]);
    let scenes = [
        "fills in the form",
        "claimed, not proven",
        "writes to the shop's bot in Telegram",
        "proven",
        "ten sam numer",
        "reaction: ✅",
        "One card with 2 conversations",
        "Wpłynęła płatność: 129,00 PLN",
        "Zapłaciłem",
        "Oksana reads it in Telegram",
        "!karta",
        "Oksana Petrenko",
        "Wpłacono łącznie: 129,00 PLN",
        "The story is told.",
    ];
    let mut from = 0;
    for scene in scenes {
        let found = demo.said[from..].find(scene);
        from += found.unwrap_or_else(|| panic!("{scene:?} is missing: {}", demo.said)) + scene.len();
    }
    let page = http.get(demo.url(3, "/")).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("Telegram (emulator)"));
    let chat = http.post(demo.url(3, "/_emu/chat")).json(&json!({ "box": "oksana" })).send().await.unwrap();
    let chat: Value = chat.json().await.unwrap();
    assert!(chat["messages"].as_array().unwrap().len() >= 5, "{chat}");
    assert_eq!(chat["asks_phone"], false, "she shared it");
    assert!(demo.end("INT").success());
    // Told again, everybody is known, and numbers that the bridge remembers are not used again.
    let mut second = Demo::start_with(&folder, port, &["--story"]);
    assert!(second.said.contains("They were one already"), "{}", second.said);
    assert!(second.said.contains("The story is told."));
    assert!(second.end("INT").success());
    assert!(all_are_free(port), "nothing listens any more");
}
