//! People registering themselves, guests, and the tokens that allow it.

use crate::accounts::Wish;
use crate::threepid::{Purpose, in_use};
use crate::uia::{Ask, Challenge, Stage, Step, is_token};
use crate::{DeviceWish, Identity, Opened};
use kontor_model::random::opaque;
use kontor_model::{Code, Error, Ms, Result, Secret};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::identity::registration::{self, NewRegistrationToken};
use kontor_store::identity::threepid;
use ruma::OwnedUserId;
use serde_json::Value;

/// A request to register.
#[derive(Debug, Default)]
pub struct RegisterRequest {
    /// The localpart; made up when absent.
    pub username: Option<String>,
    /// The password; needed by the end of the authentication.
    pub password: Option<Secret<String>>,
    /// What was proven so far.
    pub auth: Option<Value>,
    /// The device to log in with; `None` = do not log in.
    pub device: Option<DeviceWish>,
    /// Of a guest who wants to stay: the token of the guest's session.
    pub guest_token: Option<Secret<String>>,
}

/// Where a registration stands.
#[derive(Debug)]
pub enum Registering {
    /// The account, once the change is written. `Conflict` means that the name, the proof or the
    /// token was used at the same moment: ask again to hear which.
    Done(Change, OwnedUserId, Option<Opened>),
    /// More must be proven; the change is written before the answer is given.
    More(Challenge, Change),
}

impl Identity {
    /// Takes a registration as far as its proofs go.
    ///
    /// # Errors
    /// `Forbidden` when nobody may register; as [`Identity::free_name`]; for a bad password.
    pub async fn register(&self, request: RegisterRequest, actor: Actor) -> Result<Registering> {
        self.expect_registration()?;
        // Whether the name is free is told before anything must be proven (specification).
        let guest = match &request.guest_token {
            Some(token) => Some(self.staying_guest(token, request.username.as_deref()).await?),
            None => None,
        };
        let user_id = match (&guest, &request.username) {
            (Some(guest), _) => guest.user_id.clone(),
            (None, Some(name)) => self.free_name(name).await?,
            (None, None) => self.free_name(&format!("user-{}", opaque(&*self.random, 12))).await?,
        };
        if let Some(password) = &request.password {
            self.passwords.acceptable(password)?;
        }
        if let Some(device) = &request.device {
            device.check()?;
        }
        let (flows, address_for) = (self.register_flows(), Purpose::Register);
        let ask = Ask { operation: "register", requester: None, flows, address_for };
        let passed = match self.authenticate_interactively(&ask, request.auth.as_ref()).await? {
            Step::Passed(passed) => passed,
            Step::More(challenge, change) => return Ok(Registering::More(challenge, change)),
        };
        let password = request.password.ok_or_else(|| {
            Error::new(Code::MissingParam, "The field \"password\" is missing. Choose a password.")
        })?;
        let (mut change, opened) = match guest {
            Some(guest) => self.promote_guest(guest, &password, request.device, actor).await?,
            None => self.new_person(user_id.clone(), password, request.device, actor).await?,
        };
        if let Some(token) = &passed.registration_token {
            change.use_registration_token(token, self.now());
        }
        if let Some(address) = &passed.address {
            if threepid::owner(&mut self.store.reader(), &address.medium, &address.address).await?.is_some() {
                return Err(in_use());
            }
            self.give_address(&mut change, self.store.name(user_id.as_str()).await?, address);
        }
        change.join(passed.change);
        Ok(Registering::Done(change, user_id, opened))
    }

    async fn new_person(
        &self,
        user_id: OwnedUserId,
        password: Secret<String>,
        device: Option<DeviceWish>,
        actor: Actor,
    ) -> Result<(Change, Option<Opened>)> {
        let wish = Wish {
            user_id,
            password: Some(password),
            admin: false,
            guest: false,
            user_type: None,
            display_name: None,
            kind: "registration",
        };
        self.new_account(wish, device, actor).await
    }

