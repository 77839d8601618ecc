//! Who makes a request, as far as the server has proven it.

use crate::Nid;
use ruma::{OwnedDeviceId, OwnedUserId};

/// An authenticated caller. Made by the identity department from an access token, carried by flows.
#[derive(Clone, Debug)]
pub struct Requester {
    /// The account.
    pub user_id: OwnedUserId,
    /// Its numeric id (the `name` row of the user id).
    pub user: Nid,
    /// The device of the session.
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
}
