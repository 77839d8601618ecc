//! Connectors: what an administrator writes down about one, and what people decide about it.

use super::{FIELDS, Mapping};
use crate::{Contacts, one_of, text};
use kontor_model::random::{TOKEN_LENGTH, opaque};
use kontor_model::{Code, Error, Nid, Result};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::contacts::crm::{self, ConnectorRow, TaskRow};
use serde::Deserialize;

/// Kinds of CRMs that can be spoken to.
pub const KINDS: [&str; 2] = ["http", "espocrm"];
/// Connectors that there may be.
const MOST: usize = 10;

/// A connector to be made.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// Its name, a word of small letters: names it in links and values.
    pub system: String,
    /// `http` or `espocrm`.
    pub kind: String,
    /// Where the CRM is.
    pub url: String,
    /// Opens the door there.
    pub api_key: String,
    /// Signs requests, of EspoCRM users with HMAC.
    pub api_secret: Option<String>,
    /// The id of their webhook.
    pub hook_id: Option<String>,
    /// What signs their webhook; of `http` one is made when it is absent.
    pub hook_secret: Option<String>,
    /// Which field is which, and whose word counts.
    pub mapping: Mapping,
}

/// What a person decided.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// Of a conflict: `us` or `them`.
    pub take: Option<String>,
    /// Of a record that is there no more: the one that it was merged into.
    pub record: Option<String>,
}

