//! Accounts: their states, making them, changing them, listing them.

use crate::tokens::{hash, same};
use crate::{DeviceWish, Identity, Opened, lock};
use kontor_model::{Code, Error, Ms, Nid, Result, Secret, ids};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::identity::accounts::{self, AccountRow, NewAccount};
use ruma::{OwnedUserId, UserId};

/// Longest display name that an account can be made with, bytes.
const LONGEST_SHOWN_NAME: usize = 256;

/// What an account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountState {
    /// Everything.
    Active,
    /// Nothing but logging out, until it is unlocked; its sessions stand.
    Locked,
    /// Reading, but not acting.
    Suspended,
    /// Nothing, for ever. The name stays taken.
    Deactivated,
}

impl AccountState {
    /// The word in the archive and in the administration API.
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Locked => "locked",
            Self::Suspended => "suspended",
            Self::Deactivated => "deactivated",
        }
    }

    /// A word that nobody knows closes the account.
    pub(crate) fn of(word: &str) -> Self {
        let all = [Self::Active, Self::Locked, Self::Suspended];
        all.into_iter().find(|state| state.word() == word).unwrap_or(Self::Deactivated)
    }

    /// Whether the account may be served at all.
    ///
    /// # Errors
    /// `UserLocked` or `UserDeactivated`.
    pub(crate) fn admit(self) -> Result<()> {
        match self {
            Self::Active | Self::Suspended => Ok(()),
            Self::Locked => {
                Err(Error::new(Code::UserLocked, "This account is locked. Ask your administrator."))
            }
            Self::Deactivated => Err(Error::new(
                Code::UserDeactivated,
                "This account was deactivated. Ask your administrator if that was wrong.",
            )),
        }
    }
}

/// An account as administrators see it.
#[derive(Clone, Debug)]
pub struct Person {
    /// Numeric id; the list is in its order.
    pub user: Nid,
    /// `@name:server`.
    pub user_id: String,
    /// Whether it administers the server.
    pub admin: bool,
    /// When it was made.
    pub created_ts: Ms,
    /// What it may do.
    pub state: AccountState,
}

/// An account to be made.
#[derive(Debug)]
pub struct Wish {
    /// Its user id, checked.
    pub user_id: OwnedUserId,
    /// Its password, checked; none for guests and bots.
    pub password: Option<Secret<String>>,
    /// Whether it administers the server.
    pub admin: bool,
    /// Whether it is a guest.
    pub guest: bool,
    /// What it is, if not a person.
    pub user_type: Option<String>,
    /// The name that others see; none yet when absent.
    pub display_name: Option<String>,
    /// How it came about; the audit log and its first session say so.
    pub kind: &'static str,
}

