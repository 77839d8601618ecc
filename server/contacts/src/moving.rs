//! An address that got a new id: the network gave the customer another one, or they took another number. It stays
//! the same address, with its conversation and room; what comes under the new id is theirs.

use crate::arrival::{self, Read};
use crate::news::News;
use crate::resolve::Medium;
use crate::{Contacts, text, text_or_empty};
use kontor_model::{Error, Result};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::contacts::conversations::ConversationRow;
use kontor_store::contacts::identities::{self, ClaimRow, Key};
use kontor_store::contacts::resolution::Seen;
use kontor_store::contacts::splits::{self, AddressRow};
use serde::Deserialize;

/// By what the network knows a customer from now on.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAddress {
    /// What kind of id it is; the same as before when absent.
    pub id_type: Option<String>,
    /// The id.
    pub external_id: String,
    /// The company's account; the same as before when absent.
    pub account: Option<String>,
}

impl Contacts {
    /// Plans to give the address of a conversation a new id; the old one still leads to it. Gives whether it has it
    /// then: when another conversation has that id, it is suggested that both are one person. Submitting ends in
    /// `Conflict` when somebody else got it at the same moment.
    ///
    /// # Errors
    /// `InvalidParam`.
    pub async fn plan_move(
        &self,
        conversation: &ConversationRow,
        new: &NewAddress,
        actor: Actor,
    ) -> Result<(Change, bool)> {
        let mut source = self.store.reader();
        let all = splits::addresses(&mut source, &conversation.contact).await?;
        let old = all.into_iter().find(|row| row.conversation == conversation.id);
        let old = old.ok_or_else(|| Error::not_found("There is no such conversation."))?;
        let id_type =
            new.id_type.as_deref().map_or_else(|| Ok(old.id_type.clone()), |id| text(id, "id_type", 40))?;
        let account = new
            .account
            .as_deref()
            .map_or_else(|| Ok(old.account.clone()), |account| text_or_empty(account, "account", 255))?;
        let external_id = text(&new.external_id, "external_id", 255)?;
        let to = AddressRow { id_type, account, external_id, ..old.clone() };
        if key(&to) == key(&old) {
            return Ok((Change::default(), true));
        }
        let (now, mut change) = (self.now(), Change::default());
        if let Some(other) = identities::known(&mut source, key(&to)).await?
            && other.identity != old.identity
        {
            let evidence = serde_json::json!([{ "what": "key_same", "bits": 12.0 }]).to_string();
            if other.contact != conversation.contact {
                change.suggest((&conversation.contact, &other.contact), 1_200, &evidence, now);
            }
            return Ok((change, false));
        }
        change.rekey_identity(old.identity, key(&old), key(&to), now);
        self.say_anew(&mut change, conversation, (&old, &to));
        let news = News {
            kind: "contact.updated",
            contact: &conversation.contact,
            conversation: Some(&conversation.id),
            ..News::default()
        };
        self.tell(&mut change, &news, None).await?;
        let audit =
            Audit::done(Action::IdentityMove, actor, now).on("conversation", conversation.id.as_str());
        change.audit(self.store.nid().await?, audit);
        Ok((change, true))
    }

    /// What the old id said holds until now, what the new one says from now on.
    fn say_anew(
        &self,
        change: &mut Change,
        conversation: &ConversationRow,
        (old, to): (&AddressRow, &AddressRow),
    ) {
        let (now, contact) = (self.now(), conversation.contact.as_str());
        let (before, after) = (read(old), read(to));
        for (key, _) in before.arrival.keys().filter(|(key, _)| !after.values.contains_key(*key)) {
            change.end_claim(key.kind.word(), &key.text, contact, now);
        }
        for (key, _) in after.arrival.keys() {
            change.add_claim(
                &old.contact,
                &ClaimRow {
                    kind: key.kind.word().to_owned(),
                    key: key.text.clone(),
                    value: after.values.get(key).cloned().unwrap_or_else(|| key.text.clone()),
                    trust: 2,
                    source: "network".to_owned(),
                    event_id: None,
                    since_ts: now,
                    until_ts: None,
                    conversation: Some(conversation.id.clone()),
                },
            );
        }
        change.add_voice(Seen {
            place: &after.arrival.place,
            external_id: &after.arrival.external_id,
            contact: &old.contact,
            single: matches!(after.arrival.medium, Medium::Account | Medium::Number),
            now,
        });
        change.weigh_contact(contact, now);
        change.touch_contact(contact, now);
    }
}

fn key(row: &AddressRow) -> Key<'_> {
    Key { channel: &row.channel, account: &row.account, id_type: &row.id_type, external_id: &row.external_id }
}

/// What an address says by itself.
pub(crate) fn read(row: &AddressRow) -> Read {
    arrival::read((&row.channel, &row.account, &row.id_type, &row.external_id), None, &[])
}
