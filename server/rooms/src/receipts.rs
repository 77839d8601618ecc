//! Receipts and read markers: how far a user read (client-server API, "Receipts" and "Fully read
//! markers").

use crate::Rooms;
use crate::visibility::Visibility;
use kontor_model::{Code, Error, Ms, Nid, Requester, Result};
use kontor_store::Change;
use kontor_store::identity::account_data;
use kontor_store::rooms::members::{self, MyRoom};
use kontor_store::rooms::receipts::{self, NewReceipt, Place, Receipt};
use kontor_store::rooms::state;
use ruma::RoomId;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The thread that stands for the main timeline.
const MAIN: &str = "main";
/// Account data type of the read marker.
const FULLY_READ: &str = "m.fully_read";

/// What a user may say about how far a room was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Everybody may know.
    Read,
    /// Only the user's own clients may know.
    ReadPrivate,
    /// Where the user's clients go on reading.
    FullyRead,
}

impl Kind {
    /// From the name that the specification gives it.
    ///
    /// # Errors
    /// `InvalidParam` for any other.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "m.read" => Ok(Self::Read),
            "m.read.private" => Ok(Self::ReadPrivate),
            FULLY_READ => Ok(Self::FullyRead),
            _ => Err(Error::invalid_param("There is no such type of receipt.")),
        }
    }
}

/// One mark to be moved.
#[derive(Clone, Copy, Debug)]
pub struct Mark<'a> {
    /// Which mark.
    pub kind: Kind,
    /// The event up to which everything was read.
    pub event_id: &'a str,
    /// `main` or the root of the thread that was read; absent for everything.
    pub thread: Option<&'a str>,
}

fn unknown_event() -> Error {
    Error::new(Code::NotFound, "The room has no such event, or you cannot see it.")
}

impl Rooms {
    /// Plans to move marks of the caller. Marks that would move backwards stay.
    ///
    /// # Errors
    /// `Forbidden` for rooms that the caller is not in; `NotFound` for events that the caller
    /// cannot see there; `InvalidParam` for threads that the event is not in.
    pub async fn mark_read(
        &self,
        user: &Requester,
        room_id: &RoomId,
        marks: &[Mark<'_>],
        now: Ms,
    ) -> Result<Change> {
        let mine = members::membership_of(&mut self.store.reader(), room_id.as_str(), user.user).await?;
        let Some(mine) = mine.filter(|mine| mine.membership == "join") else {
            return Err(Error::forbidden("You are not a member of this room."));
        };
        let mut change = Change::default();
        for mark in marks {
            self.mark(&mut change, user.user, &mine, mark, now).await?;
        }
        Ok(change)
    }

    async fn mark(
        &self,
        change: &mut Change,
        user: Nid,
        mine: &MyRoom,
        mark: &Mark<'_>,
        now: Ms,
    ) -> Result<()> {
        let room = mine.room;
        let place = self.visible_place(user, mine, mark.event_id).await?;
        let kind = match mark.kind {
            Kind::Read => "m.read",
            Kind::ReadPrivate => "m.read.private",
            Kind::FullyRead => return self.mark_fully_read(change, user, room, mark, place.ord).await,
        };
        let thread = mark.thread.unwrap_or_default();
        if mark.thread.is_some() && !is_in_thread(&place, mark.event_id, thread) {
            return Err(Error::invalid_param("The event does not belong to the thread of the receipt."));
        }
        let stands = receipts::stands_at(&mut self.store.reader(), room, user, kind, thread).await?;
        if stands.is_none_or(|stands| stands < place.ord) {
            let (event_id, ord) = (mark.event_id, place.ord);
            change.set_receipt(NewReceipt { room, user, kind, thread, event_id, ord, ts: now });
        }
        Ok(())
    }

    /// Where an event stands, if the user may see it.
    async fn visible_place(&self, user: Nid, mine: &MyRoom, event_id: &str) -> Result<Place> {
        let mut reader = self.store.reader();
        let place = receipts::place_of_event(&mut reader, mine.room, event_id).await?;
        let place = place.ok_or_else(unknown_event)?;
        // What came since the user joined is visible whatever the settings were.
        if place.ord < mine.pos {
            let histories = state::histories(&mut reader, &[mine.room], user).await?;
            let may_see = histories.get(&mine.room).is_some_and(|h| Visibility::new(h).may_see(place.ord));
            if !may_see {
                return Err(unknown_event());
            }
        }
        Ok(place)
    }

    async fn mark_fully_read(
        &self,
        change: &mut Change,
        user: Nid,
        room: Nid,
        mark: &Mark<'_>,
        ord: i64,
    ) -> Result<()> {
        if mark.thread.is_some() {
            return Err(Error::invalid_param("A fully read marker belongs to no thread."));
        }
        let mut reader = self.store.reader();
        let stored = account_data::one(&mut reader, user, Some(room), FULLY_READ).await?;
        let content = stored.and_then(|stored| serde_json::from_str::<Value>(&stored.content).ok());
        let stands = content.as_ref().and_then(|content| content.get("event_id")).and_then(Value::as_str);
        if let Some(stands) = stands {
            let place = receipts::place_of_event(&mut reader, room, stands).await?;
            if place.is_some_and(|place| place.ord >= ord) {
                return Ok(());
            }
        }
        let content = json!({ "event_id": mark.event_id }).to_string();
        change.set_account_data(user, Some(room), FULLY_READ, &content);
        Ok(())
    }
}

/// A thread's root stands in the main timeline, and can be read in its thread as well.
fn is_in_thread(place: &Place, event_id: &str, thread: &str) -> bool {
    match (&place.thread, thread) {
        (None, MAIN) => true,
        (Some(root), thread) => root == thread,
        (None, thread) => event_id == thread,
    }
}

/// Content of an `m.receipt` event: by event, kind and user.
pub type Content = BTreeMap<String, BTreeMap<String, BTreeMap<String, Told>>>;

/// One receipt in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    /// When, milliseconds.
    pub ts: Ms,
    /// `main` or the thread's root; absent for unthreaded receipts.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub thread_id: String,
}

