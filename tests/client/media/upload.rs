//! Bringing files in.

use futures_util::stream;
use harness::{Client, Db, Homeserver, Server, both_databases, enc, on_each_database};
use reqwest::Method;
use serde_json::json;

use crate::client::support::{is_reference, text};

both_databases!(
    what_is_uploaded_comes_back_byte_by_byte,
    uploading_needs_a_login,
    a_promised_file_is_uploaded_later,
    a_promised_file_is_uploaded_once_and_by_its_owner,
    a_download_waits_for_a_promised_file,
    the_limit_is_told,
);

on_each_database!(files_over_the_limit_are_refused);

/// `server/id` of an `mxc://` URI.
pub(super) fn place(uri: &str) -> String {
    uri.strip_prefix("mxc://").expect("an mxc URI").to_owned()
}

pub(super) fn download(uri: &str) -> String {
    format!("/_matrix/client/v1/media/download/{}", place(uri))
}

async fn what_is_uploaded_comes_back_byte_by_byte(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    // The reference takes no empty files.
    for size in [usize::from(is_reference()), 1, 1_000, 300_000, 3_000_000] {
        let bytes: Vec<u8> = (0..size).map(|n| u8::try_from(n * 31 % 251).unwrap()).collect();
        let uri = alice.upload("application/octet-stream", "data.bin", bytes.clone()).await;
        assert!(uri.starts_with("mxc://localhost/"), "{uri}");
        let (status, headers, seen) = bob.get_bytes(&download(&uri)).await;
        assert_eq!((status, seen == bytes), (200, true), "{size} bytes");
        assert_eq!(headers["content-type"], "application/octet-stream");
        assert_eq!(headers["content-length"], size.to_string().as_str());
    }
    // The same file twice is two files.
    let one = alice.upload("text/plain", "a.txt", b"same".to_vec()).await;
    let two = alice.upload("text/plain", "a.txt", b"same".to_vec()).await;
    assert_ne!(one, two);
}

async fn uploading_needs_a_login(server: Homeserver) {
    let anonymous = server.anonymous();
    let path = "/_matrix/media/v3/upload";
    anonymous.send_bytes(Method::POST, path, "text/plain", b"x".to_vec()).await.err(401, "M_MISSING_TOKEN");
    anonymous.post("/_matrix/media/v1/create", &json!({})).await.err(401, "M_MISSING_TOKEN");
    let alice = server.register("alice").await;
    alice.send_bytes(Method::POST, path, "text/plain", b"x".to_vec()).await.ok();
    alice.post("/logout", &json!({})).await.ok();
    alice.send_bytes(Method::POST, path, "text/plain", b"x".to_vec()).await.err(401, "M_UNKNOWN_TOKEN");
}

async fn promise(client: &Client) -> String {
    let made = client.post("/_matrix/media/v1/create", &json!({})).await.ok();
    assert!(made["unused_expires_at"].as_i64().is_some(), "{made}");
    text(&made["content_uri"])
}

async fn keep(client: &Client, uri: &str, bytes: &[u8]) -> harness::Response {
    let path = format!("/_matrix/media/v3/upload/{}", place(uri));
    client.send_bytes(Method::PUT, &path, "text/plain", bytes.to_vec()).await
}

async fn a_promised_file_is_uploaded_later(server: Homeserver) {
    let alice = server.register("alice").await;
    let uri = promise(&alice).await;
    let path = download(&uri);
    alice.get(&format!("{path}?timeout_ms=0")).await.err(504, "M_NOT_YET_UPLOADED");
    keep(&alice, &uri, b"here it is").await.ok();
    assert_eq!(alice.get_bytes(&path).await.2, b"here it is");
}

async fn a_promised_file_is_uploaded_once_and_by_its_owner(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let uri = promise(&alice).await;
    keep(&bob, &uri, b"mine").await.err(403, "M_FORBIDDEN");
    keep(&alice, &uri, b"first").await.ok();
    keep(&alice, &uri, b"second").await.err(409, "M_CANNOT_OVERWRITE_MEDIA");
    assert_eq!(alice.get_bytes(&download(&uri)).await.2, b"first");
    keep(&alice, "mxc://localhost/nosuchpromise", b"x").await.err(404, "M_NOT_FOUND");
    // A file that was uploaded at once was no promise.
    let uploaded = alice.upload("text/plain", "a.txt", b"at once".to_vec()).await;
    keep(&alice, &uploaded, b"other").await.refused();
    assert_eq!(alice.get_bytes(&download(&uploaded)).await.2, b"at once");
}

async fn a_download_waits_for_a_promised_file(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let uri = promise(&alice).await;
    let path = format!("{}?timeout_ms=20000", download(&uri));
    let waiting = tokio::spawn(async move { bob.get_bytes(&path).await });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    keep(&alice, &uri, b"worth the wait").await.ok();
    let (status, _, bytes) = waiting.await.unwrap();
    assert_eq!((status, bytes.as_slice()), (200, &b"worth the wait"[..]));
}

async fn the_limit_is_told(server: Homeserver) {
    let alice = server.register("alice").await;
    for path in ["/_matrix/client/v1/media/config", "/_matrix/media/v3/config"] {
        let config = alice.get(path).await.ok();
        assert!(config["m.upload.size"].as_u64().is_some_and(|limit| limit > 1_000_000), "{config}");
    }
    if !is_reference() {
        server.anonymous().get("/_matrix/client/v1/media/config").await.err(401, "M_MISSING_TOKEN");
    }
}

async fn files_over_the_limit_are_refused(db: Db) {
    const LIMIT: usize = 100_000;
    let running = Server::start_with(db, &[("media.upload_limit", "100 kB".into())]);
    let server = running.homeserver();
    let alice = server.register("alice").await;
    let config = alice.get("/_matrix/client/v1/media/config").await.ok();
    assert_eq!(config["m.upload.size"], LIMIT);
    alice.upload("text/plain", "fits.txt", vec![b'x'; LIMIT]).await;
    let path = "/_matrix/media/v3/upload";
    let large = alice.send_bytes(Method::POST, path, "text/plain", vec![b'x'; LIMIT + 1]).await;
    large.err(413, "M_TOO_LARGE");
    // Without an announced length too, and for promised files.
    let chunks = stream::iter((0..40).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 10_000])));
    let request = server.http().post(server.url(path)).bearer_auth(alice.token());
    let answer = request.body(reqwest::Body::wrap_stream(chunks)).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 413);
    let uri = promise(&alice).await;
    keep(&alice, &uri, &vec![b'x'; LIMIT + 1]).await.err(413, "M_TOO_LARGE");
    keep(&alice, &uri, b"fits").await.ok();
    let left = std::fs::read_dir(running.folder().join("data/media")).map_or(0, Iterator::count);
    assert!(left < 10, "{left} entries are left of refused files");
    alice
        .get(&format!("/_matrix/client/v1/media/download/localhost/{}", enc("../../kontor.toml")))
        .await
        .refused();
}
