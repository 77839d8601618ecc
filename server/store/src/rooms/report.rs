//! What users report to the administrators.

use crate::change::Change;
use crate::db::Source;
use crate::table::Table;
use crate::value::Row;
use kontor_model::{Ms, Nid, Result};

/// A report to be kept.
#[derive(Clone, Debug)]
pub struct NewReport {
    /// Numeric id; later ones are larger.
    pub report: Nid,
    /// Who reports.
    pub reporter: Nid,
    /// `room`, `event` or `user`.
    pub kind: &'static str,
    /// Matrix id of what is reported.
    pub target: String,
    /// Of events: their room.
    pub room_id: Option<String>,
    /// Of events: who sent them.
    pub sender: Option<String>,
    /// What the reporter says.
    pub reason: Option<String>,
    /// When.
    pub ts: Ms,
}

/// A report, as administrators read it.
#[derive(Clone, Debug)]
pub struct ReportRow {
    /// Numeric id.
    pub report: Nid,
    /// Who reported, Matrix id.
    pub reporter: String,
    /// `room`, `event` or `user`.
    pub kind: String,
    /// Matrix id of what was reported.
    pub target: String,
    /// Of events: their room.
    pub room_id: Option<String>,
    /// Of events: who sent them.
    pub sender: Option<String>,
    /// What the reporter says.
    pub reason: Option<String>,
    /// When.
    pub ts: Ms,
}

/// How many things a user reported since a moment.
///
/// # Errors
/// See [`Source::all`].
pub async fn count_since<S: Source>(source: &mut S, reporter: Nid, since: Ms) -> Result<i64> {
    let sql = "SELECT count(*) FROM report WHERE reporter_nid = $1 AND ts > $2";
    source.first(sql, vec![reporter.into(), since.into()]).await?.map_or(Ok(0), |row| row.int(0))
}

/// Reports older than `before`, newest first.
///
/// # Errors
/// See [`Source::all`].
pub async fn page<S: Source>(source: &mut S, before: Nid, limit: i64) -> Result<Vec<ReportRow>> {
    let sql = "SELECT r.report_nid, n.text, r.kind, r.target, r.room_id, r.sender, r.reason, r.ts FROM report r \
               JOIN name n ON n.nid = r.reporter_nid WHERE r.report_nid < $1 ORDER BY r.report_nid DESC LIMIT $2";
    let read = |row: &Row| {
        Ok(ReportRow {
            report: row.int(0)?,
            reporter: row.text(1)?,
            kind: row.text(2)?,
            target: row.text(3)?,
            room_id: row.text_opt(4)?,
            sender: row.text_opt(5)?,
            reason: row.text_opt(6)?,
            ts: row.int(7)?,
        })
    };
    source.all(sql, vec![before.into(), limit.into()]).await?.iter().map(read).collect()
}

impl Change {
    /// Keeps a report; an earlier one of the same by the same person goes.
    pub fn add_report(&mut self, report: NewReport) {
        self.insert(
            Table::Report,
            vec![
                report.reporter.into(),
                report.kind.into(),
                report.target.into(),
                report.report.into(),
                report.room_id.into(),
                report.sender.into(),
                report.reason.into(),
                report.ts.into(),
            ],
        );
    }
}
