//! Servers for calls that clients are told of.

use harness::{Db, Server, on_each_database};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha1::Sha1;

on_each_database!(
    turn_credentials_are_for_one_person_and_a_limited_time,
    turn_credentials_can_be_the_same_for_everybody,
    without_turn_servers_nobody_is_told_of_any,
    servers_for_group_calls_are_found_at_the_homeserver_and_in_the_discovery_document,
);

const TURN: &str = "/voip/turnServer";
const TRANSPORTS: &str = "/_matrix/client/unstable/org.matrix.msc4143/rtc/transports";

fn texts(texts: &[&str]) -> toml::Value {
    texts.iter().map(|text| toml::Value::from(*text)).collect::<Vec<_>>().into()
}

async fn turn_credentials_are_for_one_person_and_a_limited_time(db: Db) {
    let uris = ["turn:turn.example:3478?transport=udp", "turns:turn.example:5349"];
    let settings = [
        ("turn.uris", texts(&uris)),
        ("turn.shared_secret", "a shared secret".into()),
        ("turn.lifetime_seconds", 600.into()),
    ];
    let server = Server::start_with(db, &settings);
    let alice = server.homeserver().register("alice").await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let told = alice.get(TURN).await.ok();
    assert_eq!((&told["uris"], &told["ttl"]), (&json!(uris), &json!(600)), "{told}");
    let username = told["username"].as_str().unwrap();
    let (until, user) = username.split_once(':').unwrap();
    assert_eq!(user, alice.user_id());
    assert!((now + 590..=now + 660).contains(&until.parse().unwrap()), "{username}");
    let mut mac = Hmac::<Sha1>::new_from_slice(b"a shared secret").unwrap();
    mac.update(username.as_bytes());
    let password =
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, mac.finalize().into_bytes());
    assert_eq!(told["password"], password);
    server.homeserver().anonymous().get(TURN).await.err(401, "M_MISSING_TOKEN");
    let guest = server.homeserver().anonymous().post("/register?kind=guest", &json!({})).await;
    let guest = server.homeserver().signed_in(guest);
    assert!(guest.get(TURN).await.json.get("password").is_none());
}

async fn turn_credentials_can_be_the_same_for_everybody(db: Db) {
    let settings = [
        ("turn.uris", texts(&["turn:turn.example"])),
        ("turn.username", "kontor".into()),
        ("turn.password", "secret".into()),
    ];
    let server = Server::start_with(db, &settings);
    let told = server.homeserver().register("alice").await.get(TURN).await.ok();
    let wanted =
        json!({ "username": "kontor", "password": "secret", "uris": ["turn:turn.example"], "ttl": 86_400 });
    assert_eq!(told, wanted);
}

async fn without_turn_servers_nobody_is_told_of_any(db: Db) {
    let server = Server::start(db);
    let alice = server.homeserver().register("alice").await;
    assert_eq!(alice.get(TURN).await.ok(), json!({}));
    alice.get(TRANSPORTS).await.err(404, "M_NOT_FOUND");
    let found = alice.get("/.well-known/matrix/client").await.ok();
    assert!(found.get("org.matrix.msc4143.rtc_foci").is_none(), "{found}");
}

async fn servers_for_group_calls_are_found_at_the_homeserver_and_in_the_discovery_document(db: Db) {
    let urls = ["https://rtc.example", "https://backup.example/path"];
    let server = Server::start_with(db, &[("rtc.livekit_service_urls", texts(&urls))]);
    let alice = server.homeserver().register("alice").await;
    let wanted = json!(urls.map(|url| json!({ "type": "livekit", "livekit_service_url": url })));
    assert_eq!(alice.get(TRANSPORTS).await.ok(), json!({ "rtc_transports": wanted }));
    let nobody = server.homeserver().anonymous();
    let found = nobody.get("/.well-known/matrix/client").await.ok();
    assert_eq!(found["org.matrix.msc4143.rtc_foci"], wanted, "{found}");
    nobody.get(TRANSPORTS).await.err(401, "M_MISSING_TOKEN");
    let versions = nobody.get("/_matrix/client/versions").await.ok();
    assert_eq!(versions["unstable_features"]["org.matrix.msc4143"], true);
}
