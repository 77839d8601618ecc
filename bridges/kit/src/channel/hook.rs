//! What comes from the network, and what is kept of it before anybody is answered.

use bytes::Bytes;
use futures_util::stream::BoxStream;
use kontor_model::{Ms, Result};
use std::net::IpAddr;

/// A request from outside, as it came.
#[derive(Debug)]
pub struct HookRequest {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path, as it was written (not decoded).
    pub path: String,
    /// What follows `?`, without it; empty when there is none.
    pub query: String,
    /// Headers in order, names in lower case; values that are no text are left out.
    pub headers: Vec<(String, String)>,
    /// The raw body, at most [`crate::Caps::largest_body`] bytes: signatures are checked on it.
    pub body: Bytes,
    /// Who asks: the peer, or what a trusted proxy says.
    pub remote: IpAddr,
    /// When it came, milliseconds.
    pub at: Ms,
}

impl HookRequest {
    /// The first header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The first parameter of this name in the query, decoded.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let pairs = url::form_urlencoded::parse(self.query.as_bytes());
        pairs.into_iter().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

/// One thing that the network told: a row of the inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What makes it the same thing when it is told again; unique in the channel, at most 255 bytes.
    pub key: String,
    /// The conversation it belongs to; items of a lane are worked on in order. At most 255 bytes.
    pub lane: String,
    /// When the network says that it happened, milliseconds.
    pub at: Ms,
    /// The bytes that [`crate::Channel::parse`] reads.
    pub raw: Vec<u8>,
}

/// What one hook or pull wants kept: all of it in one transaction, before the answer.
#[derive(Clone, Debug, Default)]
pub struct Commit {
    /// News for the inbox. One whose key is known already is not taken twice.
    pub items: Vec<Item>,
    /// Entries for the journal of conversations.
    pub journal: Vec<Entry>,
    /// Small values to remember or to forget.
    pub kept: Vec<Keep>,
    /// Files to put aside, written before the transaction. See [`Stow::locator`].
    pub files: Vec<Stow>,
}

/// An entry of a conversation's journal, for channels whose far end is ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The conversation.
    pub lane: String,
    /// What makes it the same entry when it is written again; unique in the conversation.
    pub key: String,
    /// What the channel likes; stored encrypted.
    pub body: String,
}

/// A small value to remember under a name.
#[derive(Clone, Debug)]
pub struct Keep {
    /// Its name, unique in the channel.
    pub name: String,
    /// The value; `None` forgets it.
    pub value: Option<String>,
    /// When it is forgotten by itself, milliseconds.
    pub until: Option<Ms>,
    /// Whether it must be encrypted on the disk.
    pub secret: bool,
}

/// A file that came with a request.
#[derive(Clone, Debug)]
pub struct Stow {
    /// Its contents.
    pub bytes: Bytes,
}

impl Stow {
    /// By what [`crate::File::locator`] names it: the kit opens these by itself. The same contents have
    /// the same locator.
    pub fn locator(&self) -> String {
        crate::files::locator(&self.bytes)
    }
}

/// What became of a [`Commit`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Of each item, in order.
    pub items: Vec<Taken>,
    /// Of each journal entry, in order.
    pub journal: Vec<Noted>,
}

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// False when it had been told before.
    pub fresh: bool,
}

/// What became of a journal entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noted {
    /// Its number in the conversation: 1, 2, 3, … without gaps. Of a repeated entry, the first one's.
    pub seq: i64,
    /// False when the same key was there before.
    pub fresh: bool,
}

/// What a hook gives back.
pub struct HookReply {
    /// What must be on the disk before the answer.
    pub commit: Commit,
    /// The answer.
    pub answer: Answer,
}

/// An answer, or how to make it from what was committed.
pub enum Answer {
    /// It does not depend on the commit.
    Now(Reply),
    /// It does.
    After(Box<dyn FnOnce(&Committed) -> Reply + Send>),
}

impl HookReply {
    /// An answer that keeps nothing.
    pub fn only(reply: Reply) -> Self {
        Self { commit: Commit::default(), answer: Answer::Now(reply) }
    }

    /// Keeps, then answers.
    pub fn keep(commit: Commit, reply: Reply) -> Self {
        Self { commit, answer: Answer::Now(reply) }
    }

    /// Keeps, then answers with what became of it.
    pub fn then(commit: Commit, answer: impl FnOnce(&Committed) -> Reply + Send + 'static) -> Self {
        Self { commit, answer: Answer::After(Box::new(answer)) }
    }
}

/// What the one who asked is told.
pub struct Reply {
    /// How it went.
    pub status: Status,
    /// Further headers. `content-type` belongs here.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: ReplyBody,
}

/// A body.
pub enum ReplyBody {
    /// Held in memory.
    Bytes(Bytes),
    /// Passed through; never held whole. An error cuts the connection.
    Stream(BoxStream<'static, Result<Bytes>>),
}

impl Reply {
    /// Nothing but a status.
    pub fn empty(status: Status) -> Self {
        Self { status, headers: Vec::new(), body: ReplyBody::Bytes(Bytes::new()) }
    }

    /// A body of this media type.
    pub fn of(status: Status, media_type: &str, body: impl Into<Bytes>) -> Self {
        let headers = vec![("content-type".to_owned(), media_type.to_owned())];
        Self { status, headers, body: ReplyBody::Bytes(body.into()) }
    }

    /// JSON.
    pub fn json(status: Status, value: &serde_json::Value) -> Self {
        Self::of(status, "application/json", value.to_string())
    }

    /// With a further header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// How a request went: the outcomes that networks need, by their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Done.
    Ok,
    /// Done, and made something.
    Created,
    /// Taken, done later.
    Accepted,
    /// Done, nothing to say.
    NoContent,
    /// A part of a file.
    PartialContent,
    /// Look at the `location` header.
    SeeOther,
    /// What you have is current.
    NotModified,
    /// Not understood.
    BadRequest,
    /// Who are you?
    Unauthorized,
    /// Known, and not allowed.
    Forbidden,
    /// No such thing.
    NotFound,
    /// Not with this method.
    MethodNotAllowed,
    /// Contradicts what is there.
    Conflict,
    /// Was there once.
    Gone,
    /// Too large.
    TooLarge,
    /// Of a kind that is not taken.
    UnsupportedType,
    /// A range that the file does not have.
    RangeNotSatisfiable,
    /// Well-formed, but refused for its contents.
    Unprocessable,
    /// Too often; see the `retry-after` header.
    TooMany,
    /// Not now.
    Unavailable,
}

/// What a pull gives back.
#[derive(Debug, Default)]
pub struct Pulled {
    /// What to keep.
    pub commit: Commit,
    /// Where to go on, once that is kept; `None` leaves the cursor.
    pub cursor: Option<String>,
    /// How long to wait before the next pull, milliseconds. 0 when the network itself waits.
    pub pause: Ms,
    /// Whether this was everything that the network had to tell.
    pub everything: bool,
}
