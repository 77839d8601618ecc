//! Rows of connectors to CRMs: the connectors, what they are yet to be told, what is to be decided.

use crate::Change;
use crate::db::Source;
use crate::table::Table;
use crate::value::Row;
use kontor_model::{Ms, Nid, Result};

/// A connector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectorRow {
    /// Its name.
    pub system: String,
    /// http, espocrm.
    pub kind: String,
    /// Where the CRM is.
    pub url: String,
    /// Opens the door there.
    pub api_key: String,
    /// Signs requests, if the CRM wants that.
    pub api_secret: Option<String>,
    /// The id of their webhook.
    pub hook_id: Option<String>,
    /// What signs their webhook.
    pub hook_secret: Option<String>,
    /// JSON.
    pub mapping: String,
    /// The last change there that was read: when, and of which record.
    pub cursor: (Ms, String),
    /// How often in a row reading failed.
    pub failures: i64,
    /// The record at which the nightly comparison is.
    pub compared: Option<String>,
    /// The day of the last comparison, since 1970.
    pub compared_day: i64,
    /// When it is read next.
    pub next_ts: Ms,
    /// Contacts and acts that it is yet to be told of.
    pub waiting: i64,
    /// What people have to do about it.
    pub tasks: i64,
}

/// All connectors, by their names.
///
/// # Errors
/// See [`Source::all`].
pub async fn connectors<S: Source>(source: &mut S) -> Result<Vec<ConnectorRow>> {
    let sql = "SELECT c.system, c.kind, c.url, c.api_key, c.api_secret, c.hook_id, c.hook_secret, c.mapping, \
               c.cursor_ts, c.cursor_id, c.failures, c.compared, c.compared_day, c.next_ts, \
               (SELECT count(*) FROM crm_outbox o WHERE o.system = c.system) \
               + (SELECT count(*) FROM crm_item i WHERE i.system = c.system), \
               (SELECT count(*) FROM crm_task k WHERE k.system = c.system AND k.done_ts IS NULL) \
               FROM crm_connector c ORDER BY c.system";
    let read = |row: &Row| {
        Ok(ConnectorRow {
            system: row.text(0)?,
            kind: row.text(1)?,
            url: row.text(2)?,
            api_key: row.text(3)?,
            api_secret: row.text_opt(4)?,
            hook_id: row.text_opt(5)?,
            hook_secret: row.text_opt(6)?,
            mapping: row.text(7)?,
            cursor: (row.int(8)?, row.text(9)?),
            failures: row.int(10)?,
            compared: row.text_opt(11)?,
            compared_day: row.int(12)?,
            next_ts: row.int(13)?,
            waiting: row.int(14)?,
            tasks: row.int(15)?,
        })
    };
    source.all(sql, Vec::new()).await?.iter().map(read).collect()
}

/// A contact that a CRM is yet to be told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// The CRM.
    pub system: String,
    /// The contact, after all merges.
    pub contact: String,
    /// The contact as it was written down.
    pub written: String,
    /// Moves when it changes again.
    pub turn: i64,
    /// How many systems the change came through.
    pub hop: i64,
    /// How often it was tried.
    pub attempt: i64,
}

/// Contacts that a CRM is to be told of now.
///
/// # Errors
/// See [`Source::all`].
pub async fn due<S: Source>(source: &mut S, system: &str, now: Ms, limit: i64) -> Result<Vec<OutboxRow>> {
    let sql = "SELECT o.system, coalesce(t.redirect_to, t.contact_id), o.contact_id, o.turn, o.hop, o.attempt \
               FROM crm_outbox o JOIN contact t ON t.contact_id = o.contact_id \
               WHERE o.system = $1 AND o.given_up IS NULL AND o.next_ts <= $2 ORDER BY o.next_ts LIMIT $3";
    let read = |row: &Row| {
        Ok(OutboxRow {
            system: row.text(0)?,
            contact: row.text(1)?,
            written: row.text(2)?,
            turn: row.int(3)?,
            hop: row.int(4)?,
            attempt: row.int(5)?,
        })
    };
    source.all(sql, vec![system.into(), now.into(), limit.into()]).await?.iter().map(read).collect()
}

