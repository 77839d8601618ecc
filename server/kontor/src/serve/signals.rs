//! The signals of the operating system: end, end at once, read certificates anew.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Exit code of a process that a second signal ended.
pub const IMPATIENT: i32 = 130;

/// What the operating system may ask for.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// SIGINT or SIGTERM: end.
    Stop,
    /// SIGHUP: read the certificates anew.
    Reload,
}

impl Signals {
    /// Begins to listen for signals.
    ///
    /// # Errors
    /// A sentence when the system refuses.
    pub fn new() -> Result<Self, String> {
        let listen = |kind| signal(kind).map_err(|error| format!("Signals cannot be received: {error}."));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.hang_up.recv() => Asked::Reload,
        }
    }
}
