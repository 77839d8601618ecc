//! Acting as users and devices, saying when, and sending once.

use harness::{Homeserver, both_databases, enc};
use serde_json::{Value, json};

use super::support::{Bridge, as_device, as_user, text, word};

both_databases!(
    a_service_acts_as_itself_and_as_its_users_and_as_nobody_else,
    users_of_a_service_are_registered_and_logged_in_without_a_password,
    a_service_makes_and_removes_devices_and_their_keys_without_a_proof,
    a_service_says_when_an_event_happened_and_people_do_not,
    the_same_request_of_a_service_is_the_same_event,
    requests_of_services_are_no_sessions,
    a_ghosts_sync_and_profile_work_like_anybodys,
);

async fn a_service_acts_as_itself_and_as_its_users_and_as_nobody_else(server: Homeserver) {
    let (bridge, anna) = (Bridge::open(&server).await, server.register("anna").await);
    let whoami = bridge.bot.get("/account/whoami").await.ok();
    assert_eq!(whoami["user_id"], bridge.bot.user_id(), "its own user is there by itself");
    assert_eq!(whoami.get("device_id"), None);
    let ghost = bridge.ghost("ghost").await;
    let own = bridge.bot.get(&as_user("/account/whoami", &ghost)).await.ok();
    assert_eq!(own["user_id"], ghost.as_str());
    for other in [anna.user_id(), &bridge.user("unborn"), "nobody", "@x:elsewhere.example"] {
        bridge.bot.get(&as_user("/account/whoami", other)).await.err(403, "M_FORBIDDEN");
    }
    let masked = anna.get(&as_user("/account/whoami", &ghost)).await.ok();
    assert_eq!(masked["user_id"], anna.user_id(), "people are who they are");
    bridge.close().await;
}

async fn users_of_a_service_are_registered_and_logged_in_without_a_password(server: Homeserver) {
    let (bridge, anna) = (Bridge::open(&server).await, server.register("anna").await);
    let name = format!("{}_ghost", bridge.id);
    let register = |name: &str| json!({ "type": "m.login.application_service", "username": name, "inhibit_login": true });
    let made = bridge.bot.post("/register", &register(&name)).await.ok();
    assert_eq!(made["user_id"], bridge.user("ghost"));
    assert_eq!(made.get("access_token"), None);
    bridge.bot.post("/register", &register(&name)).await.err(400, "M_USER_IN_USE");
    bridge.bot.post("/register", &register(&word())).await.err(400, "M_EXCLUSIVE");
    bridge
        .bot
        .post("/register", &json!({ "type": "m.login.application_service" }))
        .await
        .err(400, "M_MISSING_PARAM");
    server.anonymous().post("/register", &register("x")).await.err(401, "M_MISSING_TOKEN");
    anna.post("/register", &register("x")).await.err(401, "M_UNKNOWN_TOKEN");
    let login = |user: &str| json!({ "type": "m.login.application_service", "identifier": { "type": "m.id.user", "user": user } });
    let session = bridge.bot.post("/login", &login(&name)).await.ok();
    let ghost = super::support::client(&server, &bridge.user("ghost"), &text(&session["access_token"]));
    assert_eq!(ghost.get("/account/whoami").await.ok()["user_id"], bridge.user("ghost"));
    bridge.bot.post("/login", &login(anna.user_id())).await.err(400, "M_EXCLUSIVE");
    bridge.bot.post("/login", &login(&bridge.user("unborn"))).await.err(403, "M_FORBIDDEN");
    server.anonymous().post("/login", &login(&name)).await.err(401, "M_MISSING_TOKEN");
    anna.post("/login", &login(&name)).await.err(401, "M_UNKNOWN_TOKEN");
    let flows = server.anonymous().get("/login").await.ok()["flows"].to_string();
    assert!(flows.contains("m.login.application_service"));
    bridge.close().await;
}

async fn a_service_makes_and_removes_devices_and_their_keys_without_a_proof(server: Homeserver) {
    let bridge = Bridge::open(&server).await;
    let ghost = bridge.ghost("ghost").await;
    let upload = json!({ "one_time_keys": {} });
    bridge.bot.post(&as_user("/keys/upload", &ghost), &upload).await.err(400, "M_MISSING_PARAM");
    bridge.bot.get(&as_device("/account/whoami", &ghost, "NONE")).await.err(400, "M_UNKNOWN_DEVICE");
    let path = as_user("/devices/BRIDGE", &ghost);
    let made = bridge.bot.put(&path, &json!({ "display_name": "Bridge" })).await;
    assert_eq!(made.status, 201, "{made}");
    bridge.bot.put(&path, &json!({ "display_name": "Bridge 2" })).await.ok();
    let device = bridge.bot.get(&path).await.ok();
    assert_eq!(device["display_name"], "Bridge 2");
    for name in ["device_id", "org.matrix.msc3202.device_id"] {
        let path = format!("{}&{name}=BRIDGE", as_user("/account/whoami", &ghost));
        assert_eq!(bridge.bot.get(&path).await.ok()["device_id"], "BRIDGE");
    }
    bridge.bot.post(&as_device("/keys/upload", &ghost, "BRIDGE"), &upload).await.ok();
    bridge.bot.delete(&path).await.ok();
    bridge.bot.get(&path).await.err(404, "M_NOT_FOUND");
    bridge.bot.get(&as_device("/account/whoami", &ghost, "BRIDGE")).await.err(400, "M_UNKNOWN_DEVICE");
    bridge.close().await;
}