/// Contents of `m.receipt` events for the receipts of one room: one, or more when a user read the
/// same event in several ways, which one content cannot hold.
pub fn contents<'a>(receipts: impl IntoIterator<Item = &'a Receipt>) -> Vec<Content> {
    let mut contents: Vec<Content> = Vec::new();
    for receipt in receipts {
        let told = Told { ts: receipt.ts, thread_id: receipt.thread.clone() };
        let free = |content: &&mut Content| {
            let users = content.get(&receipt.event_id).and_then(|kinds| kinds.get(&receipt.kind));
            users.is_none_or(|users| !users.contains_key(&receipt.user_id))
        };
        let mut another = Content::new();
        let place = contents.iter_mut().find(free);
        let collides = place.is_none();
        let kinds = place.unwrap_or(&mut another).entry(receipt.event_id.clone()).or_default();
        kinds.entry(receipt.kind.clone()).or_default().insert(receipt.user_id.clone(), told);
        if collides {
            contents.push(another);
        }
    }
    contents
}

#[cfg(test)]
mod tests {
    use super::*;
    use kontor_store::rooms::events::{NewEvent, NewMembership};
    use kontor_store::{Options, RoomStep, Store};
    use std::sync::Arc;

    fn receipt(user: &str, event: &str, thread: &str) -> Receipt {
        Receipt {
            room: 1,
            user_id: user.into(),
            kind: "m.read".into(),
            thread: thread.into(),
            event_id: event.into(),
            ts: 5,
            pos: 1,
        }
    }

    #[test]
    fn receipts_of_a_room_are_one_event_unless_they_collide() {
        let list = [receipt("@a:x", "$1", ""), receipt("@b:x", "$1", "main"), receipt("@a:x", "$2", "$r")];
        let one = json!({
            "$1": {"m.read": {"@a:x": {"ts": 5}, "@b:x": {"ts": 5, "thread_id": "main"}}},
            "$2": {"m.read": {"@a:x": {"ts": 5, "thread_id": "$r"}}},
        });
        assert_eq!(json!(contents(&list)), json!([one]));
        let both = [receipt("@a:x", "$1", ""), receipt("@a:x", "$1", "main")];
        let contents = json!(contents(&both));
        assert_eq!(contents[0]["$1"]["m.read"]["@a:x"], json!({"ts": 5}));
        assert_eq!(contents[1]["$1"]["m.read"]["@a:x"]["thread_id"], "main");
    }

    #[test]
    fn threads_of_receipts_must_be_those_of_their_events() {
        let main = Place { ord: 1, thread: None };
        let inside = Place { ord: 1, thread: Some("$root".into()) };
        assert!(is_in_thread(&main, "$e", "main") && is_in_thread(&inside, "$e", "$root"));
        assert!(is_in_thread(&main, "$root", "$root"), "a root is read in its thread too");
        assert!(!is_in_thread(&main, "$e", "$root") && !is_in_thread(&inside, "$e", "main"));
        assert!(!is_in_thread(&inside, "$e", "$other"));
    }

