//! Rows of resolution: who was seen at which address and with which keys.

use crate::Change;
use crate::db::Source;
use crate::table::Table;
use crate::value::{Row, text_set};
use kontor_model::{Ms, Result};

/// Who is known to use what touches an arrival.
#[derive(Clone, Debug, Default)]
pub struct Users {
    /// Contacts of the address after all merges, with when they were last seen there.
    pub voices: Vec<(String, Ms)>,
    /// Kind and key, contact after all merges, trust.
    pub holders: Vec<(String, String, String, i64)>,
    /// Kind and key, version, whether it is contested.
    pub keys: Vec<(String, String, i64, bool)>,
}

/// What is known of the contacts of `m`, six columns. `CROSS JOIN` holds SQLite to this order: it cannot know that `m`
/// is short, and would read the other table whole.
macro_rules! traits {
    () => {
        "SELECT 0 AS c1, m.whole AS c2, n.shown AS c3, '' AS c4, 0 AS c5, 0 AS c6 FROM m \
         CROSS JOIN contact_name n WHERE n.contact_id = m.contact_id \
         UNION ALL SELECT 1, m.whole, v.place, v.external_id, 0, 0 FROM m \
         CROSS JOIN contact_voice v WHERE v.contact_id = m.contact_id AND v.single = 1 \
         UNION ALL SELECT 2, m.whole, t.stage, '', t.created_ts, 0 FROM m CROSS JOIN contact t \
         WHERE t.contact_id = m.whole AND m.whole = m.contact_id \
         UNION ALL SELECT 3, m.whole, coalesce(t.redirect_to, t.contact_id), '', 0, 0 FROM m \
         CROSS JOIN contact_other o CROSS JOIN contact t \
         WHERE o.contact_id = m.contact_id AND t.contact_id = o.other_id"
    };
}

/// Who is known to use an address and keys, the address as `contact_key` has it, and what is known of them. One
/// statement: whoever writes waits for it.
///
/// # Errors
/// See [`Source::all`].
pub async fn users<S: Source>(
    source: &mut S,
    address: (&str, &str, &str),
    phones: &[&str],
    emails: &[&str],
) -> Result<(Users, Vec<(String, Trait)>)> {
    let sql = concat!(
        "WITH u AS MATERIALIZED (\
         SELECT 10 AS c1, coalesce(t.redirect_to, t.contact_id) AS c2, '' AS c3, '' AS c4, v.last_ts AS c5, 0 AS c6 \
         FROM contact_voice v JOIN contact t ON t.contact_id = v.contact_id WHERE v.place = $1 AND v.external_id = $2 \
         UNION ALL SELECT * FROM (SELECT 11, coalesce(t.redirect_to, t.contact_id), c.kind, c.key, c.trust, 0 \
         FROM TEXT_SET($3) s CROSS JOIN claim c CROSS JOIN contact t \
         WHERE c.kind = 'phone' AND c.key = s.text AND t.contact_id = c.contact_id LIMIT 300) p \
         UNION ALL SELECT * FROM (SELECT 11, coalesce(t.redirect_to, t.contact_id), c.kind, c.key, c.trust, 0 \
         FROM TEXT_SET($4) s CROSS JOIN claim c CROSS JOIN contact t \
         WHERE c.kind = 'email' AND c.key = s.text AND t.contact_id = c.contact_id LIMIT 300) e), \
         w AS (SELECT DISTINCT c2 AS whole FROM u), \
         m AS (SELECT whole AS contact_id, whole FROM w UNION ALL \
         SELECT c.contact_id, w.whole FROM w CROSS JOIN contact c WHERE c.redirect_to = w.whole) \
         SELECT c1, c2, c3, c4, c5, c6 FROM u UNION ALL \
         SELECT 12, '', kind, key, version, contested FROM contact_key WHERE kind = 'address' AND key = $5 UNION ALL \
         SELECT 12, '', k.kind, k.key, k.version, k.contested FROM TEXT_SET($3) s CROSS JOIN contact_key k \
         WHERE k.kind = 'phone' AND k.key = s.text UNION ALL \
         SELECT 12, '', k.kind, k.key, k.version, k.contested FROM TEXT_SET($4) s CROSS JOIN contact_key k \
         WHERE k.kind = 'email' AND k.key = s.text UNION ALL ",
        traits!()
    );
    let (place, external_id, key) = address;
    let values = vec![place.into(), external_id.into(), text_set(phones), text_set(emails), key.into()];
    let (mut users, mut traits) = (Users::default(), Vec::new());
    for row in source.quick(sql, 6, values).await? {
        match row.int(0)? {
            10 => users.voices.push((row.text(1)?, row.int(4)?)),
            11 => users.holders.push((row.text(2)?, row.text(3)?, row.text(1)?, row.int(4)?)),
            12 => users.keys.push((row.text(2)?, row.text(3)?, row.int(4)?, row.bool(5)?)),
            _ => traits.push(read_trait(&row)?),
        }
    }
    users.voices.sort_by_key(|(_, ts)| *ts);
    Ok((users, traits))
}

