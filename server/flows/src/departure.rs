//! Closed accounts leave their rooms, step by step: what is left to do is in the archive, so that a
//! crash in the middle only delays it.

use crate::Flows;
use crate::post::Post;
use kontor_model::{Draft, Error, Result};
use kontor_rooms::Head;
use kontor_rooms::member::Membership;
use kontor_store::Change;
use kontor_store::identity::closing::{self, DepartureRow};
use ruma::{OwnedRoomId, OwnedUserId};

/// Accounts of one round.
const ACCOUNTS: i64 = 20;
/// Rooms that one account leaves in one step.
const ROOMS: i64 = 50;
/// Steps of one account in one round.
const STEPS: usize = 40;

impl Flows {
    /// Lets closed accounts leave their rooms; bounded, and safe to be done by several processes at
    /// once: whoever left already stays out.
    ///
    /// # Errors
    /// `Unavailable` when the archive is gone.
    pub async fn depart(&self) -> Result<()> {
        for account in closing::departures(&mut self.store.reader(), ACCOUNTS).await? {
            self.leave_all(&account).await?;
        }
        Ok(())
    }

    async fn leave_all(&self, account: &DepartureRow) -> Result<()> {
        let user_id = OwnedUserId::try_from(account.user_id.as_str()).map_err(Error::internal)?;
        for _ in 0..STEPS {
            let rooms = closing::rooms_to_leave(&mut self.store.reader(), account.user, ROOMS).await?;
            if rooms.is_empty() {
                let mut change = Change::default();
                change.departed(account.user);
                return self.store.submit(change).await.map(|_| ());
            }
            let mut left = 0;
            for room_id in rooms {
                match self.leave_for(&room_id, &user_id).await {
                    Ok(()) => left += 1,
                    Err(error) => tracing::warn!(
                        user.id = %user_id,
                        room.id = room_id,
                        error.cause = ?error,
                        "a closed account could not leave a room; trying again later"
                    ),
                }
            }
            if left == 0 {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn leave_for(&self, room_id: &str, user_id: &OwnedUserId) -> Result<()> {
        let room_id = OwnedRoomId::try_from(room_id).map_err(Error::internal)?;
        let content = Membership { membership: "leave", ..Membership::default() }.content();
        let now = self.clock.now();
        let decide = |head: &Head| {
            let inside = ["join", "invite", "knock"].contains(&head.membership(user_id).as_str());
            let draft =
                || Draft::state("m.room.member", user_id.as_str(), content.clone(), user_id.clone(), now);
            Ok(inside.then(draft).into_iter().collect())
        };
        let post = Post { decide: Some(&decide), ..Post::default() };
        self.post(&room_id, post).await.map(|_| ())
    }
}
