//! Contact cards: the contact, and the values of its fields.

use super::queue::Reader;
use crate::Change;
use crate::db::Source;
use crate::table::Table;
use crate::value::{Row, text_set};
use kontor_model::{Ms, Nid, Result};

/// A contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactRow {
    /// ULID.
    pub id: String,
    /// The contact that it was merged into.
    pub redirect_to: Option<String>,
    /// person, unknown, line, bot.
    pub kind: String,
    /// visitor, lead, customer.
    pub stage: String,
    /// Whose contact it is.
    pub owner: Option<Nid>,
    /// The same, Matrix id.
    pub owner_id: Option<String>,
    /// The channel whose members are its team.
    pub team: Option<String>,
    /// owner, team, all.
    pub visibility: String,
    /// pl, uk or en.
    pub language: Option<String>,
    /// Moves with every change.
    pub version: i64,
    /// When it was made.
    pub created_ts: Ms,
    /// When it changed last.
    pub updated_ts: Ms,
    /// How it stood before others were merged into it, JSON.
    pub own: Option<String>,
}

/// What a contact's visibility must be for the reader `$1` who administers if `$2`.
macro_rules! visible {
    () => {
        visible!("$1", "$2 = 1 OR ")
    };
    // To `who`, an expression for an account; `or` goes before.
    ($who:literal, $or:literal) => {
        concat!(
            "(",
            $or,
            "t.visibility = 'all' OR t.owner_nid = ",
            $who,
            " OR EXISTS (SELECT 1 FROM contact_identity vi \
         JOIN conversation vv ON vv.identity_nid = vi.identity_nid WHERE vi.contact_id IN (SELECT t.contact_id \
         UNION ALL SELECT vc.contact_id FROM contact vc WHERE vc.redirect_to = t.contact_id) AND (vv.assignee_nid = ",
            $who,
            " OR ((t.visibility = 'team' \
         OR (t.owner_nid IS NULL AND vv.assignee_nid IS NULL)) AND EXISTS (SELECT 1 FROM channel_member vm \
         WHERE vm.channel_id = vv.channel_id AND vm.user_nid = ",
            $who,
            " AND vm.leaving = 0)))))"
        )
    };
}
pub(super) use visible;

/// Contacts `$1` with all that were merged into them, as `m`: the contact, and the one that it is by now.
macro_rules! members {
    () => {
        "WITH m AS (SELECT contact_id, contact_id AS whole FROM contact WHERE contact_id IN TEXT_SET($1) \
         UNION ALL SELECT contact_id, redirect_to FROM contact WHERE redirect_to IN TEXT_SET($1)) "
    };
}
pub(super) use members;

macro_rules! contacts {
    ($($rest:tt)*) => {
        concat!(
            "SELECT t.contact_id, t.redirect_to, t.kind, t.stage, t.owner_nid, o.text, t.team, t.visibility, \
             t.language, t.version, t.created_ts, t.updated_ts, t.own FROM contact t \
             LEFT JOIN name o ON o.nid = t.owner_nid ",
            $($rest)*
        )
    };
}

fn read(row: &Row) -> Result<ContactRow> {
    Ok(ContactRow {
        id: row.text(0)?,
        redirect_to: row.text_opt(1)?,
        kind: row.text(2)?,
        stage: row.text(3)?,
        owner: row.int_opt(4)?,
        owner_id: row.text_opt(5)?,
        team: row.text_opt(6)?,
        visibility: row.text(7)?,
        language: row.text_opt(8)?,
        version: row.int(9)?,
        created_ts: row.int(10)?,
        updated_ts: row.int(11)?,
        own: row.text_opt(12)?,
    })
}

/// A contact, if the reader may see it.
///
/// # Errors
/// See [`Source::all`].
pub async fn by_id<S: Source>(source: &mut S, reader: Reader, id: &str) -> Result<Option<ContactRow>> {
    let sql = contacts!("WHERE t.contact_id = $3 AND ", visible!());
    let values = vec![reader.user.into(), reader.admin.into(), id.into()];
    source.first(sql, values).await?.as_ref().map(read).transpose()
}

/// Those of some contacts that the reader may see, merged ones left out.
///
/// # Errors
/// See [`Source::all`].
pub async fn by_ids<S: Source>(source: &mut S, reader: Reader, ids: &[&str]) -> Result<Vec<ContactRow>> {
    let sql = contacts!("WHERE t.contact_id IN TEXT_SET($3) AND t.redirect_to IS NULL AND ", visible!());
    let values = vec![reader.user.into(), reader.admin.into(), text_set(ids)];
    source.all(sql, values).await?.iter().map(read).collect()
}

/// Numbers and addresses of contacts and of those merged into them: contact, kind, value.
///
/// # Errors
/// See [`Source::all`].
pub async fn keys<S: Source>(source: &mut S, ids: &[&str]) -> Result<Vec<(String, String, String)>> {
    let sql = concat!(
        members!(),
        // `CROSS JOIN` holds SQLite to this order: it would read all numbers and addresses there are.
        "SELECT m.whole, c.kind, min(c.value) FROM m CROSS JOIN claim c WHERE c.contact_id = m.contact_id \
         AND c.kind IN ('phone', 'email') GROUP BY m.whole, c.kind, c.key ORDER BY m.whole, c.kind, c.key"
    );
    let rows = source.all(sql, vec![text_set(ids)]).await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?, row.text(2)?))).collect()
}

