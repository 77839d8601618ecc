//! Posting events of this server into a room: the one way in for messages, state and memberships.
//!
//! Builds on the room as it will stand, queues the change, lets the next one in, and waits for the
//! disk. When another process was quicker, the events are built again on the new state.

use crate::Flows;
use crate::conversation::commands::Afterwards;
use kontor_model::{Code, Draft, Error, Ms, Nid, Result};
use kontor_rooms::{Chain, Head, Lane};
use kontor_store::audit::{Actor, Audit};
use kontor_store::rooms::events::{self, NewTxn};
use kontor_store::{Committed, Receipt};
use ruma::{OwnedEventId, RoomId};
use std::time::Duration;

/// How often events are built anew when others are quicker.
const ATTEMPTS: usize = 20;

/// How often a room is lost to other processes before this one asks for its turn.
const RACES: usize = 2;

/// Between two looks whether another process's turn is over.
const LOOK: Duration = Duration::from_millis(10);

/// A transaction id of a client: the same request again has the same effect, once.
#[derive(Clone, Debug)]
pub struct Txn {
    /// Who sends.
    pub user: Nid,
    /// The device, or the application service.
    pub scope: String,
    /// SHA-256 of the request path.
    pub digest: Vec<u8>,
    /// The transaction id itself, which the sender's own device is shown again.
    pub txn_id: String,
    /// How long it is remembered, milliseconds.
    pub kept: Ms,
}

/// A condition on the room as it stands.
pub type Check<'a> = &'a (dyn Fn(&Head) -> Result<()> + Send + Sync);

/// What else an act does, once its events have their ids.
pub type Rows<'a> = &'a (dyn Fn(&mut Chain) -> Result<()> + Send + Sync);

/// Events that are decided on the room as it stands.
pub type Decide<'a> = &'a (dyn Fn(&Head) -> Result<Vec<Draft>> + Send + Sync);

/// What is to be posted.
#[derive(Default)]
pub struct Post<'a> {
    /// The events, in order; all or none.
    pub drafts: Vec<Draft>,
    /// Further events, decided on the room as it stands; if there are none at all, nothing is done.
    pub decide: Option<Decide<'a>>,
    /// The transaction id, which stands for the first event.
    pub txn: Option<Txn>,
    /// Who acts: the events that the audit catalogue names get their rows.
    pub actor: Option<Actor>,
    /// Further audit rows of the act.
    pub audit: Vec<Audit>,
    /// A condition on the room as it stands, beyond the authorisation rules.
    pub check: Option<Check<'a>>,
    /// Rows that belong to the act, made once the events have their ids.
    pub rows: Option<Rows<'a>>,
}

/// Events on their way to the disk.
struct Queued {
    ids: Vec<OwnedEventId>,
    receipt: Receipt,
    /// What is to be done when they are there.
    afterwards: Afterwards,
}

/// What transaction ids did lately, so that a repeated request asks nobody.
pub struct Repeats(moka::sync::Cache<(Nid, String, Vec<u8>), OwnedEventId>);

impl Default for Repeats {
    fn default() -> Self {
        // About 200 bytes each.
        Self(moka::sync::Cache::new(20_000))
    }
}

impl Repeats {
    fn get(&self, txn: &Txn) -> Option<OwnedEventId> {
        self.0.get(&(txn.user, txn.scope.clone(), txn.digest.clone()))
    }

    fn remember(&self, txn: &Txn, id: &OwnedEventId) {
        self.0.insert((txn.user, txn.scope.clone(), txn.digest.clone()), id.clone());
    }
}

impl Flows {
    /// Posts one event.
    ///
    /// # Errors
    /// As [`Flows::post`].
    pub async fn post_one(&self, room_id: &RoomId, draft: Draft) -> Result<OwnedEventId> {
        let post = Post { drafts: vec![draft], ..Post::default() };
        first(self.post(room_id, post).await?)
    }

    /// Posts events into a room; returns their ids when they are on the disk.
    ///
    /// # Errors
    /// `NotFound` without such a room, `Forbidden` when a rule or the condition refuses,
    /// `TooLarge`/`BadJson` for what cannot be an event, `Unavailable` when the archive is gone.
    pub async fn post(&self, room_id: &RoomId, post: Post<'_>) -> Result<Vec<OwnedEventId>> {
        let done = self.post_once(room_id, &post).await;
        let Some(txn) = &post.txn else { return done };
        match done {
            Ok(ids) => {
                if let Some(id) = ids.first() {
                    self.repeats.remember(txn, id);
                }
                Ok(ids)
            }
            // The same request may have been answered before the room changed, or by a process
            // whose answer was lost.
            Err(error) => match self.sent_before(txn).await? {
                Some(id) => Ok(vec![id]),
                None => {
                    self.tell_why_kept_back(&error).await;
                    Err(error)
                }
            },
        }
    }

