//! What employees do reaches Telegram: which method, with what, and once more in plainer words where Telegram
//! does not take the first.

use crate::account::{Connection, Memory, State};
use crate::api::Said;
use crate::intake::{keyboard, present_number};
use crate::lane::Lane;
use crate::markup::{Marked, from_html};
use crate::verdict::{self, Verdict};
use crate::{Telegram, buttons, lock, words};
use kontor_bridge_kit::{Act, Body, Context, Failure, FileKind, Keep, Outcome, Outgoing, SendError};
use kontor_model::Language;
use serde_json::{Value, json};

/// Longest text of a message, UTF-16 code units.
const LONGEST: usize = 4096;
/// Ways in which one message is tried before Telegram's answer counts.
const MOST_WAYS: usize = 5;
/// What employees write to ask for the customer's phone number.
const ASK_PHONE: [&str; 3] = ["!phone", "!telefon", "!телефон"];

/// How one message is being tried.
#[derive(Clone, Debug)]
pub struct Way {
    /// The chat's present number.
    pub chat: i64,
    /// By which connection.
    pub connection: Option<String>,
    /// With marks.
    pub marks: bool,
    /// With what it answers.
    pub reply: bool,
    /// A picture as a file.
    pub as_file: bool,
    /// A file's caption is changed, not a text.
    pub caption: bool,
}

impl Way {
    /// Parameters that all methods have.
    pub fn base(&self) -> Value {
        let mut params = json!({ "chat_id": self.chat });
        if let (Some(connection), Some(fields)) = (&self.connection, params.as_object_mut()) {
            fields.insert("business_connection_id".to_owned(), json!(connection));
        }
        params
    }

    /// What a message answers. That it is gone is no reason not to send.
    pub fn reply_parameters(&self, reply_to: Option<&str>) -> Option<Value> {
        let id: i64 = reply_to.filter(|_| self.reply)?.parse().ok()?;
        Some(json!({ "message_id": id, "allow_sending_without_reply": true }))
    }

    /// The same in the way that Telegram's answer asks for; nothing when that was tried already.
    fn next(&self, verdict: &Verdict) -> Option<Self> {
        let same = self.clone();
        match verdict {
            Verdict::Decided(_) => None,
            Verdict::Plain => self.marks.then_some(Self { marks: false, ..same }),
            Verdict::NoReply => self.reply.then_some(Self { reply: false, ..same }),
            Verdict::Moved(chat) => (self.chat != *chat).then_some(Self { chat: *chat, ..same }),
            Verdict::AsFile => (!self.as_file).then_some(Self { as_file: true, ..same }),
            Verdict::Caption => (!self.caption).then_some(Self { caption: true, ..same }),
        }
    }
}

/// Sets a parameter.
pub fn set(params: &mut Value, name: &str, value: Value) {
    if let Some(fields) = params.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}

/// A text as Telegram shows it, and the buttons below it.
fn marked(text: &str, html: Option<&str>) -> (Marked, Option<Value>) {
    let marked = html.map(from_html).filter(|marked| !marked.text.is_empty() && marked.length() <= LONGEST);
    let mut marked = marked.unwrap_or_else(|| Marked::plain(text));
    let buttons = buttons::take(&mut marked);
    (marked, buttons)
}

/// Whether a text asks for the customer's phone number; gives what the customer is told then.
fn asks_phone(text: &str, language: Language) -> Option<String> {
    let text = text.trim();
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let asks = ASK_PHONE.contains(&word.to_lowercase().as_str());
    let rest = rest.trim();
    asks.then(|| if rest.is_empty() { words::ask_phone(language) } else { rest.to_owned() })
}

/// Whether what Telegram tells of our own message is this one.
pub fn is_echo(act: &Act, told: &Body) -> bool {
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    match (act, told) {
        (Act::Text { text, html, .. }, Body::Text { text: told, .. }) => {
            let told = squeezed(told);
            told == squeezed(&marked(text, html.as_deref()).0.text) || told == squeezed(text)
        }
        (Act::File { file, .. }, Body::File(told)) => {
            let caption = |caption: &Option<String>| squeezed(caption.as_deref().unwrap_or_default());
            let named = told.kind != FileKind::File || told.name == file.name;
            named && caption(&file.caption) == caption(&told.caption)
        }
        _ => false,
    }
}

