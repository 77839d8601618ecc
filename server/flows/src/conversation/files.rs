//! The files of a conversation: what was sent in its two rooms, as far as whoever asks may read them.

use super::commands::excerpt;
use crate::Flows;
use crate::history::{Direction, PageRequest};
use kontor_contacts::view::event_link;
use kontor_model::filter::EventFilter;
use kontor_model::{Code, Error, Ms, Requester, Result};
use kontor_rooms::VisibleEvent;
use kontor_store::contacts::conversations::ConversationRow;
use kontor_store::rooms::events::{self, Asker, EventRow};
use ruma::OwnedRoomId;
use serde::Deserialize;
use std::collections::HashMap;

/// Files that are told.
const FILES: usize = 10;
/// Letters of a name.
const NAME: usize = 160;

/// A file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedFile {
    /// What it is called.
    pub name: String,
    /// How large it is, as far as its sender said, bytes.
    pub size: Option<u64>,
    /// When it was sent.
    pub ts: Ms,
    /// By whom, Matrix id.
    pub sender: String,
    /// Whether that is the customer.
    pub of_customer: bool,
    /// A link that Matrix clients open as the message.
    pub link: String,
}

#[derive(Deserialize)]
struct Content {
    #[serde(default)]
    body: String,
    filename: Option<String>,
    #[serde(default)]
    info: serde_json::Value,
    #[serde(rename = "m.new_content")]
    new: Option<Box<Content>>,
    #[serde(rename = "m.relates_to")]
    relates_to: Option<Relation>,
}

#[derive(Deserialize)]
struct Relation {
    rel_type: Option<String>,
    event_id: Option<String>,
}

/// A message with a file, and the message whose place it took: files of customers stand where it was said that
/// they come.
struct Sent {
    room: String,
    event: VisibleEvent,
    content: Content,
}

impl Sent {
    fn read(room: &str, event: VisibleEvent) -> Option<Self> {
        let content = serde_json::from_str(event.content().get()).ok()?;
        Some(Self { room: room.to_owned(), event, content })
    }

    fn replaced(&self) -> Option<&str> {
        let relation = self.content.relates_to.as_ref()?;
        relation.event_id.as_deref().filter(|_| relation.rel_type.as_deref() == Some("m.replace"))
    }

    fn shared(&self, ghost: &str) -> SharedFile {
        let content = self.content.new.as_deref().unwrap_or(&self.content);
        let name = content.filename.as_deref().unwrap_or(&content.body);
        let row = self.event.row();
        SharedFile {
            name: excerpt(&name.split_whitespace().collect::<Vec<_>>().join(" "), NAME),
            size: content.info.get("size").and_then(serde_json::Value::as_u64),
            ts: row.origin_ts,
            sender: row.sender.clone(),
            of_customer: row.sender == ghost,
            link: event_link(&self.room, self.replaced().unwrap_or(&row.event_id)),
        }
    }
}

impl Flows {
    /// The newest files of both rooms of a conversation, the newest first, as far as the asker reads them. Those
    /// that were taken back are not there.
    ///
    /// # Errors
    /// `Unavailable` when the archive is gone.
    pub async fn shared_files(&self, by: &Requester, row: &ConversationRow) -> Result<Vec<SharedFile>> {
        let mut sent = Vec::new();
        for room in [&row.room_id, &row.backstage_id] {
            let room_id = OwnedRoomId::try_from(room.as_str()).map_err(Error::internal)?;
            let filter = EventFilter {
                types: Some(vec!["m.room.message".to_owned(), "m.sticker".to_owned()]),
                contains_url: Some(true),
                ..EventFilter::default()
            };
            let direction = Direction::Backward;
            let request = PageRequest { from: None, to: None, direction, limit: FILES, filter };
            match self.messages(by, &room_id, &request).await {
                Ok(page) => sent.extend(page.chunk.into_iter().filter_map(|event| Sent::read(room, event))),
                Err(error) if error.code == Code::Forbidden => {}
                Err(error) => return Err(error),
            }
        }
        let replaced: Vec<&str> = sent.iter().filter_map(Sent::replaced).collect();
        let originals = self.originals(by, &replaced).await?;
        let stands = |sent: &&Sent| {
            let original = sent.replaced().map(|id| originals.get(id));
            original.is_none_or(|row| {
                row.is_some_and(|row| row.redacted_by.is_none() && row.sender == sent.event.row().sender)
            })
        };
        let mut files: Vec<SharedFile> =
            sent.iter().filter(stands).map(|sent| sent.shared(&row.ghost)).collect();
        files.sort_by_key(|file| std::cmp::Reverse(file.ts));
        files.truncate(FILES);
        Ok(files)
    }

    async fn originals(&self, by: &Requester, ids: &[&str]) -> Result<HashMap<String, EventRow>> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let asker = Asker { user: by.user, device: by.device_id.as_str() };
        let rows = events::by_ids(&mut self.store.reader(), asker, ids).await?;
        Ok(rows.into_iter().map(|row| (row.event_id.clone(), row)).collect())
    }
}
