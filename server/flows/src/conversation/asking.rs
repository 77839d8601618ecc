//! Commands about orders, questions to the customer, and other ways to reach them. A question is laid out in the
//! transaction of its command and sent after it, as the employee who wants it asked.

use super::commands::{Asked, Entering, Obeyed};
use super::reader;
use crate::Flows;
use crate::caller::Caller;
use crate::post::Post;
use crate::send::transaction;
use kontor_contacts::asking::{Said, is_channel, question, said, wanted};
use kontor_contacts::shop::words as shop_words;
use kontor_contacts::told::Told;
use kontor_contacts::view::room_link;
use kontor_contacts::words;
use kontor_model::{Code, Draft, Error, Language, Result};
use kontor_rooms::Chain;
use kontor_store::Change;
use kontor_store::audit::Actor;
use kontor_store::contacts::conversations::ConversationRow;
use kontor_store::contacts::tags::{self, QuestionRow};
use kontor_store::contacts::{channels, facts};
use ruma::OwnedRoomId;
use serde_json::json;

/// Questions of one step.
const STEP: i64 = 50;

impl Flows {
    /// The customer's orders, or one of them with everything that belongs to it.
    pub(super) async fn orders(&self, asked: &Asked<'_>) -> Result<Told> {
        let (who, language) = (reader(asked.by)?, asked.telling.language);
        let view = self.contacts.view(who, &asked.row.contact).await?;
        let number = asked.order.rest;
        if number.is_empty() {
            let none = || Told::sentence(said(Said::NoOrders, language));
            return Ok(view.told_orders(asked.telling).unwrap_or_else(none));
        }
        let none = || {
            let number = super::commands::excerpt(number, 40);
            Told::sentence(said(Said::NoOrder, language).replace("{number}", &number))
        };
        if number.len() > 200 || number.contains('\0') {
            return Ok(none());
        }
        let found = facts::of_order(&mut self.store.reader(), who, &asked.row.contact, number).await?;
        if found.is_empty() {
            return Ok(none());
        }
        let told = found.iter().fold(Told::default(), |told, fact| {
            let line = view.fact_line(fact, asked.telling);
            let line = format!("{}: {line}", shop_words::kind(language, &fact.kind));
            match shop_words::detail(fact).url {
                Some(url) => told.linked(line, words::of(language).show, url),
                None => told.item(line),
            }
        });
        let silent = view.silent(asked.telling.now);
        let silent =
            silent.into_iter().filter(|(source, _)| found.iter().any(|fact| fact.source == source.id));
        Ok(silent.fold(told, |told, (source, since)| told.say(view.silence(source, since, asked.telling))))
    }

    /// Asks the customer for something, unless somebody did so within a day.
    pub(super) async fn ask_customer(&self, chain: &mut Chain, asked: &Asked<'_>) -> Result<Obeyed> {
        let language = asked.telling.language;
        let Some(what) = wanted(asked.order.rest) else {
            return Ok(Told::sentence(said(Said::AskHow, language)).into());
        };
        if let Some(owner) = held_by_another(asked.row, asked) {
            return Ok(Told::sentence(said(Said::Held, language).replace("{who}", owner)).into());
        }
        if let Some((when, who)) = self.contacts.asked_lately(&asked.row.contact, what).await? {
            let told = said(Said::AskedAlready, language).replace("{who}", &who);
            return Ok(Told::sentence(told.replace("{when}", &self.contacts.calendar.shown(when))).into());
        }
        let customer = asked.row.language.as_deref().and_then(Language::of).unwrap_or_default();
        let body = question(what, customer);
        self.contacts.plan_question(chain.change(), asked.row, (what, body), asked.actor()).await?;
        let told = Told::sentence(said(Said::Asked, language).replace("{question}", body));
        let entering = Entering { asks: true, ..asked.entering(asked.by.user_id.clone()) };
        Ok(Obeyed { told, entering: Some(entering), renamed: Vec::new() })
    }

