//! The events by which a user was notified (client-server API, "Listing notifications"), and the
//! sweep of what is remembered of old ones. Nothing is kept per member and message: the list is
//! made from what unread counts are made from.

use crate::Flows;
use crate::sync::ignored_users;
use kontor_identity::sessions::stands;
use kontor_model::position::RoomToken;
use kontor_model::{Error, Ms, Nid, Requester, Result};
use kontor_rooms::{Viewer, Visibility, VisibleEvent};
use kontor_store::Change;
use kontor_store::identity::sessions;
use kontor_store::rooms::events::{self, Asker};
use kontor_store::rooms::notified::{self, Notified, Place};
use kontor_store::rooms::{members, state};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Events of one page at most.
const MAX_LIMIT: usize = 100;

/// An event by which a user was notified.
#[derive(Debug)]
pub struct Notification {
    /// The event.
    pub event: VisibleEvent,
    /// Its room.
    pub room_id: Arc<str>,
    /// Whether it highlighted.
    pub highlight: bool,
    /// Whether a receipt of the user stands there or behind.
    pub read: bool,
    /// When it came.
    pub ts: Ms,
}

/// A page of notifications.
#[derive(Debug)]
pub struct NotificationPage {
    /// The newest first.
    pub notifications: Vec<Notification>,
    /// Where the next page begins; `None` when there is no more.
    pub next: Option<RoomToken>,
}

/// Where the sweep of old rows stands; each process has its own.
#[derive(Debug, Default)]
pub struct Sweep(Mutex<Place>);

impl Flows {
    /// A page of the events by which the requester was notified.
    ///
    /// # Errors
    /// `InvalidParam` for forged tokens, `UnknownToken` when the session ended.
    pub async fn notifications(
        &self,
        requester: &Requester,
        from: Option<RoomToken>,
        limit: usize,
        only_highlights: bool,
    ) -> Result<NotificationPage> {
        let mut snapshot = self.store.snapshot().await?;
        let guard = sessions::guard(&mut snapshot, requester.session, requester.user).await?;
        stands(&guard, requester)?;
        if from.is_some_and(|from| from.0 > guard.newest.0) {
            return Err(Error::invalid_param("This token was not given out by this server."));
        }
        let limit = limit.clamp(1, MAX_LIMIT);
        let before = from.map_or(i64::MAX, |from| from.0 + 1);
        let ignored = ignored_users(&mut snapshot, requester.user).await?;
        let nids = self.nids_of(&ignored).await?;
        let (user, most) = (requester.user, limit as i64 + 1);
        let mut found = notified::newest(&mut snapshot, user, &nids, before, only_highlights, most).await?;
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|last| RoomToken(last.ord - 1));
        let rooms: HashSet<Nid> = found.iter().map(|found| found.room).collect();
        let rooms: Vec<Nid> = rooms.into_iter().collect();
        let histories = state::histories(&mut snapshot, &rooms, user).await?;
        let visibility: HashMap<Nid, Visibility> =
            histories.iter().map(|(room, histories)| (*room, Visibility::new(histories))).collect();
        let mine = members::of_user_in(&mut snapshot, user, &rooms).await?;
        let names: HashMap<Nid, &str> = mine.iter().map(|my| (my.room, my.room_id.as_str())).collect();
        let asker = Asker { user, device: requester.device_id.as_str() };
        let events: Vec<Nid> = found.iter().map(|found| found.event).collect();
        let rows = events::by_nids(&mut snapshot, asker, &events).await?;
        let rows: HashMap<Nid, _> = rows.into_iter().map(|row| (row.event, row)).collect();
        let now = self.clock.now();
        let tell = |found: Notified| {
            let visibility = visibility.get(&found.room)?;
            let viewer = Viewer { reader: user, visibility, ignored: &ignored, room_id: None, now };
            let row = rows.get(&found.event)?;
            Some(Notification {
                event: viewer.see(Arc::clone(row))?,
                room_id: (*names.get(&found.room)?).into(),
                highlight: found.highlight,
                read: found.read,
                ts: row.retention_ts,
            })
        };
        Ok(NotificationPage { notifications: found.into_iter().filter_map(tell).collect(), next })
    }

    /// One bounded step of the sweep over what is remembered of notifications, and of delayed events
    /// that were settled long ago.
    ///
    /// # Errors
    /// `Unavailable` when the archive is gone.
    pub async fn sweep_notifications(&self) -> Result<()> {
        let after = *self.swept.0.lock().unwrap_or_else(PoisonError::into_inner);
        let end = notified::step_end(&mut self.store.reader(), after).await?;
        let now = self.clock.now();
        let mut change = Change::default();
        change.forget_delayed(now);
        if let Some(until) = end {
            change.forget_notifications(after, until, now);
        }
        self.store.submit_bulk(change).await?;
        // At the end it begins again.
        *self.swept.0.lock().unwrap_or_else(PoisonError::into_inner) = end.unwrap_or_default();
        Ok(())
    }
}
