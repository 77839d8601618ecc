//! The card's page: who may read it, and what its forms do.

use std::path::Path;
use std::time::Duration;

use harness::{Client, Db, Homeserver, Server, both_databases, on_each_database};
use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::redirect::Policy;
use serde_json::{Value, json};

use super::stage;
use super::support::{Channel, Talk, word};
use crate::client::support::{is_reference, list, text};
use crate::client::website::{Reply, Website};

both_databases!(
    whoever_signs_in_reads_the_cards_that_are_theirs_to_see,
    forms_of_other_sites_and_of_other_sessions_do_nothing,
    a_page_ends_with_the_sessions_of_its_account,
);

on_each_database!(
    a_client_shows_the_card_of_whoever_it_vouches_for,
    the_card_in_a_browser_and_beside_a_conversation
);

/// A browser without scripts: it keeps a cookie and sends forms.
pub(super) struct Browser {
    http: reqwest::Client,
    base: String,
    cookie: Option<String>,
}

/// A page as it came.
pub(super) struct Page {
    pub status: u16,
    policy: String,
    pub html: String,
}

impl Browser {
    pub fn new(server: &Homeserver) -> Self {
        let http = reqwest::Client::builder().redirect(Policy::none()).no_proxy().build().unwrap();
        Self { http, base: server.base_url().to_owned(), cookie: None }
    }

    async fn answer(&mut self, request: reqwest::RequestBuilder) -> Page {
        let request = match &self.cookie {
            Some(cookie) => request.header(COOKIE, cookie),
            None => request,
        };
        let answer = request.send().await.unwrap();
        if let Some(set) = answer.headers().get(SET_COOKIE) {
            let set = set.to_str().unwrap();
            assert!(
                set.contains("HttpOnly")
                    && set.contains("SameSite=Lax")
                    && set.contains("Path=/_kontor/card")
            );
            self.cookie = Some(set.split(';').next().unwrap().to_owned());
        }
        let policy = answer.headers().get("content-security-policy");
        let policy = policy.map(|policy| policy.to_str().unwrap().to_owned()).unwrap_or_default();
        Page { status: answer.status().as_u16(), policy, html: answer.text().await.unwrap() }
    }

    pub async fn open(&mut self, path: &str) -> Page {
        let request = self.http.get(format!("{}/_kontor/card/{path}", self.base));
        self.answer(request).await
    }

    pub async fn send(&mut self, path: &str, form: &[(&str, &str)]) -> Page {
        let request = self.http.post(format!("{}/_kontor/card/{path}", self.base)).form(form);
        self.answer(request).await
    }

    pub async fn sign_in(&mut self, path: &str, client: &Client) -> Page {
        let password = client.homeserver().password();
        let form = [("act", "sign_in"), ("user", client.localpart()), ("password", password)];
        self.send(path, &form).await
    }
}

/// The value of the first field of this name.
pub(super) fn field(html: &str, name: &str) -> String {
    let at = html.find(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("{name} in {html}"));
    html[at..].split('"').nth(3).unwrap().to_owned()
}

async fn card(client: &Client, talk: &Talk) -> Value {
    client.get(&format!("/_kontor/contacts/v1/contacts/{}", talk.contact)).await.ok()
}