    /// Makes a guest: an account without a password, for reading.
    ///
    /// # Errors
    /// `GuestAccessForbidden` when guests are not let in.
    pub async fn register_guest(
        &self,
        device: DeviceWish,
        actor: Actor,
    ) -> Result<(Change, OwnedUserId, Opened)> {
        if !self.options.registration.allow_guests {
            return Err(Error::new(Code::GuestAccessForbidden, "This server does not let guests in."));
        }
        // A guest's device is always a new one.
        let device = DeviceWish { device_id: None, refresh: false, ..device };
        device.check()?;
        let user_id = self.free_name(&format!("guest-{}", opaque(&*self.random, 16))).await?;
        let wish = Wish {
            user_id: user_id.clone(),
            password: None,
            admin: false,
            guest: true,
            user_type: None,
            display_name: None,
            kind: "guest",
        };
        let (change, opened) = self.new_account(wish, Some(device), actor).await?;
        let opened = opened.ok_or_else(|| Error::internal("a guest without a session"))?;
        Ok((change, user_id, opened))
    }

    /// Whoever wants gives the new account an address at once, if the server sends mail.
    fn register_flows(&self) -> Vec<Vec<Stage>> {
        let flow = self.register_flow();
        let mut with_address = flow.clone();
        with_address.retain(|stage| *stage != Stage::Dummy);
        with_address.push(Stage::Email);
        let mut flows = vec![flow];
        flows.extend(self.sends_mail().then_some(with_address));
        flows
    }

    fn register_flow(&self) -> Vec<Stage> {
        let registration = &self.options.registration;
        let first = if registration.require_verification { Stage::RegistrationToken } else { Stage::Dummy };
        let terms = (!registration.terms.is_empty()).then_some(Stage::Terms);
        // Documents are accepted instead of the dummy, and besides a token.
        match (first, terms) {
            (Stage::Dummy, Some(terms)) => vec![terms],
            (first, terms) => std::iter::once(first).chain(terms).collect(),
        }
    }

    /// Whether people may register themselves.
    ///
    /// # Errors
    /// `Forbidden` when not.
    pub fn expect_registration(&self) -> Result<()> {
        if self.options.registration.enabled {
            return Ok(());
        }
        Err(Error::forbidden("This server does not let people register themselves. Ask your administrator."))
    }

    /// Whether a registration token would let somebody register now.
    ///
    /// # Errors
    /// `Forbidden` when nobody may register.
    pub async fn registration_token_is_valid(&self, token: &str) -> Result<bool> {
        self.expect_registration()?;
        if !is_token(token) {
            return Ok(false);
        }
        registration::is_valid(&mut self.store.reader(), token, self.now()).await
    }

    /// Plans a registration token as an administrator. `Conflict` means that it exists.
    ///
    /// # Errors
    /// `InvalidParam` for a token, a number or a time that makes no sense.
    pub async fn new_registration_token(
        &self,
        token: Option<String>,
        uses_allowed: Option<i64>,
        expires_ts: Option<Ms>,
        actor: Actor,
    ) -> Result<(Change, String)> {
        let token = token.unwrap_or_else(|| opaque(&*self.random, 16));
        if !is_token(&token) {
            return Err(Error::invalid_param(
                "A registration token may have 1 to 64 letters, digits and the characters . _ ~ -",
            ));
        }
        if uses_allowed.is_some_and(|uses| uses < 1) {
            return Err(Error::invalid_param("A registration token must be good for at least one account."));
        }
        let now = self.now();
        if expires_ts.is_some_and(|expires| expires <= now) {
            return Err(Error::invalid_param("The registration token would have expired already."));
        }
        let mut change = Change::default();
        change.add_registration_token(NewRegistrationToken {
            token: token.clone(),
            uses_allowed,
            expires_ts,
            created_ts: now,
            creator: actor.user,
        });
        // The token itself grants something, so it stays out of the log.
        let mut audit = Audit::done(Action::UserRegistrationTokenCreate, actor, now);
        audit.detail =
            Some(serde_json::json!({ "uses_allowed": uses_allowed, "expires_ts": expires_ts }).to_string());
        change.audit(self.store.nid().await?, audit);
        Ok((change, token))
    }
}