/// A record of a CRM that is linked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkedRow {
    /// Its id there.
    pub external_id: String,
    /// The contact, after all merges.
    pub contact: String,
    /// The version that was seen last.
    pub seen: Option<String>,
    /// Digest of what we wrote last.
    pub written: Option<String>,
    /// What both sides agreed on last, JSON.
    pub base: Option<String>,
    /// Changes of the present minute, and when it began.
    pub rate: (i64, Ms),
    /// Until when nothing is done about it.
    pub paused_ts: Option<Ms>,
    /// Whether it was merged away there, or is there no more.
    pub is_gone: bool,
}

macro_rules! linked {
    ($rest:literal) => {
        concat!(
            "SELECT l.external_id, coalesce(t.redirect_to, t.contact_id), l.seen_version, l.written, l.base, l.changes, \
             l.changes_ts, l.paused_ts, CASE WHEN l.merged_into IS NULL THEN 0 ELSE 1 END FROM contact_link l JOIN contact t ON t.contact_id = l.contact_id ",
            $rest
        )
    };
}

fn read_linked(row: &Row) -> Result<LinkedRow> {
    Ok(LinkedRow {
        external_id: row.text(0)?,
        contact: row.text(1)?,
        seen: row.text_opt(2)?,
        written: row.text_opt(3)?,
        base: row.text_opt(4)?,
        rate: (row.int(5)?, row.int(6)?),
        paused_ts: row.int_opt(7)?,
        is_gone: row.bool(8)?,
    })
}

/// A linked record of a CRM: system, kind of record, its id there.
///
/// # Errors
/// See [`Source::all`].
pub async fn linked<S: Source>(source: &mut S, key: (&str, &str, &str)) -> Result<Option<LinkedRow>> {
    let sql = linked!("WHERE l.system = $1 AND l.external_type = $2 AND l.external_id = $3");
    let values = vec![key.0.into(), key.1.into(), key.2.into()];
    source.first(sql, values).await?.as_ref().map(read_linked).transpose()
}

/// The records of a CRM that a contact is, those that are merged away there left out, the one linked first first.
///
/// # Errors
/// See [`Source::all`].
pub async fn linked_to<S: Source>(source: &mut S, system: &str, contact: &str) -> Result<Vec<LinkedRow>> {
    let sql = linked!(
        "WHERE l.system = $1 AND l.merged_into IS NULL AND l.contact_id IN (SELECT contact_id FROM contact \
         WHERE contact_id = $2 OR redirect_to = $2) ORDER BY l.contact_id = $2 DESC, l.external_id"
    );
    source.all(sql, vec![system.into(), contact.into()]).await?.iter().map(read_linked).collect()
}

/// Whether a record of a contact was merged away in a CRM.
///
/// # Errors
/// See [`Source::all`].
pub async fn is_merged_away<S: Source>(source: &mut S, system: &str, contact: &str) -> Result<bool> {
    let sql = "SELECT 1 FROM contact_link WHERE system = $1 AND merged_into IS NOT NULL AND contact_id IN \
               (SELECT contact_id FROM contact WHERE contact_id = $2 OR redirect_to = $2) LIMIT 1";
    Ok(source.first(sql, vec![system.into(), contact.into()]).await?.is_some())
}

/// Linked records of a CRM after one, by their ids there.
///
/// # Errors
/// See [`Source::all`].
pub async fn linked_after<S: Source>(
    source: &mut S,
    system: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<LinkedRow>> {
    let sql = linked!(
        "WHERE l.system = $1 AND l.merged_into IS NULL AND l.external_id > $2 ORDER BY l.external_id LIMIT $3"
    );
    source.all(sql, vec![system.into(), after.into(), limit.into()]).await?.iter().map(read_linked).collect()
}

/// Something that a person has to decide or do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRow {
    /// Its number.
    pub task: Nid,
    /// The CRM.
    pub system: String,
    /// conflict, please_merge, merged_there, gone, unclear, paused, given_up.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// The contact, after all merges.
    pub contact: Option<String>,
    /// JSON.
    pub detail: String,
    /// Since when.
    pub ts: Ms,
}

