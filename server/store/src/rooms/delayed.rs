//! Events that are to be sent later, and what became of them.

use crate::Change;
use crate::db::Source;
use crate::table::Table;
use crate::value::{Row, Value};
use kontor_model::{Ms, Nid, Result};

/// How long it is remembered what became of an event, milliseconds: 7 days.
const SETTLED_KEPT: Ms = 7 * 86_400_000;

/// An event that somebody asks to be sent later.
#[derive(Clone, Debug)]
pub struct NewDelayed<'a> {
    /// Numeric id, from [`crate::Store::nid`].
    pub delayed: Nid,
    /// Its name for those who manage it.
    pub delay_id: &'a str,
    /// Who asks.
    pub user: Nid,
    /// The device.
    pub device_id: &'a str,
    /// SHA-256 of the request path; a second row of the same request refuses the change.
    pub digest: Option<&'a [u8]>,
    /// The room.
    pub room_id: &'a str,
    /// Event type.
    pub kind: &'a str,
    /// State key of state events.
    pub state_key: Option<&'a str>,
    /// Content, JSON.
    pub content: &'a str,
    /// How long to wait, milliseconds.
    pub delay_ms: Ms,
    /// The present time.
    pub now: Ms,
}

/// An event to be sent later, or that was.
#[derive(Clone, Debug)]
pub struct DelayedRow {
    /// Numeric id.
    pub delayed: Nid,
    /// Its name for those who manage it.
    pub delay_id: String,
    /// Who asked.
    pub user: Nid,
    /// The device.
    pub device_id: String,
    /// The room.
    pub room_id: String,
    /// Event type.
    pub kind: String,
    /// State key of state events.
    pub state_key: Option<String>,
    /// Content, JSON.
    pub content: String,
    /// How long it waits, milliseconds.
    pub delay_ms: Ms,
    /// When it was asked for.
    pub created_ts: Ms,
    /// When it last began to wait.
    pub since_ts: Ms,
    /// When it is to be sent; `None` once that was settled.
    pub due_ts: Option<Ms>,
    /// When it was sent, cancelled or failed.
    pub settled_ts: Option<Ms>,
    /// The event that it became.
    pub event_id: Option<String>,
    /// Why it could not be sent, JSON.
    pub error: Option<String>,
}

macro_rules! delayed {
    () => {
        "SELECT delayed_nid, delay_id, user_nid, device_id, room_id, type, state_key, content, delay_ms, \
         created_ts, since_ts, due_ts, settled_ts, event_id, error FROM delayed "
    };
}

fn read(row: &Row) -> Result<DelayedRow> {
    Ok(DelayedRow {
        delayed: row.int(0)?,
        delay_id: row.text(1)?,
        user: row.int(2)?,
        device_id: row.text(3)?,
        room_id: row.text(4)?,
        kind: row.text(5)?,
        state_key: row.text_opt(6)?,
        content: row.text(7)?,
        delay_ms: row.int(8)?,
        created_ts: row.int(9)?,
        since_ts: row.int(10)?,
        due_ts: row.int_opt(11)?,
        settled_ts: row.int_opt(12)?,
        event_id: row.text_opt(13)?,
        error: row.text_opt(14)?,
    })
}

async fn read_all<S: Source>(
    source: &mut S,
    sql: &'static str,
    values: Vec<Value>,
) -> Result<Vec<DelayedRow>> {
    source.all(sql, values).await?.iter().map(read).collect()
}

/// The event of this name, if it is remembered.
///
/// # Errors
/// See [`Source::all`].
pub async fn by_id<S: Source>(source: &mut S, delay_id: &str) -> Result<Option<DelayedRow>> {
    let sql = concat!(delayed!(), "WHERE delay_id = $1");
    Ok(read_all(source, sql, vec![delay_id.into()]).await?.pop())
}

