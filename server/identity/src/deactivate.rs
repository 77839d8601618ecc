//! Closing accounts for good. The name stays taken; sessions, devices, keys, password and addresses
//! go at once, and the rooms are left step by step by a procedure that a crash does not stop.

use crate::{AccountState, Identity};
use kontor_model::{Error, Requester, Result};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::identity::accounts::AccountRow;
use ruma::UserId;

impl Identity {
    /// Plans that the requester's own account is closed; with `erase` its words are kept from those
    /// who join later. Submitting ends in `Conflict` when the account's state moved meanwhile.
    ///
    /// # Errors
    /// `NotFound` when it is closed already.
    pub async fn deactivate_own(&self, requester: &Requester, erase: bool, actor: Actor) -> Result<Change> {
        let account = self.local_account(&requester.user_id).await?;
        self.deactivate(account, erase, actor).await
    }

    /// Plans that an account is closed by an administrator; as [`Identity::deactivate_own`].
    ///
    /// # Errors
    /// `Forbidden` for administrators; as [`Identity::account_state`].
    pub async fn deactivate_person(&self, user_id: &UserId, erase: bool, actor: Actor) -> Result<Change> {
        let account = self.local_account(user_id).await?;
        if account.admin {
            return Err(Error::forbidden("Administrators close their accounts themselves."));
        }
        self.deactivate(account, erase, actor).await
    }

    async fn deactivate(&self, account: AccountRow, erase: bool, actor: Actor) -> Result<Change> {
        let (state, closed) = (AccountState::of(&account.state), AccountState::Deactivated);
        if state == closed {
            return Err(Error::not_found("This account was deactivated."));
        }
        let (user, now) = (account.user, self.now());
        let mut change = Change::default();
        change.set_account_state(user, state.word(), closed.word());
        change.end_sessions(user, None, now, "deactivated");
        change.remove_all_devices(user, None);
        change.remove_cross_signing(user);
        change.delete_backups(user);
        change.close_account(user, now);
        let user_id = account.user_id;
        let audit = Audit::done(Action::UserDeactivate, actor.clone(), now).on("user", user_id.clone());
        change.audit(self.store.nid().await?, audit);
        if erase {
            change.erase_account(user);
            let audit = Audit::done(Action::UserErase, actor, now).on("user", user_id);
            change.audit(self.store.nid().await?, audit);
        }
        Ok(change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DeviceWish;
    use crate::testing::House;
    use kontor_model::Code;

    #[tokio::test]
    async fn a_closed_account_has_no_session_no_password_and_its_name_stays_taken() {
        let house = House::new(|_| {}).await;
        house.person("anna").await;
        let opened = house.login("anna", DeviceWish::default()).await;
        let requester = house.use_token(&opened.access_token).await.unwrap();
        let plan = || house.identity.deactivate_own(&requester, true, Actor::default());
        let (change, again) = (plan().await.unwrap(), plan().await.unwrap());
        house.store.submit(change).await.unwrap();
        assert!(house.store.submit(again).await.unwrap_err().is_conflict());
        assert_eq!(plan().await.unwrap_err().code, Code::NotFound);
        assert!(house.use_token(&opened.access_token).await.is_err());
        assert_eq!(house.identity.free_name("anna").await.unwrap_err().code, Code::UserInUse);
        let leaving = kontor_store::identity::closing::departures(&mut house.store.reader(), 10).await;
        assert_eq!(leaving.unwrap()[0].user, requester.user);
    }
}