async fn whoever_signs_in_reads_the_cards_that_are_theirs_to_see(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (anna, eve) = (server.register("anna").await, server.register("eve").await);
    let channel = Channel::open(&server, &[&anna]).await;
    let mut opening = channel.opening(&word());
    opening["profile"]["display_name"] = json!("Ola <script>alert(1)</script>");
    let talk = channel.talk_of(&opening).await;
    let taken = anna.text(&talk.room, "an embarrassing word").await;
    anna.redact(&talk.room, &taken).await;
    anna.text(&talk.backstage, "!note <img src=x onerror=alert(1)>").await;
    let mut browser = Browser::new(&server);
    for id in [&talk.id, &talk.contact] {
        let page = browser.open(id).await;
        assert!(page.status == 401 && !page.html.contains("Ola") && page.html.contains("type=\"password\""));
        assert!(page.policy.contains("default-src 'none'") && page.policy.contains("frame-ancestors 'none'"));
        assert!(!page.policy.contains("script-src"), "no scripts");
    }
    let wrong = [("act", "sign_in"), ("user", anna.localpart()), ("password", "wrong")];
    let page = browser.send(&talk.id, &wrong).await;
    assert!(page.status == 401 && page.html.contains("role=\"alert\"") && browser.cookie.is_none());
    assert_eq!(browser.sign_in(&talk.id, &anna).await.status, 303);
    for id in [&talk.id, &talk.contact] {
        let page = browser.open(id).await;
        assert_eq!(page.status, 200);
        let escaped = page.html.contains("Ola &#60;script&#62;") || page.html.contains("Ola &lt;script&gt;");
        assert!(escaped && !page.html.contains("<script") && !page.html.contains("<img"), "{}", page.html);
        assert!(!page.html.contains("embarrassing"));
    }
    let page = browser.open(&talk.id).await;
    let kept = [("word", &*field(&page.html, "word")), ("conversation", &*talk.id), ("act", "kept")];
    let page = browser.send(&talk.id, &kept).await;
    assert!(page.status == 200 && page.html.contains("embarrassing"), "{}", page.html);
    files_are_on_the_page_until_they_are_taken_back(&mut browser, &channel, &talk, &anna).await;
    // What is not there and what is not theirs look the same.
    let mut stranger = Browser::new(&server);
    stranger.sign_in(&talk.id, &eve).await;
    let hidden = stranger.open(&talk.id).await;
    assert!(hidden.status == 404 && !hidden.html.contains("Ola"));
    for none in ["01ARZ3NDEKTSV4RRFFQ69G5FAV", "x", "%00", "..%2F..", &"x".repeat(5_000)] {
        let page = stranger.open(none).await;
        assert!([404, 400].contains(&page.status), "{none}: {}", page.status);
    }
    let mine = format!("{}/", talk.id);
    assert_eq!(stranger.open(&mine).await.status, 404);
    channel.close().await;
}

async fn files_are_on_the_page_until_they_are_taken_back(
    browser: &mut Browser,
    channel: &Channel,
    talk: &Talk,
    anna: &Client,
) {
    let mxc = anna.upload("text/plain", "x", b"x".to_vec()).await;
    let file =
        json!({ "msgtype": "m.file", "body": "price list.pdf", "url": mxc, "info": { "size": 2_600_000 } });
    let sent = anna.send(&talk.backstage, "m.room.message", &file).await;
    // As bridges do: first that it comes, then the file in the place of that.
    let placeholder = channel.say(talk, "📎 bill.jpg …").await;
    let picture =
        json!({ "msgtype": "m.image", "body": "This is the bill", "filename": "bill.jpg", "url": mxc });
    let mut replacing = picture.clone();
    replacing["m.new_content"] = picture;
    replacing["m.relates_to"] = json!({ "rel_type": "m.replace", "event_id": placeholder });
    let path = format!("/rooms/{}/send/m.room.message/{}", harness::enc(&talk.room), word());
    channel.bot.put(&channel.as_customer(talk, &path), &replacing).await.ok();
    let html = browser.open(&talk.id).await.html;
    for part in ["price list.pdf", "6 MB", "bill.jpg", &sent, &placeholder] {
        assert!(html.contains(part), "{part}: {html}");
    }
    assert!(!html.contains("This is the bill") && !html.contains(&mxc), "links only: {html}");
    for (room, event) in [(&talk.backstage, &sent), (&talk.room, &placeholder)] {
        anna.redact(room, event).await;
    }
    let html = browser.open(&talk.id).await.html;
    assert!(!html.contains("price list") && !html.contains("bill.jpg"), "{html}");
}

