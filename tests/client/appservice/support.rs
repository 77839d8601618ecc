//! A bridge: an application service with a listener that takes what it is told, or refuses it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use harness::{Client, Homeserver, Response, enc, eventually};
use serde_json::{Value, json};

use crate::client::website::{Asked, Reply, Website};

/// A transaction that the bridge was handed.
#[derive(Debug, Clone)]
pub(super) struct Handed {
    /// Its name.
    pub txn: String,
    /// What it holds.
    pub body: Value,
    /// Whether the bridge took it.
    pub taken: bool,
}

#[derive(Default)]
struct Inner {
    refuse: Option<u16>,
    handed: Vec<Handed>,
}

/// A listener that answers transactions and pings.
pub(super) struct Door {
    pub site: Website,
    inner: Arc<Mutex<Inner>>,
}

impl Door {
    /// One that takes everything.
    pub async fn open() -> Self {
        let inner = Arc::new(Mutex::new(Inner::default()));
        let shared = Arc::clone(&inner);
        let site = Website::open(move |asked| answer(&shared, asked)).await;
        Self { site, inner }
    }

    /// Answers every transaction with this status from now on; takes them again with `None`.
    pub fn refuse(&self, status: Option<u16>) {
        self.inner.lock().unwrap().refuse = status;
    }

    /// Transactions so far, refused ones and repeats too.
    pub fn handed(&self) -> Vec<Handed> {
        self.inner.lock().unwrap().handed.clone()
    }

    /// What was taken, each transaction once.
    pub fn taken(&self) -> Vec<Value> {
        let mut seen = HashSet::new();
        let handed = self.handed().into_iter().filter(|handed| handed.taken);
        handed.filter(|handed| seen.insert(handed.txn.clone())).map(|handed| handed.body).collect()
    }

    /// The events that were taken, in order.
    pub fn events(&self) -> Vec<Value> {
        let lists = self.taken().into_iter().map(|body| body["events"].clone());
        lists.flat_map(|list| list.as_array().cloned().unwrap_or_default()).collect()
    }

    /// Ids of the events that were taken, in order. Panics when one was told twice.
    pub fn ids(&self) -> Vec<String> {
        let ids: Vec<String> = self.events().iter().map(|event| text(&event["event_id"])).collect();
        let once: HashSet<_> = ids.iter().collect();
        assert_eq!(once.len(), ids.len(), "an event was told twice: {ids:?}");
        ids
    }

    /// Waits until this event was told; gives it.
    pub async fn told(&self, event: &str) -> Value {
        let found = || async { self.events().into_iter().find(|told| told["event_id"] == event) };
        eventually("an event is told", found).await
    }

    /// Waits until a transaction that was taken gives something.
    pub async fn until<T>(&self, what: &str, found: impl Fn(&Value) -> Option<T>) -> T {
        eventually(what, || async { self.taken().iter().find_map(&found) }).await
    }
}

fn answer(inner: &Mutex<Inner>, asked: &Asked) -> Reply {
    let mut inner = inner.lock().unwrap();
    let Some(txn) = asked.path.strip_prefix("/_matrix/app/v1/transactions/") else {
        return Reply::status(if asked.path == "/_matrix/app/v1/ping" { 200 } else { 404 });
    };
    let taken = inner.refuse.is_none();
    inner.handed.push(Handed { txn: txn.to_owned(), body: asked.json.clone(), taken });
    Reply::status(inner.refuse.unwrap_or(200))
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A word that no other test uses.
pub(super) fn word() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("b{}x{}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst))
}

/// A registered bridge.
pub(super) struct Bridge {
    pub door: Door,
    /// Its id, which is also what the names of its users begin with.
    pub id: String,
    /// Its own user, and its token.
    pub bot: Client,
    pub hs_token: String,
    pub admin: Client,
}

/// A client with a token that is not of a login.
pub(super) fn client(server: &Homeserver, user_id: &str, token: &str) -> Client {
    client_on(server, user_id, token, "")
}

/// As [`client`], with a device.
pub(super) fn client_on(server: &Homeserver, user_id: &str, token: &str, device: &str) -> Client {
    let json = json!({ "user_id": user_id, "access_token": token, "device_id": device });
    server.signed_in(Response { asked: String::new(), status: 200, headers: Default::default(), json })
}

impl Bridge {
    /// One for the users `@{id}_…` and the aliases `#{id}_…`, both its own alone.
    pub async fn open(server: &Homeserver) -> Self {
        Self::open_with(server, json!({})).await
    }

    /// With further fields of the registration.
    pub async fn open_with(server: &Homeserver, more: Value) -> Self {
        let (door, id) = (Door::open().await, word());
        let admin = server.register_admin("admin").await;
        let own = |sigil: &str| json!([{ "exclusive": true, "regex": format!("{sigil}{id}_.*") }]);
        let mut wish = json!({
            "id": id, "url": door.site.url(""), "sender_localpart": format!("{id}bot"),
            "namespaces": { "users": own("@"), "aliases": own("#") },
        });
        for (key, value) in more.as_object().cloned().unwrap_or_default() {
            wish[key] = value;
        }
        let made = admin.post("/_kontor/admin/v1/application_services", &wish).await;
        assert_eq!(made.status, 201, "{made}");
        let (token, sender) = (text(&made.json["as_token"]), text(&made.json["sender"]));
        let bot = client(server, &sender, &token);
        Self { door, id, bot, hs_token: text(&made.json["hs_token"]), admin }
    }

    /// Removes the registration.
    pub async fn close(self) {
        let path = format!("/_kontor/admin/v1/application_services/{}", enc(&self.id));
        self.admin.delete(&path).await.ok();
    }

    /// Matrix id of one of its users.
    pub fn user(&self, name: &str) -> String {
        format!("@{}_{name}:localhost", self.id)
    }

    /// Registers one of its users; gives the Matrix id.
    pub async fn ghost(&self, name: &str) -> String {
        let body = json!({
            "type": "m.login.application_service", "username": format!("{}_{name}", self.id), "inhibit_login": true,
        });
        text(&self.bot.post("/register", &body).await.ok()["user_id"])
    }

    /// Lets one of its users join a room.
    pub async fn join(&self, ghost: &str, room: &str) {
        self.bot.post(&as_user(&format!("/join/{}", enc(room)), ghost), &json!({})).await.ok();
    }

    /// Lets one of its users say something; gives the event's id.
    pub async fn say(&self, ghost: &str, room: &str, body: &str) -> String {
        let path = format!("/rooms/{}/send/m.room.message/{}", enc(room), word());
        let content = json!({ "msgtype": "m.text", "body": body });
        text(&self.bot.put(&as_user(&path, ghost), &content).await.ok()["event_id"])
    }

    /// A room of somebody's with one of the bridge's users in it.
    pub async fn room(&self, owner: &Client, ghost: &str) -> String {
        let room = owner.create_room(json!({ "preset": "private_chat", "invite": [ghost] })).await;
        self.join(ghost, &room).await;
        room
    }
}

/// A path that is asked for as one of the bridge's users.
pub(super) fn as_user(path: &str, user: &str) -> String {
    format!("{path}{}user_id={}", if path.contains('?') { '&' } else { '?' }, enc(user))
}

/// As [`as_user`], with one of the user's devices.
pub(super) fn as_device(path: &str, user: &str, device: &str) -> String {
    format!("{}&device_id={}", as_user(path, user), enc(device))
}
