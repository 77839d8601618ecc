//! Emulators of public messengers, a stand-in of the homeserver, and the suite of faults that every
//! channel passes.
//!
//! An emulator speaks its provider's wire format and besides that the same control API as all others:
//! `POST /_emu/inject`, `/_emu/setup`, `/_emu/fault`, and `GET /_emu/sent`. No rule of bridges belongs here.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "this is test code: failing loudly is its purpose"
)]

pub mod database;
pub mod faults;
pub mod home;
pub mod postbox;
pub mod serve;
pub mod suite;
pub mod visitors;

pub use home::Home;

/// A client that asks directly, whatever the machine's settings say.
pub(crate) fn client() -> reqwest::Client {
    // The whole process shares one provider; whoever was first has set it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().expect("a client")
}