async fn forms_of_other_sites_and_of_other_sessions_do_nothing(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (anna, bob) = (server.register("anna").await, server.register("bob").await);
    let channel = Channel::open(&server, &[&anna, &bob]).await;
    let talk = channel.talk(&word()).await;
    let (mut browser, mut other) = (Browser::new(&server), Browser::new(&server));
    browser.sign_in(&talk.id, &anna).await;
    other.sign_in(&talk.id, &bob).await;
    let word_of_anna = field(&browser.open(&talk.id).await.html, "word");
    let word_of_bob = field(&other.open(&talk.id).await.html, "word");
    let token = browser.cookie.clone().unwrap().split_once('=').unwrap().1.to_owned();
    let note = |proof: &'static str, value: String| {
        [
            (proof, value),
            ("conversation", talk.id.clone()),
            ("act", "note".into()),
            ("kind", "note".into()),
            ("text", "x".into()),
        ]
    };
    for (proof, value) in [
        ("word", String::new()),
        ("word", word_of_bob),
        ("session", token.clone()),
        ("other", word_of_anna.clone()),
    ] {
        let form = note(proof, value);
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(browser.send(&talk.id, &form).await.status, 403, "{proof}");
    }
    let form = note("word", word_of_anna.clone());
    let request = |site: &str| {
        let url = format!("{}/_kontor/card/{}", browser.base, talk.id);
        browser
            .http
            .post(url)
            .header("sec-fetch-site", site)
            .header(COOKIE, browser.cookie.clone().unwrap())
            .form(&form)
    };
    for site in ["cross-site", "same-site"] {
        assert_eq!(request(site).send().await.unwrap().status(), 403);
    }
    assert_eq!(card(&anna, &talk).await["notes"], json!([]), "nothing was written");
    assert_eq!(request("same-origin").send().await.unwrap().status(), 303);
    assert_eq!(list(&card(&anna, &talk).await["notes"]).len(), 1);
    // The session of a page opens no other door.
    let bearer = server.request(reqwest::Method::GET, "/account/whoami", Some(&token), None).await;
    bearer.err(401, "M_UNKNOWN_TOKEN");
    // What cannot be is said, and nothing changes.
    for (act, more) in [
        ("task", vec![("text", "x"), ("due", "2001-01-01")]),
        ("task", vec![("text", "")]),
        ("assign", vec![("user", talk.ghost.as_str())]),
        ("assign", vec![("user", "bob")]),
        ("status", vec![("status", "snoozed")]),
        ("done", vec![("number", "7")]),
        ("dance", vec![]),
    ] {
        let mut form =
            vec![("word", word_of_anna.as_str()), ("conversation", talk.id.as_str()), ("act", act)];
        form.extend(more);
        let page = browser.send(&talk.id, &form).await;
        assert!(page.status == 400 && page.html.contains("role=\"alert\""), "{act}: {}", page.status);
    }
    assert_eq!(browser.send(&talk.id, &[("x", &"y".repeat(70_000))]).await.status, 413);
    channel.close().await;
}

async fn a_page_ends_with_the_sessions_of_its_account(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let talk = channel.talk(&word()).await;
    let mut browser = Browser::new(&server);
    browser.sign_in(&talk.id, &anna).await;
    let page = browser.open(&talk.id).await;
    let before = browser.cookie.clone();
    let out = [("word", &*field(&page.html, "word")), ("act", "sign_out")];
    assert_eq!(browser.send(&talk.id, &out).await.status, 303);
    browser.cookie = before;
    assert_eq!(browser.open(&talk.id).await.status, 401, "the session is over, not only the cookie");
    browser.cookie = None;
    browser.sign_in(&talk.id, &anna).await;
    assert_eq!(browser.open(&talk.id).await.status, 200);
    anna.post("/logout/all", &json!({})).await.ok();
    assert_eq!(browser.open(&talk.id).await.status, 401);
    channel.close().await;
}

