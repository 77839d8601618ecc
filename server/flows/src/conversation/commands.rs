//! Commands that employees type backstage: done and answered in the transaction of the message that holds
//! them, so each is done once, whatever crashes and however often the request comes.
//!
//! Like the door, this runs while the room's lane is held, and everything that others may have done meanwhile
//! is a guard: when one fails, the command is built anew on what is there then.

use super::merging::reaction;
use super::reader;
use super::rule::{Kind, kind};
use super::timeline::Passed;
use crate::Flows;
use kontor_contacts::acts::Employee;
use kontor_contacts::command::{self, Act, Order, Whom};
use kontor_contacts::told::Told;
use kontor_contacts::view::{CardView, Telling, event_link};
use kontor_contacts::words::{self, Words};
use kontor_model::{Code, Draft, Error, Language, Requester, Result, ids};
use kontor_rooms::{Accepted, Chain, VisibleEvent};
use kontor_store::audit::Actor;
use kontor_store::contacts::conversations::{self, ConversationRow};
use kontor_store::contacts::{channels, proposals, queue};
use ruma::{EventId, OwnedRoomId, OwnedUserId};
use serde::Deserialize;
use serde_json::{Value, json};

/// Messages that an answer tells.
const FOUND: usize = 10;
/// Letters of a message that an answer tells.
const EXCERPT: usize = 160;
/// An answer as text and as HTML together fits into an event, whatever its letters become in JSON.
const LARGEST: usize = 24_000;

/// Somebody who is to come into the rooms of a conversation once it is theirs.
#[derive(Clone, Debug)]
pub(crate) struct Entering {
    pub user_id: OwnedUserId,
    pub rooms: [String; 2],
    /// Whether a question of theirs waits to be sent.
    pub asks: bool,
}

/// What of a message matters here.
#[derive(Deserialize)]
pub(super) struct Content {
    pub(super) msgtype: Option<String>,
    pub(super) body: Option<String>,
    /// Of a file, where its body is a caption.
    pub(super) filename: Option<String>,
    #[serde(rename = "m.new_content")]
    pub(super) new: Option<Box<Content>>,
    #[serde(rename = "m.mentions")]
    mentions: Option<Mentions>,
    #[serde(rename = "m.relates_to")]
    relates_to: Option<Relation>,
}

#[derive(Deserialize)]
struct Mentions {
    #[serde(default)]
    user_ids: Vec<String>,
}

#[derive(Deserialize)]
struct Relation {
    rel_type: Option<String>,
    event_id: Option<String>,
    #[serde(rename = "m.in_reply_to")]
    answers: Option<serde::de::IgnoredAny>,
}

impl Content {
    /// What was said, without what it quotes.
    pub(super) fn said(&self) -> &str {
        let answers = self.relates_to.as_ref().is_some_and(|relation| relation.answers.is_some());
        command::without_quotation(self.body.as_deref().unwrap_or_default(), answers)
    }

    /// How an answer to this message relates to it: in the same thread.
    fn answered(&self, event_id: &str) -> Value {
        let mut relation = json!({ "m.in_reply_to": { "event_id": event_id } });
        if let (true, Some(relates_to), Some(fields)) =
            (self.is("m.thread"), &self.relates_to, relation.as_object_mut())
        {
            fields.insert("rel_type".to_owned(), "m.thread".into());
            fields.insert("event_id".to_owned(), relates_to.event_id.clone().into());
            fields.insert("is_falling_back".to_owned(), true.into());
        }
        relation
    }

    fn is(&self, how: &str) -> bool {
        self.relates_to.as_ref().is_some_and(|relation| relation.rel_type.as_deref() == Some(how))
    }
}

/// What is to be done once a command is on the disk.
#[derive(Debug, Default)]
pub(crate) struct Afterwards {
    /// Who is to come into rooms.
    entering: Vec<Entering>,
    /// Contacts whose rooms are to be named anew.
    renamed: Vec<String>,
}

