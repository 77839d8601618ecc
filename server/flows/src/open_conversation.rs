//! Opening a conversation: the contact, its address and claims, the user that writes for the customer,
//! the mirrored room, the backstage room, the links between them, and the employees in both, all in one
//! transaction. A repeated call finds what the first one made, also when both run at once in different
//! processes: the address is unique, and whoever is second builds nothing.

use crate::Flows;
use crate::conversation::entering::EMPLOYEE;
use crate::conversation::{BACKSTAGE, CONTEXT, CUSTOMER};
use kontor_contacts::names;
use kontor_contacts::opening::{Checked, Opening, Parts};
use kontor_model::appservice::Service;
use kontor_model::json::event_content;
use kontor_model::{Code, Error, Language, Ms, Nid, Result, RoomVersion, ids};
use kontor_rooms::create::{Creation, InitialState, empty};
use kontor_rooms::member::{Person, Profile};
use kontor_rooms::presets::Preset;
use kontor_rooms::{Chain, Head, alias};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::contacts::channels::{self, ChannelRow};
use kontor_store::contacts::identities;
use kontor_store::rooms::alias as directory;
use ruma::{CanonicalJsonObject, OwnedRoomAliasId, OwnedUserId, UserId};
use serde::Serialize;
use serde_json::{Value, json};

/// How often it is tried anew when somebody else opens the same at the same moment.
const TRIES: usize = 10;
/// Power that only the company's own user has.
const COMPANY: i64 = 100;

/// An open conversation, as a bridge is told of it.
#[derive(Clone, Debug, Serialize)]
pub struct Opened {
    /// Its id.
    pub conversation_id: String,
    /// The mirrored room.
    pub room_id: String,
    /// The contact.
    pub contact_id: String,
    /// The user that writes for the customer.
    pub ghost_user_id: String,
    /// Language of notices.
    pub language: Language,
}

/// What both rooms need.
struct Plan<'a> {
    checked: &'a Checked,
    channel: &'a ChannelRow,
    language: Language,
    company: Person,
    contact: String,
    conversation: String,
    now: Ms,
}

/// A room that is being made.
struct Made {
    chain: Chain,
    room: Nid,
}

impl Flows {
    /// Gives the conversation of a customer, opened if it is new. The same channel, account, id type and
    /// external id always give the same one.
    ///
    /// # Errors
    /// `NotFound` without such a channel; `Forbidden` for a channel of another application service;
    /// `Exclusive` when the service's namespaces do not cover the customer's user; `InvalidParam`.
    pub async fn open_conversation(
        &self,
        service: &Service,
        opening: Opening,
        actor: Actor,
    ) -> Result<Opened> {
        let checked = self.contacts.check_opening(opening)?;
        let channel = self.channel_of(service, &checked.opening.channel).await?;
        for _ in 0..TRIES {
            if let Some(opened) = self.known_conversation(&checked, &channel).await? {
                return Ok(opened);
            }
            match self.make_conversation(service, &checked, &channel, actor.clone()).await {
                Err(error) if error.is_conflict() => {}
                outcome => return outcome,
            }
        }
        Err(Error::new(Code::Unavailable, "Many conversations are opened at this moment. Try again."))
    }

