//! What a network can do.

use crate::Rung;
use kontor_model::Ms;

/// What a network can do, said once.
#[derive(Clone, Debug)]
pub struct Caps {
    /// Name of the kind of network, such as `webchat`: letters, digits, `_`.
    pub kind: &'static str,
    /// Whether [`crate::Channel::pull`] is to be called.
    pub pulls: bool,
    /// Largest body of a request to [`crate::Channel::hook`], bytes; larger ones are refused unread.
    pub largest_body: usize,
    /// Longest text in one message, in [`Caps::counts`]; longer ones are divided between words.
    pub longest_text: usize,
    /// Longest text below a file; longer ones follow it as messages of their own.
    pub longest_caption: usize,
    /// How the network counts a text's length.
    pub counts: Counts,
    /// Largest file in either direction, bytes.
    pub largest_file: u64,
    /// Whether sent messages can be changed.
    pub edits: bool,
    /// Whether sent messages can be taken back.
    pub deletes: bool,
    /// Whether there are reactions.
    pub reactions: bool,
    /// Highest rung that the network ever reports; nothing above it is shown.
    pub best_receipt: Rung,
    /// What to do with a message of unknown fate.
    pub uncertain: Uncertain,
    /// How fast the network may be written to, in all conversations together.
    pub rate: Rate,
    /// How fast in one conversation.
    pub lane_rate: Rate,
    /// How long a message may wait to be sent, milliseconds; then it fails and the conversation goes on.
    pub longest_wait: Ms,
    /// Whether silence much longer than usual means that the network forgot us.
    pub watch_traffic: bool,
}

impl Caps {
    /// A network of this kind that can do the least; the rest is set by name.
    pub fn of(kind: &'static str) -> Self {
        Self {
            kind,
            pulls: false,
            largest_body: 1 << 20,
            longest_text: 4000,
            longest_caption: usize::MAX,
            counts: Counts::Characters,
            largest_file: 20 << 20,
            edits: false,
            deletes: false,
            reactions: false,
            best_receipt: Rung::Accepted,
            uncertain: Uncertain::Ask,
            rate: Rate { per_second: 20, burst: 20 },
            lane_rate: Rate { per_second: 5, burst: 10 },
            longest_wait: 6 * 3_600_000,
            watch_traffic: true,
        }
    }
}

/// How a network counts the length of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// Unicode characters.
    Characters,
    /// UTF-16 code units: most emoji are two.
    Utf16,
}

impl Counts {
    /// The length of a character.
    pub fn of(self, c: char) -> usize {
        match self {
            Self::Characters => 1,
            Self::Utf16 => c.len_utf16(),
        }
    }

    /// The length of a text.
    pub fn length(self, text: &str) -> usize {
        text.chars().map(|c| self.of(c)).sum()
    }
}

/// What to do when nobody knows whether the network got a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uncertain {
    /// The network knows our key ([`crate::Outgoing::ours`]) and takes a message once: send it again.
    Idempotent,
    /// The network tells of every message it took, with our key or in words that are like it: wait so many
    /// milliseconds, then send again. A network that is pulled must have told everything since.
    Echo(Ms),
    /// The same, but nobody knows whether it told everything yet: wait so many milliseconds, then ask the agent.
    EchoThenAsk(Ms),
    /// Neither: ask the agent, and go on with the conversation.
    Ask,
}

/// A token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Messages a second in the long run; 0 means no limit.
    pub per_second: u32,
    /// Messages at once after a pause.
    pub burst: u32,
}

impl Rate {
    /// No limit.
    pub const NONE: Self = Self { per_second: 0, burst: 0 };
}
