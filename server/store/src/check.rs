//! Looking for damage and contradictions in the archive: what the database says of its files, and
//! what must hold between rows because the code that writes them makes it so. Nothing is changed.

use crate::{Source, Store};
use kontor_model::Result;

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is, for a person.
    pub what: String,
    /// How many rows show it.
    pub rows: i64,
    /// One of them.
    pub example: String,
}

/// What a check looked at and what it found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Rows of the tables that grow.
    pub counts: Vec<(&'static str, i64)>,
    /// How many rules were checked.
    pub rules: usize,
    /// What breaks them.
    pub findings: Vec<Finding>,
}

/// Tables whose size a person wants to know.
const COUNTED: &[(&str, &str)] = &[
    ("accounts", "SELECT count(*) FROM account"),
    ("rooms", "SELECT count(*) FROM room"),
    ("events", "SELECT count(*) FROM event"),
    ("files", "SELECT count(*) FROM media"),
];

/// The statement that counts the rows that show something, and names one of them by a text.
macro_rules! broken {
    ($shown:literal, $rows:literal) => {
        concat!("SELECT count(*), CAST(min(", $shown, ") AS TEXT) FROM ", $rows)
    };
}

/// What must not be, and the rows that show it.
const RULES: &[(&str, &str)] = &[
    (
        "events of a room that does not exist",
        broken!(
            "event_id",
            "event WHERE NOT EXISTS (SELECT 1 FROM room WHERE room.room_nid = event.room_nid)"
        ),
    ),
    (
        "events whose sender has no name",
        broken!("event_id", "event WHERE NOT EXISTS (SELECT 1 FROM name WHERE name.nid = event.sender_nid)"),
    ),
    (
        "events with a position that was never given out",
        broken!("event_id", "event WHERE pos > (SELECT max(position) FROM stream_log)"),
    ),
    (
        "contents of events that do not exist",
        broken!(
            "event_nid",
            "event_body \
         WHERE NOT EXISTS (SELECT 1 FROM event WHERE event.event_nid = event_body.event_nid)"
        ),
    ),
    (
        "rooms whose newest event does not exist",
        broken!(
            "room_id",
            "room WHERE NOT EXISTS (SELECT 1 FROM event WHERE event.event_nid = room.revision)"
        ),
    ),
    (
        "rooms that have an event behind their last place",
        broken!(
            "room_id",
            "room JOIN room_place ON room_place.room_nid = room.room_nid WHERE last_ord < \
         (SELECT max(ord) FROM event WHERE event.room_nid = room.room_nid)"
        ),
    ),
    (
        "state of rooms by events that do not exist",
        broken!(
            "type",
            "room_state \
         WHERE NOT EXISTS (SELECT 1 FROM event WHERE event.event_nid = room_state.event_nid)"
        ),
    ),
    (
        "state of rooms that does not exist",
        broken!(
            "type",
            "room_state WHERE NOT EXISTS (SELECT 1 FROM room WHERE room.room_nid = room_state.room_nid)"
        ),
    ),
    (
        "changes of state by events that do not exist",
        broken!(
            "type",
            "state_change WHERE event_nid IS NOT NULL \
         AND NOT EXISTS (SELECT 1 FROM event WHERE event.event_nid = state_change.event_nid)"
        ),
    ),
    (
        "memberships by events that do not exist",
        broken!(
            "event_nid",
            "membership \
         WHERE NOT EXISTS (SELECT 1 FROM event WHERE event.event_nid = membership.event_nid)"
        ),
    ),
    (
        "people whom a room's state has as members and the list of memberships has not",
        broken!(
            "event_nid",
            "room_state WHERE type = 'm.room.member' AND NOT EXISTS \
         (SELECT 1 FROM membership WHERE membership.room_nid = room_state.room_nid \
         AND membership.user_nid = room_state.key_nid)"
        ),
    ),
    (
        "aliases of rooms that do not exist",
        broken!("alias", "alias WHERE NOT EXISTS (SELECT 1 FROM room WHERE room.room_nid = alias.room_nid)"),
    ),
    (
        "receipts in rooms that do not exist",
        broken!(
            "event_id",
            "receipt WHERE NOT EXISTS (SELECT 1 FROM room WHERE room.room_nid = receipt.room_nid)"
        ),
    ),
    (
        "transactions of events that do not exist",
        broken!(
            "event_id",
            "sent_txn \
         WHERE NOT EXISTS (SELECT 1 FROM event WHERE event.event_nid = sent_txn.event_nid)"
        ),
    ),
    (
        "accounts without a name",
        broken!(
            "user_nid",
            "account \
         WHERE NOT EXISTS (SELECT 1 FROM name WHERE name.nid = account.user_nid)"
        ),
    ),
    (
        "devices of accounts that do not exist",
        broken!(
            "device_id",
            "device \
         WHERE NOT EXISTS (SELECT 1 FROM account WHERE account.user_nid = device.user_nid)"
        ),
    ),
    (
        "living sessions without a device",
        broken!(
            "session_nid",
            "session WHERE ended_ts IS NULL AND NOT EXISTS \
         (SELECT 1 FROM device WHERE device.user_nid = session.user_nid AND device.device_id = session.device_id)"
        ),
    ),
    (
        "access tokens without a session",
        broken!(
            "session_nid",
            "access_token \
         WHERE NOT EXISTS (SELECT 1 FROM session WHERE session.session_nid = access_token.session_nid)"
        ),
    ),
    (
        "refresh tokens without a session",
        broken!(
            "session_nid",
            "refresh_token \
         WHERE NOT EXISTS (SELECT 1 FROM session WHERE session.session_nid = refresh_token.session_nid)"
        ),
    ),
    (
        "uploaded files without a content",
        broken!("media_id", "media WHERE state = 'ready' AND sha256 IS NULL"),
    ),
    (
        "gaps in the order of changes",
        broken!(
            "position",
            "stream_log WHERE position > (SELECT min(position) FROM stream_log) \
         AND NOT EXISTS (SELECT 1 FROM stream_log before WHERE before.position = stream_log.position - 1)"
        ),
    ),
    (
        "numeric ids in use that would be given out again",
        broken!("event_id", "event WHERE event_nid >= (SELECT next FROM nid_block)"),
    ),
];