async fn a_client_shows_the_card_of_whoever_it_vouches_for(db: Db) {
    let clients = toml::Value::from(vec!["https://element.example", "vector://vector"]);
    let process = Server::start_with(db, &[("company.card_clients", clients)]);
    let server = process.homeserver();
    let (anna, eve) = (server.register("anna").await, server.register("eve").await);
    let channel = Channel::open(&server, &[&anna]).await;
    let talk = channel.talk(&word()).await;
    let widget = anna.state(&talk.backstage, "im.vector.modular.widgets", "dev.kontor.card").await.ok();
    assert!(text(&widget["url"]).contains(&format!("/_kontor/card/{}?widget=1", talk.id)), "{widget}");
    assert_eq!(widget["creatorUserId"], "@kontor:localhost");
    let state = anna.state(&talk.room, "im.vector.modular.widgets", "dev.kontor.card").await;
    assert_eq!(state.status, 404, "the customer's room has none");
    let mut browser = Browser::new(&server);
    let path = format!("{}?widget=1&lang=uk&theme=dark&widgetId=w1", talk.id);
    let page = browser.open(&path).await;
    assert!(page.status == 200 && page.html.contains("lang=\"uk\"") && !page.html.contains("Customer"));
    assert!(
        page.policy.contains("frame-ancestors https://element.example vector://vector"),
        "{}",
        page.policy
    );
    let openid = async |client: &Client| {
        let path = format!("/user/{}/openid/request_token", harness::enc(client.user_id()));
        text(&client.post(&path, &json!({})).await.ok()["access_token"])
    };
    let (of_anna, of_eve) = (openid(&anna).await, openid(&eve).await);
    let meet = |token: &str, from: &str| {
        [("act", "openid".to_owned()), ("token", token.to_owned()), ("server", from.to_owned())]
    };
    for (token, from, status, part) in [
        ("forged", "localhost", 200, "role=\"alert\""),
        (anna.token(), "localhost", 200, "role=\"alert\""),
        (of_anna.as_str(), "elsewhere.example", 200, "role=\"alert\""),
        (of_eve.as_str(), "localhost", 404, "<h1>"),
        (of_anna.as_str(), "localhost", 200, "Customer"),
    ] {
        let form = meet(token, from);
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let page = browser.send(&path, &form).await;
        assert!(page.status == status && page.html.contains(part), "{from} {status}: {}", page.html);
        assert!(browser.cookie.is_none(), "no cookie in a frame");
        if part == "Customer" {
            let session = field(&page.html, "session");
            let form = [("session", &*session), ("conversation", &*talk.id), ("act", "claim")];
            let page = browser.send(&path, &form).await;
            assert!(page.status == 200 && page.html.contains(anna.user_id()));
            assert_eq!(talk.seen_by(&anna).await["assignee"], anna.user_id());
        }
    }
    // Passwords are not asked for in frames.
    let page = browser.sign_in(&path, &anna).await;
    assert!(page.status == 200 && !page.html.contains("Customer") && browser.cookie.is_none());
}

/// What a Matrix client does around a widget: it shows the page in a frame as Element does, and answers the
/// widget API.
fn host(card: &str, homeserver: &str, user: &str, token: &str) -> String {
    const PAGE: &str = include_str!("../../e2e/widget_host.html");
    let client = json!({ "card": card, "homeserver": homeserver, "user": user, "token": token });
    PAGE.replace("CLIENT", &client.to_string())
}

