//! Lanes: each pusher has one, in which its notifications wait and leave one after the other. A
//! gateway that does not answer holds up its own lanes and no others.
//!
//! A lane holds few notifications. While its gateway fails, and for what is old, only the newest of
//! each room waits: after a long outage a phone rings once for each conversation, not a thousand
//! times.

use super::body::Brief;
use kontor_identity::push::Tweaks;
use kontor_model::{Ms, Nid, Pos};
use kontor_store::identity::pushers::PusherRow;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// Notifications that wait in a lane.
const WAITING: usize = 10;

/// By what a pusher is known: user, application, key.
pub(super) type Key = (Nid, String, String);

/// The key of a pusher.
pub(super) fn key(pusher: &PusherRow) -> Key {
    (pusher.user, pusher.app_id.clone(), pusher.pushkey.clone())
}

/// A notification that waits.
#[derive(Clone, Debug)]
pub(super) struct Notice {
    /// The event; `None` sets the badge only.
    pub brief: Option<Arc<Brief>>,
    /// How to present it.
    pub tweaks: Arc<Tweaks>,
    /// Position of the event, or the one up to which the badge is right.
    pub pos: i64,
    /// When it was made, milliseconds.
    pub made: Ms,
    /// Whether it was found long after the event came.
    pub late: bool,
}

impl Notice {
    fn room(&self) -> Option<Nid> {
        self.brief.as_ref().map(|brief| brief.news.room)
    }
}

/// The lane of one pusher.
#[derive(Debug)]
pub(super) struct Lane {
    /// The pusher as it is set now.
    pub pusher: Arc<PusherRow>,
    waiting: VecDeque<Notice>,
    /// Tells it from an earlier lane of the same key.
    pub id: u64,
    /// Whether somebody empties it.
    pub running: bool,
    /// Whether the notification in front is on its way at this moment.
    pub under_way: bool,
    /// Failures since the last success.
    pub failures: u32,
    /// The badge that was told last.
    pub badge: Option<i64>,
    /// What is written about what is owed.
    pub owed: Option<Pos>,
}

impl Lane {
    fn new(pusher: &Arc<PusherRow>, id: u64) -> Self {
        Self {
            pusher: Arc::clone(pusher),
            waiting: VecDeque::new(),
            id,
            running: false,
            under_way: false,
            failures: 0,
            badge: None,
            owed: pusher.owed,
        }
    }

    /// The gateway did not take the notification in front: of each room only the newest goes on
    /// waiting.
    pub fn fail(&mut self) {
        self.failures = self.failures.saturating_add(1);
        let mut rooms = HashSet::new();
        let mut newest: VecDeque<_> = VecDeque::new();
        while let Some(mut notice) = self.waiting.pop_back() {
            notice.late = true;
            if rooms.insert(notice.room()) {
                newest.push_front(notice);
            }
        }
        // Every notification of an event sets the badge too.
        if newest.iter().any(|notice| notice.brief.is_some()) {
            newest.retain(|notice| notice.brief.is_some());
        }
        self.waiting = newest;
    }

    /// Puts a notification at the end.
    pub fn add(&mut self, notice: Notice) {
        let kept = usize::from(self.under_way);
        let newest_only = self.failures > 0 || notice.late || notice.brief.is_none();
        let room = notice.room();
        let mut index = 0;
        self.waiting.retain(|waiting| {
            index += 1;
            // Every notification of an event sets the badge too.
            let covered = waiting.brief.is_none() || (newest_only && waiting.room() == room);
            index <= kept || !covered
        });
        if self.waiting.len() >= WAITING + kept {
            self.waiting.remove(kept);
        }
        self.waiting.push_back(notice);
    }

    /// The notification in front.
    pub fn front(&self) -> Option<Notice> {
        self.waiting.front().cloned()
    }

    /// The notification in front was dealt with.
    pub fn pop(&mut self) {
        self.waiting.pop_front();
    }

    /// The oldest position that waits, of events only: a badge is told anew whenever it changes.
    fn oldest(&self) -> Option<i64> {
        self.waiting.iter().filter(|notice| notice.brief.is_some()).map(|notice| notice.pos).min()
    }
}

/// All lanes.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    by_key: HashMap<Key, Lane>,
    made: u64,
}

/// What is to be written about a pusher.
pub(super) type Debt = (Key, Option<Pos>);

impl Lanes {
    /// The lane of a pusher, made when absent.
    pub fn of(&mut self, pusher: &Arc<PusherRow>) -> &mut Lane {
        self.made += 1;
        self.by_key.entry(key(pusher)).or_insert_with(|| Lane::new(pusher, self.made))
    }

    /// Ends a lane.
    pub fn remove(&mut self, key: &Key) {
        self.by_key.remove(key);
    }

    /// The lane of that key.
    pub fn get(&mut self, key: &Key) -> Option<&mut Lane> {
        self.by_key.get_mut(key)
    }

    /// Takes over what pushers a user has now; lanes of others end.
    pub fn set(&mut self, user: Nid, pushers: &[Arc<PusherRow>]) {
        let now = |key: &Key| pushers.iter().find(|pusher| super::lanes::key(pusher) == *key);
        self.by_key.retain(|key, lane| {
            let current = if key.0 == user { now(key) } else { Some(&lane.pusher) }.cloned();
            current.is_some_and(|pusher| {
                lane.pusher = pusher;
                true
            })
        });
    }

