//! Contacts that may be one, as those backstage decide it: by a command, or by a reaction to the message that
//! shows one; and telling them of such contacts in the first place.

use super::commands::{Asked, Obeyed, excerpt, message};
use super::reader;
use crate::Flows;
use crate::caller::Caller;
use crate::post::Post;
use crate::send;
use kontor_contacts::card::Card;
use kontor_contacts::command::{Merging, merging};
use kontor_contacts::merge::{Planned, Undo, Wish};
use kontor_contacts::proposal::{self, Found, Proposed, alone, listed, stays};
use kontor_contacts::told::Told;
use kontor_model::{Draft, Error, Language, Nid, Result};
use kontor_rooms::{Accepted, Chain};
use kontor_store::Change;
use kontor_store::audit::Actor;
use kontor_store::contacts::conversations;
use kontor_store::contacts::proposals::{self, ProposalRow, Untold};
use kontor_store::contacts::queue::Reader;
use ruma::{OwnedEventId, OwnedRoomId};
use serde::Deserialize;
use std::collections::BTreeSet;

/// Suggestions that are told in one step.
const STEP: i64 = 100;
/// Steps of one round.
const STEPS: usize = 20;
/// Letters of a name.
const NAME: usize = 120;

/// Whose an account is: the sweep sees everything.
const EVERYTHING: Reader = Reader { user: 0, admin: true };

/// What somebody answers to a message, by a reaction.
#[derive(Deserialize)]
struct Reaction {
    #[serde(rename = "m.relates_to")]
    relates_to: Annotation,
}

#[derive(Deserialize)]
struct Annotation {
    event_id: OwnedEventId,
    key: String,
}

/// What a reaction answers, and whether it agrees, if it does either.
pub(super) fn reaction(event: &Accepted) -> Option<(OwnedEventId, bool)> {
    if event.pdu.kind.to_string() != "m.reaction" || event.pdu.state_key.is_some() {
        return None;
    }
    let Annotation { event_id, key } = serde_json::from_str::<Reaction>(&event.content).ok()?.relates_to;
    Some((event_id, kontor_contacts::command::agrees(&key)?))
}

impl Flows {
    /// `!merge`: who could it be, that is the same person, or that is somebody else.
    pub(super) async fn merge_asked(&self, chain: &mut Chain, asked: &Asked<'_>) -> Result<Obeyed> {
        let words = asked.words();
        let no_number = |number: i64| Told::sentence(words.no_number.replace("{n}", &number.to_string()));
        match merging(asked.order.rest) {
            Merging::Whom => self.who_else(chain, asked).await.map(Obeyed::from),
            Merging::Search(text) => self.look_for(chain, asked, text).await.map(Obeyed::from),
            Merging::Same(number, owner, despite) => {
                match self.contacts.proposal(&asked.row.id, number).await? {
                    Some(row) => self.make_one(chain, asked, &row, owner.as_deref(), despite).await,
                    None => Ok(no_number(number).into()),
                }
            }
            Merging::Different(number) => match self.contacts.proposal(&asked.row.id, number).await? {
                Some(row) => self.set_apart(chain, asked, &row).await.map(Obeyed::from),
                None => Ok(no_number(number).into()),
            },
        }
    }

    /// A reaction to a message that shows a contact.
    pub(super) async fn decide_shown(
        &self,
        chain: &mut Chain,
        asked: &Asked<'_>,
        row: &ProposalRow,
        same: bool,
    ) -> Result<Obeyed> {
        match same {
            true => self.make_one(chain, asked, row, None, false).await,
            false => self.set_apart(chain, asked, row).await.map(Obeyed::from),
        }
    }

    async fn who_else(&self, chain: &mut Chain, asked: &Asked<'_>) -> Result<Told> {
        let found = self.contacts.suggested(reader(asked.by)?, &asked.row.contact).await?;
        let words = asked.words();
        self.list(chain, asked, found, [words.perhaps, words.no_merge]).await
    }

    async fn look_for(&self, chain: &mut Chain, asked: &Asked<'_>, text: &str) -> Result<Told> {
        let (_, looked) = self.contacts.look_up(reader(asked.by)?, text).await?;
        let others = looked.candidates.into_iter().filter(|one| one.card.contact.id != asked.row.contact);
        let words = asked.words();
        let found = others.map(|one| (one, Vec::new())).collect();
        self.list(chain, asked, found, [words.found, words.nothing_found]).await
    }

