//! Visitors of whom nothing is known and who were silent for long.

use crate::Change;
use crate::db::Source;
use crate::value::text_set;
use kontor_model::{Ms, Result};

/// Visitors after a contact and before another, in their order, whether they are known or not.
///
/// # Errors
/// See [`Source::all`].
pub async fn next<S: Source>(source: &mut S, after: &str, until: &str, limit: i64) -> Result<Vec<String>> {
    let sql = "SELECT contact_id FROM contact WHERE contact_id > $1 AND contact_id < $2 AND stage = 'visitor' \
               ORDER BY contact_id LIMIT $3";
    let rows = source.all(sql, vec![after.into(), until.into(), limit.into()]).await?;
    rows.iter().map(|row| row.text(0)).collect()
}

/// A visitor that is to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SilentRow {
    /// The contact.
    pub contact: String,
    /// Whether it has conversations.
    pub talks: bool,
}

/// Of some contacts those of whom something is held and nothing is known, and who were not heard of since `before`:
/// no number or address, no consent, no purchase, no tag, no company, no other system, no note, no task, no owner,
/// nobody merged with, no customer who waits for an answer.
///
/// # Errors
/// See [`Source::all`].
pub async fn silent<S: Source>(source: &mut S, contacts: &[&str], before: Ms) -> Result<Vec<SilentRow>> {
    if contacts.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT t.contact_id, CASE WHEN EXISTS (SELECT 1 FROM contact_identity i WHERE i.contact_id = t.contact_id) THEN 1 ELSE 0 END \
               FROM contact t WHERE t.contact_id IN TEXT_SET($1) AND t.stage = 'visitor' AND t.owner_nid IS NULL \
               AND t.redirect_to IS NULL AND t.own IS NULL \
               AND (EXISTS (SELECT 1 FROM contact_field x WHERE x.contact_id = t.contact_id) \
               OR EXISTS (SELECT 1 FROM contact_name x WHERE x.contact_id = t.contact_id) \
               OR EXISTS (SELECT 1 FROM contact_voice x WHERE x.contact_id = t.contact_id)) \
               AND NOT EXISTS (SELECT 1 FROM contact_voice x WHERE x.contact_id = t.contact_id AND x.last_ts >= $2) \
               AND NOT EXISTS (SELECT 1 FROM contact_identity x WHERE x.contact_id = t.contact_id AND x.last_seen_ts >= $2) \
               AND NOT EXISTS (SELECT 1 FROM contact_field x WHERE x.contact_id = t.contact_id AND x.source = 'employee') \
               AND NOT EXISTS (SELECT 1 FROM claim x WHERE x.contact_id = t.contact_id \
               AND x.kind NOT IN ('name', 'language', 'page')) \
               AND NOT EXISTS (SELECT 1 FROM consent x WHERE x.contact_id = t.contact_id) \
               AND NOT EXISTS (SELECT 1 FROM fact_case x WHERE x.contact_id = t.contact_id) \
               AND NOT EXISTS (SELECT 1 FROM contact_tag x WHERE x.contact_id = t.contact_id) \
               AND NOT EXISTS (SELECT 1 FROM company_person x WHERE x.contact_id = t.contact_id) \
               AND NOT EXISTS (SELECT 1 FROM contact_link x WHERE x.contact_id = t.contact_id) \
               AND NOT EXISTS (SELECT 1 FROM contact_identity i JOIN conversation v ON v.identity_nid = i.identity_nid \
               WHERE i.contact_id = t.contact_id AND (v.waits_ts IS NOT NULL \
               OR EXISTS (SELECT 1 FROM conversation_note x WHERE x.conversation_id = v.conversation_id) \
               OR EXISTS (SELECT 1 FROM conversation_task x WHERE x.conversation_id = v.conversation_id)))";
    let rows = source.all(sql, vec![text_set(contacts), before.into()]).await?;
    rows.iter().map(|row| Ok(SilentRow { contact: row.text(0)?, talks: row.bool(1)? })).collect()
}

impl Change {
    /// Takes away what is held of some visitors; they stay as somebody without a name.
    pub fn forget_visitors(&mut self, contacts: &[&str], now: Ms) {
        let set = || vec![text_set(contacts)];
        for sql in [
            "DELETE FROM contact_field WHERE contact_id IN TEXT_SET($1)",
            "DELETE FROM contact_name WHERE contact_id IN TEXT_SET($1)",
            "DELETE FROM contact_token WHERE contact_id IN TEXT_SET($1)",
            "DELETE FROM contact_voice WHERE contact_id IN TEXT_SET($1)",
            "DELETE FROM claim WHERE contact_id IN TEXT_SET($1)",
            "DELETE FROM contact_due WHERE contact_id IN TEXT_SET($1)",
            "DELETE FROM contact_suggestion WHERE one IN TEXT_SET($1)",
            "DELETE FROM contact_suggestion WHERE other IN TEXT_SET($1)",
            "DELETE FROM arrival WHERE contact_id IN TEXT_SET($1)",
        ] {
            self.run(sql, set());
        }
        let sql = "UPDATE contact SET kind = 'unknown', language = NULL, version = version + 1, updated_ts = $2 \
                   WHERE contact_id IN TEXT_SET($1)";
        self.run(sql, vec![text_set(contacts), now.into()]);
    }

    /// Takes contacts away that have no addresses and nothing else.
    pub fn remove_contacts(&mut self, contacts: &[&str]) {
        if !contacts.is_empty() {
            self.run("DELETE FROM contact WHERE contact_id IN TEXT_SET($1)", vec![text_set(contacts)]);
        }
    }
}
