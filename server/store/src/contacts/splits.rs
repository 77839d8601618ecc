//! Addresses that leave a contact, with what was said there and nowhere else.

use super::cards::members;
use crate::Change;
use crate::db::Source;
use crate::value::{Row, text_set};
use kontor_model::{Nid, Result};

/// An address of a contact, with whose it is and whose conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressRow {
    /// Numeric id.
    pub identity: Nid,
    /// The contact, or one merged into it.
    pub contact: String,
    /// The channel.
    pub channel: String,
    /// The company's account.
    pub account: String,
    /// What kind of id it is.
    pub id_type: String,
    /// The id.
    pub external_id: String,
    /// Its conversation.
    pub conversation: String,
    /// What the network calls whoever is there, JSON.
    pub shown: Option<String>,
}

/// The addresses of a contact and of those merged into it, those first that were seen first.
///
/// # Errors
/// See [`Source::all`].
pub async fn addresses<S: Source>(source: &mut S, contact: &str) -> Result<Vec<AddressRow>> {
    let sql = concat!(
        members!(),
        "SELECT i.identity_nid, i.contact_id, i.channel_id, i.account, i.id_type, i.external_id, v.conversation_id, \
         p.value FROM m JOIN contact_identity i ON i.contact_id = m.contact_id \
         JOIN conversation v ON v.identity_nid = i.identity_nid \
         LEFT JOIN profile p ON p.user_nid = i.ghost_nid AND p.key = 'displayname' ORDER BY i.identity_nid"
    );
    let read = |row: &Row| {
        Ok(AddressRow {
            identity: row.int(0)?,
            contact: row.text(1)?,
            channel: row.text(2)?,
            account: row.text(3)?,
            id_type: row.text(4)?,
            external_id: row.text(5)?,
            conversation: row.text(6)?,
            shown: row.text_opt(7)?,
        })
    };
    source.all(sql, vec![text_set([contact])]).await?.iter().map(read).collect()
}

/// What leaves, and whose it becomes.
#[derive(Clone, Copy, Debug)]
pub struct Leaving<'a> {
    /// The contact and those merged into it.
    pub members: &'a [&'a str],
    /// Whose it is from now on.
    pub to: &'a str,
    /// Addresses.
    pub identities: &'a [Nid],
    /// Their conversations.
    pub conversations: &'a [&'a str],
    /// Keys that the addresses are themselves: kind, key.
    pub keys: &'a [(&'a str, &'a str)],
    /// Names that are told there and nowhere else.
    pub names: &'a [&'a str],
}

impl Change {
    /// Gives addresses to another contact, with claims and consents of their conversations alone. Refused with
    /// `Conflict` when one of them is somebody else's by now.
    pub fn split_addresses(&mut self, leaving: Leaving<'_>) {
        let Leaving { members, to, identities, conversations, keys, names } = leaving;
        for identity in identities {
            let sql = "UPDATE contact_identity SET contact_id = $3 WHERE identity_nid = $1 \
                       AND contact_id IN TEXT_SET($2)";
            self.guard(sql, vec![(*identity).into(), text_set(members), to.into()]);
        }
        let values = |conversations: &[&str]| vec![text_set(members), to.into(), text_set(conversations)];
        for sql in [
            // Of one claim that several of them had, the one that is believed most.
            "INSERT INTO claim (contact_id, kind, key, value, trust, source, event_id, since_ts, verified_ts, \
             until_ts, conversation_id) SELECT $2, c.kind, c.key, c.value, c.trust, c.source, c.event_id, c.since_ts, \
             c.verified_ts, c.until_ts, c.conversation_id FROM claim c WHERE c.contact_id IN TEXT_SET($1) \
             AND c.conversation_id IN TEXT_SET($3) ORDER BY c.trust DESC, c.since_ts ON CONFLICT DO NOTHING",
            "DELETE FROM claim WHERE contact_id IN TEXT_SET($1) AND conversation_id IN TEXT_SET($3) \
             AND contact_id <> $2",
            "UPDATE consent SET contact_id = $2 WHERE contact_id IN TEXT_SET($1) \
             AND conversation_id IN TEXT_SET($3)",
        ] {
            self.run(sql, values(conversations));
        }
        for (kind, key) in keys {
            self.split_key(members, to, kind, key);
        }
        self.split_fields(members, to);
        let sql = "DELETE FROM contact_name WHERE contact_id IN TEXT_SET($1) AND shown IN TEXT_SET($2)";
        self.run(sql, vec![text_set(members), text_set(names)]);
        let sql = "DELETE FROM contact_field WHERE contact_id IN TEXT_SET($1) AND field = 'display_name' \
                   AND source = 'network' AND value IN TEXT_SET($2)";
        self.run(sql, vec![text_set(members), text_set(names)]);
    }

