//! End-to-end encryption, server side: keys, signatures, device lists, messages between devices.
//! The keys are real, the messages are not encrypted.

mod claims;
mod cross_signing;
pub(super) mod keyring;
mod lists;
mod repeats;
mod to_device;
mod uploads;
