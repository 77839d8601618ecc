//! What can be wrong with what is known of contacts, counted: a constant number of statements, and one for each page of
//! numbers; and the reports that are kept.

use super::cards::members;
use crate::Change;
use crate::db::Source;
use crate::table::Table;
use crate::value::{Row, text_set};
use kontor_model::{Ms, Nid, Result};

/// Contacts without something: how many, and the first of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gap {
    /// How many.
    pub count: i64,
    /// The newest of them.
    pub first: Vec<String>,
}

/// Contacts that lack something, by what they lack: `owner`, `key`, `consent`.
macro_rules! lacking {
    ("owner") => {
        "t.owner_nid IS NULL"
    };
    ("key") => {
        "NOT EXISTS (SELECT 1 FROM claim c WHERE c.contact_id = t.contact_id AND c.kind IN ('phone', 'email')) \
         AND NOT EXISTS (SELECT 1 FROM contact m JOIN claim c ON c.contact_id = m.contact_id \
         WHERE m.redirect_to = t.contact_id AND c.kind IN ('phone', 'email'))"
    };
    ("consent") => {
        "NOT EXISTS (SELECT 1 FROM consent c WHERE c.contact_id = t.contact_id) \
         AND NOT EXISTS (SELECT 1 FROM contact m JOIN consent c ON c.contact_id = m.contact_id \
         WHERE m.redirect_to = t.contact_id)"
    };
}

macro_rules! gap {
    ($what:tt) => {
        concat!(
            "SELECT t.contact_id, (SELECT count(*) FROM contact t WHERE t.redirect_to IS NULL AND ",
            lacking!($what),
            ") FROM contact t WHERE t.redirect_to IS NULL AND ",
            lacking!($what),
            " ORDER BY t.contact_id DESC LIMIT $1"
        )
    };
}

/// Contacts without an owner, without a number or address, without a consent ever given or taken back.
///
/// # Errors
/// See [`Source::all`].
pub async fn gaps<S: Source>(source: &mut S, most: i64) -> Result<[(&'static str, Gap); 3]> {
    let mut found = [("owner", Gap::default()), ("key", Gap::default()), ("consent", Gap::default())];
    for ((_, gap), sql) in found.iter_mut().zip([gap!("owner"), gap!("key"), gap!("consent")]) {
        for row in source.all(sql, vec![most.into()]).await? {
            gap.count = row.int(1)?;
            gap.first.push(row.text(0)?);
        }
    }
    Ok(found)
}

/// A key that several contacts hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedRow {
    /// phone, email.
    pub kind: String,
    /// The key.
    pub key: String,
    /// How many hold it.
    pub holders: i64,
    /// Two of them.
    pub pair: (String, String),
    /// Whether two people are known to use it.
    pub contested: bool,
}

/// Keys that several contacts hold, those of the fewest first.
///
/// # Errors
/// See [`Source::all`].
pub async fn shared<S: Source>(source: &mut S, most: i64) -> Result<Vec<SharedRow>> {
    let sql = "SELECT h.kind, h.key, h.holders, h.one, h.other, coalesce(k.contested, 0) FROM \
               (SELECT c.kind, c.key, count(DISTINCT coalesce(t.redirect_to, t.contact_id)) AS holders, \
               min(coalesce(t.redirect_to, t.contact_id)) AS one, max(coalesce(t.redirect_to, t.contact_id)) AS other \
               FROM claim c JOIN contact t ON t.contact_id = c.contact_id WHERE c.kind IN ('phone', 'email') \
               GROUP BY c.kind, c.key HAVING count(*) > 1) h \
               LEFT JOIN contact_key k ON k.kind = h.kind AND k.key = h.key WHERE h.holders > 1 \
               ORDER BY h.holders, h.one, h.kind, h.key LIMIT $1";
    let read = |row: &Row| {
        Ok(SharedRow {
            kind: row.text(0)?,
            key: row.text(1)?,
            holders: row.int(2)?,
            pair: (row.text(3)?, row.text(4)?),
            contested: row.bool(5)?,
        })
    };
    source.all(sql, vec![most.into()]).await?.iter().map(read).collect()
}

/// Of some contacts and those merged into them the pairs that somebody said are different people.
///
/// # Errors
/// See [`Source::all`].
pub async fn apart<S: Source>(source: &mut S, contacts: &[&str]) -> Result<Vec<(String, String)>> {
    let sql = concat!(
        members!(),
        "SELECT m.whole, coalesce(t.redirect_to, t.contact_id) FROM m JOIN contact_other o ON o.contact_id = m.contact_id \
         JOIN contact t ON t.contact_id = o.other_id"
    );
    let rows = source.all(sql, vec![text_set(contacts)]).await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?))).collect()
}

/// How many contacts, open suggestions and contested keys there are.
///
/// # Errors
/// See [`Source::all`].
pub async fn totals<S: Source>(source: &mut S) -> Result<[i64; 3]> {
    let sql = "SELECT (SELECT count(*) FROM contact WHERE redirect_to IS NULL), \
               (SELECT count(*) FROM contact_suggestion s WHERE s.state = 'open' AND (s.one < s.other OR NOT EXISTS \
               (SELECT 1 FROM contact_suggestion r WHERE r.one = s.other AND r.other = s.one))), \
               (SELECT count(*) FROM contact_key WHERE contested = 1 AND kind <> 'address')";
    let row = source.first(sql, Vec::new()).await?;
    row.map_or(Ok([0; 3]), |row| Ok([row.int(0)?, row.int(1)?, row.int(2)?]))
}

