//! Budgets: who asks too much is told when to come back. On servers of their own, with limits on.

use std::time::Duration;

use harness::{Client, Db, Homeserver, Response, Server, on_each_database};
use serde_json::json;

on_each_database!(
    too_many_requests_are_told_when_to_come_back,
    guessing_passwords_is_stopped_for_that_name_only,
);

fn server_with_limits(db: Db) -> Server {
    Server::start_with(db, &[("rate_limits.enabled", true.into())])
}

/// Checks the form of the refusal; gives the seconds to wait.
fn told_to_wait(answer: &Response) -> u64 {
    assert_eq!(answer.status, 429, "{answer}");
    assert_eq!(answer.json["errcode"], "M_LIMIT_EXCEEDED", "{answer}");
    let seconds: u64 = answer.header("retry-after").expect("Retry-After").parse().expect("a number");
    let ms = answer.json["retry_after_ms"].as_u64().expect("retry_after_ms");
    assert!(seconds >= 1 && seconds * 1_000 >= ms, "{answer}");
    seconds
}

async fn until_refused(client: &Client, path: &str) -> Response {
    for _ in 0..2_000 {
        let answer = client.get(path).await;
        if answer.status != 200 {
            return answer;
        }
    }
    panic!("two thousand requests at once were all served");
}

async fn too_many_requests_are_told_when_to_come_back(db: Db) {
    let running = server_with_limits(db);
    let server = running.homeserver();
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let refused = until_refused(&alice, "/account/whoami").await;
    let seconds = told_to_wait(&refused);
    bob.get("/account/whoami").await.ok();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    alice.get("/account/whoami").await.ok();
}

async fn guess(server: &Homeserver, user: &str, password: &str) -> Response {
    let body = json!({
        "type": "m.login.password", "password": password,
        "identifier": { "type": "m.id.user", "user": user },
    });
    server.anonymous().post("/login", &body).await
}

async fn guessing_passwords_is_stopped_for_that_name_only(db: Db) {
    let running = server_with_limits(db);
    let server = running.homeserver();
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    // Whether the name exists makes no difference.
    for user in [alice.user_id(), "@nobody:localhost"] {
        let mut refused = None;
        for n in 0..60 {
            let answer = guess(&server, user, &format!("guess {n}")).await;
            if answer.status == 429 {
                refused = Some((n, answer));
                break;
            }
            answer.err(403, "M_FORBIDDEN");
        }
        let (n, answer) = refused.expect("sixty guesses were all answered");
        assert_eq!(n, 10, "{user}");
        told_to_wait(&answer);
    }
    guess(&server, bob.user_id(), server.password()).await.ok();
    told_to_wait(&guess(&server, alice.user_id(), server.password()).await);
    alice.get("/account/whoami").await.ok();
}
