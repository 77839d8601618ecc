//! The server's own account: it makes the rooms that no person may own, and speaks for the server.
//! Nobody can log in as it, and nobody can register its name.

use crate::Identity;
use crate::accounts::Wish;
use kontor_model::{Error, Requester, Result};
use kontor_store::Change;
use kontor_store::audit::Actor;
use kontor_store::identity::accounts;
use ruma::{OwnedUserId, UserId};

/// Localpart of the account. Names that begin with the underscore are the server's.
const LOCALPART: &str = "_kontor";
/// What people see.
const SHOWN_NAME: &str = "Kontor";
/// The `user_type` of the server's own accounts.
pub(crate) const SERVICE: &str = "service";

impl Identity {
    /// The user id of the server's own account, whether it exists yet or not.
    ///
    /// # Errors
    /// `Internal` if the server's name makes no user id, which would be a defect.
    pub fn service_user_id(&self) -> Result<OwnedUserId> {
        UserId::parse(format!("@{LOCALPART}:{}", self.options.server_name)).map_err(Error::internal)
    }

    /// The server itself as a requester, and the change that makes its account if there is none yet.
    ///
    /// # Errors
    /// `Internal` when somebody registered the name before it was reserved.
    pub async fn service_requester(&self) -> Result<(Requester, Option<Change>)> {
        let user_id = self.service_user_id()?;
        let user = self.store.name(user_id.as_str()).await?;
        let mut missing = None;
        if accounts::by_nid(&mut self.store.reader(), user).await?.is_none() {
            let wish = Wish {
                user_id: user_id.clone(),
                password: None,
                admin: false,
                guest: false,
                user_type: Some(SERVICE.to_owned()),
                display_name: Some(SHOWN_NAME.to_owned()),
                kind: SERVICE,
            };
            missing = Some(self.new_account(wish, None, Actor::default()).await?.0);
        }
        let service = Requester {
            user_id,
            user,
            device_id: "KONTOR".into(),
            session: 0,
            epoch: 0,
            admin: false,
            guest: false,
            suspended: false,
        };
        Ok((service, missing))
    }
}

/// Whether a localpart is reserved for the server itself.
pub(crate) fn is_reserved(localpart: &str) -> bool {
    localpart.starts_with(LOCALPART)
}