/// The open suggestions that weigh most: the pair, hundredths of a bit.
///
/// # Errors
/// See [`Source::all`].
pub async fn heaviest<S: Source>(source: &mut S, most: i64) -> Result<Vec<(String, String, i64)>> {
    let sql = "SELECT one, other, weight FROM contact_suggestion WHERE state = 'open' AND one NOT LIKE 'arrival:%' \
               AND one < other ORDER BY weight DESC, one, other LIMIT $1";
    let rows = source.all(sql, vec![most.into()]).await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?, row.int(2)?))).collect()
}

/// Merges that were undone since a moment, by rule and by who undid them.
///
/// # Errors
/// See [`Source::all`].
pub async fn undone<S: Source>(source: &mut S, since: Ms) -> Result<Vec<(String, String, i64)>> {
    let sql = "SELECT g.rule, coalesce(n.text, ''), count(*) FROM contact_merge g LEFT JOIN name n ON n.nid = g.undone_by_nid \
               WHERE g.undone_ts >= $1 GROUP BY g.rule, n.text ORDER BY g.rule, n.text";
    let rows = source.all(sql, vec![since.into()]).await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?, row.int(2)?))).collect()
}

/// Telephone numbers that contacts hold, after one: key, contact.
///
/// # Errors
/// See [`Source::all`].
pub async fn numbers<S: Source>(
    source: &mut S,
    after: (&str, &str),
    limit: i64,
) -> Result<Vec<(String, String)>> {
    let sql = "SELECT c.key, c.contact_id FROM claim c WHERE c.kind = 'phone' AND c.key >= $1 \
               AND (c.key > $1 OR c.contact_id > $2) ORDER BY c.key, c.contact_id LIMIT $3";
    let rows = source.all(sql, vec![after.0.into(), after.1.into(), limit.into()]).await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?))).collect()
}

/// A report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportRow {
    /// ULID.
    pub id: String,
    /// The month at whose beginning it was made.
    pub month: Option<String>,
    /// When it was made.
    pub made_ts: Ms,
    /// Who asked for it.
    pub made_by: Option<String>,
    /// JSON.
    pub figures: String,
    /// Who is to look at it.
    pub assignee: Option<String>,
    /// When somebody signed it off.
    pub signed_ts: Option<Ms>,
    /// Who did.
    pub signed_by: Option<String>,
    /// What is said of it.
    pub note: Option<String>,
}

macro_rules! reports {
    ($rest:literal) => {
        concat!(
            "SELECT q.report_id, q.month, q.made_ts, m.text, q.figures, a.text, q.signed_ts, s.text, q.note \
             FROM quality_report q LEFT JOIN name m ON m.nid = q.made_by_nid LEFT JOIN name a ON a.nid = q.assignee_nid \
             LEFT JOIN name s ON s.nid = q.signed_by_nid ",
            $rest
        )
    };
}

fn read(row: &Row) -> Result<ReportRow> {
    Ok(ReportRow {
        id: row.text(0)?,
        month: row.text_opt(1)?,
        made_ts: row.int(2)?,
        made_by: row.text_opt(3)?,
        figures: row.text(4)?,
        assignee: row.text_opt(5)?,
        signed_ts: row.int_opt(6)?,
        signed_by: row.text_opt(7)?,
        note: row.text_opt(8)?,
    })
}

/// Reports before one, the newest first; all when it is empty.
///
/// # Errors
/// See [`Source::all`].
pub async fn reports<S: Source>(source: &mut S, before: &str, limit: i64) -> Result<Vec<ReportRow>> {
    let sql = reports!("WHERE $1 = '' OR q.report_id < $1 ORDER BY q.report_id DESC LIMIT $2");
    source.all(sql, vec![before.into(), limit.into()]).await?.iter().map(read).collect()
}

/// A report.
///
/// # Errors
/// See [`Source::all`].
pub async fn report<S: Source>(source: &mut S, id: &str) -> Result<Option<ReportRow>> {
    let sql = reports!("WHERE q.report_id = $1");
    source.first(sql, vec![id.into()]).await?.as_ref().map(read).transpose()
}

/// Whether a month's report is yet to be made: there is none, and there were contacts when the month began.
///
/// # Errors
/// See [`Source::all`].
pub async fn is_owed<S: Source>(source: &mut S, month: &str, begins: Ms) -> Result<bool> {
    let sql = "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM quality_report WHERE month = $1) \
               AND EXISTS (SELECT 1 FROM contact WHERE created_ts < $2)";
    Ok(source.first(sql, vec![month.into(), begins.into()]).await?.is_some())
}

impl Change {
    /// Keeps a report; a second one of a month refuses the change with `Conflict`.
    pub fn add_quality_report(
        &mut self,
        id: &str,
        month: Option<&str>,
        by: Option<Nid>,
        figures: &str,
        now: Ms,
    ) {
        let values = vec![id.into(), month.into(), now.into(), by.into(), figures.into()];
        self.insert(Table::QualityReport, values);
    }

    /// Says who is to look at a report; refused with `Conflict` when it was signed off.
    pub fn assign_quality_report(&mut self, id: &str, assignee: Option<Nid>) {
        let sql = "UPDATE quality_report SET assignee_nid = $2 WHERE report_id = $1 AND signed_ts IS NULL";
        self.guard(sql, vec![id.into(), assignee.into()]);
    }

    /// Signs a report off; refused with `Conflict` when it was already.
    pub fn sign_quality_report(&mut self, id: &str, by: Nid, note: Option<&str>, now: Ms) {
        let sql = "UPDATE quality_report SET signed_ts = $2, signed_by_nid = $3, note = $4 \
                   WHERE report_id = $1 AND signed_ts IS NULL";
        self.guard(sql, vec![id.into(), now.into(), by.into(), note.into()]);
    }
}
