//! The session guard: whether an answer that is still being written may go on.

/// Tells whether the session behind a long answer has ended meanwhile.
///
/// Asked between the pieces of a file, so it must be cheap and answer from memory.
pub trait Guard: Send + Sync + 'static {
    /// Whether the session ended, so that nothing more may be sent.
    fn ended(&self) -> bool;
}

/// The guard of answers that belong to no session.
#[derive(Clone, Copy, Debug)]
pub struct Unguarded;

impl Guard for Unguarded {
    fn ended(&self) -> bool {
        false
    }
}
