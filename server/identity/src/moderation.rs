//! Locking and suspending accounts (client-server API, "Account moderation").
//!
//! Both are undone as they were done. A locked account is served nothing but its logout and keeps
//! its sessions; a suspended one reads and does nothing that others would see. What exactly the
//! latter may not ask for is decided at the front door, by route.

use crate::{AccountState, Identity};
use kontor_model::{Error, Requester, Result};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::identity::accounts::AccountRow;
use kontor_store::identity::devices::{self, DeviceRow};
use ruma::UserId;

impl Identity {
    /// The state of a local account.
    ///
    /// # Errors
    /// `InvalidParam` for users of other servers, `NotFound` without an account.
    pub async fn account_state(&self, user_id: &UserId) -> Result<AccountState> {
        Ok(AccountState::of(&self.local_account(user_id).await?.state))
    }

    /// The state of an account that an administrator may lock or suspend.
    ///
    /// # Errors
    /// `Forbidden` for other administrators, `NotFound` for closed accounts; as
    /// [`Identity::account_state`].
    pub async fn moderated_state(&self, requester: &Requester, user_id: &UserId) -> Result<AccountState> {
        let account = self.local_account(user_id).await?;
        open(&account)?;
        if account.admin && account.user != requester.user {
            return Err(untouchable());
        }
        Ok(AccountState::of(&account.state))
    }

    /// Moves a local account between active and `to` and back. Locking a suspended account, or
    /// the other way round, replaces the one by the other. Submitting may end in `Conflict` when
    /// somebody else moved it at the same moment. `None`: it is where it should be.
    ///
    /// # Errors
    /// `Forbidden` for oneself and for administrators; as [`Identity::account_state`].
    pub async fn move_account(
        &self,
        requester: &Requester,
        user_id: &UserId,
        to: AccountState,
        on: bool,
        actor: Actor,
    ) -> Result<Option<Change>> {
        let account = self.local_account(user_id).await?;
        open(&account)?;
        if account.user == requester.user || account.admin {
            return Err(untouchable());
        }
        let state = AccountState::of(&account.state);
        let target = match (on, state == to) {
            (true, false) => to,
            (false, true) => AccountState::Active,
            _ => return Ok(None),
        };
        let mut change = Change::default();
        change.set_account_state(account.user, state.word(), target.word());
        let mut audit = Audit::done(Action::UserUpdate, actor, self.now()).on("user", user_id.as_str());
        let detail = serde_json::json!({ "state": target.word(), "before": state.word() });
        audit.detail = Some(detail.to_string());
        change.audit(self.store.nid().await?, audit);
        Ok(Some(change))
    }

    /// The devices of a local account, with when and from where they were seen.
    ///
    /// # Errors
    /// As [`Identity::account_state`].
    pub async fn devices_of(&self, user_id: &UserId) -> Result<Vec<DeviceRow>> {
        let account = self.local_account(user_id).await?;
        devices::of_user(&mut self.store.reader(), account.user).await
    }
}

fn open(account: &AccountRow) -> Result<()> {
    match AccountState::of(&account.state) {
        AccountState::Deactivated => Err(Error::not_found("This account was deactivated.")),
        _ => Ok(()),
    }
}

fn untouchable() -> Error {
    Error::forbidden("Administrators cannot be locked or suspended this way.")
}
