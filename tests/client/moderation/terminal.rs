//! The same from a terminal.

use std::process::Command;

use harness::{Db, Server, on_each_database, program};

on_each_database!(accounts_are_moderated_from_a_terminal);

fn kontorctl(url: &str, token: &str, words: &[&str]) -> (bool, String) {
    let done = Command::new(program("kontorctl"))
        .args(["--url", url, "--lang", "pl"])
        .args(words)
        .env("KONTORCTL_TOKEN", token)
        .output()
        .expect("kontorctl");
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    (done.status.success(), said)
}

async fn accounts_are_moderated_from_a_terminal(db: Db) {
    let running = Server::start(db);
    let server = running.homeserver();
    let admin = server.register_exactly("root", true).await;
    let anna = server.register_exactly("anna", false).await;
    let ctl = |words: &[&str]| kontorctl(server.base_url(), admin.token(), words);
    assert_eq!(
        ctl(&["user", "lock", "anna"]),
        (true, "Konto @anna:localhost jest zablokowane.\n".to_owned())
    );
    anna.get("/account/whoami").await.err(401, "M_USER_LOCKED");
    assert!(ctl(&["user", "unlock", "@anna:localhost"]).0);
    assert!(ctl(&["user", "suspend", "anna"]).0);
    anna.post("/createRoom", &serde_json::json!({})).await.err(403, "M_USER_SUSPENDED");
    assert!(ctl(&["user", "unsuspend", "anna"]).0);
    anna.post("/createRoom", &serde_json::json!({})).await.ok();
    assert!(ctl(&["notice", "send", "Przerwa o 18:00", "--to", "anna"]).0);
    assert!(ctl(&["user", "deactivate", "anna", "--erase"]).0);
    anna.get("/account/whoami").await.err(401, "M_UNKNOWN_TOKEN");
    let (done, said) = ctl(&["user", "lock", "nobody"]);
    assert!(!done && said.contains("kontorctl:"), "{said}");
}
