//! A channel with its bridge, and customers who write.

use std::sync::atomic::{AtomicU64, Ordering};

use harness::{Client, Homeserver, Response, enc};
use serde_json::{Value, json};

use crate::client::support::{Dice, text};
use crate::client::website::{Reply, Website};

/// A word that no other test uses.
pub(crate) fn word() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("c{}x{}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst))
}

/// Nine letters that no other test uses, nor any like them.
pub(crate) fn rare() -> String {
    let seed = word().bytes().fold(14_695_981_039_346_656_037_u64, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(1_099_511_628_211)
    });
    let mut dice = Dice::new(seed);
    (0..9).map(|_| char::from(b'a' + dice.below(26) as u8)).collect()
}

/// A name that nobody else has, nor one like it.
pub(crate) fn name() -> String {
    format!("Z{} Q{}", rare(), rare())
}

/// A channel, its bridge, and an administrator.
pub(crate) struct Channel {
    pub site: Website,
    pub id: String,
    /// The bridge's own user, with its token.
    pub bot: Client,
    pub admin: Client,
}

/// A conversation as the bridge was told of it.
#[derive(Debug, Clone)]
pub(crate) struct Talk {
    pub id: String,
    pub room: String,
    pub backstage: String,
    pub contact: String,
    pub ghost: String,
}

impl Channel {
    /// One in which these people answer.
    pub async fn open(server: &Homeserver, staff: &[&Client]) -> Self {
        Self::open_with(server, staff, json!({})).await
    }

    /// With further fields of the channel.
    pub async fn open_with(server: &Homeserver, staff: &[&Client], more: Value) -> Self {
        let (site, id) = (Website::open(|_| Reply::status(200)).await, word());
        let admin = server.register_admin("admin").await;
        let own = |sigil: &str| json!([{ "exclusive": true, "regex": format!("{sigil}kontor_{id}_.*") }]);
        let wish = json!({
            "id": id, "url": site.url(""), "sender_localpart": format!("{id}bot"),
            "namespaces": { "users": own("@"), "aliases": own("#_") },
        });
        let made = admin.post("/_kontor/admin/v1/application_services", &wish).await;
        assert_eq!(made.status, 201, "{made}");
        let json = json!({
            "user_id": made.json["sender"], "access_token": made.json["as_token"], "device_id": "",
        });
        let bot = server.signed_in(Response {
            asked: String::new(),
            status: 200,
            headers: Default::default(),
            json,
        });
        let members: Vec<&str> = staff.iter().map(|one| one.user_id()).collect();
        let mut channel = json!({
            "id": id, "kind": "webchat", "name": "Shop", "application_service": id, "members": members,
        });
        for (key, value) in more.as_object().cloned().unwrap_or_default() {
            channel[key] = value;
        }
        let made = admin.post("/_kontor/admin/v1/channels", &channel).await;
        assert_eq!(made.status, 201, "{made}");
        Self { site, id, bot, admin }
    }

    /// Removes the bridge.
    pub async fn close(self) {
        let path = format!("/_kontor/admin/v1/application_services/{}", enc(&self.id));
        self.admin.delete(&path).await.ok();
    }

    /// What a bridge tells to open a conversation.
    pub fn opening(&self, customer: &str) -> Value {
        json!({
            "channel": self.id, "account": "", "id_type": "visitor", "external_id": customer, "lane": customer,
            "profile": { "display_name": format!("Customer {customer}"), "language": "pl" },
            "claims": [{ "kind": "email", "value": format!("{customer}@Example.com"), "trust": "claimed", "source": "form" }],
            "context": { "page": "https://shop.example/chairs" },
        })
    }

    /// Asks for a conversation.
    pub async fn ask(&self, opening: &Value) -> Response {
        self.bot.post("/_kontor/bridge/v1/conversations", opening).await
    }

    /// Opens the conversation of a customer.
    pub async fn talk(&self, customer: &str) -> Talk {
        self.talk_of(&self.opening(customer)).await
    }

    /// Opens the conversation of somebody who is called like nobody else and of whom no more is known, so that nobody
    /// is suggested to be the same.
    pub async fn stranger(&self) -> Talk {
        let mut opening = self.opening(&word());
        opening["profile"]["display_name"] = json!(name());
        opening["claims"] = json!([]);
        self.talk_of(&opening).await
    }

    /// Opens the conversation that a bridge tells of.
    pub async fn talk_of(&self, opening: &Value) -> Talk {
        let opened = self.ask(opening).await.ok();
        let id = text(&opened["conversation_id"]);
        let told = self.admin.get(&format!("/_kontor/contacts/v1/conversations/{id}")).await.ok();
        Talk {
            id,
            room: text(&opened["room_id"]),
            backstage: text(&told["backstage_room_id"]),
            contact: text(&opened["contact_id"]),
            ghost: text(&opened["ghost_user_id"]),
        }
    }

    /// A path that is asked for as the customer's user.
    pub fn as_customer(&self, talk: &Talk, path: &str) -> String {
        format!("{path}{}user_id={}", if path.contains('?') { '&' } else { '?' }, enc(&talk.ghost))
    }

    /// Lets the customer say something; gives the event's id.
    pub async fn say(&self, talk: &Talk, body: &str) -> String {
        let path = format!("/rooms/{}/send/m.room.message/{}", enc(&talk.room), word());
        let content = json!({ "msgtype": "m.text", "body": body });
        text(&self.bot.put(&self.as_customer(talk, &path), &content).await.ok()["event_id"])
    }

    /// The events that the bridge was told so far, in order.
    pub fn told(&self) -> Vec<Value> {
        let asked = self.site.asked();
        let lists = asked.iter().filter(|asked| asked.path.contains("/transactions/"));
        lists.flat_map(|asked| asked.json["events"].as_array().cloned().unwrap_or_default()).collect()
    }

    /// Waits until the bridge was told of this event.
    pub async fn wait_for(&self, event: &str) {
        let found = || async { self.told().iter().any(|told| told["event_id"] == event).then_some(()) };
        harness::eventually("the bridge is told", found).await;
    }
}

impl Talk {
    /// What the company API tells somebody of it.
    pub async fn seen_by(&self, client: &Client) -> Value {
        client.get(&self.path("")).await.ok()
    }

    /// Its path in the company API.
    pub fn path(&self, rest: &str) -> String {
        format!("/_kontor/contacts/v1/conversations/{}{rest}", self.id)
    }
}
