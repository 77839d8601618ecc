//! The signals of the operating system: end, end at once, read certificates anew.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// Exit code of a process that a second signal ended.
pub const IMPATIENT: i32 = 130;

/// What the operating system may ask for.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    /// Tells that standard input was closed; looked at until something asks to stop.
    stdin: Option<oneshot::Receiver<()>>,
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
    /// Begins to listen for signals, and for the end of standard input if that ends the process too.
    ///
    /// # Errors
    /// A sentence when the system refuses.
    pub fn new(until_stdin_closes: bool) -> Result<Self, String> {
        let listen = |kind| signal(kind).map_err(|error| format!("Signals cannot be received: {error}."));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
            stdin: until_stdin_closes.then(watch_stdin),
        })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) -> Asked {
        let closed = async {
            match &mut self.stdin {
                Some(stdin) => drop(stdin.await),
                None => std::future::pending().await,
            }
        };
        let asked = tokio::select! {
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.terminate.recv() => Asked::Stop,
            () = closed => Asked::Stop,
            _ = self.hang_up.recv() => Asked::Reload,
        };
        if asked == Asked::Stop {
            // Who started us ends at the same key press: that is not a second wish.
            self.stdin = None;
        }
        asked
    }
}

/// Waits for the end of standard input in a thread of its own, which the end of the process takes along:
/// a read that waits cannot be called off.
fn watch_stdin() -> oneshot::Receiver<()> {
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        let _ = tell.send(());
    });
    told
}