impl Contacts {
    /// Plans a connector. Submitting ends in `Conflict` when there is one of that name.
    ///
    /// # Errors
    /// `InvalidParam` for an address, a word or a mapping that is none, or too many connectors.
    pub async fn plan_connector(&self, wish: &Connection, actor: Actor) -> Result<(Change, ConnectorRow)> {
        let system = text(&wish.system, "system", 40)?;
        let is_word = |text: &str| {
            text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b))
        };
        if !is_word(&system) || ["file", "employee", "import", "network"].contains(&system.as_str()) {
            return Err(Error::invalid_param("system is a word of small letters of its own, such as espo."));
        }
        let url = text(&wish.url, "url", 2_000)?;
        let parsed = url::Url::parse(&url).ok();
        let usable = |url: &url::Url| {
            matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none()
        };
        if !parsed.as_ref().is_some_and(usable) {
            return Err(Error::invalid_param(
                "url must be an address of http or https, without a user name.",
            ));
        }
        let kind = text(&wish.mapping.external_type, "mapping.external_type", 40)?;
        if !kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err(Error::invalid_param("mapping.external_type is a word, such as Contact."));
        }
        if wish.mapping.fields.is_empty() {
            return Err(Error::invalid_param("mapping.fields must name a field."));
        }
        for (ours, field) in &wish.mapping.fields {
            one_of(ours, "mapping.fields", &FIELDS)?;
            text(&field.theirs, "mapping.fields.theirs", 100)?;
        }
        if crm::connectors(&mut self.store.reader()).await?.len() >= MOST {
            return Err(Error::invalid_param(format!("There may be {MOST} connectors. Remove one first.")));
        }
        let optional = |value: &Option<String>, field: &str| {
            value.as_deref().map(|value| text(value, field, 500)).transpose()
        };
        let hook_secret = optional(&wish.hook_secret, "hook_secret")?;
        let made = (wish.kind == "http").then(|| opaque(&*self.random, TOKEN_LENGTH));
        let row = ConnectorRow {
            kind: one_of(&wish.kind, "kind", &KINDS)?.to_owned(),
            url: url.trim_end_matches('/').to_owned(),
            api_key: text(&wish.api_key, "api_key", 500)?,
            api_secret: optional(&wish.api_secret, "api_secret")?,
            hook_id: optional(&wish.hook_id, "hook_id")?,
            hook_secret: hook_secret.or(made),
            mapping: serde_json::to_string(&wish.mapping).map_err(Error::internal)?,
            cursor: (0, String::new()),
            failures: 0,
            compared: None,
            compared_day: 0,
            next_ts: self.now(),
            waiting: 0,
            tasks: 0,
            system,
        };
        let mut change = Change::default();
        change.add_connector(&row, wish.mapping.timeline, self.now());
        let audit =
            Audit::done(Action::ConnectorCreate, actor, self.now()).on("connector", row.system.as_str());
        change.audit(self.store.nid().await?, audit);
        Ok((change, row))
    }

    /// Plans that a connector is no more. Submitting ends in `Conflict` when it is not there.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn plan_connector_removal(&self, system: &str, actor: Actor) -> Result<Change> {
        let mut change = Change::default();
        change.remove_connector(system);
        let audit = Audit::done(Action::ConnectorRemove, actor, self.now()).on("connector", system);
        change.audit(self.store.nid().await?, audit);
        Ok(change)
    }

    /// Plans that all linked records of a CRM are compared now, as every night. Submitting ends in `Conflict` when it is
    /// not there.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn plan_comparison(&self, system: &str, actor: Actor) -> Result<Change> {
        let mut change = Change::default();
        change.crm_to_compare(system);
        let audit = Audit::done(Action::ConnectorCompare, actor, self.now()).on("connector", system);
        change.audit(self.store.nid().await?, audit);
        Ok(change)
    }

    /// Plans that a person decided or did something about a connector. Of a conflict the value that counts becomes what
    /// both agree on: ours is told there, theirs is taken as if the person had typed it.
    ///
    /// # Errors
    /// `NotFound` when there is nothing to be done; `InvalidParam` for no decision.
    pub async fn plan_crm_decision(&self, task: Nid, decision: &Decision, actor: Actor) -> Result<Change> {
        let row = crm::tasks(&mut self.store.reader(), task - 1, 1).await?.pop();
        let row = row
            .filter(|row| row.task == task)
            .ok_or_else(|| Error::not_found("There is nothing to be done."))?;
        let (now, mut change) = (self.now(), Change::default());
        match row.kind.as_str() {
            "conflict" => self.decide_conflict(&mut change, &row, decision).await?,
            "gone" => self.decide_gone(&mut change, &row, decision).await?,
            "paused" => change.leave_alone_no_more(&row.system, &row.subject),
            "given_up" => change.crm_acts_again(&row.system, now),
            _ => {}
        }
        if let Some(contact) = &row.contact {
            change.tell_crms(contact, now);
        }
        change.crm_task_done(task, actor.user, now);
        let mut audit = Audit::done(Action::ConnectorTask, actor, now).on("connector", row.system.as_str());
        let detail = serde_json::json!({
            "task": task.to_string(), "kind": row.kind, "take": decision.take, "record": decision.record,
        });
        audit.detail = Some(detail.to_string());
        change.audit(self.store.nid().await?, audit);
        Ok(change)
    }

    /// Of a conflict the value that counts becomes what both agree on.
    async fn decide_conflict(&self, change: &mut Change, row: &TaskRow, decision: &Decision) -> Result<()> {
        let now = self.now();
        let take = one_of(decision.take.as_deref().unwrap_or_default(), "take", &["us", "them"])?;
        let detail: serde_json::Value = serde_json::from_str(&row.detail).map_err(Error::internal)?;
        let said = |name: &str| detail.get(name).and_then(serde_json::Value::as_str).unwrap_or_default();
        let contact = row.contact.as_deref().ok_or_else(|| Error::not_found("There is no such contact."))?;
        let connectors = crm::connectors(&mut self.store.reader()).await?;
        let connector = connectors.into_iter().find(|connector| connector.system == row.system);
        let connector = connector.ok_or_else(|| Error::not_found("There is no such connector."))?;
        let mapping = Mapping::of(&connector)?;
        let key = (row.system.as_str(), mapping.external_type.as_str(), said("external_id"));
        if let Some(link) = crm::linked(&mut self.store.reader(), key).await? {
            let (field, theirs) = (said("field").to_owned(), said("theirs").to_owned());
            let mut base = super::inbound::base(&link)?;
            // What they say is agreed on: what then differs from it is ours, and is told there.
            base.insert(field.clone(), theirs.clone());
            let base = serde_json::to_string(&base).map_err(Error::internal)?;
            let version = link.seen.as_deref().unwrap_or_default();
            change.agree(crm::Agreed { key, version, written: None, base: &base, now });
            if take == "them" {
                self.note_by_hand(change, contact, &[(field, theirs)], now);
                change.touch_contact(contact, now);
            }
        }
        Ok(())
    }

    /// A record that is there no more: the link leads to the one that it was merged into, or nowhere.
    async fn decide_gone(&self, change: &mut Change, row: &TaskRow, decision: &Decision) -> Result<()> {
        let connector = self.connector(&row.system).await?;
        let mapping = Mapping::of(&connector)?;
        let key = (row.system.as_str(), mapping.external_type.as_str(), row.subject.as_str());
        let Some(link) = crm::linked(&mut self.store.reader(), key).await? else { return Ok(()) };
        match &decision.record {
            None => change.merged_there(key, "", link.seen.as_deref().unwrap_or_default()),
            Some(record) => {
                let record = text(record, "record", 200)?;
                if record == row.subject {
                    return Err(Error::invalid_param(
                        "record is the record that remains, not the one that is gone.",
                    ));
                }
                self.plan_merged_there(change, key, &link, (&record, "")).await?;
            }
        }
        Ok(())
    }

    /// A connector, by its name.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub async fn connector(&self, system: &str) -> Result<ConnectorRow> {
        let found = crm::connectors(&mut self.store.reader()).await?;
        let found = found.into_iter().find(|row| row.system == system);
        found.ok_or_else(|| Error::new(Code::NotFound, "There is no such connector."))
    }
}