    /// Leads to another conversation with the same customer, and brings whoever asks into its rooms. What is written
    /// there goes to the address of that conversation; no address moves.
    pub(super) async fn by_way_of(&self, chain: &mut Chain, asked: &Asked<'_>) -> Result<Obeyed> {
        let language = asked.telling.language;
        let view = self.contacts.view(reader(asked.by)?, &asked.row.contact).await?;
        let others: Vec<&ConversationRow> =
            view.conversations.iter().rev().filter(|row| row.id != asked.row.id).collect();
        if others.is_empty() {
            return Ok(Told::sentence(said(Said::NoOther, language)).into());
        }
        let show = words::of(language).show;
        if asked.order.rest.is_empty() {
            let told =
                others.iter().fold(Told::default().title(said(Said::Others, language)), |told, row| {
                    let line = format!("{} · {}", view.channel(&row.channel), asked.telling.status(row));
                    told.linked(line, show, room_link(&row.room_id))
                });
            return Ok(told.into());
        }
        let kinds = channels::all(&mut self.store.reader()).await?;
        let kind =
            |id: &str| kinds.iter().find(|known| known.id == id).map_or("", |known| known.kind.as_str());
        let is = |row: &&&ConversationRow| {
            is_channel(asked.order.rest, &row.channel, view.channel(&row.channel), kind(&row.channel))
        };
        // The one that is not closed, then the newest.
        let open = others.iter().filter(|row| row.status != "closed").find(is);
        let Some(row) = open.or_else(|| others.iter().find(is)) else {
            let channel = super::commands::excerpt(asked.order.rest, 40);
            let told = said(Said::NotThere, language).replace("{channel}", &channel);
            return Ok(Told::sentence(told).into());
        };
        if row.status == "closed" {
            let change = self.contacts.plan_status(row, "open", None, asked.actor()).await?;
            chain.change().join(change);
        }
        let channel = view.channel(&row.channel);
        let told = Told::default().linked(
            said(Said::Via, language).replace("{channel}", channel),
            show,
            room_link(&row.room_id),
        );
        let told = match held_by_another(row, asked) {
            Some(owner) => told.say(said(Said::Held, language).replace("{who}", owner)),
            None => told,
        };
        let user_id = asked.by.user_id.clone();
        let rooms = [row.room_id.clone(), row.backstage_id.clone()];
        let entering = Some(Entering { user_id, rooms, asks: false });
        Ok(Obeyed { told, entering, renamed: Vec::new() })
    }

    /// Sends questions that were laid out; what a room refuses is not asked, and may be asked again.
    ///
    /// # Errors
    /// `Unavailable` when the archive is gone.
    pub async fn send_questions(&self) -> Result<()> {
        for row in tags::questions(&mut self.store.reader(), STEP).await? {
            let sent = match self.send_question(&row).await {
                Err(error) if error.code == Code::Unavailable => return Err(error),
                Err(error) => {
                    tracing::warn!(room.id = %row.room_id, error.message = %error.message, "A question was not sent to the customer.");
                    false
                }
                Ok(()) => true,
            };
            let mut change = Change::default();
            change.question_sent(&row, sent);
            self.store.submit(change).await?;
        }
        Ok(())
    }

    async fn send_question(&self, row: &QuestionRow) -> Result<()> {
        let room_id = OwnedRoomId::try_from(row.room_id.as_str()).map_err(Error::internal)?;
        let by = self.identity.person(&row.by).await?;
        let actor = Actor { user: Some(by.user), ..Actor::default() };
        let by = Caller { requester: &by, actor, now: self.clock.now() };
        let content = json!({ "msgtype": "m.text", "body": row.body });
        let raw = serde_json::value::to_raw_value(&content).map_err(Error::internal)?;
        let content = kontor_model::json::event_content(&raw)?;
        let txn = transaction(&by, &["ask", &row.contact, &row.what], &row.ts.to_string())?;
        let draft = Draft::message("m.room.message", content, by.requester.user_id.clone(), by.now);
        let post = Post { drafts: vec![draft], txn: Some(txn), ..Post::default() };
        Box::pin(self.post(&room_id, post)).await.map(|_| ())
    }
}

/// Who alone may write in a conversation, if that is not whoever asks.
fn held_by_another<'a>(row: &'a ConversationRow, asked: &Asked<'_>) -> Option<&'a str> {
    let owner = row.assignee_id.as_deref()?;
    (row.exclusive && owner != asked.by.user_id.as_str()).then_some(owner)
}
