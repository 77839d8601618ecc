//! What rooms need to know of people: do they exist, do they want invitations, what is their name.

use crate::Flows;
use crate::invite_rules::{InviteRules, Verdict};
use kontor_model::{Code, Error, Result};
use kontor_rooms::member::{Person, Profile};
use kontor_store::identity::people::{self, PersonRow};
use ruma::{OwnedUserId, UserId};
use std::collections::HashMap;

pub(crate) fn profile(row: &PersonRow) -> Profile {
    let text = |json: &Option<String>| json.as_deref().and_then(|json| serde_json::from_str(json).ok());
    Profile { displayname: text(&row.displayname), avatar_url: text(&row.avatar_url) }
}

impl Flows {
    /// What a user's member events say; nothing for a user who set nothing.
    ///
    /// # Errors
    /// `Unavailable` when the archive is gone.
    pub(crate) async fn profile(&self, user: &UserId) -> Result<Profile> {
        let rows = people::by_user_ids(&mut self.store.reader(), &[user]).await?;
        Ok(rows.first().map(profile).unwrap_or_default())
    }

    /// Whether an application service made any of the users who do not exist yet.
    async fn make_missing(
        &self,
        inviter: &UserId,
        users: &[OwnedUserId],
        known: &[PersonRow],
    ) -> Result<bool> {
        let mut made = false;
        for user in users.iter().filter(|user| !known.iter().any(|row| row.user_id == user.as_str())) {
            made |= self.ask_for_user(user, inviter).await?;
        }
        Ok(made)
    }

    /// Those of the users whom somebody can invite, each once, in the order given.
    ///
    /// # Errors
    /// `Forbidden` for users of other servers, `NotFound` for users who do not exist,
    /// `InviteBlocked` for those who take no invitations, `TimedOut` when a service does not say whether
    /// there is such a user.
    pub(crate) async fn invitable(&self, inviter: &UserId, users: &[OwnedUserId]) -> Result<Vec<Person>> {
        let server = &self.settings.server_name;
        if let Some(foreign) = users.iter().find(|user| user.server_name() != server) {
            return Err(Error::forbidden(format!(
                "{foreign} cannot be invited: this server does not talk to other servers yet."
            )));
        }
        let mut reader = self.store.reader();
        let mut rows = people::by_user_ids(&mut reader, users).await?;
        if self.make_missing(inviter, users, &rows).await? {
            rows = people::by_user_ids(&mut reader, users).await?;
        }
        let rules = people::invite_rules(&mut reader, users).await?;
        let mut found: HashMap<_, _> = rows.into_iter().map(|row| (row.user_id.clone(), row)).collect();
        let mut people: Vec<Person> = Vec::with_capacity(users.len());
        for user in users {
            let Some(row) = found.remove(user.as_str()) else {
                if people.iter().any(|person| person.user_id == *user) {
                    continue;
                }
                return Err(Error::not_found(format!("{user} cannot be invited: there is no such user.")));
            };
            if row.state == "deactivated" {
                return Err(Error::not_found(format!("{user} cannot be invited: the account is closed.")));
            }
            if InviteRules::of(user.as_str(), &rules).verdict(inviter.as_str()) == Verdict::Refused {
                return Err(Error::new(Code::InviteBlocked, format!("{user} takes no invitations.")));
            }
            people.push(Person { user_id: user.clone(), profile: profile(&row) });
        }
        Ok(people)
    }
}
