//! What visitors do in a conversation: write, send files, type, read, rate, end.

use crate::config::{Consent as ConsentText, Widget};
use crate::item::Raw;
use crate::limits::{Quota, neighbourhood};
use crate::session::{Origin, Typed};
use crate::visitor::{self, Visitor};
use crate::{WebChat, answer, body, clean, entry, upload};
use kontor_bridge_kit::{
    Commit, Committed, Consent, ConsentState, Context, File, FileKind, HookReply, HookRequest, Reply, Source,
    Stow,
};
use kontor_model::{Code, Error, Ms, Result};
use serde::Deserialize;
use serde_json::{Value, json};

/// How far a visitor's clock may be ahead, milliseconds; beyond that our own is taken.
const AHEAD: Ms = 60_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    client_id: String,
    text: String,
    #[serde(default)]
    profile: Option<Typed>,
    #[serde(default)]
    consents: Vec<Ticked>,
    #[serde(default)]
    page: Option<String>,
}

/// Something that a visitor ticked.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ticked {
    pub id: String,
    pub version: String,
    pub text_sha256: String,
    pub given_at: Ms,
}

/// What was ticked, if it is what was shown.
///
/// # Errors
/// `Unprocessable` for a text that is not the current one.
pub fn agreed(texts: &[ConsentText], ticked: &[Ticked], source: Source, now: Ms) -> Result<Vec<Consent>> {
    let mut all = Vec::with_capacity(texts.len());
    for ticked in ticked {
        let known = texts.iter().find(|text| text.id == ticked.id && text.version == ticked.version);
        if known.is_none_or(|text| !text.is_text(&ticked.text_sha256)) || ticked.given_at <= 0 {
            let why = "The text that was agreed to is not the current one. Reload the page.";
            return Err(Error::new(Code::Unprocessable, why));
        }
        let given_at = if ticked.given_at > now + AHEAD { now } else { ticked.given_at };
        all.push(Consent {
            purpose: ticked.id.clone(),
            state: ConsentState::Given,
            text_version: ticked.version.clone(),
            text_sha256: ticked.text_sha256.to_ascii_lowercase(),
            act: "ticked".to_owned(),
            source,
            given_at,
        });
    }
    all.dedup_by(|a, b| a.purpose == b.purpose);
    Ok(all)
}

/// The id that a page chose: what makes a repeated call the same call.
///
/// # Errors
/// `BadJson` when it is none.
pub fn client_id(id: &str) -> Result<&str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if (8..=64).contains(&id.len()) && id.bytes().all(plain) {
        return Ok(id);
    }
    Err(Error::bad_json("client_id must be a UUID of the page's own making."))
}

/// Number, id and time of the entry that was just written.
fn noted(id: String, at: Ms) -> impl FnOnce(&Committed) -> Reply {
    move |committed| {
        let seq = committed.journal.first().map_or(0, |noted| noted.seq);
        answer::json(&json!({ "id": id, "seq": seq, "at": at }))
    }
}

impl WebChat {
    fn may_write(&self, request: &HookRequest, widget: &Widget, visitor: &Visitor) -> Result<()> {
        let limits = &widget.limits;
        let address = neighbourhood(request.remote);
        self.limiter.take("message", &visitor.id, Quota::of(limits.messages_per_30s, 30), request.at)?;
        let shared = Quota::of(limits.messages_per_30s_per_address, 30);
        self.limiter.take("messages", &address, shared, request.at)
    }

