//! What departments and flows need of the outside world, over the mouth that the house has for it.
//! Each file fulfils one of their traits and decides nothing else.

pub mod appservice;
pub mod crm;
pub mod push;
pub mod web;
pub mod webhook;

use crate::config::Config;
use kontor_wire::outbound::Options;
use kontor_wire::{Authorities, Outbound, Unheard};

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

/// The client for what the operator names. It may lie anywhere, this machine included.
///
/// # Errors
/// As [`outbound`].
pub fn trusted(authorities: &Authorities) -> Result<Outbound, String> {
    let authorities = authorities.clone();
    Outbound::new(Options { authorities, denied: Vec::new(), user_agent: USER_AGENT.to_owned() })
}

/// Why there is no answer, with all causes, for the log.
fn why(error: &Unheard) -> String {
    let mut why = error.to_string();
    if let Unheard::Unreachable(cause) = error {
        let mut cause: Option<&dyn std::error::Error> = Some(cause);
        while let Some(inner) = cause {
            why.push_str(": ");
            why.push_str(&inner.to_string());
            cause = inner.source();
        }
    }
    why
}
