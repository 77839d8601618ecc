//! Bringing employees into the rooms of conversations and taking them out: in the company's name, at
//! once.

use crate::Flows;
use crate::post::Post;
use kontor_model::{Draft, Error, Ms, Result};
use kontor_rooms::member::{Membership, Person};
use kontor_rooms::{Chain, Head};
use ruma::{CanonicalJsonObject, OwnedRoomId, OwnedUserId, RoomId, UserId};

/// Power of employees in customers' rooms: they may take words back, and change no settings.
pub(crate) const EMPLOYEE: i64 = 50;

/// The member events by which the company lets somebody in: an invitation and the join.
pub(crate) fn entry(company: &UserId, person: &Person, now: Ms) -> [Draft; 2] {
    let member = |membership: &str, sender: &UserId| {
        let member = Membership { membership, profile: Some(&person.profile), ..Membership::default() };
        Draft::state("m.room.member", person.user_id.as_str(), member.content(), sender.to_owned(), now)
    };
    [member("invite", company), member("join", &person.user_id)]
}

/// Power levels with more users at the level of employees.
fn raised(head: &Head, user: &UserId) -> Option<CanonicalJsonObject> {
    let kind = ruma::events::StateEventType::RoomPowerLevels;
    let mut content: CanonicalJsonObject = head.content(&kind, "")?;
    let users = content.entry("users".to_owned()).or_insert_with(|| CanonicalJsonObject::new().into());
    let ruma::CanonicalJsonValue::Object(users) = users else { return None };
    if users.contains_key(user.as_str()) {
        return None;
    }
    users.insert(user.to_string(), ruma::CanonicalJsonValue::Integer(ruma::Int::new(EMPLOYEE)?));
    Some(content)
}

impl Flows {
    /// The accounts of these users that are not closed, with their profiles.
    ///
    /// # Errors
    /// `Unavailable` when the archive is gone.
    pub(crate) async fn persons(&self, users: &[&UserId]) -> Result<Vec<Person>> {
        let rows = kontor_store::identity::people::by_user_ids(&mut self.store.reader(), users).await?;
        let mut persons = Vec::new();
        for row in rows.iter().filter(|row| row.state != "deactivated") {
            let Ok(user_id) = OwnedUserId::try_from(row.user_id.as_str()) else { continue };
            persons.push(Person { user_id, profile: crate::people::profile(row) });
        }
        Ok(persons)
    }

    /// Brings an employee into a room of a conversation; who is in stays in.
    ///
    /// # Errors
    /// `Forbidden` for those who cannot be backstage, `NotFound` without such an account.
    pub(crate) async fn bring_in(&self, room_id: &RoomId, user: &UserId) -> Result<()> {
        self.check_insider(user.as_str()).await?;
        let company = self.company().await?.user_id;
        let person = self.persons(&[user]).await?.into_iter().next();
        let person = person.ok_or_else(|| Error::not_found("There is no such account."))?;
        let now = self.clock.now();
        let decide = |head: &Head| {
            let mut drafts = Vec::new();
            match head.membership(user).as_str() {
                "join" => {}
                "invite" => drafts.extend(entry(&company, &person, now).into_iter().skip(1)),
                _ => drafts.extend(entry(&company, &person, now)),
            }
            let creator = company.clone();
            let levels = |content| Draft::state("m.room.power_levels", "", content, creator, now);
            drafts.extend(raised(head, user).map(levels));
            Ok(drafts)
        };
        self.post(room_id, Post { decide: Some(&decide), ..Post::default() }).await.map(|_| ())
    }

    /// Takes somebody out of a room of a conversation; who is out stays out.
    ///
    /// # Errors
    /// As [`Flows::post`].
    pub(crate) async fn take_out(&self, room_id: &RoomId, user: &UserId) -> Result<()> {
        let company = self.company().await?.user_id;
        let content = Membership { membership: "leave", ..Membership::default() }.content();
        let now = self.clock.now();
        let decide = |head: &Head| {
            let there = ["join", "invite"].contains(&head.membership(user).as_str());
            let draft =
                || Draft::state("m.room.member", user.as_str(), content.clone(), company.clone(), now);
            Ok(there.then(draft).into_iter().collect())
        };
        self.post(room_id, Post { decide: Some(&decide), ..Post::default() }).await.map(|_| ())
    }

    /// Pushes the entries of people onto a new room.
    ///
    /// # Errors
    /// As [`Flows::post`].
    pub(crate) async fn push_entries(
        &self,
        chain: &mut Chain,
        company: &UserId,
        persons: &[Person],
        now: Ms,
    ) -> Result<()> {
        for person in persons {
            self.push_all(chain, &entry(company, person, now), None).await?;
        }
        Ok(())
    }
}

/// A room and a user as the archive names them.
///
/// # Errors
/// `Internal` for what is no id, which would be a defect.
pub(crate) fn ids(room_id: &str, user_id: &str) -> Result<(OwnedRoomId, OwnedUserId)> {
    let room_id = OwnedRoomId::try_from(room_id).map_err(Error::internal)?;
    Ok((room_id, OwnedUserId::try_from(user_id).map_err(Error::internal)?))
}
