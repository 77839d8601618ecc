//! Sessions: opening them, telling who a token belongs to, ending them.

use crate::known::Lookup;
use crate::seen::Sighting;
use crate::tokens::hash;
use crate::{AccountState, Identity};
use kontor_model::random::{TOKEN_LENGTH, opaque};
use kontor_model::{Code, Error, Ms, Nid, Requester, Result, Secret};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::identity::devices;
use kontor_store::identity::sessions::{self, GuardRow, NewSession, SessionRow};
use ruma::OwnedUserId;

/// Length of device ids that the server makes up.
const DEVICE_ID_LENGTH: usize = 10;
/// Longest device id, bytes.
const LONGEST_DEVICE_ID: usize = 255;
/// Longest device name, characters.
const LONGEST_DEVICE_NAME: usize = 256;

/// What a client wishes for its new session.
#[derive(Clone, Debug, Default)]
pub struct DeviceWish {
    /// The device it had before, to keep its keys; made up when absent.
    pub device_id: Option<String>,
    /// Name for a new device.
    pub display_name: Option<String>,
    /// Whether the client can refresh tokens.
    pub refresh: bool,
}

impl DeviceWish {
    /// Whether the wish can be granted.
    ///
    /// # Errors
    /// `InvalidParam` for ids and names that cannot be stored.
    pub fn check(&self) -> Result<()> {
        if let Some(id) = &self.device_id
            && (id.is_empty() || id.len() > LONGEST_DEVICE_ID || id.chars().any(char::is_control))
        {
            return Err(Error::invalid_param("The device id must have 1 to 255 bytes."));
        }
        self.display_name.as_deref().map_or(Ok(()), device_name)
    }
}

/// Whether a text can be the name of a device.
///
/// # Errors
/// `InvalidParam` when it is too long or holds control characters.
pub(crate) fn device_name(name: &str) -> Result<()> {
    if name.chars().count() > LONGEST_DEVICE_NAME || name.contains('\0') {
        return Err(Error::invalid_param("The device name may have 256 characters."));
    }
    Ok(())
}

/// What the client of a new session is told.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Who it is.
    pub user_id: OwnedUserId,
    /// Its device.
    pub device_id: String,
    /// Its token.
    pub access_token: Secret<String>,
    /// The token to get the next one with.
    pub refresh_token: Option<Secret<String>>,
    /// How long the access token works; `None` = as long as the session.
    pub expires_in_ms: Option<Ms>,
}

impl Identity {
    /// Plans a session in `change`: device, tokens, audit row.
    pub(crate) async fn open_session(
        &self,
        change: &mut Change,
        user: Nid,
        user_id: OwnedUserId,
        kind: &'static str,
        wish: DeviceWish,
        actor: Actor,
    ) -> Result<Opened> {
        let now = self.now();
        let session = self.store.nid().await?;
        let replaces = wish.device_id.is_some();
        if let Some(id) = &wish.device_id {
            self.check_device_name(user, id).await?;
        }
        let known = match &wish.device_id {
            Some(id) => devices::by_id(&mut self.store.reader(), user, id).await?.is_some(),
            None => false,
        };
        let device_id =
            wish.device_id.unwrap_or_else(|| opaque(&*self.random, DEVICE_ID_LENGTH).to_ascii_uppercase());
        let new = NewSession {
            session,
            user,
            device_id: device_id.clone(),
            display_name: wish.display_name,
            kind,
            ts: now,
        };
        change.open_session(new, replaces);
        let access_token = opaque(&*self.random, TOKEN_LENGTH);
        let expires_in_ms = wish.refresh.then_some(self.options.access_token_life);
        change.add_access_token(&hash(&access_token), session, 0, expires_in_ms.map(|life| now + life));
        let refresh_token = wish.refresh.then(|| opaque(&*self.random, TOKEN_LENGTH));
        if let Some(token) = &refresh_token {
            change.add_refresh_token(&hash(token), session, 0);
        }
        let actor = Actor { user: Some(user), session: Some(session), ..actor };
        if !known {
            let audit =
                Audit::done(Action::AuthDeviceAdd, actor.clone(), now).on("device", device_id.clone());
            change.audit(self.store.nid().await?, audit);
        }
        let mut audit = Audit::done(Action::AuthLogin, actor, now).on("device", device_id.clone());
        audit.detail = Some(format!("{{\"by\":\"{kind}\"}}"));
        change.audit(self.store.nid().await?, audit);
        Ok(Opened {
            user_id,
            device_id,
            access_token: Secret::new(access_token),
            refresh_token: refresh_token.map(Secret::new),
            expires_in_ms,
        })
    }

