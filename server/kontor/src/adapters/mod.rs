//! What departments and flows need of the outside world, over the mouth that the house has for it.
//! Each file fulfils one of their traits and decides nothing else.

pub mod push;
pub mod web;

use crate::config::Config;
use kontor_wire::outbound::Options;
use kontor_wire::{Authorities, Outbound};

/// How the server names itself to others.
const USER_AGENT: &str = concat!("Kontor/", env!("CARGO_PKG_VERSION"));

/// The client for everything that somebody else names.
///
/// # Errors
/// A sentence when the configured authorities cannot be used.
pub fn outbound(config: &Config, authorities: &Authorities) -> Result<Outbound, String> {
    Outbound::new(Options {
        authorities: authorities.clone(),
        denied: config.outbound.denied_ip_ranges.clone(),
        user_agent: USER_AGENT.to_owned(),
    })
}
