//! Handing files out.

use harness::{Client, Db, Homeserver, Server, both_databases, on_each_database};
use reqwest::header::HeaderMap;
use serde_json::json;

use super::picture::png;
use super::upload::{download, place};
use crate::client::support::is_reference;

both_databases!(
    downloading_needs_a_login,
    files_cannot_harm_a_browser,
    names_survive_and_cannot_inject_headers,
    parts_of_a_file_can_be_asked_for,
    what_does_not_exist_is_not_found,
);

on_each_database!(the_older_addresses_are_open_only_when_configured, files_outlive_a_restart);

async fn with_header(client: &Client, path: &str, name: &str, value: &str) -> (u16, HeaderMap, Vec<u8>) {
    let request = client.homeserver().http().get(client.homeserver().url(path));
    let answer = request.bearer_auth(client.token()).header(name, value).send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    (status, headers, answer.bytes().await.unwrap().to_vec())
}

async fn downloading_needs_a_login(server: Homeserver) {
    let alice = server.register("alice").await;
    let uri = alice.upload("text/plain", "a.txt", b"secret".to_vec()).await;
    let anonymous = server.anonymous();
    anonymous.get(&download(&uri)).await.err(401, "M_MISSING_TOKEN");
    anonymous.get(&format!("{}?access_token=forged", download(&uri))).await.err(401, "M_UNKNOWN_TOKEN");
    let thumbnail = format!("/_matrix/client/v1/media/thumbnail/{}?width=32&height=32", place(&uri));
    anonymous.get(&thumbnail).await.err(401, "M_MISSING_TOKEN");
    if !is_reference() {
        for version in ["v3", "r0", "v1"] {
            let old = format!("/_matrix/media/{version}/download/{}", place(&uri));
            anonymous.get(&old).await.err(404, "M_NOT_FOUND");
        }
    }
}

async fn files_cannot_harm_a_browser(server: Homeserver) {
    let alice = server.register("alice").await;
    for (kind, shown) in [
        ("text/html", false),
        ("image/svg+xml", false),
        ("application/xhtml+xml", false),
        ("text/html; charset=utf-8", false),
        ("application/javascript", false),
        ("image/png", true),
        ("text/plain", true),
    ] {
        let content = match kind {
            "image/png" => png(4, 4),
            "text/plain" => b"hello".to_vec(),
            _ => b"<script>alert(1)</script>".to_vec(),
        };
        let uri = alice.upload(kind, "file", content).await;
        let (_, headers, _) = alice.get_bytes(&download(&uri)).await;
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        assert!(header("content-security-policy").contains("sandbox"), "{kind}: {headers:?}");
        assert!(header("content-security-policy").contains("default-src 'none'"), "{kind}: {headers:?}");
        assert_eq!(header("cross-origin-resource-policy"), "cross-origin", "{kind}");
        let disposition = header("content-disposition");
        assert_eq!(disposition.starts_with("inline"), shown, "{kind}: {disposition}");
        if !shown {
            assert!(disposition.starts_with("attachment"), "{kind}: {disposition}");
        }
        if !is_reference() {
            assert_eq!(header("x-content-type-options"), "nosniff", "{kind}");
        }
    }
    // A page that calls itself text or a picture is not shown either.
    for kind in ["text/plain", "image/png"] {
        let uri = alice.upload(kind, "file", b"<html><script>alert(1)</script></html>".to_vec()).await;
        let (_, headers, _) = alice.get_bytes(&download(&uri)).await;
        let disposition = headers["content-disposition"].to_str().unwrap_or_default().to_owned();
        assert!(disposition.starts_with("attachment") || is_reference(), "{kind}: {disposition}");
    }
}