/// What is known of a contact, of all that were merged into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trait {
    /// A name.
    Name(String),
    /// An id of a place of which people have one.
    Place(String, String),
    /// The contact itself: stage, and when it was made.
    Made(String, Ms),
    /// Somebody else, as a person said.
    Other(String),
    /// A key: kind, text.
    Key(String, String),
}

fn read_trait(row: &Row) -> Result<(String, Trait)> {
    let found = match row.int(0)? {
        0 => Trait::Name(row.text(2)?),
        1 => Trait::Place(row.text(2)?, row.text(3)?),
        2 => Trait::Made(row.text(2)?, row.int(4)?),
        3 => Trait::Other(row.text(2)?),
        _ => Trait::Key(row.text(2)?, row.text(3)?),
    };
    Ok((row.text(1)?, found))
}

/// What is known of contacts, their keys too.
///
/// # Errors
/// See [`Source::all`].
pub async fn traits<S: Source>(source: &mut S, contacts: &[&str]) -> Result<Vec<(String, Trait)>> {
    if contacts.is_empty() {
        return Ok(Vec::new());
    }
    // Merged contacts first, so that each table is searched by its key.
    let sql = concat!(
        "WITH m AS (SELECT contact_id, contact_id AS whole FROM contact WHERE contact_id IN TEXT_SET($1) \
         UNION ALL SELECT contact_id, redirect_to FROM contact WHERE redirect_to IN TEXT_SET($1)) ",
        traits!(),
        " UNION ALL SELECT 4, m.whole, c.kind, c.key, 0, 0 FROM m CROSS JOIN claim c WHERE c.contact_id = m.contact_id \
         AND c.kind IN ('phone', 'email')"
    );
    let rows = source.packed(sql, 6, vec![text_set(contacts)]).await?;
    rows.iter().map(read_trait).collect()
}

/// An arrival as it was resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrivalRow {
    /// The sender's name for it.
    pub id: String,
    /// Whose it is, after all merges.
    pub contact: Option<String>,
    /// Where the id is from.
    pub place: String,
    /// The id.
    pub external_id: String,
    /// By which rule.
    pub rule: String,
    /// When.
    pub ts: Ms,
}

fn read_arrival(row: &Row) -> Result<ArrivalRow> {
    Ok(ArrivalRow {
        id: row.text(0)?,
        contact: row.text_opt(1)?,
        place: row.text(2)?,
        external_id: row.text(3)?,
        rule: row.text(4)?,
        ts: row.int(5)?,
    })
}

/// An arrival.
///
/// # Errors
/// See [`Source::all`].
pub async fn arrival<S: Source>(source: &mut S, id: &str) -> Result<Option<ArrivalRow>> {
    let sql = "SELECT a.arrival_id, coalesce(t.redirect_to, t.contact_id), a.place, a.external_id, a.rule, a.ts \
               FROM arrival a LEFT JOIN contact t ON t.contact_id = a.contact_id WHERE a.arrival_id = $1";
    source.first(sql, vec![id.into()]).await?.as_ref().map(read_arrival).transpose()
}

/// Arrivals after an id, by their ids.
///
/// # Errors
/// See [`Source::all`].
pub async fn arrivals<S: Source>(source: &mut S, after: &str, limit: i64) -> Result<Vec<ArrivalRow>> {
    let sql = "SELECT a.arrival_id, coalesce(t.redirect_to, t.contact_id), a.place, a.external_id, a.rule, a.ts \
               FROM arrival a LEFT JOIN contact t ON t.contact_id = a.contact_id WHERE a.arrival_id > $1 \
               ORDER BY a.arrival_id LIMIT $2";
    source.all(sql, vec![after.into(), limit.into()]).await?.iter().map(read_arrival).collect()
}