/// The event that the same request asked for before.
///
/// # Errors
/// See [`Source::all`].
pub async fn of_request<S: Source>(
    source: &mut S,
    user: Nid,
    device_id: &str,
    digest: &[u8],
) -> Result<Option<DelayedRow>> {
    let sql = concat!(delayed!(), "WHERE user_nid = $1 AND device_id = $2 AND digest = $3");
    Ok(read_all(source, sql, vec![user.into(), device_id.into(), digest.into()]).await?.pop())
}

/// A user's events: those that wait, the next one first, or those that were settled, the last one
/// first.
///
/// # Errors
/// See [`Source::all`].
pub async fn of_user<S: Source>(
    source: &mut S,
    user: Nid,
    settled: bool,
    limit: i64,
) -> Result<Vec<DelayedRow>> {
    let sql = if settled {
        concat!(
            delayed!(),
            "WHERE user_nid = $1 AND due_ts IS NULL ORDER BY settled_ts DESC, delayed_nid LIMIT $2"
        )
    } else {
        concat!(
            delayed!(),
            "WHERE user_nid = $1 AND due_ts IS NOT NULL ORDER BY due_ts, delayed_nid LIMIT $2"
        )
    };
    read_all(source, sql, vec![user.into(), limit.into()]).await
}

/// How many of a user's events wait, and when the next one is due.
///
/// # Errors
/// See [`Source::all`].
pub async fn waiting<S: Source>(source: &mut S, user: Nid) -> Result<(i64, Option<Ms>)> {
    let sql = "SELECT CAST(count(*) AS BIGINT), min(due_ts) FROM delayed WHERE user_nid = $1 AND due_ts IS NOT NULL";
    let row = source.first(sql, vec![user.into()]).await?;
    row.map_or(Ok((0, None)), |row| Ok((row.int(0)?, row.int_opt(1)?)))
}

/// Events of all users that are due, the one that waits longest first.
///
/// # Errors
/// See [`Source::all`].
pub async fn due<S: Source>(source: &mut S, now: Ms, limit: i64) -> Result<Vec<DelayedRow>> {
    let sql = concat!(delayed!(), "WHERE due_ts <= $1 ORDER BY due_ts, delayed_nid LIMIT $2");
    read_all(source, sql, vec![now.into(), limit.into()]).await
}

/// When the next event of anybody is due.
///
/// # Errors
/// See [`Source::all`].
pub async fn next_due<S: Source>(source: &mut S) -> Result<Option<Ms>> {
    let sql = "SELECT min(due_ts) FROM delayed WHERE due_ts IS NOT NULL";
    source.first(sql, Vec::new()).await?.map_or(Ok(None), |row| row.int_opt(0))
}

impl Change {
    /// Keeps an event to be sent later.
    pub fn delay_event(&mut self, new: NewDelayed<'_>) {
        let none = || Value::Int(None);
        self.insert(
            Table::Delayed,
            vec![
                new.delayed.into(),
                new.delay_id.into(),
                new.user.into(),
                new.device_id.into(),
                Value::from(new.digest.map(<[u8]>::to_vec)),
                new.room_id.into(),
                new.kind.into(),
                new.state_key.into(),
                new.content.into(),
                new.delay_ms.into(),
                new.now.into(),
                new.now.into(),
                (new.now + new.delay_ms).into(),
                none(),
                Value::Text(None),
                Value::Text(None),
            ],
        );
    }

    /// Lets an event wait for its whole time again; refused when it was settled.
    pub fn restart_delayed(&mut self, delayed: Nid, now: Ms) {
        self.guard(
            "UPDATE delayed SET since_ts = $2, due_ts = $2 + delay_ms WHERE delayed_nid = $1 AND due_ts IS NOT NULL",
            vec![delayed.into(), now.into()],
        );
    }

