//! Sliding sync (MSC4186): the rooms that a client looks at, and of them what changed since it was
//! told.
//!
//! The token of an answer names what the connection was told (`told::State`) and the position up to
//! which. Any process can go on from it: a state is in this process's memory or in the archive, where
//! it is written with the next group commit. Nobody waits for that; should it be lost, the client is
//! asked to begin the connection anew. A state is kept until the client uses one that came of it, so
//! that a request whose answer was lost can be repeated.
//!
//! An answer is read in one snapshot, with the session guard, and with a number of statements that
//! does not depend on the number of rooms. Events are only read of rooms within reach.

pub mod answer;
mod directory;
mod extensions;
mod lists;
mod memory;
mod plan;
mod quiet;
pub mod request;
mod rooms;
mod state;
mod timelines;
mod told;
mod wanted;

use crate::Flows;
use crate::sync::{self, Reading, ignored_users};
use answer::{Answer, List};
use directory::Directory;
use extensions::{Context, has_news};
use kontor_model::{Code, Error, Nid, Pos, Requester, Result};
use kontor_store::identity::sessions;
use kontor_store::log::Topic;
use kontor_store::sliding::{self, Connection};
use kontor_store::{Change, Stream};
use lists::{Reach, direct_rooms};
pub use memory::Memory;
use memory::{Kept, Lately, Members};
use plan::{Known, Plan};
use quiet::Quiet;
use request::Request;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use told::{Mark, State};
pub use told::{Place, Token};

/// Longest wait of a long poll; longer ones are cut.
const MAX_WAIT: Duration = Duration::from_secs(120);
/// How long another process's state is waited for, which is on its way to the disk.
const PATIENCE: Duration = Duration::from_millis(600);
/// A connection that goes on unchanged is written again after this time, or it would be swept;
/// milliseconds.
const REWRITTEN: i64 = 86_400_000;

pub(crate) fn unknown_pos() -> Error {
    Error::new(Code::UnknownPos, "This connection is not known any more. Begin it anew, without pos.")
}

/// Where a request begins.
struct Start {
    connection: Connection,
    /// What the client was told; its number is in `token`.
    kept: Arc<Kept>,
    token: Option<Token>,
    lately: Arc<Lately>,
}

/// An answer, what the client will have been told with it, and who wakes those who wait.
struct Outcome {
    answer: Answer,
    at: Place,
    /// `None` = what it was told before.
    next: Option<State>,
    members: Arc<Members>,
    watched: Vec<Nid>,
    /// Whether the same request would have the same lists.
    settled: bool,
}

impl Flows {
    /// Answers a request of sliding sync.
    ///
    /// # Errors
    /// `UnknownPos` when what the connection was told is not known; `UnknownToken` when the session
    /// ended, also while waiting; `InvalidParam` for requests out of bounds.
    pub async fn sliding_sync(&self, requester: &Requester, request: &Request) -> Result<Answer> {
        request.check()?;
        let deadline = Instant::now() + request.timeout.min(MAX_WAIT);
        let start = self.start(requester, request).await?;
        let mut outcome = match self.quiet(requester, request, &start) {
            Some(outcome) => outcome,
            None => self.slide(requester, request, &start).await?,
        };
        if start.token.is_none() || request.timeout.is_zero() || !outcome.answer.is_empty() {
            return self.finish(request, &start, outcome).await;
        }
        let topics =
            outcome.watched.iter().map(|room| Topic::Room(*room)).chain([Topic::User(requester.user)]);
        let waiter = self.store.log().wait_for(topics);
        // Something may have come between the reading and the registration.
        let mut missed =
            self.store.log().newest() > outcome.at.pos || self.rooms.typing.counter() != outcome.at.ephemeral;
        loop {
            if !missed {
                tokio::select! {
                    () = waiter.woken() => {}
                    () = tokio::time::sleep_until(deadline) => break,
                    () = self.stopping() => break,
                }
            }
            missed = false;
            outcome = self.slide(requester, request, &start).await?;
            if !outcome.answer.is_empty() {
                break;
            }
        }
        self.finish(request, &start, outcome).await
    }

