//! The events by which a user was notified, newest first, found as unread counts are: from the bits
//! that every event carries, by the mode that the user's push rules give a room, and from the rows
//! of single users. And the sweep of those rows.

use super::receipts::{thread_joins, thread_of};
use crate::Change;
use crate::db::Source;
use crate::value::{Row, Value, id_set};
use kontor_model::{Ms, Nid, Result};

/// How long rows of single users are kept although the events were read, milliseconds: 30 days.
const READ_KEPT: Ms = 30 * 86_400_000;
/// Rows that one step of the sweep looks at.
const STEP: i64 = 1_000;

/// An event by which a user was notified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notified {
    /// The event.
    pub event: Nid,
    /// The room.
    pub room: Nid,
    /// Place of the event.
    pub ord: i64,
    /// Whether it highlighted.
    pub highlight: bool,
    /// Whether a receipt of the user stands there or behind.
    pub read: bool,
}

fn read(row: &Row) -> Result<Notified> {
    Ok(Notified {
        event: row.int(0)?,
        room: row.int(1)?,
        ord: row.int(2)?,
        highlight: row.bool(3)?,
        read: row.bool(4)?,
    })
}

/// Events of a room that notify by their bits: a condition on `x`, given the room `m`.
macro_rules! by_bits {
    ($which:literal) => {
        concat!(
            "x.room_nid = m.room AND x.ord > m.entry AND x.ord < $3 AND x.ord <= m.until AND ",
            $which,
            " AND x.sender_nid <> $1 AND x.sender_nid NOT IN ID_SET($2)"
        )
    };
}

/// Finds notified events: the rooms whose newest one is newest, as many as events are wanted, since
/// those wanted are in no others; then the newest of each; then the newest of all.
macro_rules! notified {
    ($usual:literal, $related:literal, $mentions:literal, $single:literal) => {
        concat!(
            "WITH joined AS MATERIALIZED (SELECT m.room_nid AS room, m.ord AS entry, \
             coalesce(o.mode, d.mode, 0) AS mode, coalesce(o.since, d.since) AS since, \
             coalesce(o.before, d.before) AS before FROM membership m CROSS JOIN room k \
             LEFT JOIN push_mode o ON o.user_nid = $1 AND o.room_id = k.room_id \
             LEFT JOIN push_mode d ON d.user_nid = $1 AND d.room_id = '' \
             WHERE m.user_nid = $1 AND m.membership = 'join' AND k.room_nid = m.room_nid), \
             moded AS MATERIALIZED (SELECT room, entry, CASE WHEN mode = 3 THEN before ELSE mode END AS mode, \
             CASE WHEN mode = 3 THEN since ELSE 9223372036854775807 END AS until FROM joined), \
             newest AS MATERIALIZED (SELECT m.room, m.entry, m.mode, m.until, CASE WHEN m.mode = 0 THEN \
             coalesce((SELECT x.ord FROM event x WHERE ", by_bits!($usual), " ORDER BY x.ord DESC LIMIT 1), 0) \
             ELSE 0 END AS usual, CASE WHEN m.mode = 0 THEN \
             coalesce((SELECT x.ord FROM event x WHERE ", by_bits!($related), " ORDER BY x.ord DESC LIMIT 1), 0) \
             ELSE 0 END AS related, CASE WHEN m.mode = 1 THEN \
             coalesce((SELECT x.ord FROM event x WHERE ", by_bits!($mentions), " ORDER BY x.ord DESC LIMIT 1), 0) \
             ELSE 0 END AS mentions FROM moded m), \
             chosen AS MATERIALIZED (SELECT room, entry, mode, until, CASE WHEN usual >= related AND usual >= mentions \
             THEN usual WHEN related >= mentions THEN related ELSE mentions END AS newest FROM newest \
             ORDER BY 5 DESC LIMIT $4), \
             found AS MATERIALIZED (SELECT e.event_nid AS nid, 0 AS highlight FROM chosen m CROSS JOIN event e \
             WHERE m.mode = 0 AND m.newest > 0 AND e.event_nid AMONG_FIRST (SELECT x.event_nid FROM event x WHERE ",
            by_bits!($usual), " ORDER BY x.ord DESC LIMIT $4) END_FIRST \
             UNION ALL SELECT e.event_nid, 0 FROM chosen m CROSS JOIN event e \
             WHERE m.mode = 0 AND m.newest > 0 AND e.event_nid AMONG_FIRST (SELECT x.event_nid FROM event x WHERE ",
            by_bits!($related), " ORDER BY x.ord DESC LIMIT $4) END_FIRST \
             UNION ALL SELECT e.event_nid, 1 FROM chosen m CROSS JOIN event e \
             WHERE m.mode = 1 AND m.newest > 0 AND e.event_nid AMONG_FIRST (SELECT x.event_nid FROM event x WHERE ",
            by_bits!($mentions), " ORDER BY x.ord DESC LIMIT $4) END_FIRST \
             UNION ALL SELECT n.nid, n.highlight FROM (SELECT x.event_nid AS nid, x.highlight FROM notification x \
             WHERE x.user_nid = $1 AND x.ord < $3 AND ", $single, " ORDER BY x.ord DESC LIMIT $4) n), \
             told AS MATERIALIZED (SELECT nid, max(highlight) AS highlight FROM found GROUP BY nid) \
             SELECT e.event_nid AS c1, e.room_nid AS c2, e.ord AS c3, \
             CASE WHEN t.highlight = 1 OR e.notifies > 1 THEN 1 ELSE 0 END AS c4, \
             CASE WHEN EXISTS (SELECT 1 FROM receipt r WHERE r.room_nid = e.room_nid AND r.user_nid = $1 \
             AND r.kind IN ('m.read', 'm.read.private') AND r.ord >= e.ord AND r.thread IN ('', coalesce(",
            thread_of!(),
            ", 'main'))) THEN 1 ELSE 0 END AS c5 FROM told t CROSS JOIN event e",
            thread_joins!(),
            "WHERE e.event_nid = t.nid AND e.redacted_by_nid IS NULL AND e.ord IS NOT NULL \
             AND e.sender_nid NOT IN ID_SET($2) ORDER BY e.ord DESC LIMIT $4"
        )
    };
}

