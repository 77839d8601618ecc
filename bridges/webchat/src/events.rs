//! `GET /events`: what is new in a conversation, waited for; and files of employees.
//!
//! Entries of the journal have numbers without gaps, so a page sees when it missed one. Typing and read marks
//! are not in the journal and have no number: the page says what it believes and is told when that is wrong.

use crate::config::Widget;
use crate::item::Raw;
use crate::presence::{Fetched, Now};
use crate::visitor;
use crate::{WebChat, answer, entry};
use kontor_bridge_kit::{
    Commit, Context, HookReply, HookRequest, JournalEntry, Keep, Reply, ReplyBody, Status,
};
use kontor_model::{Error, Result};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// How long a page waits for news.
const PATIENCE: Duration = Duration::from_secs(25);
/// Entries in one answer.
const PAGE: usize = 100;
/// Entries that a page begins with.
const RECENT: i64 = 60;
/// Wake-ups without news after which the page is answered anyway.
const MOST_WAKES: usize = 20;

/// What the page knows.
struct Ask {
    since: i64,
    typing: bool,
    read: Option<String>,
    wait: bool,
}

impl Ask {
    fn of(request: &HookRequest) -> Result<Self> {
        let since = request.parameter("since").unwrap_or_default();
        let since = if since.is_empty() { Ok(0) } else { since.parse() };
        let since: i64 = since.map_err(|_| Error::invalid_param("since must be a number."))?;
        let is = |name: &str, value: &str| request.parameter(name).as_deref() == Some(value);
        Ok(Self {
            since,
            typing: is("typing", "1"),
            read: request.parameter("read").filter(|id| !id.is_empty()),
            wait: !is("wait", "0"),
        })
    }

    /// What the page does not know of the moment.
    fn news(&self, now: &Now) -> Vec<Value> {
        let mut news = Vec::new();
        if now.typing != self.typing {
            news.push(json!({ "kind": "typing", "on": now.typing, "name": now.name }));
        }
        if now.read.is_some() && now.read != self.read {
            news.push(json!({ "kind": "read", "id": now.read }));
        }
        news
    }
}

fn read_name(lane: &str) -> String {
    format!("r:{lane}")
}

impl WebChat {
    /// Answers `GET /events`.
    pub async fn events(
        &self,
        context: &Context,
        request: &HookRequest,
        widget: &Widget,
    ) -> Result<HookReply> {
        let mut ask = Ask::of(request)?;
        let visitor = Box::pin(visitor::required(context, request, widget)).await?;
        let lane = visitor.id.as_str();
        if ask.since < 0 {
            // A page that begins: the newest ones, and what is true of the moment.
            ask.since = (context.newest(lane).await? - RECENT).max(0);
            Box::pin(self.recall(context, lane)).await?;
            ask.wait = false;
        } else if ask.since > 0 {
            Box::pin(self.acknowledge(context, lane, ask.since)).await?;
        }
        let entries = self.wait(context, lane, &ask).await?;
        if entries.is_empty() && ask.since > 0 {
            let newest = context.newest(lane).await?;
            if newest < ask.since {
                // The page knows more than there is: it was all forgotten. It must begin anew.
                let reply = answer::json(&json!({ "events": [], "next": newest, "reset": true }));
                return Ok(HookReply::only(reply));
            }
        }
        let mut events = Box::pin(self.show(context, lane, &entries)).await?;
        events.extend(ask.news(&self.presence.now(lane, context.now())));
        let next = entries.last().map_or(ask.since, |entry| entry.seq);
        let first = entries.first().map_or(ask.since, |entry| entry.seq - 1);
        Ok(HookReply::only(answer::json(&json!({ "events": events, "from": first, "next": next }))))
    }