    /// Finds what the connection was told.
    async fn start(&self, requester: &Requester, request: &Request) -> Result<Start> {
        let connection = Connection {
            user: requester.user,
            device: requester.device_id.to_string(),
            conn_id: request.conn_id.clone().unwrap_or_default(),
        };
        let token: Option<Token> =
            request.pos.as_deref().filter(|pos| !pos.is_empty()).map(str::parse).transpose()?;
        let nothing = || Arc::new(Kept { connection: connection.clone(), state: State::default(), since: 0 });
        let Some(token) = token else {
            return Ok(Start { kept: nothing(), connection, token: None, lately: Arc::default() });
        };
        let kept = if token.state == 0 { nothing() } else { self.kept(&connection, token.state).await? };
        let key = (connection, token.to_string());
        let lately = self.sliding.lately.get(&key).unwrap_or_default();
        Ok(Start { connection: key.0, kept, token: Some(token), lately })
    }

    async fn kept(&self, connection: &Connection, number: Nid) -> Result<Arc<Kept>> {
        if let Some(kept) = self.sliding.states.get(&number) {
            return if kept.connection == *connection { Ok(kept) } else { Err(unknown_pos()) };
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some((text, since)) = sliding::state(&mut self.store.reader(), connection, number).await? {
                let state = State::decode(&text).map_err(|error| {
                    tracing::warn!(error.cause = ?error.cause, "A state of sliding sync is not readable.");
                    unknown_pos()
                })?;
                let kept = Arc::new(Kept { connection: connection.clone(), state, since });
                self.sliding.states.insert(number, Arc::clone(&kept));
                return Ok(kept);
            }
            if Instant::now() >= deadline {
                return Err(unknown_pos());
            }
            tokio::time::sleep(PATIENCE / 12).await;
        }
    }

    /// One reading.
    async fn slide(&self, requester: &Requester, request: &Request, start: &Start) -> Result<Outcome> {
        let own = start.token.map(|token| token.at).filter(|at| at.process == self.rooms.typing.process());
        // Before the snapshot: typing that comes during the reading is told next time again.
        let ephemeral = self.rooms.typing.counter();
        let mut snapshot = self.store.snapshot().await?;
        let guard = sessions::guard(&mut snapshot, requester.session, requester.user).await?;
        kontor_identity::sessions::stands(&guard, requester)?;
        let pos = start.token.map(|token| token.at.pos);
        if pos.is_some_and(|pos| pos > guard.newest) || own.is_some_and(|at| at.ephemeral > ephemeral) {
            return Err(unknown_pos());
        }
        let ignored = ignored_users(&mut snapshot, requester.user).await?;
        let as_sync = sync::Request::default();
        let mut reading = Reading {
            flows: self,
            requester,
            request: &as_sync,
            snapshot,
            since: pos,
            until: guard.newest,
            ignored,
            now: self.clock.now(),
        };
        let typing = match own {
            Some(at) => self.rooms.typing.changed_since(at.ephemeral),
            None => self.rooms.typing.active(),
        };
        let mut outcome = collect(&mut reading, request, start, &typing).await?;
        outcome.at = Place { pos: guard.newest, ephemeral, process: self.rooms.typing.process() };
        Ok(outcome)
    }

    /// Gives an answer its token, and remembers what the client will have been told.
    async fn finish(&self, request: &Request, start: &Start, outcome: Outcome) -> Result<Answer> {
        let Outcome { mut answer, at, mut next, members, settled, .. } = outcome;
        let now = self.clock.now();
        let parent = start.token.map_or(0, |token| token.state);
        if parent != 0 && now - start.kept.since > REWRITTEN {
            next.get_or_insert_with(|| start.kept.state.clone());
        } else {
            next = next.filter(|next| *next != start.kept.state);
        }
        let mut number = parent;
        if let Some(next) = next {
            number = self.store.nid().await?;
            let mut change = Change::default();
            change.save_sliding_state(&start.connection, number, parent, next.encode()?, now);
            let kept = Kept { connection: start.connection.clone(), state: next, since: now };
            self.sliding.states.insert(number, Arc::new(kept));
            // Written with the next group commit; nobody waits for it.
            drop(self.store.enqueue(change).await);
        }
        let token = Token { state: number, at }.to_string();
        let lately = Lately { members, quiet: Quiet::after(request, &answer).filter(|_| settled) };
        self.sliding.lately.insert((start.connection.clone(), token.clone()), Arc::new(lately));
        answer.pos = token;
        answer.txn_id.clone_from(&request.txn_id);
        Ok(answer)
    }
}

