//! What a server without a mail server says, and what no server here does: telephone numbers and
//! identity servers.

use harness::{Homeserver, both_databases};
use serde_json::json;

use super::{For, ask, wish};
use crate::client::support::is_reference;

both_databases!(
    without_mail_no_address_can_be_proven,
    telephone_numbers_are_refused,
    nothing_is_published_at_identity_servers,
);

async fn without_mail_no_address_can_be_proven(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let capabilities = anna.get("/capabilities").await.ok();
    assert_eq!(capabilities["capabilities"]["m.3pid_changes"]["enabled"], false);
    for what in [For::Add, For::Reset, For::Register] {
        let answer = ask(&server.anonymous(), what, &wish("a@b.example", "s", 1)).await;
        answer.err(400, "M_THREEPID_MEDIUM_NOT_SUPPORTED");
    }
    let body = json!({ "new_password": "another long one" });
    server.anonymous().post("/account/password", &body).await.err(401, "M_MISSING_TOKEN");
}

async fn telephone_numbers_are_refused(server: Homeserver) {
    let body =
        json!({ "client_secret": "s", "country": "PL", "phone_number": "600100200", "send_attempt": 1 });
    for path in ["/account/3pid", "/account/password", "/register"] {
        let answer = server.anonymous().post(&format!("{path}/msisdn/requestToken"), &body).await;
        if is_reference() {
            answer.refused();
        } else {
            answer.err(400, "M_THREEPID_MEDIUM_NOT_SUPPORTED");
        }
    }
}

async fn nothing_is_published_at_identity_servers(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let bind = json!({ "client_secret": "s", "id_server": "id.example", "id_access_token": "t", "sid": "1" });
    anna.post("/account/3pid/bind", &bind).await.err(400, "M_SERVER_NOT_TRUSTED");
    let address = json!({ "medium": "email", "address": "a@b.example" });
    let unbound = anna.post("/account/3pid/unbind", &address).await.ok();
    assert_eq!(unbound["id_server_unbind_result"], "no-support");
}