    /// Waits until there is something that the page does not know.
    async fn wait(&self, context: &Context, lane: &str, ask: &Ask) -> Result<Vec<JournalEntry>> {
        let deadline = Instant::now() + PATIENCE;
        for _ in 0..MOST_WAKES {
            let left = deadline.saturating_duration_since(Instant::now());
            let known = ask.news(&self.presence.now(lane, context.now())).is_empty();
            if !ask.wait || !known || left.is_zero() {
                break;
            }
            // Typing marks end by themselves, without waking anybody.
            let left = if ask.typing { left.min(Duration::from_secs(5)) } else { left };
            let began = Instant::now();
            let entries = context.wait_since(lane, ask.since, PAGE, left).await?;
            if !entries.is_empty() {
                return Ok(entries);
            }
            if began.elapsed() < Duration::from_millis(1) {
                // The bridge closes, and would say the same again at once.
                break;
            }
        }
        context.since(lane, ask.since, PAGE).await
    }

    async fn show(&self, context: &Context, lane: &str, entries: &[JournalEntry]) -> Result<Vec<Value>> {
        let newest = entries.iter().rev().find_map(entry::of_agent);
        let Some((seq, id)) = newest else {
            return Ok(entries.iter().filter_map(|one| entry::shown(one, &[])).collect());
        };
        self.presence.given(lane, seq, id, context.now());
        let deleted = entry::deleted(context, lane).await?;
        Ok(entries.iter().filter_map(|one| entry::shown(one, &deleted)).collect())
    }

    /// Tells that the page has everything up to here.
    async fn acknowledge(&self, context: &Context, lane: &str, since: i64) -> Result<()> {
        let now = context.now();
        let told = match self.presence.fetched(lane, since, now) {
            Fetched::Told => return Ok(()),
            Fetched::Tell(seq, remote) => Some((seq, remote)),
            Fetched::Unknown => entry::newest_of_agent(context, lane, since).await?,
        };
        if let Some((seq, remote)) = &told {
            let raw = Raw::Receipt { remote: remote.clone(), read: false };
            let items = vec![raw.item(format!("d:{lane}:{seq}"), lane, now)?];
            context.commit(Commit { items, ..Commit::default() }).await?;
        }
        self.presence.told(lane, told.map_or(0, |(seq, _)| seq), now);
        Ok(())
    }

    /// Brings back what employees saw before this process began.
    async fn recall(&self, context: &Context, lane: &str) -> Result<()> {
        let now = context.now();
        if self.presence.now(lane, now).read.is_none()
            && let Some(read) = context.kept(&read_name(lane)).await?
        {
            self.presence.read(lane, &read, now);
        }
        Ok(())
    }

    /// An employee saw a message of the visitor.
    pub(crate) async fn seen(&self, context: &Context, lane: &str, remote: &str) -> Result<()> {
        let now = context.now();
        self.presence.read(lane, remote, now);
        context.wake(lane);
        let until = Some(now + visitor::REMEMBERED);
        let keep = Keep { name: read_name(lane), value: Some(remote.to_owned()), until, secret: false };
        context.keep(keep).await
    }

    /// Answers `GET /files/{seq}`: a file of an employee, passed through.
    pub async fn open(
        &self,
        context: &Context,
        request: &HookRequest,
        widget: &Widget,
        seq: &str,
    ) -> Result<HookReply> {
        let visitor = visitor::required(context, request, widget).await?;
        let seq = seq.parse().map_err(|_| Error::not_found("There is no such file."))?;
        let (mxc, name, media_type) = entry::file_of(context, &visitor.id, seq).await?;
        let download = context.open_media(&mxc).await?;
        // What a browser would run or draw by itself is only handed over.
        let safe = ["image/jpeg", "image/png", "image/gif", "image/webp", "application/pdf", "text/plain"];
        let kind = safe.into_iter().find(|safe| *safe == media_type).unwrap_or("application/octet-stream");
        let file: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
        let file = file.replace('+', "%20");
        let mut headers = vec![
            ("content-type".to_owned(), kind.to_owned()),
            ("content-disposition".to_owned(), format!("attachment; filename*=UTF-8''{file}")),
            ("content-security-policy".to_owned(), "sandbox; default-src 'none'".to_owned()),
            ("cache-control".to_owned(), "private, max-age=86400".to_owned()),
        ];
        headers.extend(download.size.map(|size| ("content-length".to_owned(), size.to_string())));
        let body = ReplyBody::Stream(download.bytes);
        Ok(HookReply::only(Reply { status: Status::Ok, headers, body }))
    }
}
