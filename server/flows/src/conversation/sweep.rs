//! Sweeps over conversations: members of channels come into rooms where they never were, those who were
//! taken out leave, and what slept wakes up. Bounded, and safe to be done by several processes at once.

use super::entering::ids;
use crate::Flows;
use kontor_model::{Code, Ms, Nid, Result};
use kontor_store::Change;
use kontor_store::audit::Actor;
use kontor_store::contacts::conversations;
use kontor_store::contacts::moves::{self, Move};
use std::collections::HashSet;

/// Conversations of one step.
const STEP: i64 = 100;
/// Steps of one round.
const STEPS: usize = 50;
/// Steps of one round over visitors.
const VISITORS: usize = 4;
/// Before somebody who could not be brought in is tried again; twice as long each time.
const FIRST_WAIT: Ms = 60_000;
/// Up to about six days.
const DOUBLINGS: i64 = 13;

/// What became of those who were to be moved.
#[derive(Default)]
struct Moved<'a> {
    done: usize,
    /// To be tried again.
    failed: Vec<&'a Move>,
}

impl Flows {
    /// Closes the gaps between what conversations are and what they should be.
    ///
    /// # Errors
    /// `Unavailable` when the archive is gone.
    pub async fn tend_conversations(&self) -> Result<()> {
        self.wake_conversations().await?;
        self.move_members().await?;
        self.tend_channels().await?;
        self.tend_windows().await?;
        self.tend_widgets().await
    }

    /// Brings members of channels, and those who have a conversation, into the rooms of open conversations, and takes those out who are
    /// members no more.
    ///
    /// # Errors
    /// `Unavailable` when the archive is gone.
    pub async fn move_members(&self) -> Result<()> {
        let company = self.identity.company_user_id()?;
        let company = self.store.name(company.as_str()).await?;
        for _ in 0..STEPS {
            if !self.walk(company).await? {
                break;
            }
        }
        for _ in 0..STEPS {
            if !self.complete(company).await? {
                break;
            }
        }
        if !self.store.has_leaving_members().await? {
            return Ok(());
        }
        for _ in 0..STEPS {
            let leaving = moves::leaving(&mut self.store.reader(), STEP).await?;
            if self.each(&leaving, false).await?.done == 0 {
                break;
            }
        }
        let mut change = Change::default();
        change.forget_gone_members();
        self.store.submit(change).await.map(|_| ())
    }

    /// Takes a new member one step further through the conversations that were there before; says whether anybody
    /// was on the way.
    async fn walk(&self, company: Nid) -> Result<bool> {
        let Some(walk) = moves::walks(&mut self.store.reader(), 1).await?.pop() else { return Ok(false) };
        let ahead = moves::ahead(&mut self.store.reader(), &walk, STEP).await?;
        let failed = self.bring_missing(company, &ahead).await?;
        let mut change = Change::default();
        let to_the_end = ahead.len() < usize::try_from(STEP).unwrap_or(usize::MAX);
        change.walk_on(&walk, ahead.last().filter(|_| !to_the_end).map(String::as_str));
        for id in &failed {
            change.mind_conversation(id, self.clock.now() + FIRST_WAIT);
        }
        match self.store.submit(change).await {
            // Another process takes the same steps.
            Err(error) if error.is_conflict() => Ok(true),
            outcome => outcome.map(|_| true),
        }
    }

    /// Brings everybody into the rooms of conversations that are due; says whether there were any.
    async fn complete(&self, company: Nid) -> Result<bool> {
        let now = self.clock.now();
        let due = moves::due(&mut self.store.reader(), now, STEP).await?;
        if due.is_empty() {
            return Ok(false);
        }
        let ids: Vec<String> = due.iter().map(|due| due.conversation.clone()).collect();
        let failed = self.bring_missing(company, &ids).await?;
        let mut change = Change::default();
        for row in &due {
            match failed.contains(&row.conversation) {
                false => change.settle_conversation(row),
                true => {
                    change.postpone_conversation(row, now + (FIRST_WAIT << row.tries.clamp(0, DOUBLINGS)))
                }
            }
        }
        self.store.submit(change).await.map(|_| true)
    }

    /// Brings those who are missing into the rooms of conversations; gives the conversations where that failed.
    async fn bring_missing(&self, company: Nid, conversations: &[String]) -> Result<HashSet<String>> {
        let ids: Vec<&str> = conversations.iter().map(String::as_str).collect();
        let missing = moves::missing(&mut self.store.reader(), company, &ids).await?;
        let moved = self.each(&missing, true).await?;
        Ok(moved.failed.into_iter().map(|step| step.conversation.clone()).collect())
    }

    /// Moves people.
    async fn each<'a>(&self, moves: &'a [Move], in_: bool) -> Result<Moved<'a>> {
        let mut moved = Moved::default();
        for step in moves {
            let (room_id, user_id) = ids(&step.room_id, &step.user_id)?;
            let done = match in_ {
                true => self.bring_in(&room_id, &user_id).await,
                false => self.take_out(&room_id, &user_id).await,
            };
            let Err(error) = done else {
                moved.done += 1;
                continue;
            };
            if error.code == Code::Unavailable {
                return Err(error);
            }
            tracing::warn!(
                room.id = %room_id, user.id = %user_id, error.message = %error.message,
                "A member of a channel could not be brought into or out of a room of its conversations."
            );
            // Those who may not be there will not be asked again and again.
            if !matches!(error.code, Code::Forbidden | Code::NotFound) {
                moved.failed.push(step);
            }
        }
        Ok(moved)
    }

    /// Forgets visitors of whom nothing is known and who were silent for long; their rooms lose their names.
    ///
    /// # Errors
    /// `Unavailable` when the archive is gone.
    pub async fn forget_visitors(&self) -> Result<()> {
        for _ in 0..VISITORS {
            let step = self.contacts.forget_visitors().await?;
            if !step.change.is_empty() {
                self.store.submit_bulk(step.change).await?;
            }
            for contact in &step.renamed {
                self.relabel(contact).await;
            }
            if !step.more {
                break;
            }
        }
        Ok(())
    }

    /// Opens conversations whose sleep is over.
    async fn wake_conversations(&self) -> Result<()> {
        for row in conversations::awake(&mut self.store.reader(), self.clock.now(), STEP).await? {
            let change = self.contacts.plan_status(&row, "open", None, Actor::default()).await?;
            match self.store.submit(change).await {
                // Somebody else woke it up.
                Err(error) if error.is_conflict() => {}
                outcome => drop(outcome?),
            }
        }
        Ok(())
    }
}
