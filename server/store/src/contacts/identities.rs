//! Addresses of customers, and what is said about them.

use super::cards::members;
use crate::Change;
use crate::db::Source;
use crate::table::Table;
use crate::value::{Row, text_set};
use kontor_model::{Ms, Nid, Result};
use std::collections::BTreeMap;

/// By what a network names a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key<'a> {
    /// The channel.
    pub channel: &'a str,
    /// The company's account.
    pub account: &'a str,
    /// What kind of id it is.
    pub id_type: &'a str,
    /// The id.
    pub external_id: &'a str,
}

/// An address, with the conversation that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownRow {
    /// Numeric id.
    pub identity: Nid,
    /// The contact it belongs to, after all merges.
    pub contact: String,
    /// The user that writes for the customer.
    pub ghost: String,
    /// The conversation.
    pub conversation: String,
    /// The mirrored room, Matrix id.
    pub room_id: String,
    /// The contact's language, if known.
    pub language: Option<String>,
}

/// The address of this key, or that had it before.
///
/// # Errors
/// See [`Source::all`].
pub async fn known<S: Source>(source: &mut S, key: Key<'_>) -> Result<Option<KnownRow>> {
    let sql = "SELECT i.identity_nid, coalesce(t.redirect_to, i.contact_id), g.text, v.conversation_id, r.room_id, \
               t.language FROM (SELECT identity_nid FROM contact_identity \
               WHERE channel_id = $1 AND account = $2 AND id_type = $3 AND external_id = $4 \
               UNION SELECT identity_nid FROM contact_identity_alias \
               WHERE channel_id = $1 AND account = $2 AND id_type = $3 AND external_id = $4) k \
               JOIN contact_identity i ON i.identity_nid = k.identity_nid \
               JOIN contact t ON t.contact_id = i.contact_id JOIN name g ON g.nid = i.ghost_nid \
               JOIN conversation v ON v.identity_nid = i.identity_nid JOIN room r ON r.room_nid = v.room_nid";
    let values = vec![key.channel.into(), key.account.into(), key.id_type.into(), key.external_id.into()];
    let row = source.first(sql, values).await?;
    let read = |row: Row| {
        Ok(KnownRow {
            identity: row.int(0)?,
            contact: row.text(1)?,
            ghost: row.text(2)?,
            conversation: row.text(3)?,
            room_id: row.text(4)?,
            language: row.text_opt(5)?,
        })
    };
    row.map(read).transpose()
}

/// Something that is said about a contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimRow {
    /// phone, email, vat, customer_no, …
    pub kind: String,
    /// In the form in which it is compared.
    pub key: String,
    /// As it was given.
    pub value: String,
    /// 0 claimed, 1 unaligned, 2 platform, 3 proven.
    pub trust: i64,
    /// Where it comes from.
    pub source: String,
    /// The event that shows it.
    pub event_id: Option<String>,
    /// Since when it is known.
    pub since_ts: Ms,
    /// Since when it is somebody else's.
    pub until_ts: Option<Ms>,
    /// The conversation that says it.
    pub conversation: Option<String>,
}

/// What is said about a contact and those merged into it.
///
/// # Errors
/// See [`Source::all`].
pub async fn claims<S: Source>(source: &mut S, contact: &str) -> Result<Vec<ClaimRow>> {
    let sql = concat!(
        members!(),
        "SELECT c.kind, c.key, c.value, c.trust, c.source, c.event_id, c.since_ts, \
         c.conversation_id, c.until_ts FROM m JOIN claim c ON c.contact_id = m.contact_id \
         ORDER BY c.kind, c.key, CASE WHEN c.until_ts IS NULL THEN 0 ELSE 1 END, c.trust DESC, c.since_ts"
    );
    let read = |row: &Row| {
        Ok(ClaimRow {
            kind: row.text(0)?,
            key: row.text(1)?,
            value: row.text(2)?,
            trust: row.int(3)?,
            source: row.text(4)?,
            event_id: row.text_opt(5)?,
            since_ts: row.int(6)?,
            until_ts: row.int_opt(8)?,
            conversation: row.text_opt(7)?,
        })
    };
    source.all(sql, vec![text_set([contact])]).await?.iter().map(read).collect()
}

/// What is said about contacts and those merged into them: contact, kind, value; of equal ones the one that is
/// believed most.
///
/// # Errors
/// See [`Source::all`].
pub async fn claims_of<S: Source>(
    source: &mut S,
    contacts: &[&str],
) -> Result<Vec<(String, String, String)>> {
    let sql = concat!(
        members!(),
        "SELECT m.whole, c.kind, c.value, c.key FROM m JOIN claim c ON c.contact_id = m.contact_id \
         ORDER BY m.whole, c.kind, c.key, c.trust DESC, c.since_ts"
    );
    let mut last = (String::new(), String::new(), String::new());
    let mut found = Vec::new();
    for row in source.all(sql, vec![text_set(contacts)]).await? {
        let claim = (row.text(0)?, row.text(1)?, row.text(3)?);
        if claim != last {
            found.push((claim.0.clone(), claim.1.clone(), row.text(2)?));
            last = claim;
        }
    }
    Ok(found)
}

