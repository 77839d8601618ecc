//! Serving: everything between "the configuration is good" and "exit code 0".

mod door;
mod first_admin;
mod folder;
mod listen;
mod run;
mod signals;
pub mod tls;

pub use door::{Door, Exposition, SETUP};
pub use folder::{hold, make as make_folder};
pub use listen::Open;

pub use run::run;
pub use signals::{Asked, IMPATIENT, Signals};

use crate::config::Config;

/// Reads the certificates and registrations that the configuration names, to see that they can be used.
///
/// # Errors
/// A sentence that names the file.
pub fn check_files(config: &Config) -> Result<(), String> {
    for listener in &config.listener {
        tls::Tls::of(listener)?;
    }
    crate::config::read_appservices(config)?;
    kontor_wire::Authorities::read(&config.outbound.extra_ca_files).map(drop)
}
