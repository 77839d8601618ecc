//! `kontor emulate`: a messenger's emulator as a process of its own. It is test code and may fail loudly: nothing else
//! runs in its process (decisions/0010).

use crate::cli::{Emulate, Options};
use crate::serve::{Asked, Signals};
use crate::system::say;
use kontor_emulators::telegram::Telegram;
use std::net::{Ipv4Addr, SocketAddr};

pub use kontor_emulators::telegram::TOKEN;

/// Runs it until a signal says to end.
///
/// # Errors
/// A sentence: signals cannot be heard.
pub async fn run(wish: &Emulate, options: &Options) -> Result<(), String> {
    let mut signals = Signals::new(options.until_stdin_closes)?;
    let telegram = Telegram::start_to_be_seen(SocketAddr::from((Ipv4Addr::LOCALHOST, wish.port))).await;
    say(format!("An emulated Telegram is at {}; its bot's token is {TOKEN}.", telegram.url()));
    while signals.next().await != Asked::Stop {}
    Ok(())
}
