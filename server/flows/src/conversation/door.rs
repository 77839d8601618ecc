//! What happens when somebody writes in a customer's room: whose message it is, whether it may be sent,
//! and what becomes of the conversation, all in the transaction of the message.
//!
//! It is decided while the room's lane is held, on the conversation as the archive has it. What is on its
//! way to the archive is not seen; but every claim is a guard, so that of two who claim at the same moment
//! the second is built anew, and then sees the first.

use super::rule::{Kind, kind};
use crate::Flows;
use crate::post::Post;
use crate::send;
use futures_util::future::BoxFuture;
use kontor_contacts::acts::Employee;
use kontor_contacts::news::News;
use kontor_model::{Draft, Error, Language, Result};
use kontor_rooms::{Accepted, Chain};
use kontor_store::audit::Actor;
use kontor_store::contacts::channels;
use kontor_store::contacts::conversations::{self, ConversationRow};
use ruma::{OwnedRoomId, OwnedUserId};
use std::fmt;

/// A message to the customer that was kept back.
#[derive(Debug)]
struct KeptBack {
    conversation: String,
    backstage: String,
    sender: OwnedUserId,
    language: Language,
    why: Why,
}

/// Why a message was kept back.
#[derive(Debug)]
enum Why {
    /// The conversation belongs to somebody else.
    Owned(String),
    /// It is a command, which is the company's own business.
    Command,
}

impl fmt::Display for KeptBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a message in conversation {} was kept back: {:?}", self.conversation, self.why)
    }
}

impl std::error::Error for KeptBack {}

/// Who writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Voice {
    Customer,
    Staff,
    /// The company's own user, or a bridge for itself.
    Machine,
}

/// Whether an event says something to the other side.
fn is_message(event: &Accepted) -> bool {
    #[derive(serde::Deserialize)]
    struct Content {
        msgtype: Option<String>,
        #[serde(rename = "m.relates_to")]
        relates_to: Option<Relation>,
    }
    #[derive(serde::Deserialize)]
    struct Relation {
        rel_type: Option<String>,
    }
    let kind = event.pdu.kind.to_string();
    if !matches!(kind.as_str(), "m.room.message" | "m.sticker") || event.pdu.state_key.is_some() {
        return false;
    }
    let Ok(content) = serde_json::from_str::<Content>(&event.content) else { return true };
    let edits =
        content.relates_to.and_then(|relation| relation.rel_type).is_some_and(|how| how == "m.replace");
    content.msgtype.as_deref() != Some("m.notice") && !edits
}

/// Whether an event holds words that look like a command: those are for backstage, and the customer must
/// never read one, nor a note that was mistyped.
fn is_command(event: &Accepted) -> bool {
    if !event.content.contains('!') {
        return false;
    }
    let Ok(content) = serde_json::from_str::<super::commands::Content>(&event.content) else { return false };
    let looks = |content: &super::commands::Content| {
        // Of a file without a caption the body is its name.
        let text = matches!(content.msgtype.as_deref(), Some("m.text" | "m.notice" | "m.emote"));
        (text || content.filename.is_some()) && kontor_contacts::command::read(content.said()).is_some()
    };
    looks(&content) || content.new.as_deref().is_some_and(looks)
}

/// Whether an event reaches the customer, or would.
fn reaches_customer(event: &Accepted) -> bool {
    let kind = event.pdu.kind.to_string();
    event.pdu.state_key.is_none() && kind != "m.room.redaction" && !kind.starts_with("dev.kontor.")
}

