//! Rows of merges: which contacts are one by now, why, and how each of them would stand alone.

use super::cards::visible;
use super::queue::Reader;
use crate::Change;
use crate::db::Source;
use crate::table::Table;
use crate::value::{Row, text_set};
use kontor_model::{Ms, Nid, Result};

/// What a merge may change of the contact that stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// person, unknown, line, bot.
    pub kind: String,
    /// visitor, lead, customer.
    pub stage: String,
    /// Whose contact it is.
    pub owner: Option<Nid>,
    /// owner, team, all.
    pub visibility: String,
    /// pl, uk or en.
    pub language: Option<String>,
}

/// A contact of a family: of those that are one by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRow {
    /// The contact.
    pub id: String,
    /// The contact that all of them are; absent for itself.
    pub root: Option<String>,
    /// The contact that it was merged into.
    pub parent: Option<String>,
    /// That merge.
    pub merge: Option<Nid>,
    /// Whose both are since, if that had to be chosen.
    pub chosen: Option<Nid>,
    /// How it stands.
    pub shown: Standing,
    /// How it stood before others were merged into it, JSON; absent when none are.
    pub own: Option<String>,
    /// Moves with every change.
    pub version: i64,
}

/// All contacts of the families of some, in the order of their ids.
///
/// # Errors
/// See [`Source::all`].
pub async fn families<S: Source>(source: &mut S, contacts: &[&str]) -> Result<Vec<MemberRow>> {
    let sql = "WITH w AS (SELECT DISTINCT coalesce(redirect_to, contact_id) AS whole FROM contact \
               WHERE contact_id IN TEXT_SET($1)), \
               m AS (SELECT whole AS contact_id FROM w UNION ALL \
               SELECT c.contact_id FROM w JOIN contact c ON c.redirect_to = w.whole) \
               SELECT t.contact_id, t.redirect_to, g.into_id, g.merge_nid, g.owner_nid, t.kind, t.stage, t.owner_nid, \
               t.visibility, t.language, t.own, t.version FROM m JOIN contact t ON t.contact_id = m.contact_id \
               LEFT JOIN contact_merge g ON g.from_id = t.contact_id AND g.undone_ts IS NULL ORDER BY t.contact_id";
    let read = |row: &Row| {
        Ok(MemberRow {
            id: row.text(0)?,
            root: row.text_opt(1)?,
            parent: row.text_opt(2)?,
            merge: row.int_opt(3)?,
            chosen: row.int_opt(4)?,
            shown: Standing {
                kind: row.text(5)?,
                stage: row.text(6)?,
                owner: row.int_opt(7)?,
                visibility: row.text(8)?,
                language: row.text_opt(9)?,
            },
            own: row.text_opt(10)?,
            version: row.int(11)?,
        })
    };
    source.all(sql, vec![text_set(contacts)]).await?.iter().map(read).collect()
}

/// The contact that one is by now, if there is such a contact and the reader may see it.
///
/// # Errors
/// See [`Source::all`].
pub async fn now<S: Source>(source: &mut S, reader: Reader, id: &str) -> Result<Option<String>> {
    let sql = concat!(
        "SELECT t.contact_id FROM contact o JOIN contact t ON t.contact_id = coalesce(o.redirect_to, o.contact_id) \
         WHERE o.contact_id = $3 AND ",
        visible!()
    );
    let values = vec![reader.user.into(), reader.admin.into(), id.into()];
    source.first(sql, values).await?.map(|row| row.text(0)).transpose()
}

/// A merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeRow {
    /// Numeric id.
    pub nid: Nid,
    /// The contact that was merged.
    pub from: String,
    /// The one that it was merged into.
    pub into: String,
    /// By which rule; `person` when somebody did it.
    pub rule: String,
    /// Who did it, Matrix id; absent when resolution did.
    pub actor: Option<String>,
    /// What it was done together with.
    pub batch: String,
    /// When.
    pub ts: Ms,
    /// When it was undone.
    pub undone: Option<Ms>,
}

macro_rules! merges {
    ($($rest:tt)*) => {
        concat!(
            "SELECT g.merge_nid, g.from_id, g.into_id, g.rule, a.text, g.batch, g.ts, g.undone_ts FROM contact_merge g \
             LEFT JOIN name a ON a.nid = g.actor_nid ",
            $($rest)*
        )
    };
}

fn read(row: &Row) -> Result<MergeRow> {
    Ok(MergeRow {
        nid: row.int(0)?,
        from: row.text(1)?,
        into: row.text(2)?,
        rule: row.text(3)?,
        actor: row.text_opt(4)?,
        batch: row.text(5)?,
        ts: row.int(6)?,
        undone: row.int_opt(7)?,
    })
}

/// Merges of contacts, the newest first.
///
/// # Errors
/// See [`Source::all`].
pub async fn of_contacts<S: Source>(source: &mut S, contacts: &[&str], limit: i64) -> Result<Vec<MergeRow>> {
    let sql = merges!(
        "WHERE g.from_id IN TEXT_SET($1) OR g.into_id IN TEXT_SET($1) ORDER BY g.merge_nid DESC LIMIT $2"
    );
    source.all(sql, vec![text_set(contacts), limit.into()]).await?.iter().map(read).collect()
}

