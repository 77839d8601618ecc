//! The follower of the log that teaches the search index: it reads what became news, and what an
//! index that was lost does not know yet, in bounded steps.
//!
//! Sending waits for nothing of this. One process at a time does it, by a lease; should two try, the
//! index takes each step once.

use crate::Flows;
use kontor_model::{Ms, Pos, Result};
use kontor_rooms::search::{edited, redacts, replaces, searchable};
use kontor_store::search::feed::{self, FeedEvent};
use kontor_store::search::read::Edit;
use kontor_store::search::write::{BEGINNING, Doc, Progress, Step};
use kontor_store::{Store, Stream};
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long news wait to be indexed together.
const PAUSE: Duration = Duration::from_millis(300);
/// How long a failed step, or another process's turn, is waited for.
const PATIENCE: Duration = Duration::from_secs(1);
/// The lease's name and length.
const LEASE: &str = "search";
const LEASE_LENGTH: Ms = 6_000;
/// How often it is renewed.
const RENEWAL: Duration = Duration::from_secs(2);
/// Positions of the log, and events of rooms, that one step looks at.
const AT_ONCE: i64 = 400;
/// Rooms that one step looks at.
const ROOMS: usize = 100;

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// There was nothing to do.
    Idle,
    /// Something was indexed; there may be more.
    Taken,
    /// Another process works on it.
    Elsewhere,
}

struct Follower<'a> {
    store: &'a Store,
    /// Until when the lease is surely held.
    held: Option<Instant>,
    /// Everything up to here is known to be indexed.
    done: i64,
}

impl Flows {
    /// Keeps the search index up to date until the server stops.
    pub async fn follow_for_search(&self) {
        let mut follower = Follower { store: &self.store, held: None, done: -1 };
        let mut pause = PAUSE;
        loop {
            tokio::select! {
                () = sleep(pause) => {}
                () = self.stopping() => break,
            }
            pause = PAUSE;
            loop {
                match follower.step().await {
                    Ok(Outcome::Taken) if !*self.stop.borrow() => {}
                    Ok(Outcome::Taken | Outcome::Idle) => break,
                    Ok(Outcome::Elsewhere) => {
                        pause = PATIENCE;
                        break;
                    }
                    Err(error) => {
                        tracing::warn!(error.message = %error.message, error.cause = ?error.cause, "The search index could not be brought up to date; trying again.");
                        pause = PATIENCE;
                        break;
                    }
                }
            }
        }
        if follower.held.is_some() {
            let _ = self.store.end_lease(LEASE).await;
        }
    }
}

impl Follower<'_> {
    async fn step(&mut self) -> Result<Outcome> {
        let newest = self.store.log().newest().0;
        if newest <= self.done {
            return Ok(Outcome::Idle);
        }
        let news = self.store.log().between(Pos(self.done), Pos(newest));
        if news.is_some_and(|news| news.iter().all(|entry| entry.row.stream != Stream::Event)) {
            // Nothing to index; the cursor moves with the next event.
            self.done = newest;
            return Ok(Outcome::Idle);
        }
        let search = self.store.search();
        let progress = search.progress(newest).await?;
        if progress.position >= newest && !progress.walks() {
            self.done = progress.position;
            return Ok(Outcome::Idle);
        }
        if !self.lead().await? {
            return Ok(Outcome::Elsewhere);
        }
        let (step, to) = self.next(progress, newest).await?;
        if progress.walks() && !to.walks() {
            tracing::info!("The search index knows all rooms.");
        }
        let taken = search.apply(&step, progress, to).await?;
        Ok(if taken { Outcome::Taken } else { Outcome::Elsewhere })
    }

    async fn lead(&mut self) -> Result<bool> {
        if self.held.is_some_and(|held| held > Instant::now()) {
            return Ok(true);
        }
        let had = self.store.lease(LEASE, LEASE_LENGTH).await?;
        self.held = had.then(|| Instant::now() + RENEWAL);
        Ok(had)
    }

    /// What to learn next: news first, then what the walk comes by.
    async fn next(&self, from: Progress, newest: i64) -> Result<(Step, Progress)> {
        let mut source = self.store.reader();
        let positions = match from.position < newest {
            true => feed::next_positions(&mut source, from.position, AT_ONCE).await?,
            false => None,
        };
        let Some((first, last)) = positions else { return self.walk(from).await };
        if first == from.position + 1 {
            let events = feed::at_positions(&mut source, from.position, last).await?;
            return Ok((self.learn(&events, true).await?, Progress { position: last, ..from }));
        }
        // The log was pruned meanwhile. What lies between is walked through, after the present walk.
        match from.walks() {
            true => self.walk(from).await,
            false => Ok((Step::default(), Progress::walking(from.position, newest))),
        }
    }

    async fn walk(&self, from: Progress) -> Result<(Step, Progress)> {
        let mut source = self.store.reader();
        let mut to = from;
        let mut events: Vec<FeedEvent> = Vec::new();
        for _ in 0..ROOMS {
            let room = AT_ONCE - i64::try_from(events.len()).unwrap_or(AT_ONCE);
            let page = feed::in_room(&mut source, to.walk_room, to.walk_place, from.walk_until, room).await?;
            let full = i64::try_from(page.len()).unwrap_or(AT_ONCE) >= room;
            to.walk_place = page.last().map_or(to.walk_place, |event| event.ord);
            events.extend(page);
            if full {
                break;
            }
            match feed::next_room(&mut source, to.walk_room).await? {
                Some(next) => (to.walk_room, to.walk_place) = (next, from.walk_after),
                None => {
                    to.walk_after = from.walk_until;
                    break;
                }
            }
        }
        // An index that knows nothing has nothing to forget.
        let step = self.learn(&events, from.walk_after > BEGINNING).await?;
        Ok((step, to))
    }

    async fn learn(&self, events: &[FeedEvent], forgets: bool) -> Result<Step> {
        let redacted: Vec<String> = events.iter().filter(|_| forgets).filter_map(redacts).collect();
        let roots = events.iter().filter_map(replaces);
        let mut ids: Vec<&str> = roots.chain(redacted.iter().map(String::as_str)).collect();
        ids.sort_unstable();
        ids.dedup();
        let named = feed::by_ids(&mut self.store.reader(), &ids).await?;
        let named: HashMap<&str, &FeedEvent> =
            named.iter().map(|event| (event.event_id.as_str(), event)).collect();
        let mut step = Step::default();
        for event in events {
            let found = match replaces(event).map(|root| named.get(root)) {
                None => searchable(event),
                Some(None) => None,
                Some(Some(root)) => {
                    let found = edited(event, root);
                    let edit = Edit { room: event.room, root: root.ord, ord: event.ord };
                    step.edits.extend(found.as_ref().map(|_| edit));
                    found
                }
            };
            let words = found.map(|found| found.words());
            step.docs.extend(words.map(|words| Doc { room: event.room, ord: event.ord, words }));
        }
        let targets = redacted.iter().filter_map(|id| named.get(id.as_str()));
        step.gone =
            targets.filter(|target| target.redacted).map(|target| (target.room, target.ord)).collect();
        Ok(step)
    }
}