impl Flows {
    /// Adds what events of a customer's room do to their conversation.
    ///
    /// # Errors
    /// `Forbidden` for answers of those who do not own an exclusive conversation.
    pub(crate) async fn at_door(&self, chain: &mut Chain) -> Result<()> {
        if kind(chain.head()) != Some(Kind::Customer) {
            return Ok(());
        }
        let row = conversations::of_room(&mut self.store.reader(), chain.head().room).await?;
        let Some(mut row) = row else { return Ok(()) };
        let company = self.identity.company_user_id()?;
        for event in chain.events().to_vec() {
            let sender = &event.pdu.sender;
            if let Some(membership) = event.pdu.membership() {
                self.note_leaving(chain, &mut row, &event, &membership).await?;
                continue;
            }
            let voice = match sender {
                sender if sender.as_str() == row.ghost => Voice::Customer,
                sender if *sender == company => Voice::Machine,
                sender if self.is_of_a_service(sender.as_str()) => Voice::Machine,
                _ => Voice::Staff,
            };
            match voice {
                Voice::Customer if is_message(&event) => {
                    if row.status != "open" {
                        self.contacts.note_reopening(chain.change(), &row).await?;
                        row.status = "open".to_owned();
                    }
                    let now = self.clock.now();
                    chain.change().customer_wrote(&row.id, row.identity, now);
                    chain.change().renew_window(&row.id, event.pdu.origin_server_ts.min(now), now);
                    self.tell_of_message(chain, &row, &event, "message.received").await?;
                }
                Voice::Staff if reaches_customer(&event) => {
                    self.staff_writes(chain, &mut row, &event).await?
                }
                _ => {}
            }
        }
        Ok(())
    }

    async fn staff_writes(
        &self,
        chain: &mut Chain,
        row: &mut ConversationRow,
        event: &Accepted,
    ) -> Result<()> {
        let sender = &event.pdu.sender;
        let user = self.store.name(sender.as_str()).await?;
        if is_command(event) && !self.is_for_bridge(row, event).await? {
            let message = "Commands work in the internal room only. Nothing was sent to the customer.";
            return Err(kept_back(row, sender, Why::Command, message.to_owned()));
        }
        if row.exclusive && row.assignee.is_some_and(|assignee| assignee != user) {
            let owner = row.assignee_id.clone().unwrap_or_default();
            let message = format!(
                "This conversation belongs to {owner}: your message was not sent to the customer. Ask {owner}, or have \
                 the conversation assigned to you."
            );
            return Err(kept_back(row, sender, Why::Owned(owner), message));
        }
        let answers = is_message(event);
        if row.assignee.is_none() && answers {
            let actor = Actor { user: Some(user), ..Actor::default() };
            let to = Employee { user, user_id: sender.as_str() };
            self.contacts.plan_assignment(chain.change(), row, Some(to), actor).await?;
            (row.assignee, row.assignee_id) = (Some(user), Some(sender.to_string()));
        } else if row.exclusive && row.assignee.is_some() {
            chain.change().expect_owner(&row.id, user);
        }
        if answers {
            chain.change().customer_answered(&row.id, self.clock.now());
            self.tell_of_message(chain, row, event, "message.answered").await?;
        }
        Ok(())
    }

    /// Whether what looks like a command is one for the bridge: then the bridge, not the customer, reads it.
    async fn is_for_bridge(&self, row: &ConversationRow, event: &Accepted) -> Result<bool> {
        let Ok(content) = serde_json::from_str::<super::commands::Content>(&event.content) else {
            return Ok(false);
        };
        let plain = content.msgtype.as_deref() == Some("m.text") && content.new.is_none();
        let Some(order) = kontor_contacts::command::read(content.said()).filter(|_| plain) else {
            return Ok(false);
        };
        let channel = channels::by_id(&mut self.store.reader(), &row.channel).await?;
        Ok(channel.is_some_and(|channel| kontor_contacts::command::is_for_bridge(&order, &channel.kind)))
    }

    /// A conversation whose assignee leaves the room is nobody's.
    async fn note_leaving(
        &self,
        chain: &mut Chain,
        row: &mut ConversationRow,
        event: &Accepted,
        membership: &str,
    ) -> Result<()> {
        let gone = matches!(membership, "leave" | "ban");
        if !gone || event.pdu.state_key != row.assignee_id || row.assignee.is_none() {
            return Ok(());
        }
        let actor =
            Actor { user: Some(self.store.name(event.pdu.sender.as_str()).await?), ..Actor::default() };
        self.contacts.plan_assignment(chain.change(), row, None, actor).await?;
        (row.assignee, row.assignee_id) = (None, None);
        Ok(())
    }