/// A merge that was not undone.
///
/// # Errors
/// See [`Source::all`].
pub async fn one<S: Source>(source: &mut S, merge: Nid) -> Result<Option<MergeRow>> {
    let sql = merges!("WHERE g.merge_nid = $1 AND g.undone_ts IS NULL");
    source.first(sql, vec![merge.into()]).await?.as_ref().map(read).transpose()
}

/// Merges of a batch that were not undone, the newest first.
///
/// # Errors
/// See [`Source::all`].
pub async fn of_batch<S: Source>(source: &mut S, batch: &str, limit: i64) -> Result<Vec<MergeRow>> {
    let sql = merges!("WHERE g.batch = $1 AND g.undone_ts IS NULL ORDER BY g.merge_nid DESC LIMIT $2");
    source.all(sql, vec![batch.into(), limit.into()]).await?.iter().map(read).collect()
}

/// Pairs among families that somebody said are different people.
///
/// # Errors
/// See [`Source::all`].
pub async fn others<S: Source>(source: &mut S, contacts: &[&str]) -> Result<Vec<(String, String)>> {
    let sql = "SELECT contact_id, other_id FROM contact_other WHERE contact_id IN TEXT_SET($1) \
               AND other_id IN TEXT_SET($1)";
    let rows = source.all(sql, vec![text_set(contacts)]).await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?))).collect()
}

/// What an account is called, Matrix id.
///
/// # Errors
/// See [`Source::all`].
pub async fn user_id<S: Source>(source: &mut S, user: Nid) -> Result<Option<String>> {
    let row = source.first("SELECT text FROM name WHERE nid = $1", vec![user.into()]).await?;
    row.map(|row| row.text(0)).transpose()
}

/// A merge to be written down.
#[derive(Clone, Copy, Debug)]
pub struct NewMerge<'a> {
    /// Numeric id.
    pub nid: Nid,
    /// The contact that is merged.
    pub from: &'a str,
    /// The one that it is merged into.
    pub into: &'a str,
    /// By which rule.
    pub rule: &'a str,
    /// Who does it; absent when resolution does.
    pub actor: Option<Nid>,
    /// Whose both are from now on, if that had to be chosen.
    pub owner: Option<Nid>,
    /// What it is done together with.
    pub batch: &'a str,
    /// When.
    pub now: Ms,
}

impl Change {
    /// Writes a merge into the journal.
    pub fn add_merge(&mut self, new: NewMerge<'_>) {
        self.insert(
            Table::ContactMerge,
            vec![
                new.nid.into(),
                new.from.into(),
                new.into.into(),
                new.rule.into(),
                new.actor.into(),
                new.owner.into(),
                new.batch.into(),
                new.now.into(),
            ],
        );
    }

    /// Notes that a merge was undone; refused with `Conflict` when it was already.
    pub fn undo_merge(&mut self, merge: Nid, actor: Option<Nid>, now: Ms) {
        let sql = "UPDATE contact_merge SET undone_ts = $2, undone_by_nid = $3 \
                   WHERE merge_nid = $1 AND undone_ts IS NULL";
        self.guard(sql, vec![merge.into(), now.into(), actor.into()]);
    }

    /// Writes how a contact of a family stands, if it is still at its version; refused with `Conflict`
    /// otherwise. Addresses, conversations and rooms stay where they are.
    pub fn set_member(&mut self, row: &MemberRow, now: Ms) {
        let sql = "UPDATE contact SET redirect_to = $3, kind = $4, stage = $5, owner_nid = $6, visibility = $7, \
                   language = $8, own = $9, updated_ts = $10, version = version + 1 \
                   WHERE contact_id = $1 AND version = $2";
        self.guard(
            sql,
            vec![
                row.id.as_str().into(),
                row.version.into(),
                row.root.as_deref().into(),
                row.shown.kind.as_str().into(),
                row.shown.stage.as_str().into(),
                row.shown.owner.into(),
                row.shown.visibility.as_str().into(),
                row.shown.language.as_deref().into(),
                row.own.as_deref().into(),
                now.into(),
            ],
        );
    }

    /// Remembers that two contacts are different people.
    pub fn set_apart(&mut self, one: &str, other: &str) {
        for (a, b) in [(one, other), (other, one)] {
            self.insert(Table::ContactOther, vec![a.into(), b.into()]);
        }
    }

    /// Forgets that contacts of two sets are different people.
    pub fn forget_apart(&mut self, ones: &[&str], others: &[&str]) {
        let sql = "DELETE FROM contact_other WHERE (contact_id IN TEXT_SET($1) AND other_id IN TEXT_SET($2)) \
                   OR (contact_id IN TEXT_SET($2) AND other_id IN TEXT_SET($1))";
        self.run(sql, vec![text_set(ones), text_set(others)]);
    }
}