/// Arrivals that are nobody's yet, after an id, by their ids; each with the contacts that come into question.
///
/// # Errors
/// See [`Source::all`].
pub async fn unattributed<S: Source>(
    source: &mut S,
    after: &str,
    limit: i64,
) -> Result<Vec<(ArrivalRow, Vec<String>)>> {
    let sql = "SELECT a.arrival_id, NULL, a.place, a.external_id, a.rule, a.ts, \
               coalesce(t.redirect_to, t.contact_id) FROM (SELECT * FROM arrival WHERE contact_id IS NULL \
               AND arrival_id > $1 ORDER BY arrival_id LIMIT $2) a \
               LEFT JOIN contact_suggestion s ON s.one = 'arrival:' || a.arrival_id AND s.state = 'open' \
               LEFT JOIN contact t ON t.contact_id = s.other ORDER BY a.arrival_id, s.weight DESC, s.other";
    let mut found: Vec<(ArrivalRow, Vec<String>)> = Vec::new();
    for row in source.all(sql, vec![after.into(), limit.into()]).await? {
        let arrival = ArrivalRow {
            id: row.text(0)?,
            contact: None,
            place: row.text(2)?,
            external_id: row.text(3)?,
            rule: row.text(4)?,
            ts: row.int(5)?,
        };
        if found.last().is_none_or(|(last, _)| last.id != arrival.id) {
            found.push((arrival, Vec::new()));
        }
        if let (Some((_, candidates)), Some(candidate)) = (found.last_mut(), row.text_opt(6)?) {
            candidates.push(candidate);
        }
    }
    Ok(found)
}

/// Merges that resolution made since a moment.
///
/// # Errors
/// See [`Source::all`].
pub async fn merges_since<S: Source>(source: &mut S, since: Ms) -> Result<i64> {
    let sql = "SELECT count(*) FROM contact_merge WHERE ts >= $1 AND actor_nid IS NULL";
    source.first(sql, vec![since.into()]).await?.map_or(Ok(0), |row| row.int(0))
}

/// What is written down of an arrival.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Where the id is from.
    pub place: &'a str,
    /// The id.
    pub external_id: &'a str,
    /// Whose it is.
    pub contact: &'a str,
    /// Whether people have one id of such a place.
    pub single: bool,
    /// When.
    pub now: Ms,
}

impl Change {
    /// Moves a key on, if it is still at the version that was read; refused with `Conflict` otherwise.
    pub fn move_key(&mut self, kind: &str, key: &str, version: Option<i64>, contested: bool) {
        match version {
            None => {
                self.insert(Table::ContactKey, vec![kind.into(), key.into(), 1_i64.into(), contested.into()])
            }
            Some(version) => {
                let sql = "UPDATE contact_key SET version = version + 1, contested = $4 \
                           WHERE kind = $1 AND key = $2 AND version = $3";
                self.guard(sql, vec![kind.into(), key.into(), version.into(), contested.into()]);
            }
        }
    }

    /// Refuses the change with `Conflict` if a contact was merged into another meanwhile.
    pub fn expect_unmerged(&mut self, contact: &str) {
        let sql = "UPDATE contact SET version = version WHERE contact_id = $1 AND redirect_to IS NULL";
        self.guard(sql, vec![contact.into()]);
    }

    /// A contact was seen at an address.
    pub fn add_voice(&mut self, seen: Seen<'_>) {
        self.insert(
            Table::ContactVoice,
            vec![
                seen.place.into(),
                seen.external_id.into(),
                seen.contact.into(),
                seen.single.into(),
                seen.now.into(),
            ],
        );
    }

    /// A contact, or one merged into it, was seen again at an address.
    pub fn see_voice(&mut self, seen: Seen<'_>) {
        let sql = "UPDATE contact_voice SET last_ts = $4 WHERE place = $1 AND external_id = $2 AND contact_id IN \
                   (SELECT contact_id FROM contact WHERE contact_id = $3 OR redirect_to = $3)";
        self.run(sql, vec![seen.place.into(), seen.external_id.into(), seen.contact.into(), seen.now.into()]);
    }

    /// A contact was seen with a name.
    pub fn add_contact_name(&mut self, contact: &str, shown: &str) {
        self.insert(Table::ContactName, vec![contact.into(), shown.into()]);
    }

    /// Notes that a contact is to be weighed anew.
    pub fn weigh_contact(&mut self, contact: &str, now: Ms) {
        self.insert(Table::ContactDue, vec![contact.into(), now.into()]);
    }

    /// Gives an arrival that was nobody's to a contact; refused with `Conflict` when it is somebody's.
    pub fn give_arrival(&mut self, id: &str, contact: &str) {
        let sql = "UPDATE arrival SET contact_id = $2 WHERE arrival_id = $1 AND contact_id IS NULL";
        self.guard(sql, vec![id.into(), contact.into()]);
        let sql = "UPDATE contact_suggestion SET state = CASE WHEN other = $2 THEN 'accepted' ELSE 'rejected' END \
                   WHERE one = 'arrival:' || $1 AND state = 'open'";
        self.run(sql, vec![id.into(), contact.into()]);
    }

    /// Notes an arrival. One of the same id refuses the change with `Conflict`.
    pub fn add_arrival(&mut self, row: &ArrivalRow) {
        self.insert(
            Table::Arrival,
            vec![
                row.id.as_str().into(),
                row.contact.as_deref().into(),
                row.place.as_str().into(),
                row.external_id.as_str().into(),
                row.rule.as_str().into(),
                row.ts.into(),
            ],
        );
    }
}
