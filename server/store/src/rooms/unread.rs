//! Unread counts, computed when they are asked for: nothing is written per member per message.
//!
//! What counts is decided by the mode that a user's push rules give a room (table `push_mode`):
//! normally the bits that every event carries, and rows of `notification` for what concerns a
//! single user. What was read is decided by receipts and by the user's own messages.

use super::receipts::{thread_joins, thread_of};
use crate::Change;
use crate::db::Source;
use crate::table::Table;
use crate::value::{Value, id_set};
use kontor_model::{Nid, Result};
use std::collections::HashMap;

/// Largest count given out. Older unread events of a room are not looked at.
pub const MOST: i64 = 1_000;

/// The thread that stands for the main timeline.
pub const MAIN: &str = "main";

/// Events of a room, or of one of its threads, that a user has not read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Those that notify.
    pub notifications: i64,
    /// Those that highlight as well.
    pub highlights: i64,
}

impl Count {
    fn add(&mut self, other: Self) {
        self.notifications = (self.notifications + other.notifications).min(MOST);
        self.highlights = (self.highlights + other.highlights).min(MOST);
    }
}

/// What a user has not read in a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unread {
    /// In the main timeline.
    pub main: Count,
    /// In threads, by thread root. Threads without unread events are left out.
    pub threads: HashMap<String, Count>,
}

impl Unread {
    /// Counts a message of the main timeline that others wrote, by the usual rules, without asking
    /// the archive again.
    pub fn count_plain(&mut self, notifies: i64) {
        self.main.add(Count { notifications: notifies & 1, highlights: (notifies >> 1) & 1 });
    }

    /// The count for clients that know nothing of threads.
    pub fn total(&self) -> Count {
        let mut total = self.main;
        for count in self.threads.values() {
            total.add(*count);
        }
        total
    }
}

/// Unread counts of rooms that a user has joined, in one statement; rooms without unread events are
/// left out. Events of `ignored` senders do not count.
///
/// # Errors
/// See [`Source::all`].
pub async fn counts<S: Source>(
    source: &mut S,
    user: Nid,
    rooms: &[Nid],
    ignored: &[Nid],
) -> Result<HashMap<Nid, Unread>> {
    let mut unread: HashMap<Nid, Unread> = HashMap::new();
    if rooms.is_empty() {
        return Ok(unread);
    }
    let values = vec![
        user.into(),
        id_set(rooms.iter().copied()),
        id_set(ignored.iter().copied()),
        Value::from(MOST - 1),
    ];
    for row in source.packed(COUNTS, 4, values).await? {
        let count = Count { notifications: row.int(2)?, highlights: row.int(3)? };
        if count == Count::default() {
            continue;
        }
        let room = unread.entry(row.int(0)?).or_default();
        let thread = row.text(1)?;
        let place = if thread == MAIN { &mut room.main } else { room.threads.entry(thread).or_default() };
        place.add(count);
    }
    Ok(unread)
}

