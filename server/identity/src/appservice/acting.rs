//! Application services acting as their users (application service API, "Identity assertion").

use crate::known::Lookup;
use crate::tokens::Hash;
use crate::{AccountState, Identity};
use kontor_model::appservice::Service;
use kontor_model::{Code, Error, Requester, Result};
use kontor_store::identity::{accounts, devices};
use ruma::OwnedUserId;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// As whom a request wants to be made.
#[derive(Clone, Debug, Default)]
pub struct Masquerade {
    /// The user; the service's own when absent.
    pub user_id: Option<String>,
    /// A device of that user; none when absent.
    pub device_id: Option<String>,
}

impl Identity {
    /// The requester that an application service's request is made as. What was found a moment ago
    /// costs no statement.
    ///
    /// # Errors
    /// `Forbidden` for users that are not the service's, do not exist or may not act; `UnknownDevice`.
    pub async fn act_as(&self, service: &Service, wish: &Masquerade) -> Result<Requester> {
        let user_id = match &wish.user_id {
            None => service.sender.clone(),
            Some(text) => own_user(service, text)?,
        };
        let device_id = wish.device_id.as_deref().unwrap_or_default();
        let key = key(&service.id, user_id.as_str(), device_id);
        if let Lookup::Good(requester) = self.known.look_up(&key, self.store.log(), self.now()) {
            return Ok(requester);
        }
        let read_at = self.store.log().newest();
        let account = accounts::by_user_id(&mut self.store.reader(), user_id.as_str()).await?;
        let account = account.ok_or_else(|| {
            Error::forbidden("The application service has not registered this user. Register it first.")
        })?;
        let state = AccountState::of(&account.state);
        state.admit()?;
        if wish.device_id.is_some() {
            self.expect_device(account.user, device_id).await?;
        }
        let requester = Requester {
            user_id,
            user: account.user,
            device_id: device_id.into(),
            session: stands_for_session(&key),
            epoch: account.epoch,
            admin: account.admin,
            guest: false,
            suspended: state == AccountState::Suspended,
            service: Some(Arc::clone(&service.id)),
        };
        self.known.remember(key, requester.clone(), None, read_at);
        Ok(requester)
    }

    async fn expect_device(&self, user: kontor_model::Nid, device_id: &str) -> Result<()> {
        let possible = !device_id.is_empty() && device_id.len() <= 255 && !device_id.contains('\0');
        let known = match possible {
            true => devices::by_id(&mut self.store.reader(), user, device_id).await?.is_some(),
            false => false,
        };
        if known {
            return Ok(());
        }
        Err(Error::new(Code::UnknownDevice, "The user has no such device. Make it first."))
    }
}

/// The user that a text names, if the service may act as it.
///
/// # Errors
/// `Forbidden`.
fn own_user(service: &Service, text: &str) -> Result<OwnedUserId> {
    let user_id = OwnedUserId::try_from(text).ok().filter(|user_id| service.has_user(user_id.as_str()));
    user_id.ok_or_else(|| {
        Error::forbidden("The application service may act as users of its own namespaces only.")
    })
}

/// Under which a requester is remembered. No token has this hash: the first byte is in no text.
fn key(service: &str, user_id: &str, device_id: &str) -> Hash {
    let mut digest = Sha256::new();
    digest.update([0xff]);
    for part in [service, user_id, device_id] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part.as_bytes());
    }
    digest.finalize().into()
}

/// A number below zero, where no session is, that is always the same for the same service, user and
/// device: what is remembered of sessions is kept apart by it.
fn stands_for_session(key: &Hash) -> i64 {
    let bytes: [u8; 8] = key.first_chunk().copied().unwrap_or_default();
    i64::from_be_bytes(bytes) | i64::MIN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_for_a_session_is_below_zero_and_differs_by_user_and_device() {
        let of = |user: &str, device: &str| stands_for_session(&key("irc", user, device));
        assert!(of("@a:x", "") < 0 && of("@b:x", "D") < 0);
        assert_eq!(of("@a:x", "D"), of("@a:x", "D"));
        assert_ne!(of("@a:x", "D"), of("@a:x", "E"));
        assert_ne!(of("@a:x", "D"), of("@a:xD", ""));
    }
}
