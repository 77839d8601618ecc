//! Sweeps over conversations: members of channels come into rooms where they never were, those who were
//! taken out leave, and what slept wakes up. Bounded, and safe to be done by several processes at once.

use super::entering::ids;
use crate::Flows;
use kontor_model::{Code, Result};
use kontor_store::Change;
use kontor_store::audit::Actor;
use kontor_store::contacts::channels::{self, Move};
use kontor_store::contacts::conversations;

/// Memberships of one step, and conversations that wake up in one.
const STEP: i64 = 200;
/// Steps of one round.
const STEPS: usize = 50;

impl Flows {
    /// Closes the gaps between what conversations are and what they should be.
    ///
    /// # Errors
    /// `Unavailable` when the archive is gone.
    pub async fn tend_conversations(&self) -> Result<()> {
        self.wake_conversations().await?;
        self.move_members().await
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
            let missing = channels::missing(&mut self.store.reader(), company, STEP).await?;
            if self.each(&missing, true).await? == 0 {
                break;
            }
        }
        let late = channels::missing_assignees(&mut self.store.reader(), STEP).await?;
        self.each(&late, true).await?;
        if !self.store.has_leaving_members().await? {
            return Ok(());
        }
        for _ in 0..STEPS {
            let leaving = channels::leaving(&mut self.store.reader(), STEP).await?;
            if self.each(&leaving, false).await? == 0 {
                break;
            }
        }
        let mut change = Change::default();
        change.forget_gone_members();
        self.store.submit(change).await.map(|_| ())
    }

    /// Moves people; returns how many could be moved.
    async fn each(&self, moves: &[Move], in_: bool) -> Result<usize> {
        let mut done = 0;
        for step in moves {
            let (room_id, user_id) = ids(&step.room_id, &step.user_id)?;
            let moved = match in_ {
                true => self.bring_in(&room_id, &user_id).await,
                false => self.take_out(&room_id, &user_id).await,
            };
            match moved {
                Ok(()) => done += 1,
                Err(error) if error.code == Code::Unavailable => return Err(error),
                Err(error) => tracing::warn!(
                    room.id = %room_id, user.id = %user_id, error.message = %error.message,
                    "A member of a channel could not be brought into or out of a room of its conversations."
                ),
            }
        }
        Ok(done)
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
