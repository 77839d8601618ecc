//! Logging in: by password, by a token for one login.

use crate::threepid::{EMAIL, canonical_email};
use crate::tokens::hash;
use crate::{AccountState, DeviceWish, Identity, Opened};
use kontor_model::random::{TOKEN_LENGTH, opaque};
use kontor_model::{Error, Ms, Requester, Result, Secret, ids};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::identity::accounts::{self, AccountRow};
use kontor_store::identity::{sessions, threepid};
use ruma::OwnedUserId;

/// How long a login token works (specification: two minutes are recommended).
const LOGIN_TOKEN_LIFE: Ms = 120_000;

/// How somebody proves who they are.
#[derive(Clone, Debug)]
pub enum Proof {
    /// A user id or its localpart, and the password. Anything that names no user of this server,
    /// such as an address that nobody verified, is `None` and refused like a wrong password.
    Password {
        /// The name as the client gave it.
        user: Option<String>,
        /// The password.
        password: Secret<String>,
    },
    /// An address outside Matrix that belongs to an account, and the password.
    Address {
        /// `email`.
        medium: String,
        /// The address as the client gave it.
        address: String,
        /// The password.
        password: Secret<String>,
    },
    /// A token for one login.
    Token(Secret<String>),
}

impl Identity {
    /// Checks a proof and plans a session. Submitting may end in `Conflict` when the token was used
    /// at the same moment.
    ///
    /// # Errors
    /// `Forbidden`, with the same words whether the user exists or not and after the same work;
    /// `UserLocked` and `UserDeactivated` only after the right password.
    pub async fn login(&self, proof: Proof, wish: DeviceWish, actor: Actor) -> Result<(Change, Opened)> {
        wish.check()?;
        let mut change = Change::default();
        let (account, kind) = match proof {
            Proof::Password { user, password } => {
                (self.by_password(user.as_deref(), &password).await?, "password")
            }
            Proof::Address { medium, address, password } => {
                (self.by_address(&medium, &address, &password).await?, "password")
            }
            Proof::Token(token) => {
                let hash = hash(token.expose());
                change.use_login_token(&hash, self.now());
                (self.by_login_token(&hash).await?, "token")
            }
        };
        AccountState::of(&account.state).admit()?;
        let user_id = OwnedUserId::try_from(account.user_id).map_err(Error::internal)?;
        let opened = self.open_session(&mut change, account.user, user_id, kind, wish, actor).await?;
        Ok((change, opened))
    }

    /// The user id that a client means, if it can be one of this server.
    pub fn local_user_id(&self, user: &str) -> Option<OwnedUserId> {
        let user = user.trim();
        let server = &self.options.server_name;
        let localpart = match user.strip_prefix('@') {
            Some(_) => {
                let id = ids::user_id(user).ok().filter(|id| id.server_name() == server)?;
                id.localpart().to_owned()
            }
            None => user.to_owned(),
        };
        ids::new_user_id(&localpart.to_ascii_lowercase(), server).ok()
    }

    /// The account whose name and password these are.
    pub(crate) async fn by_password(
        &self,
        user: Option<&str>,
        password: &Secret<String>,
    ) -> Result<AccountRow> {
        let account = match user.and_then(|user| self.local_user_id(user)) {
            Some(user_id) => accounts::by_user_id(&mut self.store.reader(), user_id.as_str()).await?,
            None => None,
        };
        self.with_password(account, password).await
    }

    /// The account that an address belongs to, if its password is this.
    pub(crate) async fn by_address(
        &self,
        medium: &str,
        address: &str,
        password: &Secret<String>,
    ) -> Result<AccountRow> {
        let mut reader = self.store.reader();
        let owner = match canonical_email(address) {
            Ok(address) if medium == EMAIL => threepid::owner(&mut reader, EMAIL, &address).await?,
            _ => None,
        };
        let account = match owner {
            Some(user) => accounts::by_nid(&mut reader, user).await?,
            None => None,
        };
        self.with_password(account, password).await
    }

    /// Does the same work whether there is an account or not.
    async fn with_password(
        &self,
        account: Option<AccountRow>,
        password: &Secret<String>,
    ) -> Result<AccountRow> {
        let hash = account.as_ref().and_then(|account| account.password_hash.clone());
        let right = self.passwords.verify(password, hash).await?;
        account.filter(|_| right).ok_or_else(wrong)
    }

    async fn by_login_token(&self, hash: &[u8]) -> Result<AccountRow> {
        let mut reader = self.store.reader();
        let user = match sessions::login_token(&mut reader, hash).await? {
            Some((user, expires_ts)) if expires_ts >= self.now() => user,
            _ => return Err(used_up()),
        };
        accounts::by_nid(&mut reader, user).await?.ok_or_else(used_up)
    }

    /// Plans a token with which another device can log in once, as the requester.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn new_login_token(
        &self,
        requester: &Requester,
        actor: Actor,
    ) -> Result<(Change, Secret<String>, Ms)> {
        let now = self.now();
        let token = opaque(&*self.random, TOKEN_LENGTH);
        let mut change = Change::default();
        change.add_login_token(&hash(&token), requester.user, now + LOGIN_TOKEN_LIFE);
        let user_id = requester.user_id.as_str();
        change.audit(
            self.store.nid().await?,
            Audit::done(Action::AuthLoginTokenCreate, actor, now).on("user", user_id),
        );
        Ok((change, Secret::new(token), LOGIN_TOKEN_LIFE))
    }

    /// Plans another password for the requester; with `logout_devices` all other sessions end.
    ///
    /// # Errors
    /// For a bad password; `LimitExceeded` when too many are being hashed.
    pub async fn change_password(
        &self,
        requester: &Requester,
        password: &Secret<String>,
        logout_devices: bool,
        actor: Actor,
    ) -> Result<Change> {
        self.passwords.acceptable(password)?;
        let hash = self.passwords.hash(password, &*self.random).await?;
        let now = self.now();
        let mut change = Change::default();
        change.set_password(requester.user, &hash);
        if logout_devices {
            change.end_sessions(requester.user, Some(requester.session), now, "password_changed");
            change.remove_all_devices(requester.user, Some(requester.device_id.as_str()));
        }
        let mut audit =
            Audit::done(Action::UserPasswordReset, actor, now).on("user", requester.user_id.as_str());
        audit.detail = Some(format!("{{\"logout_devices\":{logout_devices}}}"));
        change.audit(self.store.nid().await?, audit);
        Ok(change)
    }

    /// Whether a new password may be used.
    ///
    /// # Errors
    /// `WeakPassword` or `InvalidParam`.
    pub fn acceptable_password(&self, password: &Secret<String>) -> Result<()> {
        self.passwords.acceptable(password)
    }
}

fn wrong() -> Error {
    Error::forbidden("The user name or the password is wrong.")
}

/// For login tokens that do not exist, are used up or expired.
pub(crate) fn used_up() -> Error {
    Error::forbidden("This login token was used already or is too old. Ask for a new one.")
}