/// A command on its way.
pub(super) struct Asked<'a> {
    pub(super) row: &'a ConversationRow,
    event: &'a Accepted,
    pub(super) order: Order<'a>,
    mentions: &'a [String],
    pub(super) by: &'a Requester,
    pub(super) telling: Telling<'a>,
}

impl Asked<'_> {
    pub(super) fn words(&self) -> &'static Words {
        words::of(self.telling.language)
    }

    pub(super) fn actor(&self) -> Actor {
        Actor { user: Some(self.by.user), ..Actor::default() }
    }

    fn event(&self) -> (i64, &str) {
        (self.event.nid, self.event.pdu.event_id.as_str())
    }

    pub(super) fn entering(&self, user_id: OwnedUserId) -> Entering {
        let rooms = [self.row.room_id.clone(), self.row.backstage_id.clone()];
        Entering { user_id, rooms, asks: false }
    }
}

/// A command that was done: what is answered, who comes into the rooms, and whose rooms are named anew.
pub(super) struct Obeyed {
    pub(super) told: Told,
    pub(super) entering: Option<Entering>,
    pub(super) renamed: Vec<String>,
}

impl From<Told> for Obeyed {
    fn from(told: Told) -> Self {
        Self { told, entering: None, renamed: Vec::new() }
    }
}

impl Flows {
    /// Does what commands and reactions among new events of a backstage room ask for, and adds the answers.
    /// Gives what is to be done afterwards.
    ///
    /// # Errors
    /// `Unavailable` when the archive is gone; what an employee can correct is told in the answer.
    pub(crate) async fn at_backstage(&self, chain: &mut Chain) -> Result<Afterwards> {
        let mut afterwards = Afterwards::default();
        if kind(chain.head()) != Some(Kind::Backstage) {
            return Ok(afterwards);
        }
        let company = self.identity.company_user_id()?;
        for event in chain.events().to_vec() {
            if event.pdu.sender == company {
                continue;
            }
            let done = match (reaction(&event), read(&event)) {
                (Some((target, same)), _) => self.at_reaction(chain, &event, &target, same).await?,
                (None, Some(content)) => self.at_command(chain, &event, &content).await?,
                (None, None) => None,
            };
            let Some((Obeyed { told, entering, renamed }, relation)) = done else { continue };
            afterwards.entering.extend(entering);
            afterwards.renamed.extend(renamed);
            let answer = message(&told, Some(relation))?;
            let draft = Draft::message("m.room.message", answer, company.clone(), self.clock.now());
            self.push_all(chain, std::slice::from_ref(&draft), None).await?;
        }
        Ok(afterwards)
    }

    async fn at_command(
        &self,
        chain: &mut Chain,
        event: &Accepted,
        content: &Content,
    ) -> Result<Option<(Obeyed, Value)>> {
        let Some(order) = command::read(content.said()) else { return Ok(None) };
        let row = conversations::of_room(&mut self.store.reader(), chain.head().room).await?;
        let Some(row) = row else { return Ok(None) };
        let language = self.language_of(order.language, &row).await?;
        let by = self.identity.person(event.pdu.sender.as_str()).await?;
        let telling = Telling { language, calendar: &self.contacts.calendar, now: self.clock.now() };
        let mentions = content.mentions.as_ref().map_or(&[][..], |mentions| &mentions.user_ids);
        let asked = Asked { row: &row, event, order, mentions, by: &by, telling };
        let done = self.obey(chain, &asked).await?;
        Ok(Some((done, content.answered(event.pdu.event_id.as_str()))))
    }