/// What is yet to be decided or done about all connectors, the oldest first.
///
/// # Errors
/// See [`Source::all`].
pub async fn tasks<S: Source>(source: &mut S, after: Nid, limit: i64) -> Result<Vec<TaskRow>> {
    let sql = "SELECT k.task_nid, k.system, k.kind, k.subject, coalesce(t.redirect_to, k.contact_id), k.detail, k.ts \
               FROM crm_task k LEFT JOIN contact t ON t.contact_id = k.contact_id \
               WHERE k.done_ts IS NULL AND k.task_nid > $1 ORDER BY k.task_nid LIMIT $2";
    let read = |row: &Row| {
        Ok(TaskRow {
            task: row.int(0)?,
            system: row.text(1)?,
            kind: row.text(2)?,
            subject: row.text(3)?,
            contact: row.text_opt(4)?,
            detail: row.text(5)?,
            ts: row.int(6)?,
        })
    };
    source.all(sql, vec![after.into(), limit.into()]).await?.iter().map(read).collect()
}

/// What the last comparisons of a CRM found: day, JSON; the newest first.
///
/// # Errors
/// See [`Source::all`].
pub async fn reports<S: Source>(source: &mut S, system: &str, limit: i64) -> Result<Vec<(i64, String)>> {
    let sql = "SELECT day, figures FROM crm_report WHERE system = $1 ORDER BY day DESC LIMIT $2";
    let rows = source.all(sql, vec![system.into(), limit.into()]).await?;
    rows.iter().map(|row| Ok((row.int(0)?, row.text(1)?))).collect()
}

/// What is known of a linked record after it was read or written.
#[derive(Clone, Copy, Debug)]
pub struct Agreed<'a> {
    /// The CRM, the kind of record, its id there.
    pub key: (&'a str, &'a str, &'a str),
    /// The version that was seen.
    pub version: &'a str,
    /// Digest of what we wrote; what was known stays when it is absent.
    pub written: Option<&'a str>,
    /// What both sides agree on, JSON.
    pub base: &'a str,
    /// When.
    pub now: Ms,
}

impl Change {
    /// Makes a connector; one of the same name refuses the change with `Conflict`. `timeline`: it is told what employees
    /// did.
    pub fn add_connector(&mut self, row: &ConnectorRow, timeline: bool, now: Ms) {
        self.insert(
            Table::CrmConnector,
            vec![
                row.system.as_str().into(),
                row.kind.as_str().into(),
                row.url.as_str().into(),
                row.api_key.as_str().into(),
                row.api_secret.as_deref().into(),
                row.hook_id.as_deref().into(),
                row.hook_secret.as_deref().into(),
                row.mapping.as_str().into(),
                0_i64.into(),
                "".into(),
                now.into(),
                0_i64.into(),
                None::<&str>.into(),
                (now / 86_400_000).into(),
                now.into(),
                timeline.into(),
            ],
        );
    }

    /// Removes a connector, what it was yet to be told and what was to be done about it; its links stay, so that it
    /// can be made again. Refused with `Conflict` when it is not there.
    pub fn remove_connector(&mut self, system: &str) {
        self.guard("DELETE FROM crm_connector WHERE system = $1", vec![system.into()]);
        self.run("DELETE FROM crm_outbox WHERE system = $1", vec![system.into()]);
        self.run("DELETE FROM crm_item WHERE system = $1", vec![system.into()]);
        self.run("DELETE FROM crm_task WHERE system = $1", vec![system.into()]);
    }

    /// A contact changed: every connector is to be told.
    pub fn tell_crms(&mut self, contact: &str, now: Ms) {
        let sql = "INSERT INTO crm_outbox (system, contact_id, turn, hop, attempt, next_ts) \
                   SELECT system, $1, 1, 0, 0, $2 FROM crm_connector WHERE 1 = 1 ON CONFLICT (system, contact_id) DO UPDATE SET \
                   turn = crm_outbox.turn + 1, hop = 0, attempt = 0, next_ts = excluded.next_ts, given_up = NULL";
        self.run(sql, vec![contact.into(), now.into()]);
    }

