//! The users of application services: registering them, logging them in, their devices
//! (application service API, "Server admin style permissions" and "Device management").

use super::KIND;
use crate::accounts::Wish;
use crate::service::is_own_name;
use crate::{AccountState, DeviceWish, Identity, Opened};
use kontor_model::appservice::Service;
use kontor_model::{Code, Error, Requester, Result, ids};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::identity::accounts;
use ruma::{OwnedUserId, UserId};

fn foreign() -> Error {
    Error::new(Code::Exclusive, "This user name is outside the application service's namespaces.")
}

impl Identity {
    /// Plans a user of an application service. Submitting ends in `Conflict` when somebody made it at the
    /// same moment.
    ///
    /// # Errors
    /// `Exclusive` outside its namespaces or inside somebody else's; `InvalidUsername`, `UserInUse`.
    pub async fn register_for_service(
        &self,
        service: &Service,
        username: Option<&str>,
        device: Option<DeviceWish>,
        actor: Actor,
    ) -> Result<(Change, OwnedUserId, Option<Opened>)> {
        let username =
            username.ok_or_else(|| Error::new(Code::MissingParam, "The field \"username\" is missing."))?;
        if let Some(device) = &device {
            device.check()?;
        }
        let user_id = ids::new_user_id(username, &self.options.server_name)?;
        if !service.has_user(user_id.as_str()) {
            return Err(foreign());
        }
        if is_own_name(user_id.localpart())
            || self.is_company_name(user_id.localpart())
            || self.services.now().keeps_user(user_id.as_str(), Some(&service.id))
        {
            return Err(Error::new(Code::Exclusive, "This user name belongs to somebody else alone."));
        }
        if accounts::by_user_id(&mut self.store.reader(), user_id.as_str()).await?.is_some() {
            return Err(Error::new(Code::UserInUse, "This user exists already."));
        }
        let (change, opened) = self.new_account(wish(user_id.clone()), device, actor).await?;
        Ok((change, user_id, opened))
    }

    /// Plans a session of a user of an application service.
    ///
    /// # Errors
    /// `Exclusive` outside its namespaces; `Forbidden` without such a user; as for other logins.
    pub async fn login_for_service(
        &self,
        service: &Service,
        user: Option<&str>,
        wish: DeviceWish,
        actor: Actor,
    ) -> Result<(Change, Opened)> {
        wish.check()?;
        let user_id = match user {
            None => service.sender.clone(),
            Some(user) => self.local_user_id(user).ok_or_else(foreign)?,
        };
        if !service.has_user(user_id.as_str()) {
            return Err(foreign());
        }
        let account = accounts::by_user_id(&mut self.store.reader(), user_id.as_str()).await?;
        let account = account.ok_or_else(|| Error::forbidden("There is no such user. Register it first."))?;
        AccountState::of(&account.state).admit()?;
        let mut change = Change::default();
        let opened = self.open_session(&mut change, account.user, user_id, KIND, wish, actor).await?;
        Ok((change, opened))
    }

    /// The change that makes the own user of an application service, if there is none yet.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn missing_sender(&self, sender: &UserId) -> Result<Option<Change>> {
        if accounts::by_user_id(&mut self.store.reader(), sender.as_str()).await?.is_some() {
            return Ok(None);
        }
        Ok(Some(self.new_account(wish(sender.to_owned()), None, Actor::default()).await?.0))
    }

    /// Plans a device of a user of an application service, without a session. Submitting ends in
    /// `Conflict` when it was made at the same moment.
    ///
    /// # Errors
    /// `InvalidParam` for an id or name that no device can have.
    pub async fn new_device(
        &self,
        requester: &Requester,
        device_id: &str,
        display_name: Option<String>,
        actor: Actor,
    ) -> Result<Change> {
        let wish = DeviceWish { device_id: Some(device_id.to_owned()), display_name, refresh: false };
        wish.check()?;
        self.check_device_name(requester.user, device_id).await?;
        let now = self.now();
        let mut change = Change::default();
        change.make_device(requester.user, device_id, wish.display_name.as_deref(), now);
        let audit = Audit::done(Action::AuthDeviceAdd, actor, now).on("device", device_id);
        change.audit(self.store.nid().await?, audit);
        Ok(change)
    }
}

fn wish(user_id: OwnedUserId) -> Wish {
    Wish {
        user_id,
        password: None,
        admin: false,
        guest: false,
        user_type: Some(KIND.to_owned()),
        display_name: None,
        kind: KIND,
    }
}
