//! Which rooms have news for the reader, and which part of each is to be told.

use super::Reading;
use kontor_model::{Nid, Pos, Result};
use kontor_rooms::Visibility;
use kontor_store::Stream;
use kontor_store::identity::account_data::{self, AccountData};
use kontor_store::rooms::face::{self, Face};
use kontor_store::rooms::members::{self, MyRoom};
use kontor_store::rooms::receipts;
use std::collections::HashSet;
use std::sync::Arc;

/// A room whose timeline is told, wholly or in part.
pub(super) struct Part {
    pub my: MyRoom,
    /// Whether the reader left the room; then it is told up to the leave.
    pub left: bool,
    /// Whether the client knows nothing of the room.
    pub fresh: bool,
    /// Events after this place …
    pub after: i64,
    /// … and up to this one.
    pub until: i64,
    pub visibility: Arc<Visibility>,
    /// How the room looks to whoever comes in; of fresh rooms that the reader is in.
    pub face: Option<Arc<Face>>,
}

/// What is to be told.
#[derive(Default)]
pub(super) struct Plan {
    pub parts: Vec<Part>,
    pub invited: Vec<MyRoom>,
    pub knocked: Vec<MyRoom>,
    /// The reader's account data that changed, of all kinds.
    pub account_data: Vec<AccountData>,
    /// Rooms whose typing changed.
    pub typing: HashSet<Nid>,
    /// Whether any receipt can have changed.
    pub receipts: bool,
}

/// Which streams can have changed for the reader, as far as memory tells.
struct Hints {
    account_data: bool,
    receipts: bool,
    own_receipts: bool,
}

impl Hints {
    fn of(reading: &Reading<'_>, since: Pos) -> Self {
        let me = Some(reading.user());
        let Some(entries) = reading.flows.store.log().between(since, reading.until) else {
            return Self { account_data: true, receipts: true, own_receipts: true };
        };
        let any = |test: &dyn Fn(&kontor_store::log::Entry) -> bool| entries.iter().any(test);
        Self {
            account_data: any(&|e| e.row.stream == Stream::AccountData && e.row.user == me),
            receipts: any(&|e| e.row.stream == Stream::Receipt && (e.row.room.is_some() || e.row.user == me)),
            own_receipts: any(&|e| {
                e.row.stream == Stream::Receipt && e.row.user == me && e.row.room.is_none()
            }),
        }
    }
}

impl Plan {
    pub async fn make(reading: &mut Reading<'_>, typing_since: Option<u64>) -> Result<Self> {
        let Some(since) = reading.since else { return Self::first(reading).await };
        let hints = Hints::of(reading, since);
        let mut plan = Self { receipts: hints.receipts || reading.request.full_state, ..Self::default() };
        let (user, until) = (reading.user(), reading.until);
        if hints.account_data {
            plan.account_data = account_data::since(&mut reading.snapshot, user, since, until).await?;
        }
        plan.typing = match typing_since {
            Some(counter) => reading.flows.rooms.typing.changed_since(counter),
            // Another process counted: what is typed right now is told once.
            None => reading.flows.rooms.typing.active(),
        };
        let snapshot = &mut reading.snapshot;
        let mut rooms = if reading.request.full_state {
            members::of_user(snapshot, user).await?
        } else {
            members::of_user_changed(snapshot, user, since.0, until.0).await?
        };
        let known: HashSet<Nid> = rooms.iter().map(|my| my.room).collect();
        let mut more: HashSet<Nid> = plan.account_data.iter().filter_map(|data| data.room).collect();
        more.extend(&plan.typing);
        if hints.own_receipts {
            more.extend(receipts::own_since(snapshot, user, since, until).await?);
        }
        let more: Vec<Nid> = more.difference(&known).copied().collect();
        if !more.is_empty() {
            rooms.extend(members::of_user_in(snapshot, user, &more).await?);
        }
        plan.sort(reading, rooms, since.0).await?;
        Ok(plan)
    }

    /// The first sync of a client.
    async fn first(reading: &mut Reading<'_>) -> Result<Self> {
        let mut plan = Self { receipts: true, ..Self::default() };
        let (user, until) = (reading.user(), reading.until);
        plan.account_data = account_data::since(&mut reading.snapshot, user, Pos(0), until).await?;
        plan.typing = reading.flows.rooms.typing.active();
        let rooms = members::of_user(&mut reading.snapshot, user).await?;
        plan.sort(reading, rooms, i64::MIN).await?;
        Ok(plan)
    }

    /// Puts each room where the reader's membership wants it.
    async fn sort(&mut self, reading: &mut Reading<'_>, rooms: Vec<MyRoom>, since: i64) -> Result<()> {
        let filter = &reading.request.filter.room;
        let rooms: Vec<_> = rooms.into_iter().filter(|my| filter.admits_room(&my.room_id)).collect();
        // Who was joined all the time sees everything that came; only others need the histories.
        let unsure = |my: &&MyRoom| my.pos > since && !matches!(my.membership.as_str(), "invite" | "knock");
        let unsure: Vec<Nid> = rooms.iter().filter(unsure).map(|my| my.room).collect();
        let user = reading.user();
        let whole = reading.whole();
        let entered = rooms.iter().filter(|my| my.membership == "join" && (whole || my.pos > since));
        let entered: Vec<_> = entered.map(|my| (my.room, my.revision)).collect();
        let mut faces = face::faces(&mut reading.snapshot, &entered).await?;
        let histories = face::histories(&mut reading.snapshot, &faces, &unsure, user).await?;
        let member = Arc::new(Visibility::of_member());
        for my in rooms {
            let known = histories.get(&my.room).map(|histories| Arc::new(Visibility::new(histories)));
            let visibility = known.unwrap_or_else(|| Arc::clone(&member));
            let face = faces.remove(&my.room);
            self.place(reading, my, since, visibility, face);
        }
        Ok(())
    }

    fn place(
        &mut self,
        reading: &Reading<'_>,
        my: MyRoom,
        since: i64,
        visibility: Arc<Visibility>,
        face: Option<Arc<Face>>,
    ) {
        let changed = my.pos > since;
        let was_in = since != i64::MIN && (!changed || visibility.membership_at(since) == "join");
        let fresh = !was_in || reading.request.full_state;
        let after = if was_in { since } else { i64::MIN };
        match my.membership.as_str() {
            "join" => {
                let until = reading.until.0;
                let face = face.filter(|_| fresh);
                self.parts.push(Part { my, left: false, fresh, after, until, visibility, face });
            }
            "invite" if changed || reading.whole() => self.invited.push(my),
            "knock" if changed || reading.whole() => self.knocked.push(my),
            "leave" | "ban" => {
                // Left just now, or asked for although left long ago.
                let asked = reading.request.filter.room.include_leave && reading.whole();
                let news = changed && since != i64::MIN;
                // Who forgot a room at once must still hear of having left it.
                if news || (asked && !my.forgotten) {
                    let until = visibility.state_until().unwrap_or(my.pos).min(my.pos);
                    let until = if news { my.pos } else { until };
                    self.parts.push(Part { my, left: true, fresh, after, until, visibility, face: None });
                }
            }
            _ => {}
        }
    }
}
