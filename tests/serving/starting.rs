//! Starting.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use harness::{DEADLINE, Db, Homeserver, Scratch, Server, binary, free_port, on_each_database, wait_until};

on_each_database!(
    accounts_and_rooms_outlive_a_restart,
    another_server_name_is_refused_with_an_explanation,
    an_unknown_key_is_refused_with_its_name,
    it_says_that_it_is_alive_and_ready,
);

async fn accounts_and_rooms_outlive_a_restart(db: Db) {
    let mut server = Server::start(db);
    let alice = server.homeserver().register("alice").await;
    let room = alice.public_room().await;
    let message = alice.text(&room, "before").await;
    server.restart();
    assert_eq!(alice.event(&room, &message).await.ok()["content"]["body"], "before");
    let again = server.homeserver().login(alice.user_id()).await;
    assert_eq!(again.get("/joined_rooms").await.ok()["joined_rooms"][0], room.as_str());
}

async fn another_server_name_is_refused_with_an_explanation(db: Db) {
    let mut server = Server::start(db);
    server.terminate();
    let said = server.refuses_to_start_with(&[("server_name", "other.example".into())]);
    assert!(said.contains("localhost") && said.contains("other.example"), "no explanation: {said}");
    server.start_again();
}

async fn an_unknown_key_is_refused_with_its_name(db: Db) {
    let mut server = Server::start(db);
    server.terminate();
    let said = server.refuses_to_start_with(&[("media.uplaod_limit", 1.into())]);
    assert!(said.contains("uplaod_limit"), "the key is not named: {said}");
}

async fn it_says_that_it_is_alive_and_ready(db: Db) {
    let server = Server::start(db);
    let anyone = server.homeserver().anonymous();
    for path in ["/health/live", "/health/ready"] {
        assert_eq!(anyone.get_bytes(path).await.0, 200, "{path}");
    }
}

/// The first thing that a stranger does. Only the port differs, since the usual one may be taken.
#[tokio::test]
async fn without_configuration_it_keeps_everything_below_data() {
    let scratch = Scratch::new("stranger");
    let url = format!("http://127.0.0.1:{}", free_port());
    let mut child = start_bare(&scratch, &url);
    let homeserver = Homeserver::new(url.clone(), String::new());
    let answers = async || {
        let asked = homeserver.http().get(homeserver.url("/_matrix/client/versions")).send().await;
        asked.ok().filter(|answer| answer.status() == 200)
    };
    harness::eventually("the server answers", answers).await;

    let data = scratch.path().join("data");
    let token = data.join("first-admin-token");
    let mode = fs::metadata(&token).expect("a token for the first administrator").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "the token is readable by others");
    let token = fs::read_to_string(&token).unwrap();
    // It answers before it has said everything.
    let said = async || {
        let said = fs::read_to_string(scratch.path().join("said")).unwrap();
        said.contains(token.trim()).then_some(said)
    };
    let said = harness::eventually("the link for the administrator", said).await;
    assert!(said.contains(&url), "it does not say where it listens: {said}");

    let _ = Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status();
    let ended = wait_until(DEADLINE, || child.try_wait().unwrap());
    assert!(ended.is_some_and(|status| status.success()), "Ctrl-C ended it with {ended:?}");
    scratch.release_process("a");
}

fn start_bare(scratch: &Scratch, url: &str) -> Child {
    let said = fs::File::create(scratch.path().join("said")).unwrap();
    let child = Command::new(binary())
        .current_dir(scratch.path())
        .env("KONTOR__LISTENER__0__BIND", url.trim_start_matches("http://"))
        .stdin(Stdio::null())
        .stdout(said.try_clone().unwrap())
        .stderr(said)
        .spawn()
        .unwrap();
    scratch.guard_process("a", child.id());
    child
}