    /// What the connectors were told in this change came from one of them: it came through so many systems.
    pub fn came_through(&mut self, contact: &str, hop: i64) {
        let sql = "UPDATE crm_outbox SET hop = $2 WHERE contact_id = $1 AND hop < $2";
        self.run(sql, vec![contact.into(), hop.into()]);
    }

    /// A CRM is to be told of a contact, though it did not change.
    pub fn tell_crm(&mut self, system: &str, contact: &str, now: Ms) {
        let sql = "INSERT INTO crm_outbox (system, contact_id, turn, hop, attempt, next_ts) VALUES ($1, $2, 1, 0, 0, $3) \
                   ON CONFLICT DO NOTHING";
        self.run(sql, vec![system.into(), contact.into(), now.into()]);
    }

    /// A CRM was told of a contact, unless it changed meanwhile.
    pub fn crm_told(&mut self, row: &OutboxRow) {
        let sql = "DELETE FROM crm_outbox WHERE system = $1 AND contact_id = $2 AND turn = $3";
        self.run(sql, vec![row.system.as_str().into(), row.written.as_str().into(), row.turn.into()]);
    }

    /// A CRM is told again, not before a moment.
    pub fn crm_later(&mut self, row: &OutboxRow, next_ts: Ms) {
        let sql =
            "UPDATE crm_outbox SET attempt = attempt + 1, next_ts = $3 WHERE system = $1 AND contact_id = $2";
        self.run(sql, vec![row.system.as_str().into(), row.written.as_str().into(), next_ts.into()]);
    }

    /// A CRM is told no more of a contact until it changes.
    pub fn crm_given_up(&mut self, row: &OutboxRow, why: &str) {
        let sql = "UPDATE crm_outbox SET given_up = $4 WHERE system = $1 AND contact_id = $2 AND turn = $3";
        let values =
            vec![row.system.as_str().into(), row.written.as_str().into(), row.turn.into(), why.into()];
        self.run(sql, values);
    }

    /// A CRM was read up to a change, or could not be read. It is read next at the second moment, unless the CRM said
    /// meanwhile that something changed: then the first one is no longer what stands there.
    pub fn crm_read(&mut self, system: &str, cursor: (Ms, &str), failures: i64, next: (Ms, Ms)) {
        let sql = "UPDATE crm_connector SET cursor_ts = $2, cursor_id = $3, failures = $4, \
                   next_ts = CASE WHEN next_ts = $5 THEN $6 ELSE next_ts END WHERE system = $1";
        let values = vec![
            system.into(),
            cursor.0.into(),
            cursor.1.into(),
            failures.into(),
            next.0.into(),
            next.1.into(),
        ];
        self.run(sql, values);
    }

    /// A CRM says that something changed there: it is read at once, and again if it is being read.
    pub fn crm_nudged(&mut self, system: &str) {
        let sql = "UPDATE crm_connector SET next_ts = CASE WHEN next_ts <= 0 THEN next_ts - 1 ELSE 0 END WHERE system = $1";
        self.run(sql, vec![system.into()]);
    }

    /// The nightly comparison of a CRM came to a record, or to the end of a day.
    pub fn crm_compared(&mut self, was: &ConnectorRow, at: Option<&str>, day: i64) {
        // Unless somebody asked for it anew meanwhile.
        let sql = "UPDATE crm_connector SET compared = $2, compared_day = $3 WHERE system = $1 AND compared_day = $4 \
                   AND coalesce(compared, '') = $5";
        let before = was.compared.as_deref().unwrap_or_default();
        self.run(
            sql,
            vec![was.system.as_str().into(), at.into(), day.into(), was.compared_day.into(), before.into()],
        );
    }

    /// Adds to what the comparison of a day found.
    pub fn add_crm_report(&mut self, system: &str, day: i64, figures: &str, now: Ms) {
        self.insert(Table::CrmReport, vec![system.into(), day.into(), figures.into(), now.into()]);
    }