impl Telegram {
    /// Hands one act to Telegram.
    pub(crate) async fn deliver(&self, context: &Context, outgoing: &Outgoing) -> Result<Outcome, SendError> {
        let language = outgoing.to.language;
        let Some(lane) = Lane::of(&outgoing.to.lane) else {
            return Ok(Outcome::Failed(words::unreachable(language, "chat")));
        };
        let connection = match self.allowed(context, lane, &outgoing.act, language).await? {
            Ok(connection) => connection,
            Err(failure) => return Ok(Outcome::Failed(failure)),
        };
        let mut chat = lane.chat;
        if chat < 0 {
            let moved = context.kept(&present_number(chat)).await.map_err(SendError::unwritten)?;
            chat = moved.and_then(|moved| moved.parse().ok()).unwrap_or(chat);
        }
        let connection = connection.map(|connection| connection.id);
        let mut way = Way { chat, connection, marks: true, reply: true, as_file: false, caption: false };
        for _ in 0..MOST_WAYS {
            let said = match self.once(context, outgoing, &way).await? {
                Ok(said) => said,
                Err(outcome) => return Ok(outcome),
            };
            let whole = self.is_flood_of_all(&said, way.chat, context.now());
            let refusal = match &said {
                Said::Refused(refusal) => refusal.clone(),
                _ => match verdict::of(said, language, whole) {
                    Verdict::Decided(decided) => return decided,
                    _ => continue,
                },
            };
            let verdict = verdict::of(said, language, whole);
            match (way.next(&verdict), verdict) {
                (_, Verdict::Decided(decided)) => return decided,
                (Some(next), _) => way = next,
                (None, _) => {
                    let failure = words::rejected(language, refusal.code, &refusal.description);
                    return Ok(Outcome::Failed(failure));
                }
            }
        }
        Ok(Outcome::Failed(words::rejected(language, 400, "")))
    }

    /// The connection by which something may be done in a conversation; none in the bot's own. Or why it may not.
    async fn allowed(
        &self,
        context: &Context,
        lane: Lane,
        act: &Act,
        language: Language,
    ) -> Result<Result<Option<Connection>, Failure>, SendError> {
        let Some(owner) = lane.owner else { return Ok(Ok(None)) };
        let connection = Memory::new(context).of_owner(owner).await.map_err(SendError::unwritten)?;
        let Some(connection) = connection else { return Ok(Err(words::disconnected(language))) };
        Ok(match (connection.state(), act) {
            (State::Disconnected, _) => Err(words::disconnected(language)),
            (_, Act::Delete { .. }) if connection.can_delete => Ok(Some(connection)),
            (_, Act::Delete { .. }) | (State::ReadOnly, _) => Err(words::read_only(language)),
            (State::Connected, _) => Ok(Some(connection)),
        })
    }

    /// Tries it in one way. An outcome inside when nothing had to be asked.
    async fn once(
        &self,
        context: &Context,
        outgoing: &Outgoing,
        way: &Way,
    ) -> Result<Result<Said, Outcome>, SendError> {
        let (method, params) = match &outgoing.act {
            Act::File { file, reply_to } => {
                return self.send_file(context, outgoing, file, reply_to.as_deref(), way).await;
            }
            Act::Text { text, html, reply_to } => {
                if let Some(asked) = asks_phone(text, outgoing.to.language) {
                    return self.ask_phone(context, outgoing, &asked, way).await;
                }
                let (marked, buttons) = marked(text, html.as_deref());
                let mut params = text_params(way, &marked);
                if let Some(reply) = way.reply_parameters(reply_to.as_deref()) {
                    set(&mut params, "reply_parameters", reply);
                }
                match buttons {
                    Some(buttons) => set(&mut params, "reply_markup", buttons),
                    None => self.without_keyboard(context, outgoing, way, &mut params).await?,
                }
                ("sendMessage", params)
            }
            Act::Edit { remote, text, html } => {
                let (marked, buttons) = marked(text, html.as_deref());
                let mut params = text_params(way, &marked);
                if let Some(buttons) = buttons {
                    set(&mut params, "reply_markup", buttons);
                }
                set(&mut params, "message_id", json!(id(remote)));
                if way.caption {
                    set(&mut params, "caption", json!(text.trim()));
                    ("editMessageCaption", params)
                } else {
                    ("editMessageText", params)
                }
            }
            Act::Delete { remote } => match &way.connection {
                Some(connection) => {
                    let params = json!({ "business_connection_id": connection, "message_ids": [id(remote)] });
                    ("deleteBusinessMessages", params)
                }
                None => ("deleteMessage", json!({ "chat_id": way.chat, "message_id": id(remote) })),
            },
            Act::React { remote, key } => {
                // Telegram writes hearts without the sign that asks for colours.
                let key = key.trim_end_matches('\u{fe0f}');
                let all = if key.is_empty() { json!([]) } else { json!([{ "type": "emoji", "emoji": key }]) };
                let mut params = way.base();
                set(&mut params, "message_id", json!(id(remote)));
                set(&mut params, "reaction", all);
                ("setMessageReaction", params)
            }
        };
        Ok(Ok(self.api.call(context, method, &params, None).await?))
    }