    /// Values that the card shows leave with the claims that they are.
    fn split_fields(&mut self, members: &[&str], to: &str) {
        for sql in [
            "INSERT INTO contact_field (contact_id, field, source, value, trust, ts) \
             SELECT $2, f.field, f.source, f.value, f.trust, f.ts FROM contact_field f \
             JOIN claim c ON c.contact_id = $2 AND c.value = f.value AND c.source = f.source \
             AND f.field = CASE c.kind WHEN 'name' THEN 'display_name' ELSE c.kind END \
             WHERE f.contact_id IN TEXT_SET($1) ORDER BY f.ts DESC ON CONFLICT DO NOTHING",
            "DELETE FROM contact_field WHERE contact_id IN TEXT_SET($1) AND contact_id <> $2 AND EXISTS \
             (SELECT 1 FROM claim c WHERE c.contact_id = $2 AND c.value = contact_field.value \
             AND c.source = contact_field.source \
             AND contact_field.field = CASE c.kind WHEN 'name' THEN 'display_name' ELSE c.kind END)",
        ] {
            self.run(sql, vec![text_set(members), to.into()]);
        }
    }

    fn split_key(&mut self, members: &[&str], to: &str, kind: &str, key: &str) {
        for sql in [
            "INSERT INTO claim (contact_id, kind, key, value, trust, source, event_id, since_ts, verified_ts, \
             until_ts, conversation_id) SELECT $2, c.kind, c.key, c.value, c.trust, c.source, c.event_id, c.since_ts, \
             c.verified_ts, c.until_ts, c.conversation_id FROM claim c WHERE c.contact_id IN TEXT_SET($1) \
             AND c.kind = $3 AND c.key = $4 ORDER BY c.trust DESC, c.since_ts ON CONFLICT DO NOTHING",
            "DELETE FROM claim WHERE contact_id IN TEXT_SET($1) AND kind = $3 AND key = $4 AND contact_id <> $2",
        ] {
            self.run(sql, vec![text_set(members), to.into(), kind.into(), key.into()]);
        }
        self.turn_key(kind, key);
    }

    /// Gives what arrived at an address to another contact, so that what comes there next is that one's too.
    pub fn split_voice(&mut self, members: &[&str], to: &str, (place, external_id, key): (&str, &str, &str)) {
        for sql in [
            "INSERT INTO contact_voice (place, external_id, contact_id, single, last_ts) \
             SELECT place, external_id, $2, max(single), max(last_ts) FROM contact_voice \
             WHERE place = $3 AND external_id = $4 AND contact_id IN TEXT_SET($1) GROUP BY place, external_id",
            "DELETE FROM contact_voice WHERE place = $3 AND external_id = $4 AND contact_id IN TEXT_SET($1) \
             AND contact_id <> $2",
            "UPDATE arrival SET contact_id = $2 WHERE contact_id IN TEXT_SET($1) AND place = $3 \
             AND external_id = $4",
        ] {
            self.run(sql, vec![text_set(members), to.into(), place.into(), external_id.into()]);
        }
        self.turn_key("address", key);
    }

    /// Whoever decides by a key just now decides anew.
    fn turn_key(&mut self, kind: &str, key: &str) {
        let sql = "UPDATE contact_key SET version = version + 1 WHERE kind = $1 AND key = $2";
        self.run(sql, vec![kind.into(), key.into()]);
    }
}