    /// The event that the same request made before. What was sent lately is known; for the rest the
    /// archive refuses a second row of the same transaction, and only then is asked which was first.
    async fn sent_before(&self, txn: &Txn) -> Result<Option<OwnedEventId>> {
        if let Some(id) = self.repeats.get(txn) {
            return Ok(Some(id));
        }
        let mut reader = self.store.reader();
        let id = events::sent(&mut reader, txn.user, &txn.scope, &txn.digest).await?;
        let id = id.map(|id| OwnedEventId::try_from(id).map_err(Error::internal)).transpose()?;
        if let Some(id) = &id {
            self.repeats.remember(txn, id);
        }
        Ok(id)
    }

    async fn post_once(&self, room_id: &RoomId, post: &Post<'_>) -> Result<Vec<OwnedEventId>> {
        for attempt in 1..=ATTEMPTS {
            if let Some(txn) = &post.txn {
                let known = if attempt == 1 { self.repeats.get(txn) } else { self.sent_before(txn).await? };
                if let Some(id) = known {
                    return Ok(vec![id]);
                }
            }
            let lane = self.rooms.lanes.hold(room_id).await?;
            let (generation, room) = (lane.generation(), lane.head()?.room);
            let Some(Queued { ids, receipt, afterwards }) = self.queue(lane, post).await? else {
                return Ok(Vec::new());
            };
            match receipt.wait().await {
                Ok(Committed { .. }) => {
                    self.after_commands(afterwards).await;
                    return Ok(ids);
                }
                Err(error) => {
                    // Whatever went wrong, the lane stands on an event that does not exist.
                    self.rooms.lanes.lost(room_id, generation).await;
                    if !error.is_conflict() {
                        return Err(error);
                    }
                    if attempt >= RACES {
                        self.wait_for_turn(room).await?;
                    }
                }
            }
        }
        Err(Error::new(Code::Unavailable, "The room is very busy. Try again in a moment."))
    }

    /// Waits until this process is next in a room that several write to; not for ever, since another
    /// may be quicker every time.
    async fn wait_for_turn(&self, room: Nid) -> Result<()> {
        for _ in 0..ATTEMPTS {
            if self.store.take_turn(room).await? {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Builds the events and queues them; `None` when there is nothing to do.
    async fn queue(&self, mut lane: Lane, post: &Post<'_>) -> Result<Option<Queued>> {
        let now = self.clock.now();
        if let Some(check) = post.check {
            check(lane.head()?)?;
        }
        let decided = post.decide.map_or_else(|| Ok(Vec::new()), |decide| decide(lane.head()?))?;
        let mut chain = Chain::on(lane.head()?);
        self.push_all(&mut chain, &post.drafts, post.actor.as_ref()).await?;
        self.push_all(&mut chain, &decided, post.actor.as_ref()).await?;
        self.at_door(&mut chain).await?;
        let afterwards = self.at_backstage(&mut chain).await?;
        if chain.events().is_empty() {
            return Ok(None);
        }
        self.add_notices(&mut chain).await?;
        if let (Some(txn), Some(event)) = (&post.txn, chain.events().first().cloned()) {
            chain.change().remember_txn(NewTxn {
                user: txn.user,
                scope: &txn.scope,
                digest: &txn.digest,
                txn_id: &txn.txn_id,
                event: event.nid,
                event_id: event.pdu.event_id.as_str(),
                until_ts: now + txn.kept,
            });
        }
        for audit in &post.audit {
            let nid = self.store.nid().await?;
            chain.change().audit(nid, audit.clone());
        }
        if let Some(rows) = post.rows {
            rows(&mut chain)?;
        }
        if self.settings.forget_on_leave {
            chain.change().forget_leavers();
        }
        let ids = ids(&chain);
        let (change, head) = chain.finish(false, now)?;
        let receipt = self.store.enqueue(change).await;
        lane.advance(head);
        Ok(Some(Queued { ids, receipt, afterwards }))
    }

    /// Adds drafts to a chain, with the audit rows of those that the catalogue names.
    ///
    /// # Errors
    /// As [`Flows::post`].
    pub(crate) async fn push_all(
        &self,
        chain: &mut Chain,
        drafts: &[Draft],
        actor: Option<&Actor>,
    ) -> Result<()> {
        for draft in drafts {
            self.check_company(chain.head(), draft).await?;
            let named = actor.zip(kontor_rooms::audited::action(chain.head(), draft));
            let nids = self.rooms.nids(draft).await?;
            let now = self.clock.now();
            let id = chain.push(draft, nids, &self.rooms.signer, &*self.judge, now)?;
            if let Some((actor, named)) = named {
                let row = named.row(actor.clone(), &chain.head().room_id, &id, now);
                let nid = self.store.nid().await?;
                chain.change().audit(nid, row);
            }
        }
        Ok(())
    }
}

fn ids(chain: &Chain) -> Vec<OwnedEventId> {
    chain.events().iter().map(|event| event.pdu.event_id.clone()).collect()
}

/// The first id of a post that had at least one event.
pub(crate) fn first(ids: Vec<OwnedEventId>) -> Result<OwnedEventId> {
    ids.into_iter().next().ok_or_else(|| Error::internal("a post without events"))
}

#[cfg(test)]
mod tests;
