//! What happened with a contact besides what was said: where it stands already, read in one order by time. Nothing is
//! written down for it.

use super::cards::members;
use super::facts::{self, FactRow};
use super::notes::{self, TaskRow};
use super::queue::Reader;
use crate::db::Source;
use crate::value::{Row, Value, id_set, text_set};
use kontor_model::{Ms, Nid, Result};

/// Where something stands in the order of what happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// When it happened.
    pub ts: Ms,
    /// What it is: [`FACT`] and the following.
    pub what: i64,
    /// The numeric id of its row.
    pub nid: Nid,
}

/// A fact happened.
pub const FACT: i64 = 1;
/// A task was done.
pub const DONE: i64 = 2;
/// A contact was merged.
pub const MERGE: i64 = 3;
/// A merge was undone.
pub const UNMERGE: i64 = 4;
/// A conversation was given to somebody, or to nobody.
pub const ASSIGNMENT: i64 = 5;

impl Moment {
    /// After everything.
    pub const LAST: Self = Self { ts: i64::MAX, what: i64::MAX, nid: i64::MAX };
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The contact, after all merges.
    pub contact: &'a str,
    /// order, payment, …: kinds of facts; task_done, merge, merge_undone, assignment.
    pub kinds: &'a [&'static str],
    /// The conversations whose tasks may be told.
    pub conversations: &'a [&'a str],
    /// What is before this.
    pub before: Moment,
    /// At most so many.
    pub limit: i64,
}

/// One sort of what happens: the newest `$7` before `($3, $4, $5)`.
macro_rules! of {
    ($what:literal, $ts:literal, $nid:literal, $from:literal) => {
        concat!(
            "SELECT * FROM (SELECT ",
            $ts,
            " AS ts, CAST(",
            $what,
            " AS BIGINT) AS what, ",
            $nid,
            " AS nid FROM ",
            $from,
            " AND (",
            $ts,
            " < $3 OR (",
            $ts,
            " = $3 AND (",
            $what,
            " < $4 OR (",
            $what,
            " = $4 AND ",
            $nid,
            " < $5)))) ORDER BY ",
            $ts,
            " DESC, ",
            $nid,
            " DESC LIMIT $7) w",
            $what
        )
    };
}

const NEWEST: &str = concat!(
    members!(),
    "SELECT ts, what, nid FROM (",
    of!(
        "1",
        "f.happened_ts",
        "f.fact_nid",
        "m JOIN fact_case c ON c.contact_id = m.contact_id JOIN fact f ON f.case_nid = c.case_nid \
         WHERE f.kind IN TEXT_SET($2)"
    ),
    " UNION ALL ",
    of!(
        "2",
        "q.done_ts",
        "q.event_nid",
        "conversation_task q JOIN event e ON e.event_nid = q.event_nid WHERE 'task_done' IN TEXT_SET($2) \
         AND q.conversation_id IN TEXT_SET($6) AND q.done_ts IS NOT NULL AND e.redacted_by_nid IS NULL"
    ),
    " UNION ALL ",
    of!(
        "3",
        "g.ts",
        "g.merge_nid",
        "contact_merge g WHERE 'merge' IN TEXT_SET($2) AND g.merge_nid IN (SELECT x.merge_nid FROM m \
         JOIN contact_merge x ON x.from_id = m.contact_id UNION SELECT x.merge_nid FROM m \
         JOIN contact_merge x ON x.into_id = m.contact_id)"
    ),
    " UNION ALL ",
    of!(
        "4",
        "g.undone_ts",
        "g.merge_nid",
        "contact_merge g WHERE 'merge_undone' IN TEXT_SET($2) AND g.undone_ts IS NOT NULL \
         AND g.merge_nid IN (SELECT x.merge_nid FROM m JOIN contact_merge x ON x.from_id = m.contact_id \
         UNION SELECT x.merge_nid FROM m JOIN contact_merge x ON x.into_id = m.contact_id)"
    ),
    " UNION ALL ",
    of!(
        "5",
        "a.ts",
        "a.audit_nid",
        "m JOIN contact_identity i ON i.contact_id = m.contact_id JOIN conversation v ON v.identity_nid = i.identity_nid \
         JOIN audit a ON a.target = v.conversation_id AND a.action = 'conversation.assign' AND a.outcome = 'success' \
         WHERE 'assignment' IN TEXT_SET($2)"
    ),
    ") w ORDER BY ts DESC, what DESC, nid DESC LIMIT $7"
);

