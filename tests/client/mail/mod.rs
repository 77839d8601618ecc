//! Mail: proving addresses, setting a new password, registering with an address. The claims share a
//! server with a real mail server behind it; addresses and users are their own.

mod adding;
mod delivery;
mod letters;
mod register;
mod reset;
mod without;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use harness::{Client, Db, Homeserver, Letter, MailServer, Response, Server};
use serde_json::{Value, json};

/// A server that sends mail, and where its mail arrives.
pub(super) struct House {
    pub server: Homeserver,
    pub mail: &'static MailServer,
}

/// The long-lived server of that database.
pub(super) fn house(db: Db) -> House {
    static SQLITE: OnceLock<(Server, MailServer)> = OnceLock::new();
    static POSTGRES: OnceLock<(Server, MailServer)> = OnceLock::new();
    let start = || {
        let mail = MailServer::start();
        (Server::start_with(db, &mail.settings()), mail)
    };
    let (server, mail) = match db {
        Db::Sqlite => SQLITE.get_or_init(start),
        Db::Postgres => POSTGRES.get_or_init(start),
    };
    House { server: server.homeserver(), mail }
}

/// An address that nobody used.
pub(super) fn address(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{name}-{}@company.example", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Where a mail is asked for.
#[derive(Clone, Copy)]
pub(super) enum For {
    Add,
    Reset,
    Register,
}

impl For {
    fn path(self) -> &'static str {
        match self {
            Self::Add => "/account/3pid/email/requestToken",
            Self::Reset => "/account/password/email/requestToken",
            Self::Register => "/register/email/requestToken",
        }
    }
}

/// A wish for a mail, as clients send it.
pub(super) fn wish(address: &str, secret: &str, attempt: i64) -> Value {
    json!({ "email": address, "client_secret": secret, "send_attempt": attempt })
}

pub(super) async fn ask(client: &Client, what: For, wish: &Value) -> Response {
    client.post(what.path(), wish).await
}

/// Opens the link of a letter and presses the button. Gives the page after that.
pub(super) async fn press(server: &Homeserver, letter: &Letter) -> String {
    let link = letter.link().expect("a link");
    let token = link.split_once("token=").unwrap().1.split('&').next().unwrap().to_owned();
    let form = format!("token={token}&lang=en");
    let kind = "application/x-www-form-urlencoded";
    let path = "/_kontor/mail/confirm";
    let page = server.anonymous().send_bytes(reqwest::Method::POST, path, kind, form.into_bytes()).await;
    assert_eq!(page.status, 200, "{page}");
    page.json.as_str().unwrap_or_default().to_owned()
}

impl House {
    /// Asks for a mail and proves the address. Gives the proof.
    pub async fn prove(&self, what: For, address: &str, secret: &str) -> Value {
        let before = self.mail.letters_to(address).len();
        let asked = ask(&self.server.anonymous(), what, &wish(address, secret, 1)).await.ok();
        let letters = self.mail.wait_for(address, before + 1).await;
        press(&self.server, &letters[before]).await;
        json!({ "sid": asked["sid"], "client_secret": secret })
    }

    /// Somebody with this address.
    pub async fn person_with(&self, name: &str, address: &str) -> Client {
        let client = self.server.register(name).await;
        let proof = self.prove(For::Add, address, "adding").await;
        add(&client, &proof).await.ok();
        client
    }
}

/// Adds a proven address with the password.
pub(super) async fn add(client: &Client, proof: &Value) -> Response {
    let mut body = proof.clone();
    body["auth"] = password(client);
    client.post("/account/3pid/add", &body).await
}

/// The proof that it is they, by password.
pub(super) fn password(client: &Client) -> Value {
    json!({
        "type": "m.login.password", "password": client.homeserver().password(),
        "identifier": { "type": "m.id.user", "user": client.user_id() },
    })
}

pub(super) fn login_by(address: &str, password: &str) -> Value {
    json!({
        "type": "m.login.password", "password": password,
        "identifier": { "type": "m.id.thirdparty", "medium": "email", "address": address },
    })
}
