//! The first administrator and `kontorctl`, as a script uses them.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use harness::{Db, Server, on_each_database, program};
use serde_json::Value;

on_each_database!(the_first_administrator_is_made_once_and_makes_accounts);

const PASSWORD: &str = "a long password for tests";

async fn the_first_administrator_is_made_once_and_makes_accounts(db: Db) {
    let server = Server::start(db);
    let home = server.homeserver();
    let file = |name: &str| server.folder().join(name).display().to_string();
    let (token_file, spare) = (file("data/first-admin-token"), file("spare-token"));
    std::fs::copy(&token_file, &spare).expect("a token for the first administrator");
    let ctl = |words: &[&str], token: &str| kontorctl(home.base_url(), words, token);

    let setup = |name: &str, file: &str| {
        ctl(&["setup", "--password-stdin", "--name", name, "--token-file", file], "")
    };
    setup("root", &token_file).expect("setup");
    let again = setup("second", &spare);
    assert!(again.is_err(), "the one-time token worked twice: {again:?}");
    assert!(!std::path::Path::new(&token_file).exists(), "the used token is still there");

    let token = ctl(&["login", "root", "--password-stdin"], "").expect("login");
    let created = ctl(&["user", "create", "anna", "--password-stdin", "-o", "json"], token.trim()).unwrap();
    assert_eq!(json(&created)["user_id"], "@anna:localhost");
    let taken = ctl(&["user", "create", "anna", "--password-stdin"], token.trim());
    assert!(taken.is_err(), "the name was given away twice: {taken:?}");

    let listed = json(&ctl(&["user", "list", "-o", "json"], token.trim()).unwrap());
    let people = listed["people"].as_array().expect("people");
    let admins = people.iter().filter(|person| person["admin"] == true).count();
    assert_eq!((people.len(), admins), (2, 1), "{listed}");

    let login = serde_json::json!({
        "type": "m.login.password",
        "identifier": { "type": "m.id.user", "user": "anna" },
        "password": PASSWORD,
    });
    let anna = home.signed_in(home.anonymous().post("/login", &login).await);
    let refused = ctl(&["user", "list"], anna.token());
    assert!(refused.is_err(), "anyone may list the accounts: {refused:?}");
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// Standard output of a success; both outputs of a failure.
fn kontorctl(url: &str, words: &[&str], token: &str) -> Result<String, String> {
    let mut child = Command::new(program("kontorctl"))
        .args(["--url", url, "--lang", "en"])
        .args(words)
        .env("KONTORCTL_TOKEN", token)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("kontorctl");
    // It may end before it reads.
    let _ = writeln!(child.stdin.take().expect("a pipe"), "{PASSWORD}");
    let Output { status, stdout, stderr } = child.wait_with_output().expect("kontorctl");
    let said = String::from_utf8_lossy(&stdout).into_owned();
    if status.success() { Ok(said) } else { Err(said + &String::from_utf8_lossy(&stderr)) }
}