/// What happened last, the newest first.
///
/// # Errors
/// See [`Source::all`].
pub async fn newest<S: Source>(source: &mut S, wanted: Wanted<'_>) -> Result<Vec<Moment>> {
    if wanted.kinds.is_empty() {
        return Ok(Vec::new());
    }
    let values: Vec<Value> = vec![
        text_set([wanted.contact]),
        text_set(wanted.kinds),
        wanted.before.ts.into(),
        wanted.before.what.into(),
        wanted.before.nid.into(),
        text_set(wanted.conversations),
        wanted.limit.into(),
    ];
    let read = |row: &Row| Ok(Moment { ts: row.int(0)?, what: row.int(1)?, nid: row.int(2)? });
    source.all(NEWEST, values).await?.iter().map(read).collect()
}

/// A merge, with who undid it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeRow {
    /// The contact that was merged.
    pub from: String,
    /// The one that it was merged into.
    pub into: String,
    /// By which rule.
    pub rule: String,
    /// Who did it, Matrix id; absent when resolution did.
    pub by: Option<String>,
    /// Who undid it.
    pub undone_by: Option<String>,
}

/// A conversation that was given to somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignmentRow {
    /// The conversation.
    pub conversation: String,
    /// Who did it, Matrix id; absent when nobody did.
    pub by: Option<String>,
    /// From whom to whom, JSON.
    pub detail: String,
}

/// What stands at some moments.
#[derive(Clone, Debug, Default)]
pub struct Details {
    /// Facts, by their numeric ids; what they cost for those who may know.
    pub facts: Vec<FactRow>,
    /// Tasks, by the numeric ids of their events.
    pub tasks: Vec<(Nid, TaskRow)>,
    /// Merges.
    pub merges: Vec<(Nid, MergeRow)>,
    /// Assignments.
    pub assignments: Vec<(Nid, AssignmentRow)>,
}

/// Reads what stands at some moments, one statement for each sort of things.
///
/// # Errors
/// See [`Source::all`].
pub async fn details<S: Source>(source: &mut S, reader: Reader, moments: &[Moment]) -> Result<Details> {
    let nids = |whats: &[i64]| -> Vec<Nid> {
        moments.iter().filter(|moment| whats.contains(&moment.what)).map(|moment| moment.nid).collect()
    };
    let mut details = Details::default();
    let facts = nids(&[FACT]);
    if !facts.is_empty() {
        details.facts = facts::by_nids(source, reader, &facts).await?;
    }
    let tasks = nids(&[DONE]);
    if !tasks.is_empty() {
        details.tasks = notes::tasks_of_events(source, &tasks).await?;
    }
    let merges = nids(&[MERGE, UNMERGE]);
    if !merges.is_empty() {
        let sql = "SELECT g.merge_nid, g.from_id, g.into_id, g.rule, a.text, u.text FROM contact_merge g \
                   LEFT JOIN name a ON a.nid = g.actor_nid LEFT JOIN name u ON u.nid = g.undone_by_nid \
                   WHERE g.merge_nid IN ID_SET($1)";
        let read = |row: &Row| {
            let merge = MergeRow {
                from: row.text(1)?,
                into: row.text(2)?,
                rule: row.text(3)?,
                by: row.text_opt(4)?,
                undone_by: row.text_opt(5)?,
            };
            Ok((row.int(0)?, merge))
        };
        let rows = source.all(sql, vec![id_set(merges)]).await?;
        details.merges = rows.iter().map(read).collect::<Result<_>>()?;
    }
    let assignments = nids(&[ASSIGNMENT]);
    if !assignments.is_empty() {
        let sql = "SELECT a.audit_nid, a.target, n.text, coalesce(a.detail, '{}') FROM audit a \
                   LEFT JOIN name n ON n.nid = a.actor_nid WHERE a.audit_nid IN ID_SET($1)";
        let read = |row: &Row| {
            let assignment =
                AssignmentRow { conversation: row.text(1)?, by: row.text_opt(2)?, detail: row.text(3)? };
            Ok((row.int(0)?, assignment))
        };
        let rows = source.all(sql, vec![id_set(assignments)]).await?;
        details.assignments = rows.iter().map(read).collect::<Result<_>>()?;
    }
    Ok(details)
}

/// Which events in some conversations are notes, decisions and tasks.
///
/// # Errors
/// See [`Source::all`].
pub async fn noted<S: Source>(source: &mut S, conversations: &[&str]) -> Result<Vec<(Nid, String)>> {
    let sql = "SELECT event_nid, kind FROM conversation_note WHERE conversation_id IN TEXT_SET($1) UNION ALL \
               SELECT event_nid, 'task' FROM conversation_task WHERE conversation_id IN TEXT_SET($1)";
    let rows = source.all(sql, vec![text_set(conversations)]).await?;
    rows.iter().map(|row| Ok((row.int(0)?, row.text(1)?))).collect()
}
