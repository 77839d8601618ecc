//! Events in the form in which other servers are sent them, for clients that ask for it.

use harness::{Homeserver, both_databases, enc};
use serde_json::json;

use super::ignore;
use crate::client::support::{bring_in, list, room_showing};

both_databases!(events_come_as_other_servers_would_get_them, the_form_shows_nothing_that_is_hidden);

/// `/sync` in the other form; not held against the schemas, which know the clients' form only.
async fn raw(client: &harness::Client, since: Option<&str>, fields: &str) -> serde_json::Value {
    let since = since.map(|since| format!("&since={}", enc(since))).unwrap_or_default();
    let filter = enc(&format!(r#"{{"event_format":"federation"{fields}}}"#));
    client.get(&format!("/sync?org.matrix.msc=raw&timeout=0&filter={filter}{since}")).await.ok()
}

async fn events_come_as_other_servers_would_get_them(server: Homeserver) {
    let alice = server.register("alice").await;
    for version in ["10", "12"] {
        let room = alice.create_room(json!({ "room_version": version })).await;
        let since = alice.now().await;
        alice.text(&room, "one").await;
        let gone = alice.text(&room, "two").await;
        alice.redact(&room, &gone).await;
        for told in [raw(&alice, None, "").await, raw(&alice, Some(&since), "").await] {
            let timeline = list(&told["rooms"]["join"][&room]["timeline"]["events"]);
            let one = timeline.iter().find(|event| event["content"]["body"] == "one").unwrap();
            for field in
                ["auth_events", "prev_events", "hashes", "signatures", "depth", "origin_server_ts", "sender"]
            {
                assert!(one.get(field).is_some(), "{field}: {one}");
            }
            assert!(one["signatures"].get("localhost").is_some(), "{one}");
            assert!(one.get("unsigned").is_none() && one.get("event_id").is_none(), "{one}");
            assert!(!told.to_string().contains(r#""body":"two""#), "{told}");
        }
        let some = raw(&alice, None, r#","event_fields":["depth"]"#).await;
        let first = list(&some["rooms"]["join"][&room]["timeline"]["events"])[0].clone();
        assert_eq!(first.as_object().unwrap().keys().collect::<Vec<_>>(), ["depth"]);
    }
}

async fn the_form_shows_nothing_that_is_hidden(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = room_showing(&alice, "joined").await;
    alice.text(&room, "before bob came").await;
    bring_in(&alice, &room, &bob).await;
    alice.text(&room, "after bob came").await;
    let told = raw(&bob, None, "").await.to_string();
    assert!(told.contains("after bob came") && !told.contains("before bob came"));
    ignore(&bob, &[&alice]).await;
    assert!(!raw(&bob, None, "").await.to_string().contains("after bob came"));
}