    /// Lists contacts with their numbers: everybody in the room reads it, so those whom somebody there may not see
    /// are left to the card.
    async fn list(
        &self,
        chain: &mut Chain,
        asked: &Asked<'_>,
        mut found: Vec<Found>,
        [title, none]: [&str; 2],
    ) -> Result<Told> {
        let all = found.len();
        let here = asked.row.id.as_str();
        let pairs: Vec<_> = found.iter().map(|(one, _)| (here, one.card.contact.id.as_str())).collect();
        let seen = self.seen_by_all(&pairs).await?;
        found.retain(|(one, _)| seen.iter().any(|(_, id)| *id == one.card.contact.id));
        let kept_back = found.len() < all;
        let shown = self.contacts.numbered(chain.change(), &asked.row.id, found).await?;
        let told = match shown.is_empty() {
            true if kept_back => Told::default(),
            true => Told::sentence(none),
            false => listed(&shown, title, asked.telling.language),
        };
        Ok(match kept_back {
            true => {
                told.say(asked.words().not_for_all).lead(asked.words().card, self.card_link(&asked.row.id))
            }
            false => told,
        })
    }

    /// Of some pairs of a conversation and a contact those where everybody backstage may see the contact.
    async fn seen_by_all(&self, pairs: &[(&str, &str)]) -> Result<BTreeSet<(String, String)>> {
        let company = self.store.name(self.company().await?.user_id.as_str()).await?;
        let seen = proposals::may_all_see(&mut self.store.reader(), company, pairs).await?;
        Ok(seen.into_iter().collect())
    }

    /// The contact of a conversation and the one that was shown there, as far as the asker sees both.
    async fn both(&self, asked: &Asked<'_>, row: &ProposalRow) -> Result<(Card, Card)> {
        let who = reader(asked.by)?;
        let other = self.contacts.card(who, &row.now).await?;
        Ok((self.contacts.card(who, &asked.row.contact).await?, other))
    }

    async fn make_one(
        &self,
        chain: &mut Chain,
        asked: &Asked<'_>,
        row: &ProposalRow,
        owner: Option<&str>,
        despite: bool,
    ) -> Result<Obeyed> {
        let words = asked.words();
        if row.now == asked.row.contact {
            return Ok(Told::sentence(words.already_one).into());
        }
        let owner = match owner {
            None => None,
            Some(name) => match self.colleague(name).await? {
                Some(user_id) => Some(self.employee(&user_id).await?),
                None => return Ok(Told::sentence(words.no_employee).into()),
            },
        };
        let (own, other) = self.both(asked, row).await?;
        let into = stays(&own, &other);
        let from = if std::ptr::eq(into, &own) { &other } else { &own };
        let from = [from.contact.id.clone()];
        let wish = Wish { into: &into.contact.id, from: &from, owner, batch: None, despite };
        let number = row.number.to_string();
        match self.contacts.plan_merge(reader(asked.by)?, wish, asked.actor()).await? {
            Planned::Done(plan) => {
                chain.change().join(plan.change);
                let name = shown_name(into, asked.telling.language);
                let told = Told::sentence(words.merged.replace("{name}", &name));
                Ok(Obeyed { told, entering: None, renamed: plan.touched })
            }
            Planned::TwoOwners(a, b) => {
                let said = words.two_owners.replace("{a}", &self.user_name(a).await?);
                let said = said.replace("{b}", &self.user_name(b).await?).replace("{n}", &number);
                Ok(Told::sentence(said).into())
            }
            Planned::Apart(..) => Ok(Told::sentence(words.set_apart.replace("{n}", &number)).into()),
        }
    }

    async fn user_name(&self, user: Nid) -> Result<String> {
        let name = kontor_store::contacts::merges::user_id(&mut self.store.reader(), user).await?;
        Ok(name.unwrap_or_default())
    }

    async fn set_apart(&self, chain: &mut Chain, asked: &Asked<'_>, row: &ProposalRow) -> Result<Told> {
        let words = asked.words();
        if row.now == asked.row.contact {
            return Ok(Told::sentence(words.already_one));
        }
        let who = reader(asked.by)?;
        let change = self.contacts.plan_apart(who, &asked.row.contact, &row.now, asked.actor()).await?;
        chain.change().join(change);
        Ok(Told::sentence(words.apart))
    }

    /// `!undo`: takes the last merge of the conversation's contact back.
    pub(super) async fn undo_asked(&self, chain: &mut Chain, asked: &Asked<'_>) -> Result<Obeyed> {
        let (words, who) = (asked.words(), reader(asked.by)?);
        let merges = self.contacts.merges_of(who, &asked.row.contact).await?;
        let Some(last) = merges.into_iter().find(|merge| merge.undone.is_none()) else {
            return Ok(Told::sentence(words.nothing_to_undo).into());
        };
        let wish = Undo { merge_id: Some(last.nid.to_string()), ..Undo::default() };
        let rows = self.contacts.merges_to_undo(&wish).await?;
        let plan = self.contacts.plan_undo(who, rows, asked.actor()).await?;
        chain.change().join(plan.change);
        let language = asked.telling.language;
        let from = excerpt(&self.contacts.own_name(&last.from, language).await?, NAME);
        let into = excerpt(&self.contacts.own_name(&last.into, language).await?, NAME);
        let told = Told::sentence(words.undone.replace("{from}", &from).replace("{into}", &into));
        Ok(Obeyed { told, entering: None, renamed: plan.touched })
    }

