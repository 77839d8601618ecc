//! Namespaces: what belongs to a service alone is kept from everybody else.

use harness::{Homeserver, both_databases, enc};
use serde_json::json;

use super::support::Bridge;

both_databases!(
    names_of_a_service_are_kept_from_people,
    aliases_of_a_service_are_kept_from_people_and_others_from_it,
    a_shared_namespace_is_open_to_everybody,
    rooms_of_a_network_are_listed_by_its_service,
);

async fn names_of_a_service_are_kept_from_people(server: Homeserver) {
    let bridge = Bridge::open(&server).await;
    let anonymous = server.anonymous();
    for name in [format!("{}_mine", bridge.id), format!("{}bot", bridge.id)] {
        let body =
            json!({ "username": name, "password": "correct horse", "auth": { "type": "m.login.dummy" } });
        anonymous.post("/register", &body).await.err(400, "M_EXCLUSIVE");
        anonymous.get(&format!("/register/available?username={name}")).await.err(400, "M_EXCLUSIVE");
        bridge.admin.post("/_kontor/admin/v1/people", &json!({ "name": name })).await.refused();
    }
    let other = Bridge::open(&server).await;
    let taken = json!({ "type": "m.login.application_service", "username": format!("{}_x", bridge.id) });
    other.bot.post("/register", &taken).await.err(400, "M_EXCLUSIVE");
    other.close().await;
    let body = json!({ "username": format!("{}_mine", bridge.id), "password": "correct horse battery",
        "auth": { "type": "m.login.dummy" } });
    bridge.close().await;
    anonymous.post("/register", &body).await.ok();
}

async fn aliases_of_a_service_are_kept_from_people_and_others_from_it(server: Homeserver) {
    let (bridge, anna) = (Bridge::open(&server).await, server.register("anna").await);
    let room = anna.public_room().await;
    let path = |name: &str| format!("/directory/room/{}", enc(&format!("#{name}:localhost")));
    let (own, foreign) = (path(&format!("{}_portal", bridge.id)), path(&format!("x{}", bridge.id)));
    let target = json!({ "room_id": room });
    anna.put(&own, &target).await.err(400, "M_EXCLUSIVE");
    let wish = json!({ "room_alias_name": format!("{}_portal", bridge.id) });
    anna.post("/createRoom", &wish).await.err(400, "M_EXCLUSIVE");
    bridge.bot.post(&format!("/join/{}", enc(&room)), &json!({})).await.ok();
    bridge.bot.put(&own, &target).await.ok();
    bridge.bot.put(&foreign, &target).await.err(400, "M_EXCLUSIVE");
    anna.delete(&own).await.err(400, "M_EXCLUSIVE");
    assert_eq!(anna.get(&own).await.ok()["room_id"], room.as_str());
    bridge.bot.delete(&own).await.ok();
    let made = bridge.bot.post("/createRoom", &wish).await.ok();
    assert_eq!(anna.get(&own).await.ok()["room_id"], made["room_id"]);
    bridge.bot.post("/createRoom", &wish).await.err(400, "M_ROOM_IN_USE");
    bridge.close().await;
}

async fn a_shared_namespace_is_open_to_everybody(server: Homeserver) {
    let name = super::support::word();
    let shared =
        json!({ "namespaces": { "users": [{ "exclusive": false, "regex": format!("@{name}.*") }] } });
    let bridge = Bridge::open_with(&server, shared).await;
    let body =
        json!({ "username": name, "password": "correct horse battery", "auth": { "type": "m.login.dummy" } });
    let anna = server.signed_in(server.anonymous().post("/register", &body).await);
    let path = super::support::as_user("/account/whoami", anna.user_id());
    assert_eq!(bridge.bot.get(&path).await.ok()["user_id"], anna.user_id(), "it may act as them");
    bridge.close().await;
}

async fn rooms_of_a_network_are_listed_by_its_service(server: Homeserver) {
    let (bridge, anna) = (Bridge::open(&server).await, server.register("anna").await);
    let room = anna.create_room(json!({ "preset": "public_chat", "name": "Chairs of the network" })).await;
    let path = format!("/directory/list/appservice/net/{}", enc(&room));
    let shown = json!({ "visibility": "public" });
    anna.put(&path, &shown).await.err(403, "M_FORBIDDEN");
    bridge.bot.put(&path, &json!({})).await.err(400, "M_MISSING_PARAM");
    bridge.bot.put("/directory/list/appservice/net/!nowhere:localhost", &shown).await.err(404, "M_NOT_FOUND");
    bridge.bot.put(&path, &shown).await.ok();
    let find = async |network: serde_json::Value| {
        let mut body = json!({ "filter": { "generic_search_term": "chairs network" } });
        for (key, value) in network.as_object().cloned().unwrap_or_default() {
            body[key] = value;
        }
        let found = anna.post("/publicRooms", &body).await.ok()["chunk"].to_string();
        found.contains(&room)
    };
    let own = json!({ "third_party_instance_id": format!("{}|net", bridge.id) });
    assert!(find(own.clone()).await);
    assert!(find(json!({ "include_all_networks": true })).await);
    assert!(!find(json!({})).await, "this server's own list does not show it");
    for other in ["other|net".to_owned(), format!("{}|other", bridge.id), "nonsense".to_owned()] {
        assert!(!find(json!({ "third_party_instance_id": other })).await);
    }
    bridge.bot.put(&path, &json!({ "visibility": "private" })).await.ok();
    assert!(!find(own).await);
    bridge.close().await;
}