    /// A channel, for the application service that speaks for it.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn channel_of(&self, service: &Service, id: &str) -> Result<ChannelRow> {
        let channel = self.contacts.channel(id).await?;
        if channel.service != *service.id {
            return Err(Error::forbidden("This channel belongs to another application service."));
        }
        Ok(channel)
    }

    async fn known_conversation(&self, checked: &Checked, channel: &ChannelRow) -> Result<Option<Opened>> {
        let known = identities::known(&mut self.store.reader(), checked.key()).await?;
        let Some(known) = known else { return Ok(None) };
        let renamed = self.contacts.is_renamed(checked, &known.contact).await?;
        let change = self.contacts.plan_return(checked, &known).await?;
        self.store.submit(change).await?;
        if renamed {
            self.relabel(&known.contact).await;
        }
        let language = known.language.as_deref().or(Some(&channel.language)).and_then(Language::of);
        Ok(Some(Opened {
            conversation_id: known.conversation,
            room_id: known.room_id,
            contact_id: known.contact,
            ghost_user_id: known.ghost,
            language: language.unwrap_or_default(),
        }))
    }

    async fn make_conversation(
        &self,
        service: &Service,
        checked: &Checked,
        channel: &ChannelRow,
        actor: Actor,
    ) -> Result<Opened> {
        let company = self.company().await?;
        let now = self.moments.next(self.clock.now());
        let found = self.contacts.find(checked).await?;
        let plan = Plan {
            checked,
            channel,
            language: checked.language.or_else(|| Language::of(&channel.language)).unwrap_or_default(),
            company: Person {
                profile: self.profile(&company.user_id).await?,
                user_id: company.user_id.clone(),
            },
            contact: found.contact.clone(),
            conversation: self.contacts.new_id(),
            now,
        };
        let (mut change, ghost) = self.ghost(service, &plan, actor.clone()).await?;
        let staff = self.staff(channel).await?;
        let bot = self.persons(&[&service.sender]).await?;
        let alias = self.conversation_alias(checked).await?;
        let mut customer = self.begin(&plan, CUSTOMER, alias.clone(), &staff).await?;
        let mut backstage = self.begin(&plan, BACKSTAGE, None, &staff).await?;
        let ids = [&customer, &backstage].map(|made| made.chain.head().room_id.clone());
        let link = self.link(
            &plan.conversation,
            &plan.contact,
            (ids[0].as_str(), ids[1].as_str()),
            &company.user_id,
            now,
        )?;
        for made in [&mut customer, &mut backstage] {
            self.push_all(&mut made.chain, std::slice::from_ref(&link), None).await?;
        }
        let mirrored: Vec<Person> = std::iter::once(ghost.clone()).chain(bot).chain(staff.clone()).collect();
        self.push_entries(&mut customer.chain, &company.user_id, &mirrored, now).await?;
        self.push_entries(&mut backstage.chain, &company.user_id, &staff, now).await?;
        let parts = Parts {
            conversation: &plan.conversation,
            found: &found,
            ghost: self.store.name(ghost.user_id.as_str()).await?,
            room: (customer.room, ids[0].as_str()),
            backstage: backstage.room,
        };
        self.contacts.plan_opening(&mut change, checked, channel, parts, actor.clone()).await?;
        if let Some(alias) = &alias {
            change.add_alias(alias.as_str(), customer.room, company.user, now);
        }
        let heads = self.write_conversation(change, [customer, backstage], actor).await?;
        for head in heads {
            self.rooms.lanes.insert(head).await;
        }
        Ok(Opened {
            conversation_id: plan.conversation,
            room_id: ids[0].to_string(),
            contact_id: plan.contact,
            ghost_user_id: ghost.user_id.to_string(),
            language: plan.language,
        })
    }

    /// Writes everything; gives where the rooms stand.
    async fn write_conversation(
        &self,
        mut change: Change,
        rooms: [Made; 2],
        actor: Actor,
    ) -> Result<Vec<Head>> {
        let mut heads = Vec::new();
        for mut made in rooms {
            let room_id = made.chain.head().room_id.clone();
            let audit =
                Audit::done(Action::RoomCreate, actor.clone(), self.clock.now()).on("room", room_id.as_str());
            made.chain.change().audit(self.store.nid().await?, audit);
            let (rows, head) = made.chain.finish(false, self.clock.now())?;
            change.join(rows);
            heads.push(head);
        }
        self.store.submit(change).await?;
        Ok(heads)
    }

    /// The user that writes for the customer; made unless the bridge made it before.
    async fn ghost(&self, service: &Service, plan: &Plan<'_>, actor: Actor) -> Result<(Change, Person)> {
        let key = plan.checked.key();
        let localpart = plan.checked.opening.ghost_localpart.clone().unwrap_or_else(|| names::ghost(key));
        let user_id = ids::new_user_id(&localpart, &self.settings.server_name)?;
        if !service.owns_user(user_id.as_str()) || user_id == service.sender {
            let message = format!(
                "The application service needs an exclusive namespace for users that covers {user_id}. Add it to its \
                 registration."
            );
            return Err(Error::new(Code::Exclusive, message));
        }
        let made = self.identity.register_for_service(service, Some(&localpart), None, actor).await;
        let mut change = match made {
            Ok((change, ..)) => change,
            Err(error) if error.code == Code::UserInUse => Change::default(),
            Err(error) => return Err(error),
        };
        let user = self.store.name(user_id.as_str()).await?;
        let nameless = names::nameless(plan.language, &plan.contact);
        let profile = Profile {
            displayname: Some(plan.checked.shown_name().unwrap_or(&nameless).to_owned()),
            avatar_url: plan.checked.opening.profile.avatar_mxc.clone(),
        };
        for (field, value) in [("displayname", &profile.displayname), ("avatar_url", &profile.avatar_url)] {
            if let Some(value) = value {
                change.set_profile_field(user, field, &Value::from(value.as_str()).to_string());
            }
        }
        Ok((change, Person { user_id, profile }))
    }

    /// Those who answer in a channel and may be backstage.
    async fn staff(&self, channel: &ChannelRow) -> Result<Vec<Person>> {
        let members = channels::members(&mut self.store.reader(), Some(&channel.id)).await?;
        let mut users: Vec<OwnedUserId> = Vec::new();
        for member in members.iter().filter(|member| !member.leaving) {
            match self.check_insider(&member.user_id).await {
                Ok(()) => {
                    users.push(OwnedUserId::try_from(member.user_id.as_str()).map_err(Error::internal)?)
                }
                Err(error) if error.code == Code::Unavailable => return Err(error),
                Err(_) => tracing::warn!(
                    channel.id = %channel.id, user.id = %member.user_id,
                    "A member of the channel cannot be backstage and is left out of its conversations."
                ),
            }
        }
        let users: Vec<&UserId> = users.iter().map(|user| &**user).collect();
        self.persons(&users).await
    }

    /// The mirrored room's alias, unless somebody has it.
    async fn conversation_alias(&self, checked: &Checked) -> Result<Option<OwnedRoomAliasId>> {
        let alias = alias::local(&names::alias(checked.key()), &self.settings.server_name)?;
        let taken = directory::target(&mut self.store.reader(), alias.as_str()).await?;
        Ok(taken.is_none().then_some(alias))
    }

    /// Begins a room: everything up to the company's own user.
    async fn begin(
        &self,
        plan: &Plan<'_>,
        kind: &str,
        alias: Option<OwnedRoomAliasId>,
        staff: &[Person],
    ) -> Result<Made> {
        let version = RoomVersion::parse(&self.settings.default_room_version)?;
        let room = self.store.nid().await?;
        let room_id = ids::new_room_id(&*self.random, &self.settings.server_name)?;
        let creation = Creation {
            creator: plan.company.clone(),
            preset: Preset::PrivateChat,
            alias,
            creation_content: object(&json!({ "type": kind, "m.federate": false }))?,
            power_levels: powers(&version, &plan.company.user_id, staff)?,
            initial_state: self.initial_state(plan, kind)?,
            name: Some(plan.name(kind)),
            topic: Some(names::topic("visitor", plan.language, &self.card_link(&plan.contact))),
            invitees: Vec::new(),
            is_direct: false,
            // Rooms of one maker that are made just alike at one moment would be one.
            now: if kind == CUSTOMER { plan.now } else { self.moments.next(plan.now) },
            version: version.clone(),
        };
        let mut chain = Chain::create(empty(room, room_id, version));
        self.push_all(&mut chain, &creation.state()?, None).await?;
        Ok(Made { chain, room })
    }
}