/// An address as the card shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityRow {
    /// The channel.
    pub channel: String,
    /// The company's account.
    pub account: String,
    /// What kind of id it is.
    pub id_type: String,
    /// The id.
    pub external_id: String,
    /// live, dead, blocked.
    pub state: String,
    /// Its conversation.
    pub conversation: String,
    /// When the customer was last seen there.
    pub last_seen_ts: Ms,
}

/// The addresses of a contact and of those merged into it.
///
/// # Errors
/// See [`Source::all`].
pub async fn of_contact<S: Source>(source: &mut S, contact: &str) -> Result<Vec<IdentityRow>> {
    let sql = concat!(
        members!(),
        "SELECT i.channel_id, i.account, i.id_type, i.external_id, i.state, v.conversation_id, i.last_seen_ts \
         FROM m JOIN contact_identity i ON i.contact_id = m.contact_id \
         JOIN conversation v ON v.identity_nid = i.identity_nid ORDER BY i.identity_nid"
    );
    let read = |row: &Row| {
        Ok(IdentityRow {
            channel: row.text(0)?,
            account: row.text(1)?,
            id_type: row.text(2)?,
            external_id: row.text(3)?,
            state: row.text(4)?,
            conversation: row.text(5)?,
            last_seen_ts: row.int(6)?,
        })
    };
    source.all(sql, vec![text_set([contact])]).await?.iter().map(read).collect()
}

/// An address to be noted.
#[derive(Clone, Copy, Debug)]
pub struct NewIdentity<'a> {
    /// Numeric id.
    pub identity: Nid,
    /// Its key.
    pub key: Key<'a>,
    /// Whose it is.
    pub contact: &'a str,
    /// The user that writes for the customer.
    pub ghost: Nid,
    /// When.
    pub now: Ms,
}

/// Something that a customer agreed to, or took back.
#[derive(Clone, Debug)]
pub struct ConsentRow {
    /// What for.
    pub purpose: String,
    /// given, withdrawn.
    pub state: String,
    /// The text that was shown.
    pub text_version: String,
    /// Its hash, hexadecimal.
    pub text_sha256: Option<String>,
    /// What the person did.
    pub act: String,
    /// Where it comes from.
    pub source: String,
    /// The event that shows it.
    pub event_id: Option<String>,
    /// When the person did it.
    pub given_ts: Ms,
}

/// A consent or its withdrawal, with whose act it was.
#[derive(Clone, Debug)]
pub struct Act {
    /// What was said.
    pub consent: ConsentRow,
    /// The contact, or one merged into it.
    pub contact: String,
    /// When that one was merged.
    pub merged_ts: Option<Ms>,
}

/// What a contact and those merged into it agreed to and took back, oldest first.
///
/// # Errors
/// See [`Source::all`].
pub async fn consents<S: Source>(source: &mut S, contact: &str) -> Result<Vec<Act>> {
    let of_contact = consents_of(source, &[contact]).await?.remove(contact);
    Ok(of_contact.unwrap_or_default())
}

/// The same of several contacts, by contact; those of whom nothing is known are absent.
///
/// # Errors
/// See [`Source::all`].
pub async fn consents_of<S: Source>(source: &mut S, contacts: &[&str]) -> Result<BTreeMap<String, Vec<Act>>> {
    let sql = concat!(
        members!(),
        "SELECT c.purpose, c.state, c.text_version, c.text_sha256, c.act, c.source, c.event_id, c.given_ts, \
         c.contact_id, g.ts, m.whole FROM m JOIN consent c ON c.contact_id = m.contact_id \
         LEFT JOIN contact_merge g ON g.from_id = m.contact_id AND g.undone_ts IS NULL ORDER BY c.given_ts, c.consent_nid"
    );
    let mut all: BTreeMap<String, Vec<Act>> = BTreeMap::new();
    for row in source.all(sql, vec![text_set(contacts)]).await? {
        let consent = ConsentRow {
            purpose: row.text(0)?,
            state: row.text(1)?,
            text_version: row.text(2)?,
            text_sha256: row.text_opt(3)?,
            act: row.text(4)?,
            source: row.text(5)?,
            event_id: row.text_opt(6)?,
            given_ts: row.int(7)?,
        };
        let act = Act { consent, contact: row.text(8)?, merged_ts: row.int_opt(9)? };
        all.entry(row.text(10)?).or_default().push(act);
    }
    Ok(all)
}