impl Identity {
    /// Whether anybody administers this server yet.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn has_administrator(&self) -> Result<bool> {
        accounts::has_administrator(&mut self.store.reader()).await
    }

    /// Lets whoever shows this token become the first administrator, until somebody did.
    pub fn allow_first_administrator(&self, token: &str) {
        *lock(&self.first_admin) = Some(hash(token));
    }

    /// Whether the token would let somebody become the first administrator now.
    ///
    /// # Errors
    /// `Forbidden` when not; `Unavailable` when the database is gone.
    pub async fn check_first_administrator(&self, token: &str) -> Result<()> {
        let right = lock(&self.first_admin).is_some_and(|expected| same(&expected, &hash(token)));
        if !right || self.has_administrator().await? {
            return Err(no_first_administrator());
        }
        Ok(())
    }

    /// Makes the first administrator. Submitting may end in `Conflict`: somebody else was first, or
    /// the name is taken.
    ///
    /// # Errors
    /// `Forbidden` for a wrong token; as [`Identity::free_name`] and for a bad password.
    pub async fn first_administrator(
        &self,
        token: &str,
        name: &str,
        password: Secret<String>,
        actor: Actor,
    ) -> Result<(Change, OwnedUserId)> {
        self.check_first_administrator(token).await?;
        let user_id = self.free_name(name).await?;
        self.passwords.acceptable(&password)?;
        let wish = Wish {
            user_id: user_id.clone(),
            password: Some(password),
            admin: true,
            guest: false,
            user_type: None,
            display_name: None,
            kind: "setup",
        };
        let (mut change, _) = self.new_account(wish, None, actor).await?;
        change.expect_no_administrator();
        Ok((change, user_id))
    }

    /// Makes an account, and logs it in when a device is wished for. Submitting may end in
    /// `Conflict`: the name is taken.
    ///
    /// # Errors
    /// `LimitExceeded` when too many passwords are being hashed.
    pub async fn new_account(
        &self,
        wish: Wish,
        device: Option<DeviceWish>,
        actor: Actor,
    ) -> Result<(Change, Option<Opened>)> {
        let now = self.now();
        let password_hash = match &wish.password {
            Some(password) => Some(self.passwords.hash(password, &*self.random).await?),
            None => None,
        };
        let user = self.store.name(wish.user_id.as_str()).await?;
        let mut change = Change::default();
        change.create_account(NewAccount {
            user,
            admin: wish.admin,
            guest: wish.guest,
            user_type: wish.user_type,
            created_ts: now,
            password_hash,
        });
        if let Some(name) = wish.display_name {
            change.set_profile_field(user, "displayname", &serde_json::Value::from(name).to_string());
        }
        let mut audit = Audit::done(Action::UserCreate, actor.clone(), now).on("user", wish.user_id.as_str());
        audit.detail = Some(serde_json::json!({ "by": wish.kind, "admin": wish.admin }).to_string());
        change.audit(self.store.nid().await?, audit);
        let Some(device) = device else { return Ok((change, None)) };
        let opened = self.open_session(&mut change, user, wish.user_id, wish.kind, device, actor).await?;
        Ok((change, Some(opened)))
    }

    /// Makes an account as an administrator; without a password one is made up and returned.
    ///
    /// # Errors
    /// As [`Identity::free_name`], and for a bad password.
    pub async fn person_by_administrator(
        &self,
        name: &str,
        password: Option<Secret<String>>,
        admin: bool,
        display_name: Option<String>,
        actor: Actor,
    ) -> Result<(Change, OwnedUserId, Option<String>)> {
        display_name.as_deref().map_or(Ok(()), shown_name)?;
        let user_id = self.free_name(name).await?;
        let made_up = password.is_none().then(|| kontor_model::random::opaque(&*self.random, 20));
        let password = made_up.clone().map(Secret::new).or(password);
        if let Some(password) = &password {
            self.passwords.acceptable(password)?;
        }
        let wish = Wish {
            user_id: user_id.clone(),
            password,
            admin,
            guest: false,
            user_type: None,
            display_name,
            kind: "administrator",
        };
        let (change, _) = self.new_account(wish, None, actor).await?;
        Ok((change, user_id, made_up))
    }

    /// Accounts after `after`, at most `limit`, in a lasting order.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn people(&self, after: Nid, limit: i64) -> Result<Vec<Person>> {
        let rows = accounts::page(&mut self.store.reader(), after, limit).await?;
        let person = |row: AccountRow| Person {
            user: row.user,
            user_id: row.user_id,
            admin: row.admin,
            created_ts: row.created_ts,
            state: AccountState::of(&row.state),
        };
        Ok(rows.into_iter().map(person).collect())
    }

    pub(crate) async fn local_account(&self, user_id: &UserId) -> Result<AccountRow> {
        if user_id.server_name() != self.options.server_name {
            return Err(Error::invalid_param("This user belongs to another server."));
        }
        let account = accounts::by_user_id(&mut self.store.reader(), user_id.as_str()).await?;
        account.ok_or_else(|| Error::not_found("There is no such account."))
    }

    /// The user id of a new account, if it may have it.
    ///
    /// # Errors
    /// `InvalidUsername`, `UserInUse`, or `Exclusive` for names of the server and of application services.
    pub async fn free_name(&self, localpart: &str) -> Result<OwnedUserId> {
        let user_id = ids::new_user_id(&localpart.to_ascii_lowercase(), &self.options.server_name)?;
        if crate::service::is_reserved(user_id.localpart()) || self.is_company_name(user_id.localpart()) {
            return Err(Error::new(
                Code::Exclusive,
                "This user name belongs to the server itself. Choose another.",
            ));
        }
        if self.services.now().keeps_user(user_id.as_str(), None) {
            return Err(Error::new(
                Code::Exclusive,
                "This user name is kept for users of another network. Choose another.",
            ));
        }
        match accounts::by_user_id(&mut self.store.reader(), user_id.as_str()).await? {
            None => Ok(user_id),
            Some(_) => Err(Error::new(Code::UserInUse, "This user name is taken. Choose another.")),
        }
    }
}

/// Whether a text can be the name that others see of a new account.
///
/// # Errors
/// `InvalidParam` when it is too long or holds a NUL.
pub(crate) fn shown_name(name: &str) -> Result<()> {
    if name.len() > LONGEST_SHOWN_NAME || name.contains('\0') {
        return Err(Error::invalid_param("The display name is too long. Take at most 256 bytes."));
    }
    Ok(())
}

fn no_first_administrator() -> Error {
    Error::forbidden(
        "This link was used already or is not complete. Open the whole link that the server printed when it \
         started.",
    )
}