    /// A linked record was read or written.
    pub fn agree(&mut self, agreed: Agreed<'_>) {
        let sql = "UPDATE contact_link SET seen_version = $4, written = coalesce($5, written), base = $6, updated_ts = $7 \
                   WHERE system = $1 AND external_type = $2 AND external_id = $3";
        let (system, kind, id) = agreed.key;
        self.run(
            sql,
            vec![
                system.into(),
                kind.into(),
                id.into(),
                agreed.version.into(),
                agreed.written.into(),
                agreed.base.into(),
                agreed.now.into(),
            ],
        );
    }

    /// Counts a change of a linked record; `paused_ts`: nothing is done about it until then.
    pub fn count_change(&mut self, key: (&str, &str, &str), rate: (i64, Ms), paused_ts: Option<Ms>) {
        let sql = "UPDATE contact_link SET changes = $4, changes_ts = $5, paused_ts = $6 \
                   WHERE system = $1 AND external_type = $2 AND external_id = $3";
        let values =
            vec![key.0.into(), key.1.into(), key.2.into(), rate.0.into(), rate.1.into(), paused_ts.into()];
        self.run(sql, values);
    }

    /// A record that was thought to be gone is there.
    pub fn is_there_again(&mut self, key: (&str, &str, &str)) {
        let sql = "UPDATE contact_link SET merged_into = NULL WHERE system = $1 AND external_type = $2 AND external_id = $3";
        self.run(sql, vec![key.0.into(), key.1.into(), key.2.into()]);
    }

    /// A linked record is as if it had not been seen.
    pub fn forget_seen(&mut self, system: &str, external_id: &str) {
        let sql = "UPDATE contact_link SET seen_version = NULL WHERE system = $1 AND external_id = $2";
        self.run(sql, vec![system.into(), external_id.into()]);
    }

    /// A record is left alone no longer, though it changed again and again; it is as if it had not been seen.
    pub fn leave_alone_no_more(&mut self, system: &str, external_id: &str) {
        let sql = "UPDATE contact_link SET changes = 0, paused_ts = NULL, seen_version = NULL WHERE system = $1 AND external_id = $2";
        self.run(sql, vec![system.into(), external_id.into()]);
    }

    /// All linked records of a CRM are compared now. Refused with `Conflict` when it is not there.
    pub fn crm_to_compare(&mut self, system: &str) {
        let sql = "UPDATE crm_connector SET compared = NULL, compared_day = 0 WHERE system = $1";
        self.guard(sql, vec![system.into()]);
    }

    /// A record was merged into another one there, or is there no more: then into none.
    pub fn merged_there(&mut self, key: (&str, &str, &str), into: &str, version: &str) {
        let sql = "UPDATE contact_link SET merged_into = $4, seen_version = $5 WHERE system = $1 AND external_type = $2 AND external_id = $3";
        self.run(sql, vec![key.0.into(), key.1.into(), key.2.into(), into.into(), version.into()]);
    }

    /// Notes what a person has to decide or do, once.
    pub fn add_crm_task(
        &mut self,
        nid: Nid,
        what: (&str, &'static str, &str),
        contact: Option<&str>,
        detail: &str,
        now: Ms,
    ) {
        let sql = "INSERT INTO crm_task (task_nid, system, kind, subject, contact_id, detail, ts) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
        let (system, kind, subject) = what;
        self.run(
            sql,
            vec![
                nid.into(),
                system.into(),
                kind.into(),
                subject.into(),
                contact.into(),
                detail.into(),
                now.into(),
            ],
        );
    }

    /// A person decided or did it; refused with `Conflict` when it was done already.
    pub fn crm_task_done(&mut self, task: Nid, by: Option<Nid>, now: Ms) {
        let sql =
            "UPDATE crm_task SET done_ts = $2, done_by_nid = $3 WHERE task_nid = $1 AND done_ts IS NULL";
        self.guard(sql, vec![task.into(), now.into(), by.into()]);
    }
}
