//! The server's own account: it makes the rooms that no person may own, and speaks for the server.
//! Nobody can log in as it, and nobody can register its name.

use crate::accounts::Wish;
use crate::{Identity, Options};
use kontor_model::{Code, Error, Requester, Result};
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
        self.own_requester(self.service_user_id()?, SHOWN_NAME).await
    }

    /// The user id of the company's own user, who makes the rooms of conversations with customers, whether
    /// it exists yet or not.
    ///
    /// # Errors
    /// `Internal` if the configured name makes no user id; the configuration was checked.
    pub fn company_user_id(&self) -> Result<OwnedUserId> {
        let Options { company_user, server_name, .. } = &self.options;
        UserId::parse(format!("@{company_user}:{server_name}")).map_err(Error::internal)
    }

    /// The company's own user as a requester, and the change that makes its account if there is none yet.
    ///
    /// # Errors
    /// `Unavailable` when a person has the name.
    pub async fn company_requester(&self) -> Result<(Requester, Option<Change>)> {
        let user_id = self.company_user_id()?;
        let account = accounts::by_user_id(&mut self.store.reader(), user_id.as_str()).await?;
        if account.is_some_and(|account| account.password_hash.is_some() || account.admin || account.guest) {
            let message = format!("{user_id} is a person. Set another name as company.service_user.");
            return Err(Error::new(Code::Unavailable, message));
        }
        self.own_requester(user_id, SHOWN_NAME).await
    }

    /// Whether a localpart is that of the company's own user.
    pub(crate) fn is_company_name(&self, localpart: &str) -> bool {
        localpart == self.options.company_user
    }

    async fn own_requester(&self, user_id: OwnedUserId, shown: &str) -> Result<(Requester, Option<Change>)> {
        let user = self.store.name(user_id.as_str()).await?;
        let mut missing = None;
        if accounts::by_nid(&mut self.store.reader(), user).await?.is_none() {
            let wish = Wish {
                user_id: user_id.clone(),
                password: None,
                admin: false,
                guest: false,
                user_type: Some(SERVICE.to_owned()),
                display_name: Some(shown.to_owned()),
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
            service: None,
        };
        Ok((service, missing))
    }
}

/// Whether a localpart is the server's own account.
pub(crate) fn is_own_name(localpart: &str) -> bool {
    localpart == LOCALPART
}

/// Whether a localpart is reserved for the server itself.
pub(crate) fn is_reserved(localpart: &str) -> bool {
    localpart.starts_with(LOCALPART)
}