    async fn at_reaction(
        &self,
        chain: &mut Chain,
        event: &Accepted,
        target: &EventId,
        same: bool,
    ) -> Result<Option<(Obeyed, Value)>> {
        let shown = proposals::of_event(&mut self.store.reader(), target.as_str()).await?;
        let row = conversations::of_room(&mut self.store.reader(), chain.head().room).await?;
        // Whoever answers elsewhere answers nothing that was asked there.
        let (Some(shown), Some(row)) = (shown, row) else { return Ok(None) };
        if shown.conversation != row.id {
            return Ok(None);
        }
        let order = Order { act: Some(Act::Merge), word: "", rest: "", language: None };
        let language = self.language_of(order.language, &row).await?;
        let by = self.identity.person(event.pdu.sender.as_str()).await?;
        let telling = Telling { language, calendar: &self.contacts.calendar, now: self.clock.now() };
        let asked = Asked { row: &row, event, order, mentions: &[], by: &by, telling };
        let done = match self.may_ask(&asked).await? {
            true => said(&asked, self.decide_shown(chain, &asked, &shown, same).await)?,
            false => Told::sentence(asked.words().hidden).into(),
        };
        Ok(Some((done, json!({ "m.in_reply_to": { "event_id": target } }))))
    }

    /// Whether the asker may see the contact.
    async fn may_ask(&self, asked: &Asked<'_>) -> Result<bool> {
        let who = reader(asked.by)?;
        Ok(queue::one(&mut self.store.reader(), who, &asked.row.id).await?.is_some())
    }

    /// The language that employees are answered in: that of their command, as far as its word tells it, else the
    /// channel's.
    pub(super) async fn language_of(
        &self,
        spoken: Option<Language>,
        row: &ConversationRow,
    ) -> Result<Language> {
        if let Some(language) = spoken {
            return Ok(language);
        }
        let channel = channels::by_id(&mut self.store.reader(), &row.channel).await?;
        Ok(channel.and_then(|channel| Language::of(&channel.language)).unwrap_or_default())
    }

    async fn obey(&self, chain: &mut Chain, asked: &Asked<'_>) -> Result<Obeyed> {
        let words = asked.words();
        let Some(act) = asked.order.act else {
            let told = words.unknown.replace("{word}", &excerpt(asked.order.word, 40));
            return Ok(Told::sentence(told).into());
        };
        let who = reader(asked.by)?;
        if act != Act::Help && !self.may_ask(asked).await? {
            return Ok(Told::sentence(words.hidden).into());
        }
        let done = match act {
            Act::Help => Ok(help(words).into()),
            Act::Card => {
                let view = self.contacts.view(who, &asked.row.contact).await?;
                let link = self.card_link(&asked.row.id);
                Ok(view.told(asked.telling, asked.row, &link).into())
            }
            Act::Mine => self.take(chain, asked).await,
            Act::Assign => self.give(chain, asked).await,
            Act::Status => self.change_status(chain, asked).await,
            Act::Note | Act::Decision => self.write_down(chain, asked, act).await,
            Act::Task => self.task(chain, asked).await,
            Act::Done => self.done(chain, asked).await,
            Act::Files => self.files(asked).await.map(Obeyed::from),
            Act::Search => self.find_said(asked).await.map(Obeyed::from),
            Act::Merge => self.merge_asked(chain, asked).await,
            Act::Undo => self.undo_asked(chain, asked).await,
            Act::Split => self.split_asked(chain, asked).await,
            Act::Order => self.orders(asked).await.map(Obeyed::from),
            Act::Ask => self.ask_customer(chain, asked).await,
            Act::Via => self.by_way_of(chain, asked).await,
        };
        said(asked, done)
    }

    async fn take(&self, chain: &mut Chain, asked: &Asked<'_>) -> Result<Obeyed> {
        let words = asked.words();
        match &asked.row.assignee_id {
            Some(owner) if *owner == asked.by.user_id.as_str() => {
                Ok(Told::sentence(words.yours_already).into())
            }
            Some(owner) => Ok(Told::sentence(words.taken.replace("{who}", owner)).into()),
            None => self.assign_to(chain, asked, Some(asked.by.user_id.clone())).await,
        }
    }

    async fn give(&self, chain: &mut Chain, asked: &Asked<'_>) -> Result<Obeyed> {
        let mentioned = match asked.mentions {
            [one] => Some(Whom::Named(one.trim_start_matches('@').to_owned())),
            _ => None,
        };
        let to = match mentioned.or_else(|| command::whom(asked.order.rest)) {
            Some(Whom::Nobody) => None,
            Some(Whom::Speaker) => Some(asked.by.user_id.clone()),
            Some(Whom::Named(name)) => match self.colleague(&name).await? {
                Some(user_id) => Some(user_id),
                None => return Ok(Told::sentence(asked.words().no_employee).into()),
            },
            None => return Ok(Told::sentence(asked.words().no_employee).into()),
        };
        self.assign_to(chain, asked, to).await
    }