async fn names_survive_and_cannot_inject_headers(server: Homeserver) {
    let alice = server.register("alice").await;
    for name in
        ["umowa.pdf", "żółć 🐢.txt", "a\"b.txt", "a;b.txt", "../../etc/passwd", "a\r\nSet-Cookie: x=1", "%"]
    {
        let uri = alice.upload("application/pdf", name, b"x".to_vec()).await;
        let (status, headers, _) = alice.get_bytes(&download(&uri)).await;
        assert_eq!(status, 200, "{name}");
        assert!(headers.get("set-cookie").is_none(), "{name}");
        let disposition = headers["content-disposition"].to_str().unwrap_or_default().to_owned();
        if name == "umowa.pdf" {
            assert!(disposition.contains("umowa.pdf"), "{disposition}");
        }
    }
    let uri = alice.upload("application/pdf", "one.pdf", b"x".to_vec()).await;
    let (_, headers, _) = alice.get_bytes(&format!("{}/other.pdf", download(&uri))).await;
    let disposition = headers["content-disposition"].to_str().unwrap();
    assert!(disposition.contains("other.pdf"), "{disposition}");
}

async fn parts_of_a_file_can_be_asked_for(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let bytes: Vec<u8> = (0..=255).cycle().take(1_000).collect();
    let uri = alice.upload("video/mp4", "a.mp4", bytes.clone()).await;
    let path = download(&uri);
    for (range, from, to) in [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 100),
        ("bytes=900-", 900, 1_000),
        ("bytes=-100", 900, 1_000),
        ("bytes=990-2000", 990, 1_000),
    ] {
        let (status, headers, part) = with_header(&alice, &path, "range", range).await;
        assert_eq!((status, part.as_slice()), (206, &bytes[from..to]), "{range}");
        let place = headers["content-range"].to_str().unwrap();
        assert_eq!(place, format!("bytes {from}-{}/1000", to - 1));
    }
    let (status, headers, _) = with_header(&alice, &path, "range", "bytes=1000-").await;
    assert_eq!(status, 416);
    assert_eq!(headers["content-range"], "bytes */1000");
    for nonsense in ["bytes=x-y", "lines=1-2", "bytes=5-1", "bytes="] {
        let (status, _, whole) = with_header(&alice, &path, "range", nonsense).await;
        assert!(status == 416 || whole == bytes, "{nonsense}: {status}");
    }
    let tag = alice.get_bytes(&path).await.1["etag"].to_str().unwrap().to_owned();
    assert_eq!(with_header(&alice, &path, "if-none-match", &tag).await.0, 304);
}

async fn what_does_not_exist_is_not_found(server: Homeserver) {
    let alice = server.register("alice").await;
    alice.get("/_matrix/client/v1/media/download/localhost/nothing").await.err(404, "M_NOT_FOUND");
    for place in
        ["localhost/..%2f..%2fetc%2fpasswd", "localhost/%00", "elsewhere.invalid/x", "x%00/y", "localhost/.."]
    {
        let answer = alice.get(&format!("/_matrix/client/v1/media/download/{place}")).await;
        if !is_reference() {
            answer.refused();
        }
    }
}

async fn the_older_addresses_are_open_only_when_configured(db: Db) {
    let running = Server::start_with(db, &[("media.legacy_unauthenticated", true.into())]);
    let server = running.homeserver();
    let alice = server.register("alice").await;
    let uri = alice.upload("text/plain", "a.txt", b"open".to_vec()).await;
    let old = format!("/_matrix/media/v3/download/{}", place(&uri));
    let (status, _, bytes) = server.anonymous().get_bytes(&old).await;
    assert_eq!((status, bytes.as_slice()), (200, &b"open"[..]));
    server.anonymous().get(&download(&uri)).await.err(401, "M_MISSING_TOKEN");
}

async fn files_outlive_a_restart(db: Db) {
    let mut running = Server::start(db);
    let alice = running.homeserver().register("alice").await;
    let room = alice.create_room(json!({})).await;
    let uri = alice.upload("image/png", "a.png", png(40, 30)).await;
    let image = json!({ "msgtype": "m.image", "body": "a.png", "url": uri });
    alice.send(&room, "m.room.message", &image).await;
    running.kill_and_start_again();
    let alice = running.homeserver().client_like(&alice);
    assert_eq!(alice.get_bytes(&download(&uri)).await.2, png(40, 30));
}