async fn the_card_in_a_browser_and_beside_a_conversation(db: Db) {
    let site = Website::open(|_| Reply::status(404)).await;
    let foreign = Website::open(|_| Reply::status(404)).await;
    let clients = toml::Value::from(vec![site.url("")]);
    let settings = [("company.card_clients", clients), ("company.time_zone", "Europe/Warsaw".into())];
    let mut process = Server::start_with(db, &settings);
    let server = process.homeserver();
    let (anna, bob) = (server.register("anna").await, server.register("bob").await);
    let channel = Channel::open(&server, &[&anna, &bob]).await;
    let alike = stage::alike(&channel, &anna, &bob).await;
    let talk = channel.talk_of(&stage::called(&channel, stage::NAME)).await;
    set_the_stage(&channel, &talk, &anna, &bob).await;
    stage::purchases(&channel.admin, &anna, &talk, (&mut process, db)).await;
    super::suggesting::weigh(&channel.admin).await;
    let card = format!("{}/_kontor/card/{}", server.base_url(), talk.id);
    let widget = anna.state(&talk.backstage, "im.vector.modular.widgets", "dev.kontor.card").await.ok();
    // The address that the room names is the public one, which is another port in tests.
    let query = text(&widget["url"]).split_once('?').unwrap().1.to_owned();
    let page = host(&format!("{card}?{query}"), server.base_url(), anna.user_id(), anna.token());
    let shown = page.clone();
    site.say(move |_| Reply::of("text/html", shown.clone()));
    foreign.say(move |_| Reply::of("text/html", page.clone()));
    let told = json!({
        "card": card, "host": site.url("/"), "foreign": foreign.url("/"), "user": anna.localpart(),
        "password": server.password(), "anna": anna.user_id(),
        "bob": bob.user_id(), "contact": talk.contact, "name": stage::NAME, "alike": alike,
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/card.mjs");
    let run =
        tokio::process::Command::new("node").arg(script).arg(told.to_string()).kill_on_drop(true).output();
    let done =
        tokio::time::timeout(Duration::from_secs(300), run).await.expect("it ends").expect("node runs");
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.contains("done"), "the browser test failed:\n{said}");
    let card = super::page::card(&anna, &talk).await;
    let notes: Vec<_> = list(&card["notes"]).iter().map(|note| text(&note["text"])).collect();
    assert!(
        notes.contains(&"From the browser".to_owned()) && notes.contains(&"From the frame".to_owned()),
        "{notes:?}"
    );
    assert_eq!(talk.seen_by(&anna).await["assignee"], bob.user_id());
    stage::joined(&anna, &talk, &alike).await;
}

/// A contact with something of everything.
async fn set_the_stage(channel: &Channel, talk: &Talk, anna: &Client, bob: &Client) {
    channel.say(talk, "Dzień dobry! Czy krzesło jest jeszcze dostępne?").await;
    let path = format!("/_kontor/bridge/v1/conversations/{}", talk.id);
    let claims = json!({ "claims": [
        { "kind": "email", "value": "oksana.kowalska@example.com", "trust": "proven", "source": "shop" },
        { "kind": "phone", "value": "+48 601 234 567", "trust": "claimed", "source": "form" },
        { "kind": "customer_no", "value": "K-2211", "trust": "platform", "source": "network" },
    ] });
    channel.bot.post(&format!("{path}/claims"), &claims).await.ok();
    let consents = json!({ "consents": [
        { "purpose": "marketing_email", "state": "given", "text_version": "2026-05", "act": "ticked", "source": "form", "given_at": 1_700_000_000_000_u64 },
    ] });
    channel.bot.post(&format!("{path}/consents"), &consents).await.ok();
    let taken = channel.say(talk, "Mój PESEL to … nieważne").await;
    anna.redact(&talk.room, &taken).await;
    anna.text(&talk.backstage, "!notatka Dzwonić dopiero po 15:00, w poniedziałki nigdy.\nWoli wiadomości.")
        .await;
    bob.text(&talk.backstage, "!decyzja Dostawa gratis").await;
    anna.text(
        &talk.backstage,
        &format!("!zadanie Wysłać ofertę na krzesła bukowe @{} 2099-12-24", bob.localpart()),
    )
    .await;
    anna.text(&talk.backstage, "!zadanie Sprawdzić stan magazynu").await;
    anna.text(&talk.backstage, "!zrobione 2").await;
}
