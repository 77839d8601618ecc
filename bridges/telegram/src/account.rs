//! Connections to the company's own accounts: which there are, and what the bot may do by them.
//!
//! They are remembered among the kit's small values, so that every process of the channel knows them.

use kontor_bridge_kit::{Context, Keep};
use kontor_model::Result;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;

/// A connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Its id; another one when the owner connects anew.
    pub id: String,
    /// Whose account it is.
    pub owner: i64,
    /// The owner's name.
    pub name: String,
    /// Whether the owner left it on.
    pub enabled: bool,
    /// Whether the bot may write.
    pub can_reply: bool,
    /// Whether it may mark as read.
    pub can_read: bool,
    /// Whether it may delete what it sent.
    pub can_delete: bool,
}

/// How a connection is: what agents can do in its conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Write.
    Connected,
    /// Only read.
    ReadOnly,
    /// Nothing.
    Disconnected,
}

impl Connection {
    /// As Telegram tells of it.
    pub fn of(told: &Value) -> Option<Self> {
        // Newer versions of the API list rights; there are none when it is disconnected.
        let right =
            |name: &str| told.pointer(&format!("/rights/{name}")).and_then(Value::as_bool) == Some(true);
        let old = told.get("can_reply").and_then(Value::as_bool) == Some(true);
        let text = |path: &str| told.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        Some(Self {
            id: Some(text("/id")).filter(|id| !id.is_empty())?,
            owner: told.pointer("/user/id")?.as_i64()?,
            name: text("/user/first_name"),
            enabled: told.get("is_enabled").and_then(Value::as_bool) == Some(true),
            can_reply: right("can_reply") || old,
            can_read: right("can_read_messages"),
            can_delete: right("can_delete_sent_messages") || right("can_delete_all_messages"),
        })
    }

    /// How it is.
    pub fn state(&self) -> State {
        match (self.enabled, self.can_reply) {
            (true, true) => State::Connected,
            (true, false) => State::ReadOnly,
            (false, _) => State::Disconnected,
        }
    }
}

/// Small values as they will be once a batch is committed.
pub struct Memory<'a> {
    context: &'a Context,
    changed: HashMap<String, Keep>,
}

const OWNERS: &str = "business accounts";

fn of_id(id: &str) -> String {
    format!("business connection {id}")
}

fn of_owner(owner: i64) -> String {
    format!("business account {owner}")
}

impl<'a> Memory<'a> {
    pub fn new(context: &'a Context) -> Self {
        Self { context, changed: HashMap::new() }
    }

    /// # Errors
    /// `Unavailable` when the database is gone; so do all others here.
    pub async fn get(&self, name: &str) -> Result<Option<String>> {
        match self.changed.get(name) {
            Some(keep) => Ok(keep.value.clone()),
            None => self.context.kept(name).await,
        }
    }

    pub fn put(&mut self, keep: Keep) {
        self.changed.insert(keep.name.clone(), keep);
    }

    /// What has to be committed.
    pub fn changes(self) -> Vec<Keep> {
        self.changed.into_values().collect()
    }

    fn remember(&mut self, name: String, value: String) {
        self.put(Keep { name, value: Some(value), until: None, secret: true });
    }

    /// Remembers how a connection is.
    pub async fn connect(&mut self, connection: &Connection) -> Result<()> {
        let mut owners = self.owners().await?;
        if !owners.contains(&connection.owner) {
            owners.push(connection.owner);
            self.remember(OWNERS.to_owned(), serde_json::to_string(&owners).unwrap_or_default());
        }
        // An old connection that ends does not end the one that replaced it.
        let current = self.of_owner(connection.owner).await?;
        if connection.enabled || current.is_none_or(|current| current.id == connection.id) {
            self.remember(of_owner(connection.owner), connection.id.clone());
        }
        self.remember(of_id(&connection.id), serde_json::to_string(connection).unwrap_or_default());
        Ok(())
    }

    /// A connection by its id.
    pub async fn connection(&self, id: &str) -> Result<Option<Connection>> {
        let known = self.get(&of_id(id)).await?;
        Ok(known.and_then(|known| serde_json::from_str(&known).ok()))
    }

    /// The connection of an account.
    pub async fn of_owner(&self, owner: i64) -> Result<Option<Connection>> {
        match self.get(&of_owner(owner)).await? {
            Some(id) => self.connection(&id).await,
            None => Ok(None),
        }
    }

    /// All accounts that were ever connected.
    pub async fn owners(&self) -> Result<Vec<i64>> {
        let known = self.get(OWNERS).await?;
        Ok(known.and_then(|known| serde_json::from_str(&known).ok()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_connection_is_what_its_rights_say() {
        let user = json!({ "id": 5, "is_bot": false, "first_name": "Sklep" });
        let told = |enabled: bool, rights: Value| {
            let mut told = json!({ "id": "bc", "user": user, "is_enabled": enabled });
            if !rights.is_null() {
                told["rights"] = rights;
            }
            Connection::of(&told).unwrap().state()
        };
        assert_eq!(told(true, json!({ "can_reply": true })), State::Connected);
        assert_eq!(told(true, json!({ "can_read_messages": true })), State::ReadOnly);
        assert_eq!(told(true, Value::Null), State::ReadOnly);
        assert_eq!(told(false, Value::Null), State::Disconnected);
        assert!(Connection::of(&json!({ "id": "bc" })).is_none());
    }
}
