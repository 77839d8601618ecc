//! The places between which a crash must lose and double nothing. Tests stop there; nobody else does.

use async_trait::async_trait;

/// A place between two effects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// What came is in the inbox, the network has no answer yet.
    Taken,
    /// The conversation was opened and is not remembered yet.
    Opened,
    /// An event is in its room, the inbox does not know it yet.
    Posted,
    /// The inbox knows that an item is done.
    Done,
    /// What agents did is in the outbox, the homeserver has no answer yet.
    Stored,
    /// A message is marked as being sent, no byte has left.
    Marked,
    /// The network has answered, the answer is not remembered yet.
    Answered,
    /// The answer is remembered.
    Recorded,
    /// The room was told where a message stands, that is not remembered yet.
    Told,
    /// A file is at the homeserver, that is not remembered yet.
    Uploaded,
    /// A placeholder was replaced, that is not remembered yet.
    Replaced,
}

impl Step {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Taken,
        Self::Opened,
        Self::Posted,
        Self::Done,
        Self::Stored,
        Self::Marked,
        Self::Answered,
        Self::Recorded,
        Self::Told,
        Self::Uploaded,
        Self::Replaced,
    ];
}

/// Somebody who watches the steps.
#[async_trait]
pub trait Steps: Send + Sync {
    /// Work goes on when this returns. A test that lets a process die here never returns.
    async fn reached(&self, step: Step);
}

/// Goes on.
pub(crate) struct Straight;

#[async_trait]
impl Steps for Straight {
    async fn reached(&self, _: Step) {}
}
