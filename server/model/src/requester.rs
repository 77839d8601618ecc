//! Who makes a request, as far as the server has proven it.

use crate::Nid;
use crate::{Code, Error, Result};
use ruma::{OwnedDeviceId, OwnedUserId};
use std::sync::Arc;

/// An authenticated caller. Made by the identity department from an access token, carried by flows.
#[derive(Clone, Debug)]
pub struct Requester {
    /// The account.
    pub user_id: OwnedUserId,
    /// Its numeric id (the `name` row of the user id).
    pub user: Nid,
    /// The device of the session; empty for an application service that named none.
    pub device_id: OwnedDeviceId,
    /// The session that the token belongs to.
    pub session: Nid,
    /// The account's epoch when the token was checked; a different one later means that the answer
    /// must be discarded (see the session guard).
    pub epoch: i64,
    /// Whether the account administers this server.
    pub admin: bool,
    /// Whether the account is a guest.
    pub guest: bool,
    /// Whether the account is suspended: it reads, and does nothing that others would see.
    pub suspended: bool,
    /// The application service that acts as the account, if one does; its `session` is below zero.
    pub service: Option<Arc<str>>,
}

impl Requester {
    /// The device, where something belongs to one.
    ///
    /// # Errors
    /// `MissingParam` for an application service that named none.
    pub fn device(&self) -> Result<&str> {
        if self.device_id.as_str().is_empty() {
            let message = "This belongs to a device: name one with the parameter device_id.";
            return Err(Error::new(Code::MissingParam, message));
        }
        Ok(self.device_id.as_str())
    }
}