    /// Up to which position everything was told or is noted as owed, if everything up to `newest`
    /// was looked at; and what must be written about debts together with it.
    pub fn settle(&mut self, newest: Pos) -> (Pos, Vec<Debt>) {
        let (mut done, mut debts) = (newest.0, Vec::new());
        for (key, lane) in &mut self.by_key {
            let oldest = lane.oldest();
            match (oldest, lane.owed) {
                (Some(oldest), None) if lane.failures > 0 => {
                    lane.owed = Some(Pos(oldest - 1));
                    debts.push((key.clone(), lane.owed));
                }
                (Some(oldest), None) => done = done.min(oldest - 1),
                (None, Some(_)) if lane.failures == 0 => {
                    lane.owed = None;
                    debts.push((key.clone(), None));
                }
                _ => {}
            }
        }
        (Pos(done), debts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kontor_store::rooms::pushed::News;

    fn pusher(user: Nid, pushkey: &str) -> Arc<PusherRow> {
        Arc::new(PusherRow {
            user,
            user_id: "@me:x".into(),
            app_id: "app".into(),
            pushkey: pushkey.into(),
            device_id: "D".into(),
            app_display_name: "App".into(),
            device_display_name: "Phone".into(),
            profile_tag: None,
            lang: "en".into(),
            url: "https://g.example/_matrix/push/v1/notify".into(),
            data: "{}".into(),
            set_ts: 0,
            owed: None,
        })
    }

    fn notice(room: Nid, pos: i64) -> Notice {
        let news = News {
            event: pos,
            event_id: format!("${pos}"),
            room,
            room_id: "!r:x".into(),
            ord: pos,
            kind: "m.room.message".into(),
            sender_nid: 4,
            sender: "@anna:x".into(),
            state_key: None,
            received_ts: 0,
            redacted: false,
            content: "{}".into(),
        };
        let brief = Some(Arc::new(Brief { news, names: None }));
        Notice { brief, tweaks: Arc::default(), pos, made: 0, late: false }
    }

    fn positions(lane: &Lane) -> Vec<i64> {
        lane.waiting.iter().map(|notice| notice.pos).collect()
    }

    #[test]
    fn a_lane_keeps_the_newest_and_never_what_is_on_its_way() {
        let mut lanes = Lanes::default();
        let lane = lanes.of(&pusher(1, "a"));
        for pos in 1..=30 {
            lane.add(notice(7, pos));
        }
        assert_eq!(positions(lane), (21..=30).collect::<Vec<_>>());
        lane.under_way = true;
        for pos in 31..=60 {
            lane.add(notice(7, pos));
        }
        assert_eq!((positions(lane).len(), positions(lane)[0], positions(lane)[1]), (11, 21, 51));
    }

    #[test]
    fn while_a_gateway_fails_only_the_newest_of_each_room_waits() {
        let mut lanes = Lanes::default();
        let lane = lanes.of(&pusher(1, "a"));
        lane.add(notice(7, 1));
        (lane.under_way, lane.failures) = (true, 1);
        for pos in 2..=1_000 {
            lane.add(notice(7 + pos % 3, pos));
        }
        assert_eq!(positions(lane), [1, 998, 999, 1_000]);
    }

    #[test]
    fn a_failure_leaves_the_newest_of_each_room() {
        let mut lanes = Lanes::default();
        let lane = lanes.of(&pusher(1, "a"));
        for pos in 1..=9 {
            lane.add(notice(7 + pos % 2, pos));
        }
        lane.fail();
        assert_eq!((positions(lane), lane.failures), (vec![8, 9], 1));
        let badge = Notice { brief: None, ..notice(7, 10) };
        lane.add(badge.clone());
        assert_eq!(positions(lane), [8, 9, 10]);
        lane.add(notice(7, 11));
        assert_eq!(positions(lane), [9, 11], "a badge goes with the event");
        lane.add(badge);
        lane.fail();
        assert_eq!(positions(lane), [9, 11]);
    }

    #[test]
    fn what_waits_holds_the_place_back_until_it_is_owed() {
        let mut lanes = Lanes::default();
        lanes.of(&pusher(1, "a")).add(notice(7, 5));
        lanes.of(&pusher(2, "b")).add(notice(7, 8));
        assert_eq!(lanes.settle(Pos(10)), (Pos(4), Vec::new()));
        lanes.of(&pusher(1, "a")).failures = 2;
        let debt = ((1, "app".to_owned(), "a".to_owned()), Some(Pos(4)));
        assert_eq!(lanes.settle(Pos(10)), (Pos(7), vec![debt.clone()]));
        assert_eq!(lanes.settle(Pos(10)), (Pos(7), Vec::new()), "written once");
        for name in ["a", "b"] {
            let lane = lanes.of(&pusher(if name == "a" { 1 } else { 2 }, name));
            (lane.failures, _) = (0, lane.pop());
        }
        assert_eq!(lanes.settle(Pos(10)), (Pos(10), vec![(debt.0, None)]));
        lanes.set(1, &[]);
        assert_eq!(lanes.by_key.len(), 1);
    }
}