    struct Still;
    impl kontor_model::Clock for Still {
        fn now(&self) -> Ms {
            1
        }
    }
    impl kontor_model::Random for Still {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    fn event<'a>(ord: i64, id: &'a str, root: Option<&'a str>) -> NewEvent<'a> {
        NewEvent {
            event: ord,
            event_id: id,
            room: ROOM,
            pos: Some(ord.into()),
            ord: Some(ord.into()),
            depth: 1,
            kind: "m.room.message",
            sender: 99,
            state_key: None,
            replaces: None,
            snapshot: None,
            origin_ts: 0,
            received_ts: 0,
            retention_ts: 0,
            rejected: false,
            soft_failed: false,
            relation: root.map(|root| (root, "m.thread")),
            notifies: 1,
            skeleton: "{}".into(),
            content: "{}",
            extra: None,
        }
    }

    const ROOM: Nid = 7;

    /// A room with the events `$1`, `$2` and, in the thread of `$1`, `$3`; joined at place 2.
    async fn room(store: &Store, me: Nid) {
        let mut change = Change::default();
        change.make_room(
            "!r:x",
            "12",
            false,
            0,
            RoomStep {
                room: ROOM,
                from: 0,
                to: 1,
                depth: 1,
                extremities: "[]".into(),
                last_ord: 3.into(),
                linear: true,
                snapshot: None,
            },
        );
        let joined =
            NewMembership { room: ROOM, user: me, membership: "join", event: 2, pos: 2.into(), sender: me };
        change.set_membership(joined);
        change.add_event(event(1, "$1", None));
        change.add_event(event(2, "$2", None));
        change.add_event(event(3, "$3", Some("$1")));
        store.submit(change).await.unwrap();
    }

    #[tokio::test]
    async fn marks_move_forward_only_to_events_of_the_room_and_within_their_thread() {
        let folder = std::env::temp_dir().join(format!("kontor-rooms-receipts-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let url = format!("sqlite://{}", folder.join("kontor.db").display());
        let store = Store::open(&Options { url, readers: 1 }).await.unwrap();
        let me = store.name("@me:x").await.unwrap();
        room(&store, me).await;
        let rooms = Rooms::new(store.clone(), Arc::new(Still), &Still, crate::world::signer());
        let user = Requester {
            user_id: crate::world::user("@me:x"),
            user: me,
            device_id: "D".into(),
            session: 1,
            epoch: 0,
            admin: false,
            guest: false,
            suspended: false,
            service: None,
        };
        let room_id = RoomId::parse("!r:x").unwrap();
        let plan = async |kind, event_id, thread| {
            rooms.mark_read(&user, &room_id, &[Mark { kind, event_id, thread }], 5).await
        };
        for (kind, event_id, thread, moves) in [
            (Kind::Read, "$3", None, true),
            (Kind::Read, "$2", None, false),
            (Kind::Read, "$2", Some("main"), true),
            (Kind::Read, "$3", Some("$1"), true),
            (Kind::ReadPrivate, "$2", None, true),
            (Kind::FullyRead, "$3", None, true),
            (Kind::FullyRead, "$2", None, false),
        ] {
            let change = plan(kind, event_id, thread).await.unwrap();
            assert_eq!(!change.is_empty(), moves, "{kind:?} {event_id} {thread:?}");
            if moves {
                store.submit(change).await.unwrap();
            }
        }
        for (kind, event_id, thread, code) in [
            (Kind::Read, "$9", None, Code::NotFound),
            // It came before the joining, in a room without any history to tell.
            (Kind::Read, "$1", None, Code::NotFound),
            (Kind::Read, "$3", Some("main"), Code::InvalidParam),
            (Kind::Read, "$2", Some("$1"), Code::InvalidParam),
            (Kind::FullyRead, "$3", Some("main"), Code::InvalidParam),
        ] {
            let refused = plan(kind, event_id, thread).await.unwrap_err();
            assert_eq!(refused.code, code, "{kind:?} {event_id} {thread:?}");
        }
        let elsewhere = RoomId::parse("!other:x").unwrap();
        let mark = Mark { kind: Kind::Read, event_id: "$2", thread: None };
        assert_eq!(rooms.mark_read(&user, &elsewhere, &[mark], 5).await.unwrap_err().code, Code::Forbidden);
        store.close().await;
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
