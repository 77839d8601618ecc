//! What the homeserver tells: agents' events become rows of the outbox before it is answered.

use crate::channel::{Author, Counts, FileKind, OutFile, Signal};
use crate::db::lane::{self, Lane, Way};
use crate::db::outbox::Fresh;
use crate::db::{Change, inbox, link, notice, outbox};
use crate::engine::Engine;
use crate::ladder::{Failure, FailureKind};
use crate::steps::Step;
use crate::{html, ids, text};
use kontor_model::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// What a row of the outbox remembers of its event.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Stored {
    pub sender: String,
    pub ts: i64,
    /// The text, or the key of a reaction.
    pub text: String,
    pub html: Option<String>,
    /// The event that it answers.
    pub reply_to: Option<String>,
    pub file: Option<StoredFile>,
}

/// A file of an agent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StoredFile {
    mxc: String,
    name: String,
    media_type: String,
    size: Option<u64>,
    kind: FileKind,
    caption: Option<String>,
}

impl From<StoredFile> for OutFile {
    fn from(file: StoredFile) -> Self {
        Self {
            mxc: file.mxc,
            name: file.name,
            media_type: file.media_type,
            size: file.size,
            kind: file.kind,
            caption: file.caption,
        }
    }
}

fn str<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Takes a transaction: when this returns, everything in it is on the disk.
///
/// # Errors
/// `BadJson` when it is no transaction, `Unavailable` when the database is gone: the homeserver sends it again.
pub(crate) async fn take(engine: &Arc<Engine>, body: &Value) -> Result<()> {
    let events = body.get("events").and_then(Value::as_array);
    let events = events.ok_or_else(|| Error::bad_json("A transaction has a list of events."))?;
    let ours: Vec<&Value> = events.iter().filter(|event| !engine.is_own(str(event, "sender"))).collect();
    let ephemeral = ["ephemeral", "de.sorunome.msc2409.ephemeral"];
    let ephemeral = ephemeral.iter().find_map(|field| body.get(*field)?.as_array());
    let all = ours.iter().copied().chain(ephemeral.into_iter().flatten());
    let rooms: std::collections::HashSet<&str> = all.map(|event| str(event, "room_id")).collect();
    let rooms: Vec<&str> = rooms.into_iter().filter(|room| !room.is_empty()).collect();
    let lanes = lane::of_rooms(engine.db(), engine.name(), &rooms).await?;
    let mut change = buttons(engine, &ours).await?;
    for event in ours {
        let lane = lanes.iter().find(|lane| is_of(lane, str(event, "room_id")));
        if let Some(lane) = lane {
            row(engine, lane, event, &mut change)?;
        }
    }
    if !change.is_empty() {
        engine.db().write(change).await?;
        engine.out_news.notify_one();
        engine.context.inner.news.notify_one();
        engine.tell_news.notify_one();
    }
    engine.reached(Step::Stored).await;
    for event in ephemeral.into_iter().flatten() {
        if let Some(lane) = lanes.iter().find(|lane| is_of(lane, str(event, "room_id"))) {
            signal(engine, lane, event);
        }
    }
    Ok(())
}

fn is_of(lane: &Lane, room: &str) -> bool {
    lane.home.as_ref().is_some_and(|home| home.room == room)
}

/// The event that an event relates to in this way.
fn related<'a>(event: &'a Value, how: &str) -> Option<&'a str> {
    let relation = event.get("content")?.get("m.relates_to")?;
    (str(relation, "rel_type") == how).then(|| str(relation, "event_id")).filter(|id| !id.is_empty())
}

/// Reactions to notices with buttons.
async fn buttons(engine: &Engine, events: &[&Value]) -> Result<Change> {
    let mut change = Change::default();
    let reactions = events.iter().filter(|event| str(event, "type") == "m.reaction");
    let reactions: Vec<(&Value, &str)> =
        reactions.filter_map(|event| Some((*event, related(event, "m.annotation")?))).collect();
    let targets: Vec<&str> = reactions.iter().map(|(_, target)| *target).collect();
    let notices = notice::of(engine.db(), engine.name(), &targets).await?;
    for (event, target) in reactions {
        let Some((_, kind, about)) = notices.iter().find(|(notice, _, _)| notice == target) else { continue };
        let key = event.pointer("/content/m.relates_to/key").and_then(Value::as_str).unwrap_or_default();
        press(engine, kind, *about, key.trim_end_matches('\u{fe0f}'), &mut change);
    }
    Ok(change)
}

