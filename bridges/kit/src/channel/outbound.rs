//! What agents do, in the words that all networks share.

use crate::{Failure, FileKind, Rung, Whom};
use bytes::Bytes;
use futures_util::stream::BoxStream;
use kontor_model::{Ms, Result};
use std::fmt;

/// One thing to hand to the network.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// To whom.
    pub to: Whom,
    /// Our key: the same whenever this very thing is tried again, and never used for another.
    pub ours: String,
    /// Which part of a divided message this is, from 0.
    pub part: u32,
    /// What to do.
    pub act: Act,
    /// Which agent did it.
    pub author: Author,
    /// When, milliseconds.
    pub at: Ms,
    /// The event in the room. For links and logs, not for display.
    pub event_id: String,
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// A new text.
    Text {
        /// Plain text.
        text: String,
        /// The same as HTML, sanitised, if the agent formatted it.
        html: Option<String>,
        /// The network's id of the message that it answers.
        reply_to: Option<String>,
    },
    /// A new file.
    File {
        /// Which.
        file: OutFile,
        /// The network's id of the message that it answers.
        reply_to: Option<String>,
    },
    /// Change a message.
    Edit {
        /// The network's id of it.
        remote: String,
        /// The new text.
        text: String,
        /// The same as HTML, sanitised.
        html: Option<String>,
    },
    /// Take a message back.
    Delete {
        /// The network's id of it.
        remote: String,
    },
    /// React, or with an empty key take the reaction back.
    React {
        /// The network's id of the message.
        remote: String,
        /// An emoji.
        key: String,
    },
}

/// A file that an agent sent. Read it with [`crate::Context::open_media`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutFile {
    /// Where the homeserver has it.
    pub mxc: String,
    /// Its name.
    pub name: String,
    /// Media type; `application/octet-stream` when unknown.
    pub media_type: String,
    /// Bytes, if the client said.
    pub size: Option<u64>,
    /// How it is shown.
    pub kind: FileKind,
    /// What was written below it.
    pub caption: Option<String>,
}

/// An agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// Matrix id. Not for customers.
    pub user_id: String,
    /// Name to show to customers, if there is one.
    pub name: Option<String>,
}

/// What the network answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It took it.
    Taken {
        /// The network's id, if it gave one.
        remote: Option<String>,
        /// How far it got already: `Accepted` or higher.
        rung: Rung,
    },
    /// Not now.
    Retry {
        /// When again, milliseconds from now, if the network said.
        after: Option<Ms>,
        /// What has to wait.
        scope: Scope,
        /// Why, without personal data.
        why: String,
    },
    /// Never.
    Failed(Failure),
}

impl Outcome {
    /// Taken, with the network's id.
    pub fn taken(remote: impl Into<String>) -> Self {
        Self::Taken { remote: Some(remote.into()), rung: Rung::Accepted }
    }
}

/// What has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// This conversation.
    Lane,
    /// All of them: the network as a whole is busy.
    Channel,
    /// All of them, until an administrator has renewed the access.
    Credentials,
}

/// Sending went wrong without an answer.
#[derive(Debug)]
pub struct SendError {
    /// True when the network may have it: a byte of the message may have left.
    pub written: bool,
    /// What happened, for the log.
    pub cause: String,
}

impl SendError {
    /// The network certainly did not get it.
    pub fn unwritten(cause: impl fmt::Display) -> Self {
        Self { written: false, cause: cause.to_string() }
    }

    /// The network may have it.
    pub fn unknown(cause: impl fmt::Display) -> Self {
        Self { written: true, cause: cause.to_string() }
    }
}

/// What agents do that is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Agents are typing, or stopped.
    Typing {
        /// In which conversation.
        to: Whom,
        /// Whether somebody is.
        on: bool,
        /// Who, for networks that show it.
        author: Option<Author>,
    },
    /// An agent saw what the customer wrote.
    Read {
        /// In which conversation.
        to: Whom,
        /// The newest message that was seen, by the network's id.
        remote: String,
    },
}

/// A file that is being read.
pub struct Download {
    /// Media type, if known.
    pub media_type: Option<String>,
    /// Bytes, if known.
    pub size: Option<u64>,
    /// The contents.
    pub bytes: BoxStream<'static, Result<Bytes>>,
}

/// Whether the network takes an answer now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Policy {
    /// It does.
    Open,
    /// It does not, and this is what the agent is told.
    Closed(Failure),
}

/// How one of the company's accounts in the network is, where a channel has several.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct AccountState {
    /// As in [`super::Profile::account`].
    pub account: String,
    /// `connected`, `read_only` or `disconnected`.
    pub state: &'static str,
    /// What it may do and what is wrong, in words for the administrator.
    pub detail: String,
}

/// What the network says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// It would talk to us.
    Fine {
        /// Items that wait at the network, if it says.
        backlog: Option<u64>,
        /// When the access ends, milliseconds, if it does.
        expires_at: Option<Ms>,
    },
    /// It works, but not well; in words for the administrator.
    Degraded(String),
    /// It refuses our access; in words for the administrator.
    BadCredentials(String),
}

impl Probe {
    /// Fine, and nothing more is known.
    pub const FINE: Self = Self::Fine { backlog: None, expires_at: None };
}
