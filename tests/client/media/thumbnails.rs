//! Small pictures.

use harness::{Client, Homeserver, both_databases};

use super::picture::{png, size_of};
use super::upload::place;
use crate::client::support::is_reference;

both_databases!(
    a_thumbnail_fits_into_what_was_asked_for,
    a_thumbnail_is_never_larger_than_its_picture,
    a_crop_has_the_form_that_was_asked_for,
    what_is_no_picture_has_no_thumbnail,
    pictures_that_lie_do_no_harm,
    senseless_sizes_are_refused,
);

fn path(uri: &str, query: &str) -> String {
    format!("/_matrix/client/v1/media/thumbnail/{}?{query}", place(uri))
}

async fn thumbnail(client: &Client, uri: &str, query: &str) -> (u32, u32) {
    let (status, headers, bytes) = client.get_bytes(&path(uri, query)).await;
    assert_eq!(status, 200, "{query}: {}", String::from_utf8_lossy(&bytes));
    let kind = headers["content-type"].to_str().unwrap();
    assert!(kind.starts_with("image/"), "{kind}");
    size_of(&bytes).unwrap_or_else(|| panic!("{query}: no picture of type {kind}"))
}

async fn a_thumbnail_fits_into_what_was_asked_for(server: Homeserver) {
    let alice = server.register("alice").await;
    let uri = alice.upload("image/png", "a.png", png(800, 600)).await;
    for (width, height) in [(32, 32), (96, 96), (320, 240), (640, 480)] {
        let (w, h) = thumbnail(&alice, &uri, &format!("width={width}&height={height}&method=scale")).await;
        // At least one side reaches what was asked for, and the form stays.
        assert!(w >= width || h >= height, "{w}x{h} for {width}x{height}");
        assert!((i64::from(w) * 600 - i64::from(h) * 800).abs() <= 800, "{w}x{h}");
        assert!(w <= 800 && h <= 600);
    }
}

async fn a_thumbnail_is_never_larger_than_its_picture(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let uri = alice.upload("image/png", "a.png", png(20, 10)).await;
    for query in ["width=640&height=480", "width=2000&height=2000&method=scale"] {
        let (w, h) = thumbnail(&alice, &uri, query).await;
        assert!(w <= 20 && h <= 10, "{w}x{h} for {query}");
    }
}

async fn a_crop_has_the_form_that_was_asked_for(server: Homeserver) {
    let alice = server.register("alice").await;
    let uri = alice.upload("image/png", "a.png", png(800, 600)).await;
    assert_eq!(thumbnail(&alice, &uri, "width=32&height=32&method=crop").await, (32, 32));
    assert_eq!(thumbnail(&alice, &uri, "width=96&height=96&method=crop").await, (96, 96));
}

async fn what_is_no_picture_has_no_thumbnail(server: Homeserver) {
    let alice = server.register("alice").await;
    for (kind, bytes) in
        [("text/plain", &b"hello"[..]), ("image/png", b"not a png"), ("image/png", b"\x89PNG")]
    {
        let uri = alice.upload(kind, "x", bytes.to_vec()).await;
        let answer = alice.get(&path(&uri, "width=32&height=32")).await;
        assert!((400..500).contains(&answer.status), "{kind}: {answer}");
    }
}

async fn pictures_that_lie_do_no_harm(server: Homeserver) {
    let alice = server.register("alice").await;
    // A header that promises 60,000 x 60,000 points.
    let mut huge = png(4, 4);
    huge[16..24].copy_from_slice(&[0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60]);
    let mut cut = png(400, 400);
    cut.truncate(1_000);
    for bytes in [huge, cut] {
        let uri = alice.upload("image/png", "x.png", bytes).await;
        let answer = alice.get(&path(&uri, "width=32&height=32")).await;
        assert!(answer.status < 500 || is_reference(), "{answer}");
    }
    alice.get("/account/whoami").await.ok();
}

async fn senseless_sizes_are_refused(server: Homeserver) {
    let alice = server.register("alice").await;
    let uri = alice.upload("image/png", "a.png", png(80, 60)).await;
    for query in [
        "",
        "width=32",
        "width=x&height=y",
        "width=-5&height=10",
        "width=0&height=0",
        "width=32&height=32&method=bend",
    ] {
        let answer = alice.get(&path(&uri, query)).await;
        if !is_reference() {
            answer.refused();
        }
    }
    // More than there is costs no more than there is.
    let answer = alice.get_bytes(&path(&uri, "width=99999999&height=99999999")).await;
    assert!(answer.0 < 500);
}
