//! Who is online, told to those who share a room: with the answers of `/sync` that are given anyway,
//! never by waking one.

use crate::Flows;
use crate::sync::Request;
use crate::sync::answer::{Answer, PresenceEvent};
use kontor_identity::presence::{Seen, Sign, Status};
use kontor_model::filter::Facts;
use kontor_model::{Error, Nid, Requester, Result};
use kontor_store::rooms::company;
use ruma::UserId;
use std::collections::HashMap;

/// People of one answer, at most; the rest is left out.
const MOST: u64 = 500;

impl Flows {
    /// Notes a sign of somebody.
    pub fn note_presence(&self, requester: &Requester, sign: Sign) {
        self.identity.note_presence(requester, sign, || self.rooms.typing.count_on());
    }

    /// Adds what changed since the request's token to its answer.
    ///
    /// # Errors
    /// `Unavailable` when the archive is gone.
    pub(crate) async fn tell_presence(
        &self,
        requester: &Requester,
        request: &Request,
        answer: &mut Answer,
    ) -> Result<()> {
        let filter = &request.filter.presence;
        if !self.identity.tells_presence() || filter.admits_nothing() {
            return Ok(());
        }
        // A token of another process, or of before a restart, says nothing about this one's people.
        let since = request.since.filter(|since| since.process == self.rooms.typing.process());
        let changed =
            self.identity.presence_since(since.map(|since| since.ephemeral), || self.rooms.typing.count_on());
        let mut changed: HashMap<Nid, Seen> = changed.into_iter().collect();
        let users: Vec<Nid> = changed.keys().copied().collect();
        let mut known = company::shared_with(&mut self.store.reader(), requester.user, &users).await?;
        if users.contains(&requester.user) && !known.contains(&requester.user) {
            known.push(requester.user);
        }
        let limit = usize::try_from(filter.limit_within(MOST, MOST)).unwrap_or_default();
        let told = known.into_iter().filter_map(|user| changed.remove(&user)).filter(|seen| {
            let sender = Some(seen.user_id.as_str());
            filter.admits(Facts { kind: "m.presence", sender, has_url: false })
        });
        answer.presence = told.take(limit).map(|seen| PresenceEvent::of(&seen)).collect::<Vec<_>>().into();
        Ok(())
    }

    /// What somebody may see of another's presence.
    ///
    /// # Errors
    /// `Forbidden` unless they share a room.
    pub async fn presence(&self, requester: &Requester, user_id: &UserId) -> Result<Seen> {
        let offline =
            Seen { user_id: user_id.to_owned(), status: Status::Offline, message: None, active_ago: None };
        if !self.identity.tells_presence() {
            return Ok(offline);
        }
        let hidden = || Error::forbidden("You may not see whether this user is online: you share no room.");
        let user = self.store.known_name(user_id.as_str()).await?.ok_or_else(hidden)?;
        let shared = company::shared_with(&mut self.store.reader(), requester.user, &[user]).await?;
        if user != requester.user && shared.is_empty() {
            return Err(hidden());
        }
        if let Some(seen) = self.identity.presence_of(user) {
            return Ok(seen);
        }
        // Another process may know more; at least this was written.
        let active_ago = self.identity.last_seen(user).await?.map(|ts| (self.clock.now() - ts).max(0));
        Ok(Seen { active_ago, ..offline })
    }
}