/// The newest events before a place by which a user was notified, newest first; only those that
/// highlighted, if asked. One statement.
///
/// # Errors
/// See [`Source::all`].
pub async fn newest<S: Source>(
    source: &mut S,
    user: Nid,
    ignored: &[Nid],
    before: i64,
    only_highlights: bool,
    limit: i64,
) -> Result<Vec<Notified>> {
    let sql = if only_highlights {
        notified!(
            "x.notifies > 1 AND x.rel_type IS NULL",
            "x.notifies > 1 AND x.rel_type IS NOT NULL",
            "x.notifies > 1",
            "x.highlight = 1"
        )
    } else {
        notified!(
            "x.notifies > 0 AND x.notifies <> 2 AND x.rel_type IS NULL",
            "x.notifies > 0 AND x.notifies <> 2 AND x.rel_type IS NOT NULL",
            "x.notifies > 1",
            "x.notify = 1"
        )
    };
    let values = vec![user.into(), id_set(ignored.iter().copied()), before.into(), limit.into()];
    let mut found: Vec<Notified> =
        source.packed(sql, 5, values).await?.iter().map(read).collect::<Result<_>>()?;
    found.sort_unstable_by_key(|found| std::cmp::Reverse(found.ord));
    Ok(found)
}

/// A row of single users, by which a sweep goes on.
pub type Place = (Nid, Nid, i64);

/// Where the step of the sweep that begins behind a row ends; `None` when there are no more rows.
///
/// # Errors
/// See [`Source::all`].
pub async fn step_end<S: Source>(source: &mut S, after: Place) -> Result<Option<Place>> {
    let sql = "SELECT user_nid, room_nid, ord FROM (SELECT user_nid, room_nid, ord FROM notification \
               WHERE (user_nid, room_nid, ord) > ($1, $2, $3) ORDER BY user_nid, room_nid, ord LIMIT $4) step \
               ORDER BY user_nid DESC, room_nid DESC, ord DESC LIMIT 1";
    let row = source.first(sql, vec![after.0.into(), after.1.into(), after.2.into(), STEP.into()]).await?;
    row.map(|row| Ok((row.int(0)?, row.int(1)?, row.int(2)?))).transpose()
}