    async fn tell_of_message(
        &self,
        chain: &mut Chain,
        row: &ConversationRow,
        event: &Accepted,
        kind: &'static str,
    ) -> Result<()> {
        let news = News {
            kind,
            contact: &row.contact,
            conversation: Some(&row.id),
            room_id: Some(&row.room_id),
            event_id: Some(event.pdu.event_id.as_str()),
            user_id: Some(event.pdu.sender.as_str()),
            ..News::default()
        };
        self.contacts.tell(chain.change(), &news, Some(event.pos.clone())).await
    }

    /// Tells those backstage why a message to the customer was kept back, if that is why something was
    /// refused; once a minute for each who tries.
    pub(crate) async fn tell_why_kept_back(&self, error: &Error) {
        let Some(cause) = error.cause.as_ref().and_then(|cause| cause.downcast_ref::<KeptBack>()) else {
            return;
        };
        let word = if matches!(cause.why, Why::Command) { "command" } else { "whose" };
        let key = format!("{word} {} {}", cause.sender, self.clock.now() / 60_000);
        let text = explained(cause);
        if let Err(error) = self.say_backstage(&cause.conversation, &cause.backstage, &text, &key).await {
            tracing::warn!(room.id = cause.backstage, error.cause = ?error, "nobody backstage was told why a message was kept back");
        }
    }

    /// Says something to those backstage, once for each `key`.
    ///
    /// # Errors
    /// As [`Flows::post`].
    pub(crate) fn say_backstage<'a>(
        &'a self,
        conversation: &'a str,
        room: &'a str,
        text: &'a str,
        key: &'a str,
    ) -> BoxFuture<'a, Result<()>> {
        // In a box: it is said while something else is posted.
        Box::pin(self.say(conversation, room, text, key))
    }

    async fn say(&self, conversation: &str, room: &str, text: &str, key: &str) -> Result<()> {
        let room_id = OwnedRoomId::try_from(room).map_err(Error::internal)?;
        let company = self.company().await?;
        let by =
            crate::caller::Caller { requester: &company, actor: Actor::default(), now: self.clock.now() };
        let content = serde_json::json!({ "msgtype": "m.notice", "body": text });
        let raw = serde_json::value::to_raw_value(&content).map_err(Error::internal)?;
        let content = kontor_model::json::event_content(&raw)?;
        let txn = send::transaction(&by, &["backstage", conversation], key)?;
        let draft = Draft::message("m.room.message", content, company.user_id.clone(), by.now);
        let post = Post { drafts: vec![draft], txn: Some(txn), ..Post::default() };
        self.post(&room_id, post).await.map(|_| ())
    }
}

fn kept_back(row: &ConversationRow, sender: &OwnedUserId, why: Why, message: String) -> Error {
    Error::forbidden(message).because(KeptBack {
        conversation: row.id.clone(),
        backstage: row.backstage_id.clone(),
        sender: sender.clone(),
        language: row.language.as_deref().and_then(Language::of).unwrap_or_default(),
        why,
    })
}

fn explained(cause: &KeptBack) -> String {
    let KeptBack { sender, why, .. } = cause;
    match (why, cause.language) {
        (Why::Owned(owner), Language::English) => {
            format!("{sender}: your answer was not sent. The conversation belongs to {owner}.")
        }
        (Why::Owned(owner), Language::Polish) => {
            format!("{sender}: Twoja odpowiedź nie została wysłana. Rozmowę prowadzi {owner}.")
        }
        (Why::Owned(owner), Language::Ukrainian) => {
            format!("{sender}: вашу відповідь не надіслано. Розмову веде {owner}.")
        }
        (Why::Command, Language::English) => {
            format!(
                "{sender}: your command was not sent to the customer. Commands belong here; !help tells which."
            )
        }
        (Why::Command, Language::Polish) => {
            format!(
                "{sender}: Twoje polecenie nie trafiło do klienta. Polecenia wpisuj tutaj; !pomoc pokazuje jakie."
            )
        }
        (Why::Command, Language::Ukrainian) => {
            format!(
                "{sender}: вашу команду клієнтові не надіслано. Пишіть команди тут; !допомога показує які."
            )
        }
    }
}
