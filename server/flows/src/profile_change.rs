//! A changed profile reaches the member events of all rooms that its owner is in.

use crate::Flows;
use crate::post::Post;
use futures_util::{StreamExt, stream};
use kontor_model::{Draft, Nid, Result};
use kontor_rooms::Head;
use kontor_rooms::member::{Membership, Profile};
use kontor_store::rooms::roster;
use ruma::{OwnedRoomId, UserId};

/// Rooms at a time: enough that the writer finds them together, and few enough for a user of
/// thousands of rooms to leave others room in its queue.
const AT_ONCE: usize = 64;

impl Flows {
    /// Tells all rooms that a user has joined about the user's profile as it is now. Rooms that say
    /// the same already are left alone; a room that refuses is logged and passed over.
    ///
    /// # Errors
    /// `Unavailable` when the archive is gone.
    pub async fn profile_changed(&self, user_id: &UserId, user: Nid) -> Result<()> {
        let profile = self.profile(user_id).await?;
        let rooms = roster::joined_by(&mut self.store.reader(), user).await?;
        let stale = rooms.into_iter().filter(|room| Profile::read(&room.content) != profile);
        stream::iter(stale)
            .for_each_concurrent(AT_ONCE, |room| self.tell_room(room.room_id, user_id, &profile))
            .await;
        Ok(())
    }

    async fn tell_room(&self, room_id: String, user_id: &UserId, profile: &Profile) {
        let content =
            Membership { membership: "join", profile: Some(profile), ..Membership::default() }.content();
        let now = self.clock.now();
        let decide = |head: &Head| {
            let joined = head.membership(user_id) == "join";
            let draft =
                || Draft::state("m.room.member", user_id.as_str(), content.clone(), user_id.to_owned(), now);
            Ok(joined.then(draft).into_iter().collect())
        };
        let told = match OwnedRoomId::try_from(room_id) {
            Ok(room_id) => {
                let post = Post { decide: Some(&decide), ..Post::default() };
                self.post(&room_id, post).await.map(|_| ())
            }
            Err(cause) => Err(kontor_model::Error::internal(cause)),
        };
        if let Err(error) = told {
            tracing::warn!(user.id = %user_id, error.cause = ?error, "a room was not told of a changed profile");
        }
    }
}