/// Every step but the last is kept (`MATERIALIZED`), or databases would compute it anew for each
/// event; joins are written in the order in which they must be made.
///
/// - `joined`: rooms, with their mode, the place of joining, and those of receipts.
/// - `seen`: up to where everything is read (`seen`), and the main timeline (`main`); and the mode by
///   which the bits of events count, up to the place `until` from which on own rules decided.
/// - `part`: behind which place events are looked at, so that a room that nobody ever read costs no
///   more than [`MOST`] events of each sort: plain ones, related ones, and those for this user alone.
/// - `own`, `mine`: the same, the main timeline being read up to the user's last plain event too.
/// - `related`: related events, each with its thread; `threads`: up to where threads are read, by
///   receipts and by writing in them.
/// - Then the three sorts are counted.
const COUNTS: &str = concat!(
    "WITH joined AS MATERIALIZED (SELECT m.room_nid AS room, m.ord AS entry, \
     coalesce(o.mode, d.mode, 0) AS mode, coalesce(o.since, d.since) AS since, \
     coalesce(o.before, d.before) AS before, \
     coalesce((SELECT max(r.ord) FROM receipt r WHERE r.room_nid = m.room_nid AND r.user_nid = $1 \
     AND r.kind IN ('m.read', 'm.read.private') AND r.thread = ''), m.ord) AS seen, \
     coalesce((SELECT max(r.ord) FROM receipt r WHERE r.room_nid = m.room_nid AND r.user_nid = $1 \
     AND r.kind IN ('m.read', 'm.read.private') AND r.thread = 'main'), m.ord) AS main \
     FROM ID_SET($2) w CROSS JOIN membership m CROSS JOIN room k \
     LEFT JOIN push_mode o ON o.user_nid = $1 AND o.room_id = k.room_id \
     LEFT JOIN push_mode d ON d.user_nid = $1 AND d.room_id = '' \
     WHERE m.room_nid = w.id AND m.user_nid = $1 AND m.membership = 'join' AND k.room_nid = m.room_nid), \
     seen AS MATERIALIZED (SELECT room, CASE WHEN mode = 3 THEN before ELSE mode END AS mode, \
     CASE WHEN mode = 3 THEN since ELSE 9223372036854775807 END AS until, CASE WHEN seen > entry THEN seen ELSE entry END AS seen, \
     CASE WHEN main > seen AND main > entry THEN main WHEN seen > entry THEN seen ELSE entry END AS main \
     FROM joined WHERE mode <> 2), \
     part AS MATERIALIZED (SELECT s.room, s.mode, s.until, s.seen, s.main, \
     coalesce((SELECT e.ord - 1 FROM event e WHERE e.room_nid = s.room AND e.ord > s.main AND e.notifies > 0 \
     AND e.rel_type IS NULL ORDER BY e.ord DESC LIMIT 1 OFFSET $4), s.main) AS plain, \
     coalesce((SELECT e.ord - 1 FROM event e WHERE e.room_nid = s.room AND e.ord > s.seen AND e.notifies > 0 \
     AND e.rel_type IS NOT NULL ORDER BY e.ord DESC LIMIT 1 OFFSET $4), s.seen) AS related, \
     coalesce((SELECT n.ord - 1 FROM notification n WHERE n.user_nid = $1 AND n.room_nid = s.room \
     AND n.ord > s.seen ORDER BY n.ord DESC LIMIT 1 OFFSET $4), s.seen) AS single FROM seen s), \
     own AS MATERIALIZED (SELECT p.room, p.mode, p.until, p.seen, p.main, p.plain, p.related, p.single, \
     (SELECT e.ord FROM event e WHERE e.room_nid = p.room AND e.ord > p.plain AND e.notifies > 0 \
     AND e.rel_type IS NULL AND e.sender_nid = $1 ORDER BY e.ord DESC LIMIT 1) AS own FROM part p), \
     mine AS MATERIALIZED (SELECT room, mode, until, seen, coalesce(own, main) AS main, \
     coalesce(own, plain) AS plain, related, single FROM own), \
     related AS MATERIALIZED (SELECT m.room, m.mode, m.until, m.main, m.seen, e.ord, e.sender_nid, e.notifies, coalesce(",
    thread_of!(),
    ", 'main') AS thread FROM mine m CROSS JOIN event e",
    thread_joins!(),
    "WHERE e.room_nid = m.room AND e.ord > m.related AND e.notifies > 0 \
     AND e.rel_type IS NOT NULL), \
     threads AS MATERIALIZED (SELECT room, thread, max(ord) AS ord FROM (\
     SELECT m.room, r.thread, r.ord FROM mine m CROSS JOIN receipt r WHERE r.room_nid = m.room \
     AND r.user_nid = $1 AND r.kind IN ('m.read', 'm.read.private') AND r.thread NOT IN ('', 'main') \
     UNION ALL SELECT room, thread, ord FROM related WHERE sender_nid = $1 AND thread <> 'main') t \
     GROUP BY room, thread) \
     SELECT m.room AS c1, 'main' AS c2, \
     CAST(sum(CASE WHEN e.notifies = 3 OR e.notifies = m.mode + 1 THEN 1 ELSE 0 END) AS BIGINT) AS c3, \
     CAST(sum(CASE WHEN e.notifies > 1 THEN 1 ELSE 0 END) AS BIGINT) AS c4 \
     FROM mine m CROSS JOIN event e WHERE e.room_nid = m.room AND e.ord > m.plain \
     AND e.notifies > 0 AND e.rel_type IS NULL AND m.mode < 2 AND e.ord <= m.until AND e.sender_nid <> $1 \
     AND e.sender_nid NOT IN ID_SET($3) GROUP BY m.room \
     UNION ALL SELECT e.room, e.thread, \
     CAST(sum(CASE WHEN e.notifies = 3 OR e.notifies = e.mode + 1 THEN 1 ELSE 0 END) AS BIGINT), \
     CAST(sum(CASE WHEN e.notifies > 1 THEN 1 ELSE 0 END) AS BIGINT) \
     FROM related e LEFT JOIN threads t ON t.room = e.room AND t.thread = e.thread \
     WHERE e.mode < 2 AND e.ord <= e.until AND e.ord > CASE WHEN e.thread = 'main' THEN e.main ELSE coalesce(t.ord, e.seen) END \
     AND e.sender_nid <> $1 AND e.sender_nid NOT IN ID_SET($3) GROUP BY e.room, e.thread \
     UNION ALL SELECT s.room, s.thread, \
     CAST(sum(CASE WHEN s.mode < 2 AND s.ord <= s.until AND (s.notifies = 3 OR s.notifies = s.mode + 1) THEN 0 ELSE s.notify END) \
     AS BIGINT), \
     CAST(sum(CASE WHEN s.mode < 2 AND s.ord <= s.until AND s.notifies > 1 THEN 0 ELSE s.highlight END) AS BIGINT) \
     FROM (SELECT m.room, m.mode, m.until, m.main, m.seen, n.ord, n.notify, n.highlight, e.sender_nid, e.notifies, coalesce(",
    thread_of!(),
    ", 'main') AS thread FROM mine m CROSS JOIN notification n CROSS JOIN event e",
    thread_joins!(),
    "WHERE n.user_nid = $1 AND n.room_nid = m.room AND n.ord > m.single \
     AND e.event_nid = n.event_nid AND e.redacted_by_nid IS NULL) s \
     LEFT JOIN threads t ON t.room = s.room AND t.thread = s.thread \
     WHERE s.ord > CASE WHEN s.thread = 'main' THEN s.main ELSE coalesce(t.ord, s.seen) END \
     AND s.sender_nid <> $1 AND s.sender_nid NOT IN ID_SET($3) GROUP BY s.room, s.thread"
);

