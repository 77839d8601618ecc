//! A customer on Telegram and an employee talk: the real server, the real bridge, and an emulated Telegram in a
//! process of its own, whatever of the three is killed.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use harness::{Bridge, Client, Db, Server, enc, on_each_database};
use serde_json::{Value, json};

on_each_database!(
    a_customer_on_telegram_and_an_employee_talk,
    whatever_is_killed_nothing_of_telegrams_is_lost_or_doubled,
    a_channel_is_added_tested_paused_and_removed_from_a_terminal,
    the_companys_account_tells_its_window_and_its_state_and_a_link_leads_to_the_card,
);

const PATIENCE: Duration = Duration::from_secs(90);

/// The emulated Telegram; it ends with its standard input.
pub(super) struct Telegram {
    process: Child,
    _input: ChildStdin,
    url: String,
    token: String,
    client: reqwest::Client,
}

impl Telegram {
    fn start() -> Self {
        let program = harness::program("kontor-telegram-emulator");
        let mut process = Command::new(&program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("a pipe"))
            .read_line(&mut line)
            .expect("it says where it is");
        let (url, token) = line.trim().split_once(' ').expect("address and token");
        let input = process.stdin.take().expect("a pipe");
        // Whoever was first has set it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { _input: input, url: url.to_owned(), token: token.to_owned(), client, process }
    }

    pub async fn control(&self, what: &str, body: &Value) -> Value {
        let answer = self.client.post(format!("{}/_emu/{what}", self.url)).json(body).send().await;
        answer.expect("it answers").json().await.expect("JSON")
    }

    pub async fn writes(&self, who: &str, id: &str, text: &str) {
        self.control("inject", &json!({ "id": id, "box": who, "type": "text", "text": text })).await;
    }

    /// The texts that a customer was sent.
    async fn sent(&self, who: &str) -> Vec<String> {
        let sent = self.control("sent", &json!({})).await;
        let sent = sent["sent"].as_array().cloned().unwrap_or_default().into_iter();
        let texts = sent.filter(|one| one["box"] == who);
        texts.filter_map(|one| one["text"].as_str().map(str::to_owned)).collect()
    }
}

impl Drop for Telegram {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(super) struct House {
    pub telegram: Telegram,
    pub server: Server,
    pub bridge: Bridge,
    pub anna: Client,
    pub admin: Client,
}

impl House {
    pub async fn open(db: Db) -> Self {
        let telegram = Telegram::start();
        let server = Server::start(db);
        let homeserver = server.homeserver();
        let (admin, anna) = (homeserver.register_admin("admin").await, homeserver.register("anna").await);
        let at = (telegram.url.as_str(), telegram.token.as_str());
        let bridge = Bridge::start_telegram(db, &server, &admin, &[&anna], at);
        Self { telegram, server, bridge, anna, admin }
    }