/// A button was pressed.
fn press(engine: &Engine, kind: &str, about: i64, key: &str, change: &mut Change) {
    let now = engine.now();
    match (kind, key) {
        (notice::DEAD, text::AGAIN) => inbox::replay(change, engine.name(), about, now),
        (notice::UNCERTAIN, text::AGAIN) => outbox::again(change, engine.name(), about, now),
        (notice::UNCERTAIN, text::ARRIVED) => outbox::arrived(change, engine.name(), about, now),
        _ => {}
    }
}

/// One event of an agent.
fn row(engine: &Engine, lane: &Lane, event: &Value, change: &mut Change) -> Result<()> {
    let id = str(event, "event_id");
    let content = event.get("content").unwrap_or(&Value::Null);
    if id.is_empty() || content.get("dev.kontor.notice").is_some() || event.get("state_key").is_some() {
        return Ok(());
    }
    let ts = event.get("origin_server_ts").and_then(Value::as_i64).unwrap_or_default();
    let base = Stored { sender: str(event, "sender").to_owned(), ts, ..Stored::default() };
    match str(event, "type") {
        "m.room.message" | "m.sticker" => message(engine, lane, event, base, change),
        "m.reaction" => {
            let Some(target) = related(event, "m.annotation") else { return Ok(()) };
            let key = event.pointer("/content/m.relates_to/key").and_then(Value::as_str).unwrap_or_default();
            let stored = Stored { text: key.to_owned(), ..base };
            add(engine, lane, (id, 0, "react", target), &stored, change)
        }
        "m.room.redaction" => {
            let target = [str(event, "redacts"), str(content, "redacts")];
            let Some(target) = target.into_iter().find(|target| !target.is_empty()) else { return Ok(()) };
            let failure = Failure::new(FailureKind::Withdrawn, "");
            outbox::withdraw(change, engine.name(), target, &failure, engine.now());
            let stored = serde_json::to_vec(&base).map_err(Error::internal)?;
            outbox::take_back(change, engine.name(), engine.seal(), (id, target), &stored, engine.now())?;
            wake(engine, lane, change);
            Ok(())
        }
        _ => Ok(()),
    }
}

fn message(engine: &Engine, lane: &Lane, event: &Value, base: Stored, change: &mut Change) -> Result<()> {
    let id = str(event, "event_id");
    let content = event.get("content").unwrap_or(&Value::Null);
    if let Some(target) = related(event, "m.replace") {
        let new = content.get("m.new_content").unwrap_or(&Value::Null);
        let stored = Stored { text: str(new, "body").to_owned(), html: formatted(new), ..base };
        return add(engine, lane, (id, 0, "edit", target), &stored, change);
    }
    let reply_to = content.pointer("/m.relates_to/m.in_reply_to/event_id").and_then(Value::as_str);
    let base = Stored { reply_to: reply_to.map(str::to_owned), ..base };
    let caps = engine.channel.caps_in(&lane.whom);
    if let Some(mut file) = file(event, content) {
        let long = |caption: &String| caps.counts.length(caption) > caps.longest_caption;
        let apart = file.caption.take_if(|caption| long(caption));
        add(engine, lane, (id, 0, "send", id), &Stored { file: Some(file), ..base.clone() }, change)?;
        let parts = apart.map(|text| text_parts(&text, caps.longest_text, caps.counts)).unwrap_or_default();
        for (part, text) in (1..).zip(parts) {
            let stored = Stored { text, reply_to: None, ..base.clone() };
            add(engine, lane, (id, part, "send", id), &stored, change)?;
        }
        return Ok(());
    }
    let body = str(content, "body");
    // A notice is what a machine says to agents; an empty text or another kind says nothing to customers.
    if !matches!(str(content, "msgtype"), "m.text" | "m.emote" | "m.location") || body.trim().is_empty() {
        return Ok(());
    }
    let body = if reply_to.is_some() { without_quote(body) } else { body };
    let parts = text_parts(body, caps.longest_text, caps.counts);
    let html = formatted(content).filter(|_| parts.len() == 1);
    for (part, text) in (0..).zip(parts) {
        let reply_to = base.reply_to.clone().filter(|_| part == 0);
        let stored = Stored { text, html: html.clone(), reply_to, ..base.clone() };
        add(engine, lane, (id, part, "send", id), &stored, change)?;
    }
    Ok(())
}

