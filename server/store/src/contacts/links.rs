//! What contacts are called in other systems.

use super::cards::members;
use crate::Change;
use crate::db::Source;
use crate::value::{Row, text_set};
use kontor_model::{Ms, Result};
use std::collections::BTreeMap;

/// A record of another system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkKey<'a> {
    /// The other system.
    pub system: &'a str,
    /// What kind of record it is there.
    pub external_type: &'a str,
    /// Its id there.
    pub external_id: &'a str,
}

/// The contacts of some records of a system, by their ids there, as they are by now.
///
/// # Errors
/// See [`Source::all`].
pub async fn contacts<S: Source>(
    source: &mut S,
    system: &str,
    external_type: &str,
    ids: &[&str],
) -> Result<BTreeMap<String, String>> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let sql = "SELECT l.external_id, coalesce(t.redirect_to, t.contact_id) FROM contact_link l \
               JOIN contact t ON t.contact_id = l.contact_id \
               WHERE l.system = $1 AND l.external_type = $2 AND l.external_id IN TEXT_SET($3)";
    let values = vec![system.into(), external_type.into(), text_set(ids)];
    let rows = source.all(sql, values).await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?))).collect()
}

/// A record of another system that a contact, or one merged into it, is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkRow {
    /// The contact, after all merges.
    pub contact: String,
    /// The other system.
    pub system: String,
    /// What kind of record it is there.
    pub external_type: String,
    /// Its id there.
    pub external_id: String,
}

/// What contacts are called in other systems.
///
/// # Errors
/// See [`Source::all`].
pub async fn of_contacts<S: Source>(source: &mut S, contacts: &[&str]) -> Result<Vec<LinkRow>> {
    let sql = concat!(
        members!(),
        "SELECT m.whole, l.system, l.external_type, l.external_id FROM m \
         JOIN contact_link l ON l.contact_id = m.contact_id ORDER BY m.whole, l.system, l.external_type, l.external_id"
    );
    let read = |row: &Row| {
        Ok(LinkRow {
            contact: row.text(0)?,
            system: row.text(1)?,
            external_type: row.text(2)?,
            external_id: row.text(3)?,
        })
    };
    source.all(sql, vec![text_set(contacts)]).await?.iter().map(read).collect()
}

impl Change {
    /// Notes what a contact is called in another system; a record that is linked already stays with whom it is.
    pub fn add_link(&mut self, key: LinkKey<'_>, contact: &str, now: Ms) {
        let sql = "INSERT INTO contact_link (system, external_type, external_id, contact_id, changes, changes_ts, \
                   updated_ts) VALUES ($1, $2, $3, $4, 0, 0, $5) ON CONFLICT DO NOTHING";
        let values = vec![
            key.system.into(),
            key.external_type.into(),
            key.external_id.into(),
            contact.into(),
            now.into(),
        ];
        self.run(sql, values);
    }
}
