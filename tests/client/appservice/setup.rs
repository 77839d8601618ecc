//! Setting services up while the server runs, pings, and budgets.

use harness::{Db, Homeserver, Server, both_databases, on_each_database};
use serde_json::json;

use super::support::{Bridge, as_user, text, word};
use crate::client::website::Reply;

both_databases!(
    only_administrators_set_services_up_and_each_once,
    what_cannot_be_registered_is_refused_with_reasons,
    a_ping_says_whether_the_service_is_reached,
);

on_each_database!(services_are_held_to_budgets_only_where_they_ask_for_it);

const PATH: &str = "/_kontor/admin/v1/application_services";

async fn only_administrators_set_services_up_and_each_once(server: Homeserver) {
    let anna = server.register("anna").await;
    let wish = |id: &str| json!({ "id": id, "sender_localpart": format!("{id}bot") });
    anna.post(PATH, &wish("x")).await.err(403, "M_FORBIDDEN");
    anna.get(PATH).await.err(403, "M_FORBIDDEN");
    let bridge = Bridge::open(&server).await;
    bridge.admin.post(PATH, &wish(&bridge.id)).await.err(400, "M_INVALID_PARAM");
    let listed = bridge.admin.get(PATH).await.ok();
    let found = listed["application_services"].as_array().unwrap().iter().find(|one| one["id"] == *bridge.id);
    let found = found.expect("it is listed");
    assert_eq!(found["sender"], bridge.bot.user_id());
    assert!(found["created_ts"].is_i64() && found["from_file"] == false);
    assert!(
        !listed.to_string().contains(bridge.bot.token()) && !listed.to_string().contains(&bridge.hs_token)
    );
    let admin = bridge.admin.clone();
    let path = format!("{PATH}/{}", bridge.id);
    bridge.close().await;
    admin.delete(&path).await.err(404, "M_NOT_FOUND");
}

async fn what_cannot_be_registered_is_refused_with_reasons(server: Homeserver) {
    let (admin, anna) = (server.register_admin("admin").await, server.register("anna").await);
    let (id, sender) = (word(), word());
    let users = |regex: &str| json!({ "users": [{ "exclusive": true, "regex": regex }] });
    for (wish, status) in [
        (json!({ "id": "", "sender_localpart": sender }), 400),
        (json!({ "id": id }), 400),
        (json!({ "id": id, "sender_localpart": "A B" }), 400),
        (json!({ "id": id, "sender_localpart": sender, "url": "ftp://x" }), 400),
        (json!({ "id": id, "sender_localpart": sender, "namespaces": users("(") }), 400),
        (json!({ "id": id, "sender_localpart": sender, "namespaces": users("@(?!a).*") }), 400),
        (json!({ "id": id, "sender_localpart": sender, "namespaces": users("(a{900}){900}") }), 400),
        (json!({ "id": id, "sender_localpart": anna.localpart() }), 400),
    ] {
        let answer = admin.post(PATH, &wish).await;
        assert_eq!(answer.status, status, "{wish}: {answer}");
        assert!(!text(&answer.json["error"]).is_empty());
    }
    assert!(!admin.get(PATH).await.ok().to_string().contains(&id), "nothing of it was kept");
}

async fn a_ping_says_whether_the_service_is_reached(server: Homeserver) {
    let bridge = Bridge::open(&server).await;
    let path = |id: &str| format!("/_matrix/client/v1/appservice/{id}/ping");
    let body = json!({ "transaction_id": "meow" });
    let answer = bridge.bot.post(&path(&bridge.id), &body).await.ok();
    assert!(answer["duration_ms"].is_i64());
    let asked = bridge.door.site.asked();
    let ping = asked.iter().find(|asked| asked.path == "/_matrix/app/v1/ping").expect("it was asked");
    assert_eq!(ping.json, body);
    assert!(ping.head.contains(&format!("Bearer {}", bridge.hs_token)), "{}", ping.head);
    let anna = server.register("anna").await;
    anna.post(&path(&bridge.id), &body).await.err(403, "M_FORBIDDEN");
    bridge.bot.post(&path("another"), &body).await.err(403, "M_FORBIDDEN");
    server.anonymous().post(&path(&bridge.id), &body).await.err(401, "M_MISSING_TOKEN");
    bridge.door.site.say(|_| Reply { body: b"{\"errcode\":\"M_FORBIDDEN\"}".to_vec(), ..Reply::status(403) });
    let refused = bridge.bot.post(&path(&bridge.id), &body).await.err(502, "M_BAD_STATUS");
    assert_eq!(
        (&refused["status"], &refused["body"]),
        (&json!(403), &json!("{\"errcode\":\"M_FORBIDDEN\"}"))
    );
    let silent = Bridge::open_with(&server, json!({ "url": null })).await;
    silent.bot.post(&path(&silent.id), &body).await.err(400, "M_URL_NOT_SET");
    let nobody = format!("http://127.0.0.1:{}", harness::free_port());
    let gone = Bridge::open_with(&server, json!({ "url": nobody })).await;
    let failed = gone.bot.post(&path(&gone.id), &body).await.err(502, "M_CONNECTION_FAILED");
    assert!(!text(&failed["error"]).contains(&nobody), "addresses are not for everybody");
    for bridge in [bridge, silent, gone] {
        bridge.close().await;
    }
}

async fn services_are_held_to_budgets_only_where_they_ask_for_it(db: Db) {
    let process = Server::start_with(db, &[("rate_limits.enabled", true.into())]);
    let server = process.homeserver();
    let free = Bridge::open(&server).await;
    let held = Bridge::open_with(&server, json!({ "rate_limited": true })).await;
    let (ghost, bound) = (free.ghost("ghost").await, held.ghost("ghost").await);
    for _ in 0..400 {
        free.bot.get(&as_user("/account/whoami", &ghost)).await.ok();
        held.bot.get("/account/whoami").await.ok();
    }
    let mut refused = false;
    for _ in 0..2_000 {
        refused |= held.bot.get(&as_user("/account/whoami", &bound)).await.status == 429;
        if refused {
            break;
        }
    }
    assert!(refused, "users of a service that is held to budgets are");
}