fn formatted(content: &Value) -> Option<String> {
    let html = str(content, "formatted_body");
    (str(content, "format") == "org.matrix.custom.html" && !html.is_empty()).then(|| html::clean(html))
}

/// A text without the quote that old clients put before an answer.
fn without_quote(body: &str) -> &str {
    let mut rest = body;
    while let Some(line) = rest.strip_prefix("> ").or_else(|| rest.strip_prefix(">\n").map(|_| rest)) {
        match line.split_once('\n') {
            Some((_, after)) => rest = after,
            None => return body,
        }
    }
    if rest.len() == body.len() { body } else { rest.trim_start_matches('\n') }
}

fn file(event: &Value, content: &Value) -> Option<StoredFile> {
    let kind = match str(content, "msgtype") {
        "m.image" => FileKind::Image,
        "m.audio" if content.get("org.matrix.msc3245.voice").is_some() => FileKind::Voice,
        "m.audio" => FileKind::Audio,
        "m.video" => FileKind::Video,
        "m.file" => FileKind::File,
        _ if str(event, "type") == "m.sticker" => FileKind::Image,
        _ => return None,
    };
    let mxc = str(content, "url");
    let body = str(content, "body");
    let name = Some(str(content, "filename")).filter(|name| !name.is_empty()).unwrap_or(body);
    let info = content.get("info").unwrap_or(&Value::Null);
    let media_type = Some(str(info, "mimetype")).filter(|kind| !kind.is_empty());
    mxc.starts_with("mxc://").then(|| StoredFile {
        mxc: mxc.to_owned(),
        name: name.to_owned(),
        media_type: media_type.unwrap_or("application/octet-stream").to_owned(),
        size: info.get("size").and_then(Value::as_u64),
        kind,
        caption: (name != body && !body.is_empty()).then(|| body.to_owned()),
    })
}

/// Where a text has to end to be no longer than this; `None` when it is not.
fn limit_of(text: &str, longest: usize, counts: Counts) -> Option<usize> {
    let mut length = 0;
    let over = |(_, c): &(usize, char)| {
        length += counts.of(*c);
        length > longest
    };
    // At least one character, or there would be no end.
    text.char_indices().find(over).map(|(at, c)| if at == 0 { c.len_utf8() } else { at })
}

/// Divides a text into pieces of at most `longest`, at lines or words where possible.
fn text_parts(text: &str, longest: usize, counts: Counts) -> Vec<String> {
    let longest = longest.max(1);
    let mut parts = Vec::new();
    let mut rest = text.trim_end();
    while let Some(limit) = limit_of(rest, longest, counts) {
        let (head, _) = rest.split_at(limit);
        // Not too early: a piece is at least half full, or a quarter where a word would be cut otherwise.
        let gaps = [("\n\n", limit / 2), ("\n", limit / 2), (" ", limit / 4)];
        let cut = gaps.iter().find_map(|(gap, least)| head.rfind(gap).filter(|at| at >= least && *at > 0));
        let (piece, after) = rest.split_at(cut.unwrap_or(limit));
        parts.push(piece.trim_end().to_owned());
        rest = after.trim_start();
    }
    if !rest.is_empty() || parts.is_empty() {
        parts.push(rest.to_owned());
    }
    parts
}

fn add(
    engine: &Engine,
    lane: &Lane,
    what: (&str, u32, &str, &str),
    stored: &Stored,
    change: &mut Change,
) -> Result<()> {
    let (event_id, part, act, target) = what;
    let Some(home) = &lane.home else { return Ok(()) };
    let fresh = Fresh {
        lane: &lane.whom.lane,
        room: &home.room,
        event_id,
        part,
        act,
        ours: ids::outbound(engine.name(), event_id, part, act),
        target,
        content: serde_json::to_vec(stored).map_err(Error::internal)?,
    };
    outbox::add(change, engine.name(), engine.seal(), &fresh, engine.now())?;
    wake(engine, lane, change);
    Ok(())
}