    /// Who an access token belongs to. A token that was checked a moment ago costs no statement.
    ///
    /// # Errors
    /// `UnknownToken`, with `soft_logout` when the client should keep its keys; `UserLocked`.
    pub async fn authenticate(&self, token: &str) -> Result<Requester> {
        let hash = hash(token);
        match self.known.look_up(&hash, self.store.log(), self.now()) {
            Lookup::Good(requester) => Ok(requester),
            Lookup::Expired => Err(expired()),
            Lookup::Unknown => {
                // Known before it is read: what is read includes at least everything up to here.
                let read_at = self.store.log().newest();
                let (row, requester) = self.read_token(&hash, false).await?;
                if row.generation > row.session.generation {
                    self.upkeep.note_generation(row.session.session, row.generation);
                }
                self.known.remember(hash, requester.clone(), row.expires_ts, read_at);
                Ok(requester)
            }
        }
    }

    /// As [`Identity::authenticate`], also for locked accounts: logging out is always possible.
    ///
    /// # Errors
    /// `UnknownToken`.
    pub async fn authenticate_to_leave(&self, token: &str) -> Result<Requester> {
        Ok(self.read_token(&hash(token), true).await?.1)
    }

    async fn read_token(&self, hash: &[u8], even_locked: bool) -> Result<(sessions::TokenRow, Requester)> {
        let row = sessions::by_access_token(&mut self.store.reader(), hash).await?;
        let row = row.ok_or_else(|| unknown(false))?;
        refuse_ended(&row.session)?;
        let state = AccountState::of(&row.session.state);
        if !(even_locked && state == AccountState::Locked) {
            state.admit().map_err(|error| match error.code {
                Code::UserDeactivated => unknown(false),
                _ => error,
            })?;
        }
        if row.expires_ts.is_some_and(|expires| expires <= self.now()) {
            return Err(expired());
        }
        let requester = Requester {
            user_id: OwnedUserId::try_from(row.session.user_id.as_str()).map_err(Error::internal)?,
            user: row.session.user,
            device_id: row.session.device_id.as_str().into(),
            session: row.session.session,
            epoch: row.session.epoch,
            admin: row.session.admin,
            guest: row.session.guest,
            suspended: state == AccountState::Suspended,
            service: None,
        };
        Ok((row, requester))
    }

    /// Notes that a session's device was seen; written later, in a batch.
    pub fn note_seen(&self, requester: &Requester, ip: Option<std::net::IpAddr>) {
        let now = self.now();
        let sighting = || Sighting {
            user: requester.user,
            device_id: requester.device_id.to_string(),
            ts: now,
            ip: ip.map(|ip| ip.to_string()),
        };
        self.seen.note(requester.session, sighting, now);
    }

    /// Logs the requester's device out; the device goes.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn logout(&self, requester: &Requester, actor: Actor) -> Result<Change> {
        let now = self.now();
        let device_id = requester.device_id.to_string();
        let mut change = Change::default();
        change.remove_devices(requester.user, std::slice::from_ref(&device_id), now, "logout");
        change.audit(
            self.store.nid().await?,
            Audit::done(Action::AuthLogout, actor, now).on("device", device_id),
        );
        Ok(change)
    }

    /// Logs all devices of the requester out; they go.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn logout_all(&self, requester: &Requester, actor: Actor) -> Result<Change> {
        let now = self.now();
        let mut change = Change::default();
        change.end_sessions(requester.user, None, now, "logout_all");
        change.remove_all_devices(requester.user, None);
        let user_id = requester.user_id.as_str();
        change.audit(
            self.store.nid().await?,
            Audit::done(Action::AuthTokenRevoked, actor, now).on("user", user_id),
        );
        Ok(change)
    }
}

/// Whether an answer may still be given to a session, by what was read in the same moment as the
/// data.
///
/// # Errors
/// `UserLocked`; `UnknownToken` when the session ended; `Unavailable` when the account was closed and
/// opened again meanwhile, so that the same request will work.
pub fn stands(guard: &GuardRow, requester: &Requester) -> Result<()> {
    if guard.locked {
        return AccountState::Locked.admit();
    }
    if guard.ended {
        return Err(unknown(false));
    }
    if guard.epoch != requester.epoch {
        return Err(Error::new(Code::Unavailable, "Your account changed meanwhile. Try again."));
    }
    Ok(())
}

/// Why sessions end without the client having to forget its keys: nobody wanted the device gone.
const SOFT: [&str; 2] = ["replaced", "reused"];

/// Refuses sessions that ended.
pub(crate) fn refuse_ended(session: &SessionRow) -> Result<()> {
    match &session.ended {
        None => Ok(()),
        Some(reason) => Err(unknown(SOFT.contains(&reason.as_str()))),
    }
}

pub(crate) fn unknown(soft_logout: bool) -> Error {
    Error::new(Code::UnknownToken { soft_logout }, "You are logged out. Log in again.")
}

fn expired() -> Error {
    Error::new(
        Code::UnknownToken { soft_logout: true },
        "The access token expired. Refresh it or log in again.",
    )
}