impl Store {
    /// Checks the whole archive; takes as long as reading it does.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone, `Internal` when it is too damaged to be read.
    pub async fn check(&self) -> Result<Report> {
        let mut report = Report::default();
        for (what, sql) in COUNTED {
            let row = self.reader().first(sql, Vec::new()).await?;
            report.counts.push((what, row.map_or(Ok(0), |row| row.int(0))?));
        }
        if let Some(sql) = self.integrity_check() {
            report.rules += 1;
            for row in self.reader().all(sql, Vec::new()).await? {
                let said = row.text(0)?;
                if said != "ok" {
                    let what = String::from("damage in the database file");
                    report.findings.push(Finding { what, rows: 1, example: said });
                }
            }
        }
        for (what, sql) in RULES {
            report.rules += 1;
            let Some(row) = self.reader().first(sql, Vec::new()).await? else { continue };
            let rows = row.int(0)?;
            if rows > 0 {
                let example = row.text_opt(1)?.unwrap_or_default();
                report.findings.push(Finding { what: (*what).to_owned(), rows, example });
            }
        }
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::stores;

    #[tokio::test]
    async fn a_fresh_archive_is_whole_and_an_orphan_is_found() {
        for store in stores().await {
            let report = store.check().await.unwrap();
            assert!(report.findings.is_empty() && report.rules > 20, "{report:?}");
            let sql = "INSERT INTO alias (alias, room_nid, creator_nid, ts) VALUES ('#lost:x', 999, 1, 1)";
            store.execute(sql, Vec::new()).await.unwrap();
            let report = store.check().await.unwrap();
            assert_eq!(report.findings.len(), 1, "{report:?}");
            assert_eq!((report.findings[0].rows, report.findings[0].example.as_str()), (1, "#lost:x"));
            store.close().await;
        }
    }
}
