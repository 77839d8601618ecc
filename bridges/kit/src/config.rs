//! How a bridge is set up, and what it stands on.

use crate::Directory;
use crate::steps::Steps;
use kontor_model::{Clock, Language, Random, Secret};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

/// How a bridge is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Name of the channel: letters, digits, `_`, `-`, `.`. It never changes.
    pub channel: String,
    /// The account of ours that stands for conversations in which the network names none.
    pub account: String,
    /// Where the homeserver answers, such as `http://127.0.0.1:8008`.
    pub homeserver: String,
    /// With which the bridge proves itself to the homeserver.
    pub as_token: Secret<String>,
    /// With which the homeserver proves itself to the bridge.
    pub hs_token: Secret<String>,
    /// Where the bridge listens, for the homeserver and for the network.
    pub bind: SocketAddr,
    /// `sqlite:///abs/bridge.db` or `postgres://user:pw@host/db`.
    pub database_url: String,
    /// For the key file, the lock, and files on their way.
    pub data_dir: PathBuf,
    /// What the ids of all of the bridge's ghosts begin with, such as `@kontor_web_`.
    pub ghost_prefix: String,
    /// Where notices go that belong to no conversation.
    pub admin_room: Option<String>,
    /// The language of those.
    pub language: Language,
    /// Days after which raw payloads and sent texts are forgotten.
    pub raw_kept_days: u32,
    /// Proxies whose `x-forwarded-for` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Whether messages of unknown fate are sent again without asking: at least once instead of at most once.
    pub resend_uncertain: bool,
}

/// What a bridge stands on: passed in, so that tests can move it.
#[derive(Clone)]
pub struct Machine {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// The company's directory; the homeserver's company API when `None`.
    pub directory: Option<Arc<dyn Directory>>,
    /// Who watches the steps; nobody when `None`.
    pub steps: Option<Arc<dyn Steps>>,
}

impl Machine {
    /// On this clock and this randomness, and everything else as it is outside of tests.
    pub fn new(clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self { clock, random, directory: None, steps: None }
    }
}