fn wake(engine: &Engine, lane: &Lane, change: &mut Change) {
    lane::wake(change, engine.name(), &lane.whom.lane, Way::Out, engine.now());
}

/// Typing and read marks: told once, in the background.
fn signal(engine: &Arc<Engine>, lane: &Lane, event: &Value) {
    if engine.rests() {
        return;
    }
    let whom = lane.whom.clone();
    let content = event.get("content").cloned().unwrap_or_default();
    let kind = str(event, "type").to_owned();
    let engine = Arc::clone(engine);
    tokio::spawn(async move {
        let signal = match kind.as_str() {
            "m.typing" => {
                let users = content.get("user_ids").and_then(Value::as_array).cloned().unwrap_or_default();
                let agent = users.iter().filter_map(Value::as_str).find(|user| !engine.is_own(user));
                let author = match agent {
                    Some(user) => Some(Author { user_id: user.to_owned(), name: engine.name_of(user).await }),
                    None => None,
                };
                Some(Signal::Typing { to: whom, on: agent.is_some(), author })
            }
            "m.receipt" => seen(&engine, whom, &content).await,
            _ => None,
        };
        if let Some(signal) = signal
            && let Err(error) = engine.channel.signal(&engine.context, signal).await
        {
            tracing::debug!(channel = engine.name(), ?error, "A typing or read mark was not taken.");
        }
    });
}

async fn seen(engine: &Engine, to: crate::Whom, content: &Value) -> Option<Signal> {
    let agents = |readers: &Value| {
        readers
            .get("m.read")
            .and_then(Value::as_object)
            .is_some_and(|users| users.keys().any(|user| !engine.is_own(user)))
    };
    let events = content.as_object()?.iter().filter(|(_, readers)| agents(readers)).map(|(event, _)| event);
    for event in events.take(20) {
        if let Ok(Some((remote, author))) = link::remote(engine.db(), engine.name(), event).await
            && author == link::CUSTOMER
        {
            return Some(Signal::Read { to, remote });
        }
    }
    None
}

/// What the administrator asks for by the bridge's own address.
pub(crate) async fn command(engine: &Engine, kind: &str, about: i64, key: &str) -> Result<()> {
    let mut change = Change::default();
    press(engine, kind, about, key, &mut change);
    if change.is_empty() {
        return Err(Error::invalid_param("There is no such command."));
    }
    engine.db().write(change).await?;
    engine.context.inner.news.notify_one();
    engine.out_news.notify_one();
    engine.tell_news.notify_one();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_divided_between_words_and_nothing_of_them_is_lost() {
        let text_parts = |text, longest| text_parts(text, longest, Counts::Characters);
        assert_eq!(text_parts("krótki", 10), ["krótki"]);
        assert_eq!(text_parts("raz dwa trzy cztery", 10), ["raz dwa", "trzy", "cztery"]);
        assert_eq!(text_parts("żółżółżółżół", 5), ["żółżó", "łżółż", "ół"]);
        assert_eq!(super::text_parts("👉👉👉", 4, Counts::Utf16), ["👉👉", "👉"]);
        assert_eq!(super::text_parts("👉👉", 1, Counts::Utf16), ["👉", "👉"]);
        for text in [
            "a b c d e f g h i j k",
            "x\n\ny z\nqqqqqqqqqqqqqqqq w",
            "Привіт, це довгий текст про замовлення",
        ] {
            for longest in 1..12 {
                let parts = text_parts(text, longest);
                assert!(
                    parts.iter().all(|part| part.chars().count() <= longest && !part.is_empty()),
                    "{parts:?}"
                );
                let squeeze = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
                assert_eq!(squeeze(&parts.concat()), squeeze(text));
            }
        }
    }

    #[test]
    fn the_quote_of_an_answer_is_left_out() {
        assert_eq!(without_quote("> <@a:b> dzień dobry\n> x\n\nTak"), "Tak");
        assert_eq!(without_quote("> tylko cytat"), "> tylko cytat");
        assert_eq!(without_quote("Tak"), "Tak");
    }
}