    /// Asks the customer for the phone number by the one button that proves it.
    async fn ask_phone(
        &self,
        context: &Context,
        outgoing: &Outgoing,
        text: &str,
        way: &Way,
    ) -> Result<Result<Said, Outcome>, SendError> {
        let language = outgoing.to.language;
        if way.connection.is_some() || way.chat < 0 {
            return Ok(Err(Outcome::Failed(words::only_bot(language))));
        }
        let mut params = text_params(way, &Marked::plain(text));
        let button = json!({ "text": words::phone_button(language), "request_contact": true });
        let markup = json!({ "keyboard": [[button]], "resize_keyboard": true, "one_time_keyboard": true });
        set(&mut params, "reply_markup", markup);
        Ok(Ok(self.api.call(context, "sendMessage", &params, None).await?))
    }

    /// Takes the phone button away with the first answer after it was pressed.
    async fn without_keyboard(
        &self,
        context: &Context,
        outgoing: &Outgoing,
        way: &Way,
        params: &mut Value,
    ) -> Result<(), SendError> {
        if way.connection.is_some() || way.chat < 0 {
            return Ok(());
        }
        let name = keyboard(&outgoing.to.lane);
        if context.kept(&name).await.map_err(SendError::unwritten)?.is_some() {
            set(params, "reply_markup", json!({ "remove_keyboard": true }));
            let forget = Keep { name, value: None, until: None, secret: false };
            context.keep(forget).await.map_err(SendError::unwritten)?;
        }
        Ok(())
    }

    /// Whether Telegram's asking to slow down concerns more than one chat: two in the same pause are all.
    fn is_flood_of_all(&self, said: &Said, chat: i64, now: i64) -> bool {
        let Said::Refused(refusal) = said else { return false };
        if refusal.code != 429 {
            return false;
        }
        let mut flood = lock(&self.flood);
        let before = flood.replace((chat, now + refusal.retry_after.unwrap_or(1000)));
        before.is_some_and(|(other, until)| other != chat && until > now)
    }
}

/// A message's number; what is none is answered as unknown by Telegram.
fn id(remote: &str) -> i64 {
    remote.parse().unwrap_or_default()
}

fn text_params(way: &Way, marked: &Marked) -> Value {
    let mut params = way.base();
    set(&mut params, "text", json!(marked.text));
    if way.marks && !marked.marks.is_empty() {
        set(&mut params, "entities", marked.entities());
    }
    params
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asking_for_the_phone_number_is_a_word_at_the_beginning() {
        assert_eq!(asks_phone("!phone", Language::English), Some(words::ask_phone(Language::English)));
        assert_eq!(asks_phone(" !Telefon  Jaki numer? ", Language::Polish).as_deref(), Some("Jaki numer?"));
        assert_eq!(asks_phone("!телефон", Language::Ukrainian), Some(words::ask_phone(Language::Ukrainian)));
        assert_eq!(asks_phone("!phones", Language::English), None);
        assert_eq!(asks_phone("phone", Language::English), None);
    }

    #[test]
    fn an_echo_is_told_by_what_the_customer_reads() {
        let act = |text: &str, html: Option<&str>| Act::Text {
            text: text.to_owned(),
            html: html.map(str::to_owned),
            reply_to: None,
        };
        assert!(is_echo(&act("Tak ", None), &Body::text("Tak")));
        assert!(!is_echo(&act("Tak", None), &Body::text("Nie")));
        let list = act("- a\n- b", Some("<ul><li>a</li><li>b</li></ul>"));
        assert!(is_echo(&list, &Body::text("• a\n• b")));
        assert!(!is_echo(&Act::Delete { remote: "1".to_owned() }, &Body::text("1")));
    }

    #[test]
    fn each_way_is_tried_once() {
        let way =
            Way { chat: -5, connection: None, marks: true, reply: true, as_file: false, caption: false };
        let plain = way.next(&Verdict::Plain).unwrap();
        assert!(!plain.marks && plain.next(&Verdict::Plain).is_none());
        assert_eq!(way.next(&Verdict::Moved(-1005)).unwrap().chat, -1005);
        assert!(way.next(&Verdict::Moved(-5)).is_none());
    }
}
