//! Guests who stay: their account becomes a person's and keeps its name and its rooms
//! (client-server API, "Guest access").

use crate::{DeviceWish, Identity, Opened};
use kontor_model::{Error, Requester, Result, Secret};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};

impl Identity {
    /// The guest whose token this is, if the wished name is the guest's own.
    ///
    /// # Errors
    /// `UnknownToken` for tokens that are not good, `Forbidden` for those of people, `InvalidParam`
    /// for another name.
    pub(crate) async fn staying_guest(
        &self,
        token: &Secret<String>,
        username: Option<&str>,
    ) -> Result<Requester> {
        let guest = self.authenticate(token.expose()).await?;
        if !guest.guest {
            return Err(Error::forbidden("This account is no guest's: it is registered already."));
        }
        if username != Some(guest.user_id.localpart()) {
            return Err(Error::invalid_param("A guest who stays keeps the name: send it as \"username\"."));
        }
        Ok(guest)
    }

    /// Plans that a guest's account is a person's. Submitting ends in `Conflict` when it is already.
    pub(crate) async fn promote_guest(
        &self,
        guest: Requester,
        password: &Secret<String>,
        device: Option<DeviceWish>,
        actor: Actor,
    ) -> Result<(Change, Option<Opened>)> {
        let hash = self.passwords.hash(password, &*self.random).await?;
        let mut change = Change::default();
        change.promote_guest(guest.user, &hash);
        let actor = Actor { user: Some(guest.user), ..actor };
        let mut audit = Audit::done(Action::UserUpdate, actor.clone(), self.now());
        audit = audit.on("user", guest.user_id.as_str());
        audit.detail = Some("{\"guest\":false}".to_owned());
        change.audit(self.store.nid().await?, audit);
        let Some(device) = device else { return Ok((change, None)) };
        let (user, user_id) = (guest.user, guest.user_id);
        let opened = self.open_session(&mut change, user, user_id, "registration", device, actor).await?;
        Ok((change, Some(opened)))
    }
}
