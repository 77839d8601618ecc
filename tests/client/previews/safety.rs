//! What previews must not be used for.

use std::time::{Duration, Instant};

use harness::{Db, Server, enc, on_each_database};
use serde_json::json;

use super::{preview, server};
use crate::client::website::{Reply, Website};

on_each_database!(
    without_the_operators_wish_there_are_none,
    addresses_of_the_house_are_never_asked,
    a_redirect_into_the_house_is_not_followed,
    what_is_no_address_of_the_web_is_refused,
    strangers_are_refused,
    an_endless_page_is_read_in_part,
    hostile_pages_do_no_harm,
);

async fn without_the_operators_wish_there_are_none(db: Db) {
    let server = Server::start(db);
    let anna = server.homeserver().register("anna").await;
    let site = Website::open(|_| Reply::of("text/html", "<title>x</title>")).await;
    preview(&anna, &site.url("/")).await.err(404, "M_UNRECOGNIZED");
    assert!(site.asked().is_empty());
}

/// A server with the ranges that hold when nothing is configured.
fn guarded(db: Db) -> Server {
    let ranges = [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "192.168.0.0/16",
        "::/128",
        "::1/128",
        "fc00::/7",
    ];
    let denied = toml::Value::from(ranges.to_vec());
    Server::start_with(db, &[("media.url_previews", true.into()), ("outbound.denied_ip_ranges", denied)])
}

async fn addresses_of_the_house_are_never_asked(db: Db) {
    let server = guarded(db);
    let anna = server.homeserver().register("anna").await;
    let site = Website::open(|_| Reply::of("text/html", "<title>Secret console</title>")).await;
    let port = site.url("").rsplit(':').next().unwrap_or_default().to_owned();
    let mut answers = Vec::new();
    for host in [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "0.0.0.0",
        "127.0.0.1.",
    ] {
        let answer = preview(&anna, &format!("http://{host}:{port}/")).await;
        answers.push(answer.err(404, "M_NOT_FOUND"));
    }
    // An address at which nobody listens is answered in the same words.
    answers.push(preview(&anna, "http://127.0.0.1:1/").await.err(404, "M_NOT_FOUND"));
    answers.push(preview(&anna, "http://name.invalid/").await.err(404, "M_NOT_FOUND"));
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert!(site.asked().is_empty());
}

async fn a_redirect_into_the_house_is_not_followed(db: Db) {
    let denied = toml::Value::from(vec!["127.0.0.2/32"]);
    let server =
        Server::start_with(db, &[("media.url_previews", true.into()), ("outbound.denied_ip_ranges", denied)]);
    let anna = server.homeserver().register("anna").await;
    let inside = std::net::TcpListener::bind("127.0.0.2:0").expect("a free port");
    inside.set_nonblocking(true).expect("a socket");
    let target = format!("http://{}/", inside.local_addr().expect("bound"));
    let page = format!("<title>A page</title><meta property=og:image content='{target}'>");
    let site = Website::open(move |asked| match asked.path.as_str() {
        "/away" => Reply::redirect(target.clone()),
        _ => Reply::of("text/html", page.clone()),
    })
    .await;
    preview(&anna, &site.url("/away")).await.err(404, "M_NOT_FOUND");
    // Nor is a picture fetched from there.
    assert_eq!(preview(&anna, &site.url("/page")).await.ok(), json!({ "og:title": "A page" }));
    assert!(inside.accept().is_err(), "nobody connected");
}

async fn what_is_no_address_of_the_web_is_refused(db: Db) {
    let server = server(db);
    let anna = server.homeserver().register("anna").await;
    for url in [
        "",
        "x",
        "file:///etc/passwd",
        "ftp://example.com/",
        "http://user:pw@example.com/",
        "gopher://x",
        "data:text/html,x",
    ] {
        preview(&anna, url).await.err(400, "M_INVALID_PARAM");
    }
    preview(&anna, &format!("https://example.com/{}", "x".repeat(5_000))).await.err(400, "M_INVALID_PARAM");
    anna.get("/_matrix/client/v1/media/preview_url").await.err(400, "M_MISSING_PARAM");
}

async fn strangers_are_refused(db: Db) {
    let server = server(db);
    let house = server.homeserver();
    let path = format!("/_matrix/client/v1/media/preview_url?url={}", enc("https://example.com/"));
    house.anonymous().get(&path).await.err(401, "M_MISSING_TOKEN");
    let guest = house.signed_in(house.anonymous().post("/register?kind=guest", &json!({})).await);
    guest.get(&path).await.err(403, "M_GUEST_ACCESS_FORBIDDEN");
}

async fn an_endless_page_is_read_in_part(db: Db) {
    let server = server(db);
    let anna = server.homeserver().register("anna").await;
    let site = Website::open(|asked| {
        let mut page = b"<title>Long</title>".to_vec();
        page.resize(20 << 20, if asked.path == "/page" { b' ' } else { 0 });
        Reply::of(if asked.path == "/page" { "text/html" } else { "image/png" }, page)
    })
    .await;
    assert_eq!(preview(&anna, &site.url("/page")).await.ok(), json!({ "og:title": "Long" }));
    preview(&anna, &site.url("/picture")).await.err(404, "M_NOT_FOUND");
    // A page that takes for ever is given up.
    let slow = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let began = Instant::now();
    let url = format!("http://{}/", slow.local_addr().expect("bound"));
    preview(&anna, &url).await.err(404, "M_NOT_FOUND");
    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
}

async fn hostile_pages_do_no_harm(db: Db) {
    let server = server(db);
    let anna = server.homeserver().register("anna").await;
    let site = Website::open(|asked| {
        let body = match asked.path.as_str() {
            "/deep" => "<div>".repeat(300_000),
            "/attributes" => format!("<a {}>", "x=1 ".repeat(300_000)),
            "/comment" => "<!--".repeat(300_000),
            "/entities" => format!("<title>{}</title>", "&amp;&#x202e;&#0;".repeat(10_000)),
            _ => "\0".repeat(1_000_000),
        };
        Reply::of("text/html", body)
    })
    .await;
    for path in ["/deep", "/attributes", "/comment", "/entities", "/nothing"] {
        let answer = preview(&anna, &site.url(path)).await;
        assert!(matches!(answer.status, 200 | 404), "{path}: {answer}");
        let title = answer.json["og:title"].as_str().unwrap_or_default();
        assert!(title.chars().count() <= 201 && !title.contains(['\u{202e}', '\0']), "{path}");
    }
    assert_eq!(preview(&anna, &site.url("/deep")).await.status, 404);
}