impl Change {
    /// Forgets rows of single users between two places of the sweep whose events were read and came
    /// long ago: nothing counts them any more.
    pub fn forget_notifications(&mut self, after: Place, until: Place, now: Ms) {
        let place = |place: Place| [place.0.into(), place.1.into(), place.2.into()];
        let values: Vec<Value> =
            place(after).into_iter().chain(place(until)).chain([(now - READ_KEPT).into()]).collect();
        self.run(
            concat!(
                "DELETE FROM notification WHERE (user_nid, room_nid, ord) IN (\
                 SELECT n.user_nid, n.room_nid, n.ord FROM notification n JOIN event e ON e.event_nid = n.event_nid",
                thread_joins!(),
                "WHERE (n.user_nid, n.room_nid, n.ord) > ($1, $2, $3) AND (n.user_nid, n.room_nid, n.ord) <= ($4, $5, $6) \
                 AND e.received_ts < $7 AND EXISTS (SELECT 1 FROM receipt r WHERE r.room_nid = n.room_nid \
                 AND r.user_nid = n.user_nid AND r.kind IN ('m.read', 'm.read.private') AND r.ord >= n.ord \
                 AND r.thread IN ('', coalesce(",
                thread_of!(),
                ", 'main'))))"
            ),
            values,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Stream;
    use crate::rooms::events::NewEvent;
    use crate::rooms::receipts::NewReceipt;
    use crate::rooms::unread::NewNotification;
    use crate::testing::{TestStore, stores};

    const DAY: Ms = 86_400_000;

    /// An event that came on a day, with a row for each of two users.
    async fn tell(store: &TestStore, nid: Nid, day: Ms, thread: Option<&str>) -> i64 {
        let mut change = Change::default();
        let pos = change.position(Stream::Event, Some(7), None);
        let event_id = format!("$e{nid}");
        change.add_event(NewEvent {
            event: nid,
            event_id: &event_id,
            room: 7,
            pos: Some(pos.clone()),
            ord: Some(pos.clone()),
            depth: 1,
            kind: "m.room.message",
            sender: 9,
            state_key: None,
            replaces: None,
            snapshot: None,
            origin_ts: 0,
            received_ts: day * DAY,
            retention_ts: 0,
            rejected: false,
            soft_failed: false,
            relation: thread.map(|root| (root, "m.thread")),
            notifies: 1,
            skeleton: "{}".to_owned(),
            content: "{}",
            extra: None,
        });
        for user in [1, 2] {
            let ord = pos.clone();
            change.add_notification(NewNotification {
                user,
                room: 7,
                ord,
                event: nid,
                notify: true,
                highlight: true,
            });
        }
        store.submit(change).await.unwrap().last.0
    }

    async fn sweep(store: &TestStore, now: Ms) -> Vec<(Nid, Nid)> {
        let mut after = (0, 0, 0);
        while let Some(until) = step_end(&mut store.reader(), after).await.unwrap() {
            let mut change = Change::default();
            change.forget_notifications(after, until, now);
            store.submit(change).await.unwrap();
            after = until;
        }
        let sql = "SELECT user_nid, event_nid FROM notification ORDER BY user_nid, event_nid";
        let rows = store.reader().all(sql, Vec::new()).await.unwrap();
        rows.iter().map(|row| (row.int(0).unwrap(), row.int(1).unwrap())).collect()
    }

    #[tokio::test]
    async fn only_rows_of_what_was_read_long_ago_are_swept() {
        for store in stores().await {
            tell(&store, 101, 0, None).await;
            tell(&store, 102, 0, Some("$e101")).await;
            let ord = tell(&store, 103, 40, None).await;
            let mut change = Change::default();
            // The first user read the main timeline alone, the second nothing.
            let event_id = "$e103";
            let main = NewReceipt { room: 7, user: 1, kind: "m.read", thread: "main", event_id, ord, ts: 1 };
            change.set_receipt(main);
            store.submit(change).await.unwrap();
            let all = [(1, 101), (1, 102), (1, 103), (2, 101), (2, 102), (2, 103)];
            assert_eq!(sweep(&store, 30 * DAY).await, all, "nothing is old yet");
            assert_eq!(sweep(&store, 31 * DAY).await, [(1, 102), (1, 103), (2, 101), (2, 102), (2, 103)]);
            let mut change = Change::default();
            change.set_receipt(NewReceipt { thread: "", ..main });
            store.submit(change).await.unwrap();
            assert_eq!(sweep(&store, 31 * DAY).await, [(1, 103), (2, 101), (2, 102), (2, 103)]);
            store.close().await;
        }
    }
}