    /// The room of the only conversation, once there is one that Anna is in.
    pub async fn room(&self) -> String {
        let began = Instant::now();
        loop {
            let all = self.admin.get("/_kontor/contacts/v1/conversations?limit=100").await.ok();
            if let Some(room) = all["conversations"][0]["room_id"].as_str() {
                let path = format!("/rooms/{}/messages?dir=b&limit=1", enc(room));
                if self.anna.get(&path).await.status == 200 {
                    return room.to_owned();
                }
            }
            assert!(began.elapsed() < PATIENCE, "no conversation was opened: {all}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The customer's messages that the room shows, oldest first.
    async fn shown(&self, room: &str) -> Vec<String> {
        let path = format!("/rooms/{}/messages?dir=b&limit=200", enc(room));
        let answer = self.anna.get(&path).await;
        if answer.status != 200 {
            return Vec::new();
        }
        let events = answer.json["chunk"].as_array().cloned().unwrap_or_default();
        let theirs = events.iter().rev().filter(|event| {
            event["type"] == "m.room.message"
                && event["content"]["m.new_content"].is_null()
                && event["sender"].as_str().is_some_and(|sender| sender.starts_with("@kontor_telegram_"))
        });
        theirs.filter_map(|event| event["content"]["body"].as_str().map(str::to_owned)).collect()
    }

    pub async fn says(&self, room: &str, txn: &str, text: &str) {
        let path = format!("/rooms/{}/send/m.room.message/{txn}", enc(room));
        let began = Instant::now();
        let content = json!({ "msgtype": "m.text", "body": text });
        while self.anna.put(&path, &content).await.status != 200 {
            assert!(began.elapsed() < PATIENCE, "the server takes nothing");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn shown_exactly(&self, room: &str, texts: &[String]) {
        let began = Instant::now();
        while self.shown(room).await.len() < texts.len() && began.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(self.shown(room).await, texts);
    }
}

async fn a_customer_on_telegram_and_an_employee_talk(db: Db) {
    let house = House::open(db).await;
    house.telegram.writes("oksana", "m1", "Dzień dobry, kiedy wysyłka?").await;
    let room = house.room().await;
    house.shown_exactly(&room, &["Dzień dobry, kiedy wysyłka?".to_owned()]).await;
    house.says(&room, "t1", "Jutro 👉").await;
    let began = Instant::now();
    while house.telegram.sent("oksana").await != ["Jutro 👉"] {
        assert!(began.elapsed() < PATIENCE, "{:?}", house.telegram.sent("oksana").await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let secret = house.telegram.token.split(':').next_back().expect("a secret");
    assert!(!house.bridge.log().contains(secret), "the token is in the log");
}

async fn whatever_is_killed_nothing_of_telegrams_is_lost_or_doubled(db: Db) {
    let mut house = House::open(db).await;
    house.telegram.writes("oksana", "m0", "in 0").await;
    let room = house.room().await;
    let (mut written, mut answered) = (vec!["in 0".to_owned()], Vec::new());
    for round in 1..=4 {
        let text = format!("in {round}");
        house.telegram.writes("oksana", &format!("m{round}"), &text).await;
        written.push(text);
        let text = format!("out {round}");
        house.says(&room, &format!("t{round}"), &text).await;
        answered.push(text);
        if round % 2 == 0 {
            house.server.kill_and_start_again();
        } else {
            house.bridge.kill_and_start_again();
        }
    }
    house.shown_exactly(&room, &written).await;
    // At most once; what did not go out for certain is asked about in the room.
    let began = Instant::now();
    loop {
        let sent = house.telegram.sent("oksana").await;
        let asked = house.asked(&room).await;
        let times = |text: &String| sent.iter().filter(|one| *one == text).count();
        assert!(answered.iter().all(|text| times(text) <= 1), "doubled: {sent:?}");
        let missing = answered.iter().filter(|text| times(text) == 0).count();
        if missing <= asked && sent.len() + asked >= answered.len() {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{sent:?}, asked about {asked}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

impl House {
    /// How many messages the employee was asked about.
    async fn asked(&self, room: &str) -> usize {
        let path = format!("/rooms/{}/messages?dir=b&limit=200", enc(room));
        let answer = self.anna.get(&path).await;
        let events = answer.json["chunk"].as_array().cloned().unwrap_or_default();
        events.iter().filter(|event| event["content"]["dev.kontor.notice"] == "uncertain").count()
    }
}

/// `kontorctl` in an administrator's name: what it says, or what it complains of.
fn kontorctl(house: &House, words: &[&str]) -> Result<String, String> {
    let mut command = Command::new(harness::program("kontorctl"));
    command.args(["--url", house.server.homeserver().base_url(), "--lang", "en"]).args(words);
    let done = command.env("KONTORCTL_TOKEN", house.admin.token()).output().expect("it runs");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if done.status.success() { Ok(said(&done.stdout)) } else { Err(said(&done.stderr)) }
}

async fn a_channel_is_added_tested_paused_and_removed_from_a_terminal(db: Db) {
    let mut house = House::open(db).await;
    house.telegram.writes("oksana", "m1", "in 1").await;
    let room = house.room().await;
    house.shown_exactly(&room, &["in 1".to_owned()]).await;
    let list = kontorctl(&house, &["channel", "list"]).unwrap();
    assert!(list.contains("telegram") && list.contains("connected"), "{list}");
    assert!(kontorctl(&house, &["channel", "test", "telegram"]).unwrap().contains("connected"));

    // Paused, it takes what comes and lets nothing through, whatever happens to the bridge meanwhile.
    kontorctl(&house, &["channel", "pause", "telegram"]).unwrap();
    house.telegram.writes("oksana", "m2", "in 2").await;
    house.says(&room, "t2", "out 2").await;
    house.bridge.kill_and_start_again();
    house.telegram.writes("oksana", "m3", "in 3").await;
    house
        .until("everything is taken", async || {
            house.telegram.control("pending", &json!({})).await["pending"] == 0
        })
        .await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(
        (house.shown(&room).await, house.telegram.sent("oksana").await.len()),
        (vec!["in 1".to_owned()], 0)
    );
    assert!(kontorctl(&house, &["channel", "list"]).unwrap().contains("paused"));
    let figures = house.figures().await;
    for line in [
        r#"kontor_channel_state{channel="telegram",state="paused"} 1"#,
        r#"kontor_channel_state{channel="telegram",state="connected"} 0"#,
        r#"kontor_channel_backlog_items{channel="telegram"}"#,
        r#"kontor_channel_dead_letters{channel="telegram"} 0"#,
    ] {
        assert!(figures.contains(line), "{line}: {figures}");
    }
    kontorctl(&house, &["channel", "resume", "telegram"]).unwrap();
    house.shown_exactly(&room, &["in 1", "in 2", "in 3"].map(str::to_owned)).await;
    house.until("the answer arrives", async || house.telegram.sent("oksana").await == ["out 2"]).await;

    house.telegram.control("setup", &json!({ "token_valid": false })).await;
    let refused = kontorctl(&house, &["channel", "test", "telegram"]).unwrap_err();
    assert!(refused.contains("bad credentials") && refused.contains("BotFather"), "{refused}");
    house
        .until("the list says it", async || {
            kontorctl(&house, &["channel", "list"]).unwrap().contains("bad credentials")
        })
        .await;
    house.telegram.control("setup", &json!({ "token_valid": true })).await;

    // Removed, its history stays; the same name can be used again.
    kontorctl(&house, &["channel", "remove", "telegram"]).unwrap();
    assert!(kontorctl(&house, &["channel", "list"]).unwrap().contains("no channels"));
    house.shown_exactly(&room, &["in 1", "in 2", "in 3"].map(str::to_owned)).await;
    assert!(kontorctl(&house, &["channel", "test", "telegram"]).is_err());
    let file = house.server.folder().join("registration.json").display().to_string();
    let anna = house.anna.user_id().to_owned();
    let add = ["channel", "add", "telegram", "--member", &anna, "--registration", &file];
    let next = kontorctl(&house, &add).unwrap();
    assert!(next.contains("kontor bridge telegram --config") && next.contains(&file), "{next}");
    let tokens: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert!(tokens["as_token"].is_string() && tokens["hs_token"].is_string());
    assert!(kontorctl(&house, &["channel", "list"]).unwrap().contains("never heard of"));
    let again = kontorctl(&house, &add).unwrap_err();
    assert!(again.contains("registration.json"), "a file with secrets is not overwritten: {again}");
}

impl House {
    /// The server's figures, as Prometheus reads them.
    async fn figures(&self) -> String {
        let home = self.server.homeserver();
        let answer = home.http().get(format!("{}/metrics", home.base_url())).send().await.expect("figures");
        answer.text().await.expect("a text")
    }

    /// Waits until something is so.
    pub async fn until(&self, what: &str, so: impl AsyncFn() -> bool) {
        let began = Instant::now();
        while !so().await {
            assert!(began.elapsed() < PATIENCE, "never: {what}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

async fn the_companys_account_tells_its_window_and_its_state_and_a_link_leads_to_the_card(db: Db) {
    let house = House::open(db).await;
    let business =
        json!({ "id": "b1", "box": "oksana", "business": true, "type": "text", "text": "Czy jest?" });
    house.telegram.control("inject", &business).await;
    let room = house.room().await;
    let all = house.admin.get("/_kontor/contacts/v1/conversations?limit=100").await.ok();
    let talk = all["conversations"][0].clone();
    let backstage = talk["backstage_room_id"].as_str().expect("a room").to_owned();
    let contact = talk["contact_id"].as_str().expect("a contact").to_owned();
    // Before anybody writes: until when an answer arrives.
    house
        .until("the window is shown", async || {
            house.says_backstage(&backstage, "Odpowiedzi dotrą do klienta do").await
        })
        .await;
    let state = |enabled: bool, rights: Value| json!({ "box": "oksana", "business": true, "type": "connection", "enabled": enabled, "rights": rights });
    house.telegram.control("inject", &state(true, json!({ "can_read_messages": true }))).await;
    house
        .until("reading only is told", async || house.says_backstage(&backstage, "tylko do odczytu").await)
        .await;
    house.telegram.control("inject", &state(false, Value::Null)).await;
    house
        .until("the end is told", async || house.says_backstage(&backstage, "zostało odłączone").await)
        .await;
    house.telegram.control("inject", &state(true, json!({ "can_reply": true }))).await;
    house.until("it works again", async || house.says_backstage(&backstage, "kanał znów działa").await).await;
    house.says(&room, "t1", "Jest!").await;
    house.until("the answer arrives", async || house.telegram.sent("oksana").await == ["Jest!"]).await;

    // A link in a letter: who follows it in another Telegram account, with the bot, is on the same card.
    let made =
        house.anna.post(&format!("/_kontor/contacts/v1/contacts/{contact}/links"), &json!({})).await.json;
    let start = json!({ "id": "s1", "box": "oksana2", "type": "start", "text": made["code"] });
    house.telegram.control("inject", &start).await;
    house.telegram.writes("oksana2", "s2", "to znowu ja").await;
    house
        .until("one card has both", async || {
            let card = house.admin.get(&format!("/_kontor/contacts/v1/contacts/{contact}")).await;
            card.json["conversations"].as_array().is_some_and(|talks| talks.len() == 2)
        })
        .await;
}

impl House {
    /// Whether a backstage room has a notice with these words.
    async fn says_backstage(&self, room: &str, words: &str) -> bool {
        let path = format!("/rooms/{}/messages?dir=b&limit=100", enc(room));
        let answer = self.anna.get(&path).await;
        let events = answer.json["chunk"].as_array().cloned().unwrap_or_default();
        events.iter().any(|event| event["content"]["body"].as_str().is_some_and(|body| body.contains(words)))
    }
}
