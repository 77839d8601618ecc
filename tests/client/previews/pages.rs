//! What previews show.

use harness::{Db, on_each_database};
use serde_json::json;

use super::{preview, server};
use crate::client::media::picture::png;
use crate::client::website::{Reply, Website};

on_each_database!(
    a_page_is_shown_with_its_picture_as_a_file_of_the_server,
    a_page_is_asked_once_for_everybody,
    a_link_to_a_picture_shows_the_picture,
    characters_are_read_as_the_page_says,
    what_shows_nothing_is_not_found_and_not_asked_again_at_once,
);

fn html(body: &str) -> Reply {
    Reply::of("text/html; charset=utf-8", body)
}

async fn a_page_is_shown_with_its_picture_as_a_file_of_the_server(db: Db) {
    let server = server(db);
    let anna = server.homeserver().register("anna").await;
    let picture = png(60, 40);
    let (size, bytes) = (picture.len(), picture.clone());
    let site = Website::open(move |asked| match asked.path.as_str() {
        "/short" => Reply::redirect("/story?id=1"),
        "/story?id=1" => html(
            "<title>Not this</title><meta property=og:title content='A story'><meta property=og:image content='img/a.png'>\
             <meta property=og:description content='What &lt;happened&gt;'><meta property='og:site_name' content='News'>",
        ),
        "/img/a.png" => Reply::of("image/png", picture.clone()),
        _ => Reply::status(404),
    })
    .await;
    let shown = preview(&anna, &site.url("/short#part")).await.ok();
    let uri = shown["og:image"].as_str().unwrap_or_default().to_owned();
    assert!(uri.starts_with("mxc://localhost/"), "{shown}");
    let wanted = json!({
        "og:title": "A story", "og:description": "What <happened>", "og:site_name": "News", "og:image": uri,
        "og:image:type": "image/png", "og:image:width": 60, "og:image:height": 40, "matrix:image:size": size,
    });
    assert_eq!(shown, wanted);
    let path = format!("/_matrix/client/v1/media/download/{}", uri.trim_start_matches("mxc://"));
    let (status, _, received) = anna.get_bytes(&path).await;
    assert_eq!((status, received), (200, bytes));
    // The older address says the same.
    let path =
        format!("/_matrix/media/v3/preview_url?url={}&ts=1510610716656", harness::enc(&site.url("/short")));
    assert_eq!(anna.get(&path).await.ok(), wanted);
}

async fn a_page_is_asked_once_for_everybody(db: Db) {
    let mut server = server(db);
    let house = server.homeserver();
    let (anna, bert) = (house.register("anna").await, house.register("bert").await);
    let site = Website::open(|asked| {
        let polish = asked.head.to_lowercase().contains("accept-language: pl");
        html(if polish { "<title>Strona</title>" } else { "<title>Page</title>" })
    })
    .await;
    let url = site.url("/page");
    let asks: Vec<_> =
        (0..20).map(|index| preview(if index % 2 == 0 { &anna } else { &bert }, &url)).collect();
    for shown in futures_util::future::join_all(asks).await {
        assert_eq!(shown.ok(), json!({ "og:title": "Page" }));
    }
    assert_eq!(site.asked().len(), 1);
    server.restart();
    assert_eq!(preview(&anna, &url).await.ok(), json!({ "og:title": "Page" }));
    assert_eq!(site.asked().len(), 1, "it is remembered in the database");
    // Another language is another page.
    let path = format!("{}/_matrix/client/v1/media/preview_url?url={}", house.base_url(), harness::enc(&url));
    let request =
        house.http().get(path).bearer_auth(anna.token()).header("accept-language", "pl-PL,pl;q=0.9,en;q=0.5");
    let shown: serde_json::Value =
        serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap();
    assert_eq!(shown, json!({ "og:title": "Strona" }));
}

async fn a_link_to_a_picture_shows_the_picture(db: Db) {
    let server = server(db);
    let anna = server.homeserver().register("anna").await;
    let site = Website::open(|_| Reply::of("image/png", png(8, 6))).await;
    let shown = preview(&anna, &site.url("/x")).await.ok();
    assert_eq!((&shown["og:image:width"], &shown["og:image:type"]), (&json!(8), &json!("image/png")));
    assert!(shown.get("og:title").is_none());
}

async fn characters_are_read_as_the_page_says(db: Db) {
    let server = server(db);
    let anna = server.homeserver().register("anna").await;
    let site = Website::open(|asked| match asked.path.as_str() {
        "/pl" => {
            Reply::of("text/html", b"<meta charset=iso-8859-2><title>za\xbf\xf3\xb3\xe6</title>".to_vec())
        }
        _ => {
            Reply::of("text/html; charset=windows-1251", b"<title>\xcf\xf0\xe8\xe2\xb3\xf2</title>".to_vec())
        }
    })
    .await;
    assert_eq!(preview(&anna, &site.url("/pl")).await.ok()["og:title"], "zażółć");
    assert_eq!(preview(&anna, &site.url("/uk")).await.ok()["og:title"], "Привіт");
}

async fn what_shows_nothing_is_not_found_and_not_asked_again_at_once(db: Db) {
    let server = server(db);
    let anna = server.homeserver().register("anna").await;
    let site = Website::open(|asked| match asked.path.as_str() {
        "/empty" => html(""),
        "/file" => Reply::of("application/pdf", "%PDF"),
        "/gone" => Reply::status(404),
        "/loop" => Reply::redirect("/loop"),
        _ => Reply::of("image/png", "not a picture"),
    })
    .await;
    for path in ["/empty", "/file", "/gone", "/loop", "/picture"] {
        for _ in 0..2 {
            preview(&anna, &site.url(path)).await.err(404, "M_NOT_FOUND");
        }
        let times = site.asked().iter().filter(|asked| asked.path == path).count();
        assert_eq!(times, if path == "/loop" { 6 } else { 1 }, "{path}");
    }
}