impl Flows {
    fn initial_state(&self, plan: &Plan<'_>, kind: &str) -> Result<Vec<InitialState>> {
        let mut state = plan.initial_state(kind)?;
        if kind == BACKSTAGE && self.settings.card_widget {
            let link = self.card_link(&plan.conversation);
            state.extend(super::conversation::widget::state(
                &link,
                &plan.conversation,
                &plan.company.user_id,
                plan.language,
            )?);
        }
        Ok(state)
    }
}

impl Plan<'_> {
    fn name(&self, kind: &str) -> String {
        let nameless = names::nameless(self.language, &self.contact);
        let shown = self.checked.shown_name().unwrap_or(&nameless);
        match kind {
            CUSTOMER => names::room(shown, &self.channel.name),
            _ => names::backstage(shown, self.language),
        }
    }

    fn initial_state(&self, kind: &str) -> Result<Vec<InitialState>> {
        let mut state = vec![("m.room.guest_access", json!({ "guest_access": "forbidden" }))];
        let opening = &self.checked.opening;
        if let Some(mxc) = &opening.profile.avatar_mxc {
            state.push(("m.room.avatar", json!({ "url": mxc })));
        }
        if kind == CUSTOMER && !opening.context.is_empty() {
            state.push((CONTEXT, Value::Object(opening.context.clone())));
        }
        let state = state.into_iter().map(|(kind, content)| {
            Ok(InitialState { kind: kind.to_owned(), state_key: String::new(), content: object(&content)? })
        });
        state.collect()
    }
}

/// Who may do what: the company's own user everything, employees everything but settings, the customer
/// and the bridge may talk.
fn powers(version: &RoomVersion, company: &UserId, staff: &[Person]) -> Result<CanonicalJsonObject> {
    let mut users: serde_json::Map<String, Value> =
        staff.iter().map(|person| (person.user_id.to_string(), EMPLOYEE.into())).collect();
    if !version.rules.authorization.explicitly_privilege_room_creators {
        users.insert(company.to_string(), COMPANY.into());
    }
    object(
        &json!({ "users": users, "state_default": COMPANY, "invite": EMPLOYEE, "kick": COMPANY, "ban": COMPANY,
        "events": { "m.room.pinned_events": EMPLOYEE, "im.vector.modular.widgets": COMPANY } }),
    )
}

fn object(value: &Value) -> Result<CanonicalJsonObject> {
    event_content(&serde_json::value::to_raw_value(value).map_err(Error::internal)?)
}
