//! The department of accounts: who exists, who is logged in, with which device.
//!
//! It checks proofs (passwords, tokens), plans what must be written, and returns it as a
//! [`kontor_store::Change`]; it never commits. Rooms, files and other departments may not enter,
//! nor may status codes or the form of requests: those are the front door's.

pub mod account_data;
pub mod accounts;
pub mod appservice;
pub mod backup;
mod deactivate;
pub mod dehydrated;
pub mod denied;
pub mod devices;
pub mod filter;
mod guest;
pub mod keys;
mod known;
pub mod letter;
pub mod login;
mod moderation;
mod openid;
mod options;
mod pages;
mod password;
pub mod presence;
pub mod profile;
pub mod push;
pub mod refresh;
pub mod registration;
mod seen;
mod service;
pub mod sessions;
pub mod shared_secret;
pub mod threepid;
pub mod to_device;
mod tokens;
pub mod uia;
mod upkeep;

pub use accounts::{AccountState, Person};
pub use options::{Mail, Options, Registration, Terms};
pub use sessions::{DeviceWish, Opened};
pub use uia::{Challenge, Step};
pub use upkeep::Upkeep;

use kontor_model::{Clock, Ms, Random};
use kontor_store::Store;
use std::sync::{Arc, Mutex};

/// The department. One per process.
pub struct Identity {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) options: Options,
    pub(crate) passwords: password::Passwords,
    pub(crate) known: known::Known,
    pub(crate) seen: seen::Seen,
    pub(crate) denied: denied::Denied,
    pub(crate) upkeep: upkeep::State,
    pub(crate) presence: presence::Presence,
    pub(crate) push: push::listeners::Remembered,
    pub(crate) filters: filter::Parsed,
    pub(crate) services: appservice::Services,
    /// Hash of the token that lets somebody become the first administrator.
    pub(crate) first_admin: Mutex<Option<tokens::Hash>>,
}

impl Identity {
    /// The department over an archive.
    pub fn new(store: Store, clock: Arc<dyn Clock>, random: Arc<dyn Random>, options: Options) -> Self {
        Self {
            passwords: password::Passwords::new(options.test_only_cheap_hashing),
            known: known::Known::default(),
            seen: seen::Seen::default(),
            denied: denied::Denied::default(),
            upkeep: upkeep::State::default(),
            presence: presence::Presence::default(),
            push: push::listeners::Remembered::default(),
            filters: filter::parsed(),
            services: appservice::Services::new(options.services.clone()),
            first_admin: Mutex::new(None),
            store,
            clock,
            random,
            options,
        }
    }

    pub(crate) fn now(&self) -> Ms {
        self.clock.now()
    }
}

/// A mutex whose holder panicked still guards usable data here: counters and lists.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod testing;

#[cfg(test)]
mod tests;