    /// Notes what became of an event: that it was sent as `event_id`, or why it failed, or, with
    /// neither, that it was cancelled. Refused when it was settled before.
    pub fn settle_delayed(&mut self, delayed: Nid, event_id: Option<&str>, error: Option<&str>, now: Ms) {
        self.guard(
            "UPDATE delayed SET due_ts = NULL, settled_ts = $2, event_id = $3, error = $4 \
             WHERE delayed_nid = $1 AND due_ts IS NOT NULL",
            vec![delayed.into(), now.into(), event_id.into(), error.into()],
        );
    }

    /// Notes what became of an event after it was settled.
    pub fn amend_delayed(&mut self, delayed: Nid, event_id: Option<&str>, error: Option<&str>) {
        self.run(
            "UPDATE delayed SET event_id = $2, error = $3 WHERE delayed_nid = $1 AND due_ts IS NULL",
            vec![delayed.into(), event_id.into(), error.into()],
        );
    }

    /// Forgets what became of old events; one bounded step.
    pub fn forget_delayed(&mut self, now: Ms) {
        self.run(
            "DELETE FROM delayed WHERE delayed_nid IN (SELECT delayed_nid FROM delayed \
             WHERE settled_ts IS NOT NULL AND settled_ts < $1 ORDER BY settled_ts LIMIT 1000)",
            vec![(now - SETTLED_KEPT).into()],
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::stores;

    fn new<'a>(delayed: Nid, delay_id: &'a str, digest: Option<&'a [u8]>, delay_ms: Ms) -> NewDelayed<'a> {
        NewDelayed {
            delayed,
            delay_id,
            user: 1,
            device_id: "D",
            digest,
            room_id: "!r:x",
            kind: "m.room.message",
            state_key: None,
            content: "{}",
            delay_ms,
            now: 1_000,
        }
    }

    #[tokio::test]
    async fn an_event_is_kept_once_per_request_and_settled_once() {
        for store in stores().await {
            let keep = |new: NewDelayed<'_>| {
                let mut change = Change::default();
                change.delay_event(new);
                store.submit(change)
            };
            keep(new(1, "a", Some(&[1]), 500)).await.unwrap();
            assert!(keep(new(2, "b", Some(&[1]), 500)).await.unwrap_err().is_conflict());
            // Requests without a transaction id are never the same.
            keep(new(3, "c", None, 200)).await.unwrap();
            keep(new(4, "d", None, 100)).await.unwrap();
            let mut reader = store.reader();
            assert_eq!(of_request(&mut reader, 1, "D", &[1]).await.unwrap().unwrap().delay_id, "a");
            assert_eq!(waiting(&mut reader, 1).await.unwrap(), (3, Some(1_100)));
            assert_eq!(next_due(&mut reader).await.unwrap(), Some(1_100));
            let names = |rows: Vec<DelayedRow>| rows.into_iter().map(|row| row.delay_id).collect::<Vec<_>>();
            assert_eq!(names(due(&mut reader, 1_200, 10).await.unwrap()), ["d", "c"]);
            let mut change = Change::default();
            change.restart_delayed(4, 2_000);
            store.submit(change).await.unwrap();
            assert_eq!(names(due(&mut reader, 1_500, 10).await.unwrap()), ["c", "a"]);
            for (settles, succeeds) in [(true, true), (true, false), (false, false)] {
                let mut change = Change::default();
                match settles {
                    true => change.settle_delayed(3, Some("$e"), None, 3_000),
                    false => change.restart_delayed(3, 3_000),
                }
                assert_eq!(store.submit(change).await.is_ok(), succeeds);
            }
            assert_eq!(names(of_user(&mut reader, 1, true, 10).await.unwrap()), ["c"]);
            assert_eq!(names(of_user(&mut reader, 1, false, 10).await.unwrap()), ["a", "d"]);
            let mut change = Change::default();
            change.forget_delayed(3_000 + SETTLED_KEPT + 1);
            store.submit(change).await.unwrap();
            assert!(by_id(&mut reader, "c").await.unwrap().is_none());
            assert!(by_id(&mut reader, "a").await.unwrap().is_some());
            store.close().await;
        }
    }
}