    /// Answers `POST /messages`.
    pub async fn message(
        &self,
        context: &Context,
        request: &HookRequest,
        widget: &Widget,
    ) -> Result<HookReply> {
        let said: Message = body(request)?;
        let mut visitor = visitor::required(context, request, widget).await?;
        let (id, now) = (client_id(&said.client_id)?, request.at);
        let text = clean::message(&said.text)?;
        let consents = agreed(&widget.consents, &said.consents, Source::Customer, now)?;
        self.may_write(request, widget, &visitor)?;
        let origin = Origin { page: said.page, ..Origin::default() }.facts();
        let moved = origin.iter().any(|(name, value)| visitor.context.get(name) != Some(value));
        let _writing = if !visitor.spoken || moved || said.profile.is_some() {
            let guard = self.writing(&visitor.id).await;
            visitor = visitor::required(context, request, widget).await?;
            guard
        } else {
            None
        };
        let (was, first) = (visitor.clone(), !visitor.spoken);
        if let Some(typed) = &said.profile {
            typed.apply(&mut visitor)?;
        }
        visitor.context.extend(origin);
        let news = !first && visitor != was;
        visitor.spoken = true;
        let lane = visitor.id.clone();
        let raw = Raw::Message {
            remote: entry::visitor_id(id),
            text: text.clone(),
            from: visitor.profile(),
            news,
            consents,
        };
        let mut commit = Commit {
            items: vec![raw.item(format!("m:{lane}:{id}"), &lane, now)?],
            journal: vec![entry::entry(&lane, format!("c:{id}"), &entry::visitor_text(id, &text))],
            ..Commit::default()
        };
        let noted = noted(entry::visitor_id(id), now);
        if visitor == was {
            return Ok(HookReply::then(commit, noted));
        }
        commit.kept.push(visitor.keep(now)?);
        Ok(HookReply::only(noted(&context.commit(commit).await?)))
    }

    /// Answers `POST /files`.
    pub async fn file(&self, context: &Context, request: &HookRequest, widget: &Widget) -> Result<HookReply> {
        let mut visitor = visitor::required(context, request, widget).await?;
        let quota = Quota::of(widget.limits.files_per_hour, 3600);
        self.limiter.take("file", &visitor.id, quota, request.at)?;
        self.may_write(request, widget, &visitor)?;
        let sent = upload::read(request, &widget.files).await?;
        let (id, now, lane) = (client_id(&sent.client_id)?, request.at, visitor.id.clone());
        let _writing = if visitor.spoken {
            None
        } else {
            let guard = self.writing(&visitor.id).await;
            visitor = visitor::required(context, request, widget).await?;
            guard
        };
        let stow = Stow { bytes: sent.bytes };
        let size = stow.bytes.len();
        let was = visitor.clone();
        visitor.spoken = true;
        let file = File {
            locator: stow.locator(),
            name: sent.name.clone(),
            media_type: sent.media_type.clone(),
            size: u64::try_from(size).ok(),
            kind: FileKind::of(&sent.media_type),
            caption: None,
        };
        let raw = Raw::File { remote: entry::visitor_id(id), file, from: visitor.profile() };
        let shown = entry::visitor_file(id, &sent.name, &sent.media_type, size);
        let mut commit = Commit {
            items: vec![raw.item(format!("m:{lane}:{id}"), &lane, now)?],
            journal: vec![entry::entry(&lane, format!("c:{id}"), &shown)],
            files: vec![stow],
            ..Commit::default()
        };
        let noted = noted(entry::visitor_id(id), now);
        if visitor == was {
            return Ok(HookReply::then(commit, noted));
        }
        commit.kept.push(visitor.keep(now)?);
        Ok(HookReply::only(noted(&context.commit(commit).await?)))
    }

