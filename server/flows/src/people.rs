//! What rooms need to know of people: do they exist, do they want invitations, what is their name.

use crate::Flows;
use kontor_model::{Code, Error, Result};
use kontor_rooms::member::{Person, Profile};
use kontor_store::identity::people::{self, PersonRow};
use ruma::{OwnedUserId, UserId};
use std::collections::HashMap;

fn profile(row: &PersonRow) -> Profile {
    let text = |json: &Option<String>| json.as_deref().and_then(|json| serde_json::from_str(json).ok());
    Profile { displayname: text(&row.displayname), avatar_url: text(&row.avatar_url) }
}

fn blocks_invitations(row: &PersonRow) -> bool {
    #[derive(serde::Deserialize)]
    struct Permission {
        default_action: Option<String>,
    }
    let permission = row.invite_permission.as_deref().and_then(|json| serde_json::from_str(json).ok());
    permission.is_some_and(|permission: Permission| permission.default_action.as_deref() == Some("block"))
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

    /// Those of the users who can be invited, each once, in the order given.
    ///
    /// # Errors
    /// `Forbidden` for users of other servers, `NotFound` for users who do not exist,
    /// `InviteBlocked` for those who take no invitations.
    pub(crate) async fn invitable(&self, users: &[OwnedUserId]) -> Result<Vec<Person>> {
        let server = &self.settings.server_name;
        if let Some(foreign) = users.iter().find(|user| user.server_name() != server) {
            return Err(Error::forbidden(format!(
                "{foreign} cannot be invited: this server does not talk to other servers yet."
            )));
        }
        let rows = people::by_user_ids(&mut self.store.reader(), users).await?;
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
            if blocks_invitations(&row) {
                return Err(Error::new(Code::InviteBlocked, format!("{user} takes no invitations.")));
            }
            people.push(Person { user_id: user.clone(), profile: profile(&row) });
        }
        Ok(people)
    }
}