    /// The employee that a name means, if there is one.
    pub(super) async fn colleague(&self, name: &str) -> Result<Option<OwnedUserId>> {
        let user_id = match name.contains(':') {
            true => ids::user_id(&format!("@{name}")).ok(),
            false => ids::new_user_id(&name.to_lowercase(), &self.settings.server_name).ok(),
        };
        let Some(user_id) = user_id else { return Ok(None) };
        match self.employee(&user_id).await {
            Ok(_) => Ok(Some(user_id)),
            Err(error) if matches!(error.code, Code::NotFound | Code::Forbidden) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn assign_to(
        &self,
        chain: &mut Chain,
        asked: &Asked<'_>,
        to: Option<OwnedUserId>,
    ) -> Result<Obeyed> {
        let words = asked.words();
        let told = match &to {
            None => words.unassigned.to_owned(),
            Some(to) if *to == asked.by.user_id => words.yours.to_owned(),
            Some(to) => words.assigned.replace("{who}", to.as_str()),
        };
        if asked.row.assignee_id.as_deref() != to.as_ref().map(|to| to.as_str()) {
            let employee = match &to {
                None => None,
                Some(to) => {
                    Some(Employee { user: self.store.name(to.as_str()).await?, user_id: to.as_str() })
                }
            };
            self.contacts.plan_assignment(chain.change(), asked.row, employee, asked.actor()).await?;
        }
        let entering = to.map(|to| asked.entering(to));
        Ok(Obeyed { told: Told::sentence(told), entering, renamed: Vec::new() })
    }

    async fn change_status(&self, chain: &mut Chain, asked: &Asked<'_>) -> Result<Obeyed> {
        let words = asked.words();
        let (word, rest) = asked.order.rest.split_once(char::is_whitespace).unwrap_or((asked.order.rest, ""));
        let Some(status) = command::status(word) else {
            return Ok(Told::sentence(words.status_how).into());
        };
        let until = match status {
            "snoozed" => match self.contacts.calendar.moment(rest, asked.telling.now) {
                Some(until) => Some(until),
                None => return Ok(Told::sentence(words.moment_how).into()),
            },
            _ => None,
        };
        let change = self.contacts.plan_status(asked.row, status, until, asked.actor()).await?;
        chain.change().join(change);
        let after = ConversationRow { status: status.to_owned(), snoozed_until: until, ..asked.row.clone() };
        let told = words.status_set.replace("{status}", &asked.telling.status(&after));
        Ok(Told::sentence(told).into())
    }

    async fn write_down(&self, chain: &mut Chain, asked: &Asked<'_>, act: Act) -> Result<Obeyed> {
        let words = asked.words();
        let (kind, told) = if act == Act::Note { ("note", words.noted) } else { ("decision", words.decided) };
        if asked.order.rest.is_empty() {
            return Ok(what(asked, act).into());
        }
        kontor_contacts::notes::words(asked.order.rest)?;
        self.contacts.plan_note(chain.change(), asked.row, asked.event(), kind, asked.actor()).await?;
        Ok(Told::sentence(told).into())
    }

    async fn task(&self, chain: &mut Chain, asked: &Asked<'_>) -> Result<Obeyed> {
        let words = asked.words();
        if asked.order.rest.is_empty() {
            let view = self.contacts.view(reader(asked.by)?, &asked.row.contact).await?;
            let told = view.told_tasks(asked.telling);
            let none = view.open_tasks().next().is_none();
            return Ok(if none { Told::sentence(words.no_tasks) } else { told }.into());
        }
        let task = command::task(asked.order.rest);
        kontor_contacts::notes::words(&task.text)?;
        let named = match (asked.mentions, task.whom) {
            ([one], _) => Some(one.trim_start_matches('@').to_owned()),
            (_, whom) => whom,
        };
        let assignee = match named {
            None => None,
            Some(name) => match self.colleague(&name).await? {
                Some(user_id) => Some(self.store.name(user_id.as_str()).await?),
                None => return Ok(Told::sentence(words.no_employee).into()),
            },
        };
        let due = match &task.until {
            None => None,
            Some(until) => match self.contacts.calendar.due(until, asked.telling.now) {
                Some(due) => Some(due),
                None => return Ok(Told::sentence(words.moment_how).into()),
            },
        };
        let to = (assignee, due);
        self.contacts.plan_task(chain.change(), asked.row, asked.event(), to, asked.actor()).await?;
        let until = due.map(|due| format!(" ({} {})", words.until, self.contacts.calendar.shown(due)));
        Ok(Told::sentence(format!("{}{}", words.task_added, until.unwrap_or_default())).into())
    }

    async fn done(&self, chain: &mut Chain, asked: &Asked<'_>) -> Result<Obeyed> {
        let words = asked.words();
        let number = asked.order.rest.trim_end_matches('.').parse().unwrap_or(0);
        let task = self.task_of(&asked.row.id, number).await?.filter(|task| task.row.done.is_none());
        let Some(task) = task else { return Ok(Told::sentence(words.no_task).into()) };
        self.contacts.plan_done(chain.change(), asked.row, &task, true, asked.actor()).await?;
        let told = words.task_done.replace("{task}", &excerpt(&task.text, EXCERPT));
        Ok(Told::sentence(told).into())
    }

    /// The newest files of both rooms, as far as the asker reads them.
    async fn files(&self, asked: &Asked<'_>) -> Result<Told> {
        let words = asked.words();
        let files = self.shared_files(asked.by, asked.row).await?;
        if files.is_empty() {
            return Ok(Told::sentence(words.no_files));
        }
        let title = Told::default().title(words.files);
        Ok(files.into_iter().fold(title, |answer, file| {
            let customer = words::source(asked.telling.language, "customer").to_owned();
            let sender = if file.of_customer { customer } else { file.sender };
            let size = file.size.map(|size| format!(" · {}", words::size(asked.telling.language, size)));
            let moment = self.contacts.calendar.shown(file.ts);
            let line = format!("{}{} · {sender}, {moment}", file.name, size.unwrap_or_default());
            answer.linked(line, words.show, file.link)
        }))
    }

    /// Messages with some words in the rooms of the contact's conversations, as far as the asker reads them.
    async fn find_said(&self, asked: &Asked<'_>) -> Result<Told> {
        let words = asked.words();
        if asked.order.rest.is_empty() {
            return Ok(what(asked, Act::Search));
        }
        let found = self.contact_search(asked.by, &asked.row.contact, asked.order.rest, FOUND).await?;
        if found.is_empty() {
            return Ok(Told::sentence(words.nothing_found));
        }
        let told = Told::default().title(words.found);
        Ok(found.iter().fold(told, |told, Passed { room_id, event, .. }| {
            let row = event.row();
            let moment = self.contacts.calendar.shown(row.origin_ts);
            let line = format!("{} · {}, {moment}", told_on_a_line(event, EXCERPT), row.sender);
            told.linked(line, words.show, event_link(room_id, &row.event_id))
        }))
    }

    /// Does what commands left to be done: brings those into the rooms of a conversation whose it is now, and names
    /// rooms anew; who could not be brought in is left to the sweep.
    pub(crate) async fn after_commands(&self, afterwards: Afterwards) {
        for contact in &afterwards.renamed {
            Box::pin(self.relabel(contact)).await;
        }
        let asks = afterwards.entering.iter().any(|one| one.asks);
        for Entering { user_id, rooms, .. } in afterwards.entering {
            for room in &rooms {
                let moved = match OwnedRoomId::try_from(room.as_str()) {
                    Ok(room_id) => Box::pin(self.bring_in(&room_id, &user_id)).await,
                    Err(error) => Err(Error::internal(error)),
                };
                if let Err(error) = moved {
                    tracing::warn!(
                        room.id = %room, user.id = %user_id, error.cause = ?error,
                        "Whoever has a conversation was not brought into its room; trying again later."
                    );
                }
            }
        }
        if asks && let Err(error) = Box::pin(self.send_questions()).await {
            tracing::warn!(error.cause = ?error, "Questions to customers are sent later.");
        }
    }

    /// A card for a page.
    ///
    /// # Errors
    /// `NotFound` for what the reader may not see.
    pub async fn card_view(&self, by: &Requester, contact: &str) -> Result<CardView> {
        self.contacts.view(reader(by)?, contact).await
    }
}

/// A message that may be a command: a text that is no edit.
fn read(event: &Accepted) -> Option<Content> {
    if event.pdu.kind.to_string() != "m.room.message" || event.pdu.state_key.is_some() {
        return None;
    }
    // Almost everything that is said is no command.
    if !event.content.contains('!') {
        return None;
    }
    let content: Content = serde_json::from_str(&event.content).ok()?;
    (content.msgtype.as_deref() == Some("m.text") && !content.is("m.replace")).then_some(content)
}

/// The beginning of a text.
pub(super) fn excerpt(text: &str, letters: usize) -> String {
    let mut rest = text.chars();
    let mut short: String = rest.by_ref().take(letters).collect();
    if rest.next().is_some() {
        short.push('…');
    }
    short
}

/// What an event says, on one line.
fn told_on_a_line(event: &VisibleEvent, letters: usize) -> String {
    let content = serde_json::from_str::<Content>(event.content().get()).ok();
    let words = content.map(|content| content.filename.clone().unwrap_or_else(|| content.said().to_owned()));
    let words = words.unwrap_or_default();
    excerpt(&words.split_whitespace().collect::<Vec<_>>().join(" "), letters)
}

/// What somebody can correct is said; a message is not lost for it.
fn said(asked: &Asked<'_>, done: Result<Obeyed>) -> Result<Obeyed> {
    match done {
        Err(error) if matches!(error.code, Code::InvalidParam | Code::NotFound | Code::Forbidden) => {
            Ok(Told::sentence(asked.words().failed.replace("{why}", &error.message)).into())
        }
        outcome => outcome,
    }
}

/// Whether an event asks for messages with some words.
pub(super) fn is_search(event: &VisibleEvent) -> bool {
    let content = serde_json::from_str::<Content>(event.content().get()).ok();
    let act = content.and_then(|content| command::read(content.said()).and_then(|order| order.act));
    act == Some(Act::Search)
}

fn help(words: &Words) -> Told {
    let told = Told::default().title(words.help_title);
    words.help.iter().fold(told, |told, (command, what)| told.item(format!("{command} — {what}")))
}

/// The answer to a command without the words that it needs.
fn what(asked: &Asked<'_>, act: Act) -> Told {
    let words = asked.words();
    let is = |example: &&&str| command::read(example).is_some_and(|order| order.act == Some(act));
    let example = words.help.iter().map(|(example, _)| example).find(is).copied().unwrap_or_default();
    Told::sentence(words.what.replace("{example}", example))
}

/// A message that says something, as an answer to what `relation` names.
///
/// # Errors
/// `Internal` for what cannot be said.
pub(super) fn message(told: &Told, relation: Option<Value>) -> Result<ruma::CanonicalJsonObject> {
    let (mut body, html) = (told.plain(), told.html());
    let whole = body.len() + html.len() <= LARGEST;
    if !whole && body.len() > LARGEST {
        body = excerpt(&body, LARGEST / 4);
    }
    let mut said = json!({ "msgtype": "m.notice", "body": body, "m.mentions": {} });
    if let Some(fields) = said.as_object_mut() {
        if whole {
            fields.insert("format".to_owned(), "org.matrix.custom.html".into());
            fields.insert("formatted_body".to_owned(), html.into());
        }
        fields.extend(relation.map(|relation| ("m.relates_to".to_owned(), relation)));
    }
    kontor_model::json::event_content(&serde_json::value::to_raw_value(&said).map_err(Error::internal)?)
}
