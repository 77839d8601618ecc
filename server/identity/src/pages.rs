//! Who reads a page of the server in a browser: short sessions, without a device and good for pages alone.

use crate::login::Proof;
use crate::tokens::hash;
use crate::{AccountState, Identity};
use kontor_model::random::{TOKEN_LENGTH, opaque};
use kontor_model::{Code, Error, Ms, Requester, Result, Secret};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::identity::accounts::{self, AccountRow};
use kontor_store::identity::openid;
use ruma::OwnedUserId;

/// How long a page can be used without proving again who one is.
const LIFE: Ms = 60 * 60 * 1000;
/// Stands where a session would be: below zero, as with application services.
const NO_SESSION: i64 = -1;

/// Somebody as a requester without a session.
fn requester(account: AccountRow) -> Result<Requester> {
    let state = AccountState::of(&account.state);
    state.admit()?;
    Ok(Requester {
        user_id: OwnedUserId::try_from(account.user_id).map_err(Error::internal)?,
        user: account.user,
        device_id: "".into(),
        session: NO_SESSION,
        epoch: account.epoch,
        admin: account.admin,
        guest: account.guest,
        suspended: state == AccountState::Suspended,
        service: None,
    })
}

fn ended() -> Error {
    Error::new(Code::UnknownToken { soft_logout: false }, "This page was open for too long. Sign in again.")
}

impl Identity {
    /// Somebody as a requester without a session: for what they asked for in a room, or on a page.
    ///
    /// # Errors
    /// `NotFound` without such an account; as [`AccountState::admit`].
    pub async fn person(&self, user_id: &str) -> Result<Requester> {
        let account = accounts::by_user_id(&mut self.store.reader(), user_id).await?;
        requester(account.ok_or_else(|| Error::not_found("There is no such account."))?)
    }

    /// Whose name and password these are, for a page; with the audit row of signing in.
    ///
    /// # Errors
    /// As [`Identity::login`].
    pub async fn sign_in_to_page(
        &self,
        proof: Proof,
        actor: Actor,
    ) -> Result<(Change, Requester, Secret<String>, Ms)> {
        let account = match proof {
            Proof::Password { user, password } => self.by_password(user.as_deref(), &password).await?,
            Proof::Address { medium, address, password } => {
                self.by_address(&medium, &address, &password).await?
            }
            Proof::Token(_) => return Err(Error::forbidden("A page takes a name and a password.")),
        };
        let requester = requester(account)?;
        let (mut change, token, life) = self.new_page_session(&requester);
        let actor = Actor { user: Some(requester.user), ..actor };
        let mut audit = Audit::done(Action::AuthLogin, actor, self.now());
        audit.detail = Some("{\"by\":\"page\"}".to_owned());
        change.audit(self.store.nid().await?, audit);
        Ok((change, requester, token, life))
    }

    /// Plans a session for pages; returns its token and how long it works.
    pub fn new_page_session(&self, requester: &Requester) -> (Change, Secret<String>, Ms) {
        let token = opaque(&*self.random, TOKEN_LENGTH);
        let mut change = Change::default();
        change.add_page_session(&hash(&token), requester.user, requester.epoch, self.now() + LIFE);
        (change, Secret::new(token), LIFE)
    }

    /// Who a session for pages belongs to.
    ///
    /// # Errors
    /// `UnknownToken` for one that ended, also because the account's sessions were ended; `UserLocked`.
    pub async fn by_page_session(&self, token: &str) -> Result<Requester> {
        let mut reader = self.store.reader();
        let found = openid::page_session(&mut reader, &hash(token), self.now()).await?;
        let (user, epoch) = found.ok_or_else(ended)?;
        let account = accounts::by_nid(&mut reader, user).await?.ok_or_else(ended)?;
        if account.epoch != epoch {
            return Err(ended());
        }
        requester(account)
    }

    /// Plans the end of a session for pages.
    pub fn end_page_session(&self, token: &str) -> Change {
        let mut change = Change::default();
        change.end_page_session(&hash(token));
        change
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::House;

    fn password(user: &str, password: &str) -> Proof {
        Proof::Password { user: Some(user.to_owned()), password: Secret::new(password.to_owned()) }
    }

    #[tokio::test]
    async fn a_page_is_read_for_an_hour_by_whoever_signed_in_and_its_token_opens_nothing_else() {
        let house = House::new(|_| {}).await;
        house.person("anna").await;
        let sign_in =
            |word: &'static str| house.identity.sign_in_to_page(password("anna", word), Actor::default());
        assert!(sign_in("wrong").await.is_err());
        let (change, anna, token, life) = sign_in("secret of anna").await.unwrap();
        house.store.submit(change).await.unwrap();
        let found = house.identity.by_page_session(token.expose()).await.unwrap();
        assert_eq!((found.user, found.session), (anna.user, -1));
        assert!(house.use_token(&token).await.is_err(), "it is no access token");
        house.store.submit(house.identity.end_page_session(token.expose())).await.unwrap();
        assert!(house.identity.by_page_session(token.expose()).await.is_err(), "signed out");
        let (change, _, token, _) = sign_in("secret of anna").await.unwrap();
        house.store.submit(change).await.unwrap();
        house.pass(life + 1);
        assert!(house.identity.by_page_session(token.expose()).await.is_err(), "an hour later");
    }
}