/// Which contacts a list is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// With this tag.
    pub tag: Option<&'a str>,
    /// Of this company.
    pub company: Option<&'a str>,
}

/// Contacts that the reader may see, after an id, in the order in which they came; merged ones are left
/// out.
///
/// # Errors
/// See [`Source::all`].
pub async fn page<S: Source>(
    source: &mut S,
    reader: Reader,
    after: &str,
    limit: i64,
    wanted: Wanted<'_>,
) -> Result<Vec<ContactRow>> {
    let sql = contacts!(
        "WHERE t.contact_id > $3 AND t.redirect_to IS NULL AND ($5 IS NULL OR t.contact_id IN \
         (SELECT coalesce(o.redirect_to, o.contact_id) FROM contact_tag g JOIN contact o ON o.contact_id = g.contact_id \
         WHERE g.tag = $5)) AND ($6 IS NULL OR t.contact_id IN (SELECT coalesce(o.redirect_to, o.contact_id) \
         FROM company_person p JOIN contact o ON o.contact_id = p.contact_id WHERE p.company_id = $6)) AND ",
        visible!(),
        " ORDER BY t.contact_id LIMIT $4"
    );
    let values = vec![
        reader.user.into(),
        reader.admin.into(),
        after.into(),
        limit.into(),
        wanted.tag.into(),
        wanted.company.into(),
    ];
    source.all(sql, values).await?.iter().map(read).collect()
}

/// A value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldRow {
    /// Whose.
    pub contact: String,
    /// Which.
    pub field: String,
    /// Where it comes from.
    pub source: String,
    /// The value.
    pub value: String,
    /// How far to believe it.
    pub trust: i64,
    /// Since when.
    pub ts: Ms,
}

/// All values of the fields of contacts, of all that were merged into them; of two of one source both.
///
/// # Errors
/// See [`Source::all`].
pub async fn fields<S: Source>(source: &mut S, contacts: &[&str]) -> Result<Vec<FieldRow>> {
    if contacts.is_empty() {
        return Ok(Vec::new());
    }
    let sql = concat!(
        members!(),
        "SELECT m.whole, f.field, f.source, f.value, f.trust, f.ts FROM m \
         JOIN contact_field f ON f.contact_id = m.contact_id ORDER BY m.whole, f.field, f.source, f.ts, f.value"
    );
    source.all(sql, vec![text_set(contacts)]).await?.iter().map(field).collect()
}

fn field(row: &Row) -> Result<FieldRow> {
    Ok(FieldRow {
        contact: row.text(0)?,
        field: row.text(1)?,
        source: row.text(2)?,
        value: row.text(3)?,
        trust: row.int(4)?,
        ts: row.int(5)?,
    })
}

/// The names that contacts were given themselves, without those of what was merged into them.
///
/// # Errors
/// See [`Source::all`].
pub async fn own_names<S: Source>(source: &mut S, contacts: &[&str]) -> Result<Vec<FieldRow>> {
    let sql = "SELECT contact_id, field, source, value, trust, ts FROM contact_field \
               WHERE contact_id IN TEXT_SET($1) AND field = 'display_name'";
    source.all(sql, vec![text_set(contacts)]).await?.iter().map(field).collect()
}

impl Change {
    /// Makes a contact.
    pub fn add_contact(&mut self, row: &ContactRow) {
        self.insert(
            Table::Contact,
            vec![
                row.id.as_str().into(),
                row.redirect_to.as_deref().into(),
                row.kind.as_str().into(),
                row.stage.as_str().into(),
                row.owner.into(),
                row.team.as_deref().into(),
                row.visibility.as_str().into(),
                row.language.as_deref().into(),
                row.version.into(),
                row.created_ts.into(),
                row.updated_ts.into(),
            ],
        );
    }

    /// Changes a contact that is still at `row.version`; refused with `Conflict` otherwise.
    pub fn change_contact(&mut self, row: &ContactRow, now: Ms) {
        let sql = "UPDATE contact SET kind = $3, stage = $4, owner_nid = $5, visibility = $6, language = $7, \
                   updated_ts = $8, own = $9, version = version + 1 WHERE contact_id = $1 AND version = $2";
        self.guard(
            sql,
            vec![
                row.id.as_str().into(),
                row.version.into(),
                row.kind.as_str().into(),
                row.stage.as_str().into(),
                row.owner.into(),
                row.visibility.as_str().into(),
                row.language.as_deref().into(),
                now.into(),
                row.own.as_deref().into(),
            ],
        );
    }

    /// Moves a contact's version: something that its card shows changed.
    pub fn touch_contact(&mut self, id: &str, now: Ms) {
        let sql = "UPDATE contact SET version = version + 1, updated_ts = $2 WHERE contact_id = $1";
        self.run(sql, vec![id.into(), now.into()]);
    }

    /// Notes a value of a field; one that its source gave before is replaced.
    pub fn set_contact_field(&mut self, row: &FieldRow) {
        self.insert(
            Table::ContactField,
            vec![
                row.contact.as_str().into(),
                row.field.as_str().into(),
                row.source.as_str().into(),
                row.value.as_str().into(),
                row.trust.into(),
                row.ts.into(),
            ],
        );
    }

    /// Takes a source's value of a field away.
    pub fn clear_contact_field(&mut self, contact: &str, field: &str, source: &str) {
        let sql = "DELETE FROM contact_field WHERE contact_id = $1 AND field = $2 AND source = $3";
        self.run(sql, vec![contact.into(), field.into(), source.into()]);
    }
}