    /// Answers `POST /typing`.
    pub async fn typing(
        &self,
        context: &Context,
        request: &HookRequest,
        widget: &Widget,
    ) -> Result<HookReply> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Typing {
            on: bool,
        }
        let said: Typing = body(request)?;
        let visitor = visitor::required(context, request, widget).await?;
        let what = if said.on { "typing" } else { "typed" };
        let rare = self.limiter.take(what, &visitor.id, Quota::of(2, 10), request.at).is_ok();
        // It is only worth something now: whether it arrives is not the page's concern.
        if visitor.spoken
            && rare
            && let Err(error) = context.typing(&visitor.id, said.on).await
        {
            tracing::debug!(?error, "A typing mark was not shown.");
        }
        Ok(HookReply::only(answer::empty()))
    }

    /// Answers `POST /read`.
    pub async fn read(&self, context: &Context, request: &HookRequest, widget: &Widget) -> Result<HookReply> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Read {
            up_to: i64,
        }
        let said: Read = body(request)?;
        let visitor = visitor::required(context, request, widget).await?;
        let lane = &visitor.id;
        let up_to = said.up_to.clamp(0, context.newest(lane).await?);
        let mut commit = Commit::default();
        if let Some((seq, remote)) = entry::newest_of_agent(context, lane, up_to).await? {
            let raw = Raw::Receipt { remote, read: true };
            commit.items.push(raw.item(format!("r:{lane}:{seq}"), lane, request.at)?);
        }
        Ok(HookReply::keep(commit, answer::empty()))
    }

    /// Answers `POST /rating`.
    pub async fn rating(
        &self,
        context: &Context,
        request: &HookRequest,
        widget: &Widget,
    ) -> Result<HookReply> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Rating {
            client_id: String,
            score: u8,
            #[serde(default)]
            comment: String,
        }
        let said: Rating = body(request)?;
        let visitor = visitor::required(context, request, widget).await?;
        if !(1..=5).contains(&said.score) {
            return Err(Error::bad_json("score must be 1 to 5."));
        }
        self.limiter.take("rating", &visitor.id, Quota::of(5, 3600), request.at)?;
        let id = client_id(&said.client_id)?;
        let mut commit = Commit::default();
        if visitor.spoken {
            let comment = clean::text(&said.comment).chars().take(1000).collect();
            let raw = Raw::Rating { score: said.score, comment };
            commit.items.push(raw.item(format!("g:{}:{id}", visitor.id), &visitor.id, request.at)?);
        }
        Ok(HookReply::keep(commit, answer::empty()))
    }

    /// Answers `POST /end`: the visitor says that it is over.
    pub async fn end(&self, context: &Context, request: &HookRequest, widget: &Widget) -> Result<HookReply> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct End {
            client_id: String,
        }
        let said: End = body(request)?;
        let visitor = visitor::required(context, request, widget).await?;
        self.limiter.take("end", &visitor.id, Quota::of(5, 3600), request.at)?;
        let (id, lane) = (client_id(&said.client_id)?, &visitor.id);
        let mut commit = Commit::default();
        if visitor.spoken {
            commit.items.push(Raw::Ended.item(format!("e:{lane}:{id}"), lane, request.at)?);
            let closed = json!({ "kind": "closed", "by": "visitor" });
            commit.journal.push(entry::entry(lane, format!("e:{id}"), &closed));
        }
        Ok(HookReply::keep(commit, answer::empty()))
    }

    /// Answers `GET /me`: everything that is stored here about the visitor, page by page.
    pub async fn export(
        &self,
        context: &Context,
        request: &HookRequest,
        widget: &Widget,
    ) -> Result<HookReply> {
        const PAGE: usize = 200;
        let visitor = visitor::required(context, request, widget).await?;
        let since = request.parameter("since").and_then(|since| since.parse().ok()).unwrap_or(0);
        let deleted = entry::deleted(context, &visitor.id).await?;
        let entries = context.since(&visitor.id, since, PAGE).await?;
        let next = entries.last().map(|entry| entry.seq).filter(|_| entries.len() == PAGE);
        let shown: Vec<Value> = entries.iter().filter_map(|one| entry::shown(one, &deleted)).collect();
        let visitor = json!({
            "id": visitor.id, "name": visitor.name, "email": visitor.email, "phone": visitor.phone,
            "customer": visitor.sub, "language": visitor.language, "context": visitor.context,
            "first_seen": visitor.first_seen,
        });
        Ok(HookReply::only(answer::json(&json!({ "visitor": visitor, "events": shown, "next": next }))))
    }

    /// Answers `DELETE /me`: the website forgets the visitor, and the company is asked to.
    pub async fn erase(
        &self,
        context: &Context,
        request: &HookRequest,
        widget: &Widget,
    ) -> Result<HookReply> {
        let visitor = visitor::required(context, request, widget).await?;
        let mut commit = Commit::default();
        if visitor.spoken {
            let raw = Raw::Erasure { from: visitor.profile() };
            commit.items.push(raw.item(format!("x:{}", visitor.id), &visitor.id, request.at)?);
        }
        commit.kept = visitor.forget(visitor::bearer(request).unwrap_or_default())?;
        // First what was said: should the rest fail, the token is still good to ask again.
        context.forget(&visitor.id).await?;
        context.wake(&visitor.id);
        Ok(HookReply::keep(commit, answer::empty()))
    }
}