async fn a_service_says_when_an_event_happened_and_people_do_not(server: Homeserver) {
    let (bridge, anna) = (Bridge::open(&server).await, server.register("anna").await);
    let ghost = bridge.ghost("ghost").await;
    let room = bridge.room(&anna, &ghost).await;
    let ts = 1_234_567_890_123_i64;
    let message = format!("/rooms/{}/send/m.room.message/{}?ts={ts}", enc(&room), word());
    let content = json!({ "msgtype": "m.text", "body": "then" });
    let sent = bridge.bot.put(&as_user(&message, &ghost), &content).await.ok();
    let event = anna.event(&room, &text(&sent["event_id"])).await.ok();
    assert_eq!(event["origin_server_ts"], ts);
    let state = format!("/rooms/{}/state/org.example.state/x?ts={ts}", enc(&room));
    let power = json!({ "users": { anna.user_id(): 100, &*ghost: 100 } });
    // The creator's power is not to be named in rooms of the newest version.
    let power = if anna.put(&format!("/rooms/{}/state/m.room.power_levels", enc(&room)), &power).await.status
        == 200
    {
        power
    } else {
        json!({ "users": { &*ghost: 100 } })
    };
    anna.set_state(&room, "m.room.power_levels", "", &power).await;
    let set = bridge.bot.put(&as_user(&state, &ghost), &json!({ "a": 1 })).await.ok();
    let event = anna.event(&room, &text(&set["event_id"])).await.ok();
    assert_eq!(event["origin_server_ts"], ts);
    for wrong in ["-1", "x", "9007199254740992"] {
        let path = format!("/rooms/{}/send/m.room.message/{}?ts={wrong}", enc(&room), word());
        bridge.bot.put(&as_user(&path, &ghost), &content).await.err(400, "M_INVALID_PARAM");
    }
    let path = format!("/rooms/{}/send/m.room.message/{}?ts={ts}", enc(&room), word());
    let own = anna.put(&path, &content).await.ok();
    let event = anna.event(&room, &text(&own["event_id"])).await.ok();
    assert!(event["origin_server_ts"].as_i64() > Some(ts), "people's clocks are the server's");
    bridge.close().await;
}

async fn the_same_request_of_a_service_is_the_same_event(server: Homeserver) {
    let (bridge, anna) = (Bridge::open(&server).await, server.register("anna").await);
    let (ghost, other) = (bridge.ghost("ghost").await, bridge.ghost("other").await);
    let room = bridge.room(&anna, &ghost).await;
    anna.post(&format!("/rooms/{}/invite", enc(&room)), &json!({ "user_id": other })).await.ok();
    bridge.join(&other, &room).await;
    let path = format!("/rooms/{}/send/m.room.message/{}", enc(&room), word());
    let content = json!({ "msgtype": "m.text", "body": "once" });
    let send = async |user: &str| -> Value { bridge.bot.put(&as_user(&path, user), &content).await.ok() };
    let first = send(&ghost).await;
    assert_eq!(send(&ghost).await, first);
    assert_ne!(send(&other).await, first, "each of its users has requests of its own");
    bridge.bot.put(&as_user("/devices/D", &ghost), &json!({})).await;
    let masked = bridge.bot.put(&as_device(&path, &ghost, "D"), &content).await.ok();
    assert_ne!(masked, first, "so has a device");
    bridge.close().await;
}

async fn requests_of_services_are_no_sessions(server: Homeserver) {
    let bridge = Bridge::open(&server).await;
    let ghost = bridge.ghost("ghost").await;
    for path in ["/logout", "/logout/all"] {
        bridge.bot.post(&as_user(path, &ghost), &json!({})).await.err(403, "M_FORBIDDEN");
    }
    bridge.bot.get(&as_user("/account/whoami", &ghost)).await.ok();
    let token = bridge.bot.clone();
    bridge.close().await;
    token.get("/account/whoami").await.err(401, "M_UNKNOWN_TOKEN");
}

async fn a_ghosts_sync_and_profile_work_like_anybodys(server: Homeserver) {
    let (bridge, anna) = (Bridge::open(&server).await, server.register("anna").await);
    let ghost = bridge.ghost("ghost").await;
    let path = as_user(&format!("/profile/{}/displayname", enc(&ghost)), &ghost);
    bridge.bot.put(&path, &json!({ "displayname": "Ghost" })).await.ok();
    assert_eq!(anna.get(&format!("/profile/{}", enc(&ghost))).await.ok()["displayname"], "Ghost");
    let room = bridge.room(&anna, &ghost).await;
    let first = bridge.bot.get(&as_user("/sync", &ghost)).await.ok();
    assert!(first["rooms"]["join"].get(&room).is_some());
    let event = anna.text(&room, "x").await;
    let since = text(&first["next_batch"]);
    let next = bridge.bot.get(&as_user(&format!("/sync?since={}", enc(&since)), &ghost)).await.ok();
    assert!(next.to_string().contains(&event));
    let other = bridge.bot.get(&format!("/sync?since={}", enc(&since))).await.ok();
    assert!(!other.to_string().contains(&event), "its other users see their own rooms");
    bridge.close().await;
}
