//! The company's side of a conversation: contact, ghost and room, opened by the server itself.

use super::client::{As, HomeError, Homeserver};
use crate::channel::{AccountState, Claim, Consent, Profile};
use crate::json;
use async_trait::async_trait;
use kontor_model::{Error, Language, Ms, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What the kit asks of the company's directory. The real one is the homeserver's company API.
#[async_trait]
pub trait Directory: Send + Sync {
    /// Gives the conversation of a customer, opened if it is new. The same (channel, account, id type,
    /// external id) always gives the same one, in order and usable: room there, ghost and bridge joined.
    ///
    /// # Errors
    /// `Unavailable` to try again, anything else for good.
    async fn open(&self, opening: &Opening) -> Result<Opened>;

    /// Adds claims about the customer.
    ///
    /// # Errors
    /// As [`Directory::open`].
    async fn claims(&self, conversation: &str, claims: &[Claim]) -> Result<()>;

    /// Records what the customer agreed to, or took back.
    ///
    /// # Errors
    /// As [`Directory::open`].
    async fn consents(&self, conversation: &str, consents: &[Consent]) -> Result<()> {
        let _ = (conversation, consents);
        Err(Error::internal("this directory records no consents"))
    }

    /// The customer of a conversation has a new id in the network.
    ///
    /// # Errors
    /// As [`Directory::open`].
    async fn moved(&self, conversation: &str, external_id: &str) -> Result<()>;

    /// Tells how the channel is; gives whether an administrator paused it, where that is known.
    ///
    /// # Errors
    /// As [`Directory::open`].
    async fn health(&self, report: &HealthReport) -> Result<Option<bool>>;
}

/// Whose conversation is wanted.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The channel.
    pub channel: String,
    /// The conversation's lane in the bridge.
    pub lane: String,
    /// Who it is.
    pub profile: Profile,
    /// The customer's picture, already uploaded.
    pub avatar_mxc: Option<String>,
    /// For how long after the customer wrote answers are taken; for ever when absent.
    pub window: Option<Ms>,
}

/// A conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// Its id in the company API.
    pub conversation_id: String,
    /// The mirrored room.
    pub room_id: String,
    /// The contact card.
    pub contact_id: String,
    /// Who writes for the customer.
    pub ghost_user_id: String,
    /// The language of notices.
    #[serde(default)]
    pub language: Option<Language>,
}

/// How a channel is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HealthReport {
    /// The channel.
    #[serde(skip)]
    pub channel: String,
    /// `connected`, `degraded`, `no_traffic`, `bad_credentials` or `down`.
    pub state: String,
    /// For the administrator, in English.
    pub detail: String,
    /// Since when, milliseconds.
    pub since: i64,
    /// When the network last told something, milliseconds; 0 for never.
    pub last_in_at: i64,
    /// When the network last took something.
    pub last_out_at: i64,
    /// Items and messages that wait here.
    pub backlog: i64,
    /// Dead letters.
    pub dead: i64,
    /// The company's accounts in the network, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<AccountState>,
    /// When the access to the network ends, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
}

/// The company API of the homeserver.
pub(crate) struct CompanyApi {
    home: Homeserver,
}

impl CompanyApi {
    pub fn new(home: Homeserver) -> Self {
        Self { home }
    }

    async fn call(&self, method: &str, path: &str, body: &Value) -> std::result::Result<Value, HomeError> {
        self.home.json(method, &format!("/_kontor/bridge/v1{path}"), As::default(), Some(body)).await
    }
}

fn segment(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[async_trait]
impl Directory for CompanyApi {
    async fn open(&self, opening: &Opening) -> Result<Opened> {
        let who = &opening.profile;
        let mut profile = json!({});
        json::set(&mut profile, "display_name", json!(who.display_name));
        json::set(&mut profile, "avatar_mxc", json!(opening.avatar_mxc));
        json::set(&mut profile, "language", json!(who.language));
        if let Some(fields) = profile.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
        let body = json!({
            "channel": opening.channel,
            "account": who.account,
            "id_type": who.id_type,
            "external_id": who.external_id,
            "lane": opening.lane,
            "profile": profile,
            "claims": who.claims,
            "context": who.context,
            "window_ms": opening.window,
        });
        let answer = self.call("POST", "/conversations", &body).await?;
        serde_json::from_value(answer).map_err(Error::internal)
    }

    async fn claims(&self, conversation: &str, claims: &[Claim]) -> Result<()> {
        let path = format!("/conversations/{}/claims", segment(conversation));
        self.call("POST", &path, &json!({ "claims": claims })).await?;
        Ok(())
    }

    async fn consents(&self, conversation: &str, consents: &[Consent]) -> Result<()> {
        let path = format!("/conversations/{}/consents", segment(conversation));
        self.call("POST", &path, &json!({ "consents": consents })).await?;
        Ok(())
    }

    async fn moved(&self, conversation: &str, external_id: &str) -> Result<()> {
        let path = format!("/conversations/{}/address", segment(conversation));
        self.call("PUT", &path, &json!({ "external_id": external_id })).await?;
        Ok(())
    }

    async fn health(&self, report: &HealthReport) -> Result<Option<bool>> {
        let path = format!("/channels/{}/health", segment(&report.channel));
        let body = serde_json::to_value(report).map_err(Error::internal)?;
        let answer = self.call("PUT", &path, &body).await?;
        Ok(answer.get("paused").and_then(Value::as_bool))
    }
}
