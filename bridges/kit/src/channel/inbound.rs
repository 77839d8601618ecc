//! What items say, in the words that all networks share.

use crate::Standing;
use kontor_model::{Language, Ms};
use serde::{Deserialize, Serialize};

/// One thing that an item says.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Somebody wrote.
    Message(Message),
    /// A message was changed.
    Edit {
        /// Which one, by the network's id.
        remote: String,
        /// Who changed it.
        party: Party,
        /// As it is now.
        body: Body,
    },
    /// A message was taken back.
    Delete {
        /// Which one, by the network's id.
        remote: String,
        /// By whom.
        party: Party,
    },
    /// Somebody reacted, or took a reaction back.
    Reaction {
        /// To which message, by the network's id.
        remote: String,
        /// Who.
        party: Party,
        /// With what, an emoji; empty takes back.
        key: String,
    },
    /// How far a message of ours got.
    Receipt(Receipt),
    /// The customer is typing, or stopped. Never stored.
    Typing(bool),
    /// What the network or the customer says about the customer.
    Profile(Profile),
    /// What the customer agreed to by an explicit act, or took back.
    Consents(Vec<Consent>),
    /// The customer has a new id in the network.
    Moved {
        /// The new id. The lane stays.
        external_id: String,
    },
    /// Something that people should know of and that cannot be shown; told as a notice.
    Unsupported {
        /// The network's id, if it has one.
        remote: Option<String>,
        /// What it was, in the network's words, such as `poll`.
        what: String,
        /// Who the customer is, if it may be the first thing in its conversation.
        from: Option<Profile>,
    },
    /// A notice about the conversation, in plain words: a rating, a form, a closed chat.
    Notice {
        /// Plain text.
        text: String,
        /// Machine-readable facts for the event, under `dev.kontor.*` names.
        facts: serde_json::Map<String, serde_json::Value>,
        /// Who the customer is, if it may be the first thing in its conversation.
        from: Option<Profile>,
    },
    /// Known and of no interest.
    Ignore,
}

/// A message.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The network's id of it.
    pub remote: String,
    /// Who wrote it.
    pub party: Party,
    /// What.
    pub body: Body,
    /// To which message it is an answer, by the network's id.
    pub reply_to: Option<String>,
    /// What that one says, if the network repeats it: shown when that message is not known here.
    pub quote: Option<String>,
    /// Who the customer is; opens the conversation when this is its first message.
    pub from: Profile,
}

/// Who wrote something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Party {
    /// The customer.
    Customer,
    /// We did: the network tells of our own message. With our key, if the network knows it.
    Echo {
        /// [`crate::Outgoing::ours`] as the network gives it back.
        ours: Option<String>,
    },
    /// Somebody of the company in the network's own application.
    Company {
        /// The name, if the network says it.
        name: Option<String>,
    },
}

/// What a message contains.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Text, and the same as HTML if there is such; the kit sanitises it.
    Text {
        /// Plain text.
        text: String,
        /// HTML.
        html: Option<String>,
    },
    /// A file.
    File(File),
    /// A place.
    Place {
        /// Degrees north.
        latitude: f64,
        /// Degrees east.
        longitude: f64,
        /// What is there.
        text: String,
    },
}

impl Body {
    /// Plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), html: None }
    }
}

/// A file of the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// By what [`crate::Channel::fetch`] finds it, or [`crate::Stow::locator`].
    pub locator: String,
    /// Under what name it is shown.
    pub name: String,
    /// Media type; empty when unknown.
    pub media_type: String,
    /// Bytes, if known.
    pub size: Option<u64>,
    /// How it is shown.
    pub kind: FileKind,
    /// What was written below it.
    pub caption: Option<String>,
}

/// How a file is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// A picture.
    Image,
    /// A recording of sound.
    Audio,
    /// A recording of sound that was spoken as a message.
    Voice,
    /// A film.
    Video,
    /// Anything else.
    File,
}

impl FileKind {
    /// By the media type.
    pub fn of(media_type: &str) -> Self {
        match media_type.split('/').next() {
            Some("image") => Self::Image,
            Some("audio") => Self::Audio,
            Some("video") => Self::Video,
            _ => Self::File,
        }
    }
}

/// How far a message of ours got.
#[derive(Clone, Debug, PartialEq)]
pub struct Receipt {
    /// Our key, if the network gives it back.
    pub ours: Option<String>,
    /// The network's id, if it gives that.
    pub remote: Option<String>,
    /// Where it stands.
    pub standing: Standing,
    /// Whether everything before it in the conversation stands there as well.
    pub up_to: bool,
}

/// Who the customer is, as far as the network or the customer says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// The account of ours that was written to, such as a page or a widget; empty for the configured one.
    #[serde(default)]
    pub account: String,
    /// What kind of id this is, such as `visitor` or `psid`.
    pub id_type: String,
    /// The network's id of the customer.
    pub external_id: String,
    /// Name to show.
    #[serde(default)]
    pub display_name: Option<String>,
    /// Picture, by what [`crate::Channel::fetch`] finds it.
    #[serde(default)]
    pub avatar: Option<String>,
    /// Language, if known.
    #[serde(default)]
    pub language: Option<Language>,
    /// What is said about the person, and how far to believe it.
    #[serde(default)]
    pub claims: Vec<Claim>,
    /// Facts about the conversation for the room, such as the page: no personal data.
    #[serde(default)]
    pub context: serde_json::Map<String, serde_json::Value>,
}

/// Something that is said about a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// What it is: `phone`, `email`, `name`, …
    pub kind: String,
    /// The value.
    pub value: String,
    /// How far to believe it.
    pub trust: Trust,
    /// Where it comes from.
    pub source: Source,
}

/// Something that the customer agreed to by an explicit act, or took back. What is silent or was ticked
/// already is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// What for, such as `marketing_email`.
    pub purpose: String,
    /// Given or taken back.
    pub state: ConsentState,
    /// Version of the text that was shown.
    pub text_version: String,
    /// SHA-256 of that text, 64 hexadecimal digits.
    pub text_sha256: String,
    /// What the customer did, such as `ticked`.
    pub act: String,
    /// Where it comes from.
    pub source: Source,
    /// When, milliseconds.
    pub given_at: Ms,
}

/// Whether something was agreed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsentState {
    /// It was.
    Given,
    /// It was, and is no longer.
    Withdrawn,
}

/// How far to believe a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// Somebody typed it.
    Claimed,
    /// It came with a message, but nothing vouches for it.
    Unaligned,
    /// The network vouches for it.
    Platform,
    /// It was proven, by a code or by a signature of the company's own systems.
    Proven,
}

/// Where a claim comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The customer wrote it.
    Customer,
    /// The network says it.
    Network,
    /// A form of the company.
    Form,
    /// A system of the company signed it.
    Shop,
}

/// A conversation as the kit knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whom {
    /// Its lane.
    pub lane: String,
    /// The account of ours.
    pub account: String,
    /// What kind of id the next one is.
    pub id_type: String,
    /// The network's id of the customer.
    pub external_id: String,
    /// The room's language.
    pub language: Language,
    /// When the customer last wrote, milliseconds; 0 for never.
    pub last_customer_at: Ms,
}