/// What an event means to a single user.
#[derive(Clone, Debug)]
pub struct NewNotification {
    /// The user.
    pub user: Nid,
    /// The room.
    pub room: Nid,
    /// The event's place in the room.
    pub ord: Value,
    /// The event.
    pub event: Nid,
    /// Whether it counts as unread.
    pub notify: bool,
    /// Whether it highlights.
    pub highlight: bool,
}

impl Change {
    /// Remembers what an event means to a single user.
    pub fn add_notification(&mut self, row: NewNotification) {
        self.insert(
            Table::Notification,
            vec![
                row.user.into(),
                row.room.into(),
                row.ord,
                row.event.into(),
                row.notify.into(),
                row.highlight.into(),
            ],
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rooms::events::{NewEvent, NewMembership};
    use crate::rooms::receipts::NewReceipt;
    use crate::testing::{TestStore, stores};

    const ME: Nid = 1;
    const IGNORED: Nid = 4;
    const ROOM: Nid = 7;

    /// A small generator, so that failures repeat.
    struct Dice(u64);
    impl Dice {
        fn below(&mut self, n: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % n
        }
        fn one_in(&mut self, n: u64) -> bool {
            self.below(n) == 0
        }
    }

    #[derive(Clone)]
    struct Told {
        ord: i64,
        sender: Nid,
        bits: i64,
        relation: Option<(usize, &'static str)>,
        row: Option<(bool, bool)>,
    }

    #[derive(Default)]
    struct Tale {
        events: Vec<Told>,
        receipts: HashMap<(&'static str, String), i64>,
        mode: i64,
        /// Of mode 3: the place up to which `before` holds.
        since: i64,
        before: i64,
        entry: i64,
    }

    impl Tale {
        fn thread(&self, index: usize) -> String {
            let mut at = index;
            for _ in 0..3 {
                match self.events[at].relation {
                    Some((root, "m.thread")) => return format!("${root}"),
                    Some((parent, _)) => at = parent,
                    None => return MAIN.into(),
                }
            }
            MAIN.into()
        }

        /// The definition, event by event.
        fn unread(&self) -> Unread {
            let mut unread = Unread::default();
            for (index, event) in self.events.iter().enumerate() {
                let thread = self.thread(index);
                let read = self
                    .receipts
                    .iter()
                    .any(|((_, of), ord)| (of.is_empty() || *of == thread) && event.ord <= *ord);
                // Own events that count for others are acts of reading: in a thread those that belong to
                // it, in the main timeline those that relate to nothing.
                let answered = self.events.iter().enumerate().any(|(other, own)| {
                    let there =
                        if thread == MAIN { own.relation.is_none() } else { self.thread(other) == thread };
                    own.sender == ME && own.bits > 0 && own.ord >= event.ord && there
                });
                if read || answered || event.ord <= self.entry || [ME, IGNORED].contains(&event.sender) {
                    continue;
                }
                let (notify, highlight) = event.row.unwrap_or_default();
                let by_old_mode = self.mode == 3 && event.ord <= self.since;
                let (notify, highlight) = match if by_old_mode { self.before } else { self.mode } {
                    0 => (notify || event.bits & 1 > 0, highlight || event.bits & 2 > 0),
                    1 => (notify || event.bits & 2 > 0, highlight || event.bits & 2 > 0),
                    _ if self.mode == 3 => (notify, highlight),
                    _ => (false, false),
                };
                let count = Count { notifications: notify.into(), highlights: highlight.into() };
                if thread == MAIN {
                    unread.main.add(count);
                } else if count != Count::default() {
                    unread.threads.entry(thread).or_default().add(count);
                }
            }
            unread
        }
    }

    fn tell(dice: &mut Dice) -> Tale {
        let mut roll = |n: u64| dice.below(n) as i64;
        let (mode, since, before, entry) = (roll(4), roll(30), roll(3), roll(6));
        let mut tale = Tale { mode, since, before, entry, ..Tale::default() };
        for index in 0..dice.below(30) as usize {
            let relation = (index > 0 && dice.one_in(2)).then(|| {
                let kind = if dice.one_in(2) { "m.thread" } else { "m.reference" };
                (dice.below(index as u64) as usize, kind)
            });
            let sender = if dice.one_in(8) { ME } else { 2 + dice.below(3) as i64 };
            let bits = [0, 1, 1, 1, 3, 2][dice.below(6) as usize];
            let row = (sender != ME && dice.one_in(4)).then(|| (dice.one_in(2), dice.one_in(2)));
            tale.events.push(Told { ord: index as i64 + 1, sender, bits, relation, row });
        }
        for _ in 0..dice.below(4) {
            if tale.events.is_empty() {
                break;
            }
            let at = dice.below(tale.events.len() as u64) as usize;
            let kind = if dice.one_in(2) { "m.read" } else { "m.read.private" };
            let thread = if dice.one_in(3) { String::new() } else { tale.thread(at) };
            let stands = tale.receipts.entry((kind, thread)).or_default();
            *stands = (*stands).max(tale.events[at].ord);
        }
        tale
    }

    fn event<'a>(told: &Told, room: Nid, nid: Nid, ids: &'a [String; 2]) -> NewEvent<'a> {
        NewEvent {
            event: nid,
            event_id: &ids[0],
            room,
            pos: Some(told.ord.into()),
            ord: Some(told.ord.into()),
            depth: 1,
            kind: "m.room.message",
            sender: told.sender,
            state_key: None,
            replaces: None,
            snapshot: None,
            origin_ts: 0,
            received_ts: 0,
            retention_ts: 0,
            rejected: false,
            soft_failed: false,
            relation: told.relation.map(|(_, kind)| (ids[1].as_str(), kind)),
            notifies: told.bits,
            skeleton: "{}".into(),
            content: "{}",
            extra: None,
        }
    }

    /// Writes a tale into a room of its own.
    async fn write(store: &TestStore, tale: &Tale, room: Nid) {
        let mut change = Change::default();
        let room_id = format!("!{room}:x");
        let cells: Vec<Value> = vec![
            room.into(),
            room_id.as_str().into(),
            "12".into(),
            0.into(),
            0.into(),
            "[]".into(),
            true.into(),
            false.into(),
            0.into(),
            Value::Int(None),
        ];
        change.insert(Table::Room, cells);
        let pos = tale.entry.into();
        change.set_membership(NewMembership {
            room,
            user: ME,
            membership: "join",
            event: 1,
            pos,
            sender: ME,
        });
        for (index, told) in tale.events.iter().enumerate() {
            let nid = room * 100_000 + index as i64;
            let name = |index: usize| format!("$r{room}_{index}");
            let ids = [name(index), told.relation.map_or_else(String::new, |(of, _)| name(of))];
            change.add_event(event(told, room, nid, &ids));
            if let Some((notify, highlight)) = told.row {
                let row =
                    NewNotification { user: ME, room, ord: told.ord.into(), event: nid, notify, highlight };
                change.add_notification(row);
            }
        }
        for ((kind, thread), ord) in &tale.receipts {
            let thread = thread.replace('$', &format!("$r{room}_"));
            let receipt =
                NewReceipt { room, user: ME, kind, thread: &thread, event_id: "$", ord: *ord, ts: 0 };
            change.set_receipt(receipt);
        }
        // A mode of one room must win over that of all others.
        change.insert(
            Table::PushMode,
            vec![ME.into(), room_id.into(), tale.mode.into(), tale.since.into(), tale.before.into()],
        );
        change.insert(Table::PushMode, vec![ME.into(), "".into(), 2.into(), 0.into(), 0.into()]);
        store.submit(change).await.unwrap();
    }

    fn renamed(unread: Unread, room: Nid) -> Unread {
        let plain = |(thread, count): (String, Count)| (thread.replace(&format!("$r{room}_"), "$"), count);
        Unread { main: unread.main, threads: unread.threads.into_iter().map(plain).collect() }
    }

    #[tokio::test]
    async fn counts_agree_with_the_definition_on_random_rooms() {
        let mut dice = Dice(42);
        for store in stores().await {
            let tales: Vec<_> = (0..150).map(|_| tell(&mut dice)).collect();
            for (index, tale) in tales.iter().enumerate() {
                write(&store, tale, ROOM + index as i64).await;
            }
            let rooms: Vec<_> = (0..tales.len() as i64).map(|index| ROOM + index).collect();
            let mut found = counts(&mut store.reader(), ME, &rooms, &[IGNORED]).await.unwrap();
            assert!(found.len() > 40, "rooms without unread events prove little");
            for (tale, room) in tales.iter().zip(&rooms) {
                let found = renamed(found.remove(room).unwrap_or_default(), *room);
                assert_eq!(found, tale.unread(), "room {room}, mode {}", tale.mode);
            }
            store.close().await;
        }
    }

    #[tokio::test]
    async fn counting_ends_at_a_thousand() {
        let plain = |ord| Told { ord, sender: 2, bits: 3, relation: None, row: None };
        let tale = Tale { events: (1..=1_500).map(plain).collect(), ..Tale::default() };
        for store in stores().await {
            write(&store, &tale, ROOM).await;
            // Own rules found one event to matter, before all those that do not.
            let mut own = Tale { mode: 3, events: tale.events.clone(), ..Tale::default() };
            own.events[3].row = Some((true, false));
            write(&store, &own, ROOM + 1).await;
            let found = counts(&mut store.reader(), ME, &[ROOM, ROOM + 1, 99], &[]).await.unwrap();
            assert_eq!(found.len(), 2);
            assert_eq!(found[&(ROOM + 1)].total(), Count { notifications: 1, highlights: 0 });
            assert_eq!(found[&ROOM].total(), Count { notifications: MOST, highlights: MOST });
            store.close().await;
        }
    }
}