    /// `!split`: whoever writes in this conversation is somebody else.
    pub(super) async fn split_asked(&self, chain: &mut Chain, asked: &Asked<'_>) -> Result<Obeyed> {
        let (row, who) = (asked.row, reader(asked.by)?);
        let conversations = [row.id.clone()];
        match self.contacts.plan_split(who, &row.contact, &conversations, asked.actor()).await {
            Ok(split) => {
                chain.change().join(split.plan.change);
                let told = Told::sentence(asked.words().split);
                Ok(Obeyed { told, entering: None, renamed: split.plan.touched })
            }
            Err(error) if error.is_conflict() => Ok(Told::sentence(asked.words().nothing_to_undo).into()),
            Err(error) => Err(error),
        }
    }

    /// Tells those who talk with a contact that another is perhaps the same person, where all of them may see
    /// it; once for each pair.
    ///
    /// # Errors
    /// `Unavailable` when the archive is gone.
    pub async fn tell_suggestions(&self) -> Result<()> {
        for _ in 0..STEPS {
            let untold = proposals::untold(&mut self.store.reader(), STEP).await?;
            if untold.is_empty() {
                break;
            }
            self.tell_untold(&untold).await?;
            let mut change = Change::default();
            change.suggestions_told(untold.iter().map(|row| &row.pair));
            self.store.submit_bulk(change).await?;
        }
        Ok(())
    }

    async fn tell_untold(&self, untold: &[Untold]) -> Result<()> {
        let telling: Vec<Telling> = untold.iter().filter_map(Telling::of).collect();
        let conversations: Vec<&str> = telling.iter().map(|one| one.conversation.as_str()).collect();
        if conversations.is_empty() {
            return Ok(());
        }
        let pairs: Vec<_> =
            telling.iter().map(|one| (one.conversation.as_str(), one.other.as_str())).collect();
        let seen = self.seen_by_all(&pairs).await?;
        let shown = proposals::of_conversations(&mut self.store.reader(), &conversations).await?;
        for one in telling {
            let known = shown.iter().any(|row| row.conversation == one.conversation && row.now == one.other);
            if known || !seen.contains(&(one.conversation.clone(), one.other.clone())) {
                continue;
            }
            self.suggest_one(&one).await?;
        }
        Ok(())
    }

    async fn suggest_one(&self, one: &Telling) -> Result<()> {
        let row = conversations::by_id(&mut self.store.reader(), &one.conversation).await?;
        let Some(row) = row else { return Ok(()) };
        let ids = vec![(one.other.clone(), "weighed")];
        let found = self.contacts.candidates(EVERYTHING, ids).await?.into_iter();
        let found = found.map(|found| (found, proposal::reasons(&one.evidence))).collect();
        let mut change = Change::default();
        let proposed = self.contacts.numbered(&mut change, &row.id, found).await?.pop();
        // Who has a number there was listed already.
        let Some(proposed) = proposed.filter(|_| !change.is_empty()) else { return Ok(()) };
        let language = self.language_of(None, &row).await?;
        self.show_alone(&row.backstage_id, &row.id, &proposed, language).await
    }

    async fn show_alone(
        &self,
        room: &str,
        conversation: &str,
        proposed: &Proposed,
        language: Language,
    ) -> Result<()> {
        let room_id = OwnedRoomId::try_from(room).map_err(Error::internal)?;
        let content = message(&alone(proposed, language), None)?;
        let company = self.company().await?;
        let by = Caller { requester: &company, actor: Actor::default(), now: self.clock.now() };
        let draft = Draft::message("m.room.message", content, company.user_id.clone(), by.now);
        // Of two processes that tell it at once one does.
        let txn = send::transaction(&by, &["suggestion", conversation], proposed.contact())?;
        let rows = |chain: &mut Chain| {
            let event = chain.events().first().map(|event| event.nid);
            chain.change().propose(conversation, proposed.number, proposed.contact(), event);
            Ok(())
        };
        let post = Post { drafts: vec![draft], txn: Some(txn), rows: Some(&rows), ..Post::default() };
        self.post(&room_id, post).await.map(|_| ())
    }
}

/// A suggestion on its way to those who talk with one of both.
struct Telling {
    conversation: String,
    other: String,
    evidence: String,
}

impl Telling {
    /// In the newer of both contacts' conversations, if there is one.
    fn of(row: &Untold) -> Option<Self> {
        let (a, b) = (&row.open.0, &row.open.1);
        let (conversation, other) = if a >= b { (a, &row.now.1) } else { (b, &row.now.0) };
        let evidence = row.evidence.clone();
        Some(Self { conversation: conversation.clone()?, other: other.clone(), evidence })
    }
}

fn shown_name(card: &Card, language: Language) -> String {
    let nameless = kontor_contacts::names::nameless(language, &card.contact.id);
    excerpt(card.display_name().unwrap_or(&nameless), NAME)
}
