//! Serving: everything between "the configuration is good" and "exit code 0".

mod folder;
mod listen;
mod signals;
pub mod tls;