/// Reads one answer.
async fn collect(
    reading: &mut Reading<'_>,
    request: &Request,
    start: &Start,
    typing: &HashSet<Nid>,
) -> Result<Outcome> {
    let state = &start.kept.state;
    let pos = start.token.map(|token| token.at.pos);
    let directory = Directory::of(reading).await?;
    let by_dm = request.lists.values().filter_map(|list| list.filters.as_ref()).any(|f| f.is_dm.is_some());
    let changed = pos.is_none_or(|pos| has_news(reading, pos, Stream::AccountData));
    let mut direct = if by_dm || changed { Some(Arc::new(direct_rooms(reading).await?)) } else { None };
    let listed = direct.clone().unwrap_or_default();
    let (reach, directory) = Reach::of(reading, request, directory, &listed, state).await?;
    // Rooms that were out of reach may have become direct chats meanwhile.
    let followed = |room| state.rooms.get(room).is_some_and(|told| told.events == Mark::Live);
    if direct.is_none() && !reach.rooms.keys().all(followed) {
        direct = Some(Arc::new(direct_rooms(reading).await?));
    }
    let read_on = read_on(reading, &reach, state, pos).await?;
    let known = Known {
        directory: &directory,
        reach: &reach,
        state,
        pos: pos.map(|pos| pos.0),
        direct: direct.as_deref(),
        read_on: &read_on,
    };
    let mut plan = Plan::make(reading, &known).await?;
    let mut members = Members::clone(&start.lately.members);
    let live_from = pos.map_or(reading.until.0, |pos| pos.0);
    let told = rooms::tell(reading, &mut plan, live_from, &mut members).await?;
    let context = Context {
        request,
        reach: &reach,
        directory: &directory,
        before: state,
        pos: pos.map(|pos| pos.0),
        anew: &told.anew,
        typing,
    };
    let extensions = context.read(reading, &mut plan.next).await?;
    let lists = reach.lists.iter().map(|(name, list)| (name.clone(), List { count: list.count })).collect();
    // Rooms that were told as left are on no list next time.
    let settled = reach.rooms.keys().all(|room| plan.next.rooms.contains_key(room));
    plan.next.trim();
    Ok(Outcome {
        answer: Answer { lists, rooms: told.rooms, extensions, ..Answer::default() },
        at: Place::default(),
        next: Some(plan.next),
        members: Arc::new(members),
        watched: directory.watched().collect(),
        settled,
    })
}

/// Rooms in which the user read on since they were told: their unread counts changed.
async fn read_on(
    reading: &mut Reading<'_>,
    reach: &Reach,
    state: &State,
    pos: Option<Pos>,
) -> Result<HashSet<Nid>> {
    let told = |room: &Nid| state.rooms.get(room)?.events.since(pos?.0).map(|since| (*room, since));
    let told: HashMap<Nid, i64> = reach.rooms.keys().filter_map(told).collect();
    let Some(first) = told.values().min().copied().map(Pos) else { return Ok(HashSet::new()) };
    let (user, until) = (reading.user(), reading.until);
    let own = |entry: &kontor_store::log::Entry| {
        entry.row.stream == Stream::Receipt && entry.row.user == Some(user)
    };
    let news = reading.flows.store.log().between(first, until);
    if news.is_some_and(|news| !news.iter().any(own)) {
        return Ok(HashSet::new());
    }
    let moved = sliding::own_receipts(&mut reading.snapshot, user, first, until).await?;
    let since = |room: &Nid| told.get(room).copied().unwrap_or(i64::MAX);
    Ok(moved.into_iter().filter(|(room, pos)| *pos > since(room)).map(|(room, _)| room).collect())
}
