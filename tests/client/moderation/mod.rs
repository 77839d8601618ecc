//! What administrators and people themselves do to accounts: locking, suspending, closing.

mod closing;
mod lock;
mod suspend;
mod terminal;
mod whois;

use harness::{Client, enc};
use serde_json::{Value, json};

/// `/admin/{what}/{user}`.
pub(super) fn path(what: &str, user: &str) -> String {
    format!("/_matrix/client/v1/admin/{what}/{}", enc(user))
}

pub(super) async fn lock(admin: &Client, user: &Client, on: bool) {
    admin.put(&path("lock", user.user_id()), &json!({ "locked": on })).await.ok();
}

pub(super) async fn suspend(admin: &Client, user: &Client, on: bool) {
    admin.put(&path("suspend", user.user_id()), &json!({ "suspended": on })).await.ok();
}

/// The proof that it is they, by password.
pub(super) fn password(client: &Client) -> Value {
    json!({
        "type": "m.login.password", "password": client.homeserver().password(),
        "identifier": { "type": "m.id.user", "user": client.user_id() },
    })
}