impl Change {
    /// Notes an address. One of the same key refuses the change with `Conflict`.
    pub fn add_identity(&mut self, new: NewIdentity<'_>) {
        self.insert(
            Table::ContactIdentity,
            vec![
                new.identity.into(),
                new.contact.into(),
                new.key.channel.into(),
                new.key.account.into(),
                new.key.id_type.into(),
                new.key.external_id.into(),
                "live".into(),
                new.ghost.into(),
                new.now.into(),
                new.now.into(),
            ],
        );
    }

    /// Notes that an address got a new id; the old one still leads to it. A taken id refuses the change
    /// with `Conflict`.
    pub fn rekey_identity(&mut self, identity: Nid, from: Key<'_>, to: Key<'_>, now: Ms) {
        let values = |key: Key<'_>| -> Vec<crate::Value> {
            vec![key.channel.into(), key.account.into(), key.id_type.into(), key.external_id.into()]
        };
        let mut old = values(from);
        old.extend([identity.into(), now.into()]);
        self.insert(Table::ContactIdentityAlias, old);
        let mut new = values(to);
        new.push(identity.into());
        let sql = "UPDATE contact_identity SET channel_id = $1, account = $2, id_type = $3, external_id = $4 \
                   WHERE identity_nid = $5";
        self.guard(sql, new);
    }

    /// Notes that a customer was seen at an address.
    pub fn see_identity(&mut self, identity: Nid, now: Ms) {
        let sql = "UPDATE contact_identity SET last_seen_ts = $2 WHERE identity_nid = $1";
        self.run(sql, vec![identity.into(), now.into()]);
    }

    /// Notes what is said about a contact; what was said with more trust stays. What one conversation said alone is
    /// no longer its own when somebody else says it too; what arrived is what the conversation said.
    pub fn add_claim(&mut self, contact: &str, claim: &ClaimRow) {
        let of_arrival = matches!(claim.source.as_str(), "network" | "customer");
        if claim.conversation.is_some() || !of_arrival {
            let sql = "UPDATE claim SET conversation_id = NULL WHERE contact_id = $1 AND kind = $2 AND key = $3 \
                       AND conversation_id <> $4";
            let by = claim.conversation.as_deref().unwrap_or_default();
            let (kind, key) = (claim.kind.as_str(), claim.key.as_str());
            self.run(sql, vec![contact.into(), kind.into(), key.into(), by.into()]);
        }
        let verified = (claim.trust >= 3).then_some(claim.since_ts);
        let sql = "INSERT INTO claim (contact_id, kind, key, value, trust, source, event_id, since_ts, verified_ts, \
                   conversation_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (contact_id, kind, key) DO UPDATE SET \
                   value = excluded.value, trust = excluded.trust, source = excluded.source, \
                   event_id = excluded.event_id, verified_ts = excluded.verified_ts, until_ts = NULL \
                   WHERE claim.trust < excluded.trust";
        self.run(
            sql,
            vec![
                contact.into(),
                claim.kind.as_str().into(),
                claim.key.as_str().into(),
                claim.value.as_str().into(),
                claim.trust.into(),
                claim.source.as_str().into(),
                claim.event_id.as_deref().into(),
                claim.since_ts.into(),
                verified.into(),
                claim.conversation.as_deref().into(),
            ],
        );
    }

    /// Notes that a number or an address is no longer whose it was: everybody's but this contact's claims of it end.
    pub fn end_claims(&mut self, kind: &str, key: &str, but: &str, now: Ms) {
        let sql = "UPDATE claim SET until_ts = $4 WHERE kind = $1 AND key = $2 AND contact_id <> $3 \
                   AND until_ts IS NULL";
        self.run(sql, vec![kind.into(), key.into(), but.into(), now.into()]);
    }

    /// Notes that a number or an address is no longer this contact's, nor of those merged into it.
    pub fn end_claim(&mut self, kind: &str, key: &str, contact: &str, now: Ms) {
        let sql = "UPDATE claim SET until_ts = $4 WHERE kind = $1 AND key = $2 AND until_ts IS NULL \
                   AND contact_id IN (SELECT contact_id FROM contact WHERE contact_id = $3 OR redirect_to = $3)";
        self.run(sql, vec![kind.into(), key.into(), contact.into(), now.into()]);
    }

    /// Notes what a customer agreed to; the same act told twice is one.
    pub fn add_consent(
        &mut self,
        nid: Nid,
        contact: &str,
        conversation: &str,
        consent: &ConsentRow,
        now: Ms,
    ) {
        self.insert(
            Table::Consent,
            vec![
                nid.into(),
                contact.into(),
                conversation.into(),
                consent.purpose.as_str().into(),
                consent.state.as_str().into(),
                consent.text_version.as_str().into(),
                consent.text_sha256.as_deref().into(),
                consent.act.as_str().into(),
                consent.source.as_str().into(),
                consent.event_id.as_deref().into(),
                consent.given_ts.into(),
                now.into(),
            ],
        );
    }
}
