//! Tokens with which the server of a widget asks who somebody is (client-server API, "OpenID").
//!
//! They are good for that question only: no other endpoint takes them.

use crate::tokens::hash;
use crate::{AccountState, Identity};
use kontor_model::random::{TOKEN_LENGTH, opaque};
use kontor_model::{Code, Error, Ms, Requester, Result, Secret};
use kontor_store::Change;
use kontor_store::identity::{accounts, openid};

/// How long a token works.
const LIFE: Ms = 60 * 60 * 1000;

impl Identity {
    /// Plans a token for the requester; returns it and how long it works.
    pub fn new_openid_token(&self, requester: &Requester) -> (Change, Secret<String>, Ms) {
        let token = opaque(&*self.random, TOKEN_LENGTH);
        let mut change = Change::default();
        change.add_openid_token(&hash(&token), requester.user, self.now() + LIFE);
        (change, Secret::new(token), LIFE)
    }

    /// The user id of whoever a token was made for.
    ///
    /// # Errors
    /// `UnknownToken` for tokens that do not exist or expired, and of accounts that are not served.
    pub async fn by_openid_token(&self, token: &str) -> Result<String> {
        let mut reader = self.store.reader();
        let unknown =
            || Error::new(Code::UnknownToken { soft_logout: false }, "This token is not known or expired.");
        let user = openid::user(&mut reader, &hash(token), self.now()).await?.ok_or_else(unknown)?;
        let account = accounts::by_nid(&mut reader, user).await?.ok_or_else(unknown)?;
        AccountState::of(&account.state).admit().map_err(|_| unknown())?;
        Ok(account.user_id)
    }
}

#[cfg(test)]
mod tests {
    use crate::DeviceWish;
    use crate::testing::House;

    #[tokio::test]
    async fn a_token_tells_who_it_is_for_an_hour_and_is_no_access_token() {
        let house = House::new(|_| {}).await;
        house.person("anna").await;
        let opened = house.login("anna", DeviceWish::default()).await;
        let requester = house.use_token(&opened.access_token).await.unwrap();
        let (change, token, life) = house.identity.new_openid_token(&requester);
        house.store.submit(change).await.unwrap();
        assert_eq!(house.identity.by_openid_token(token.expose()).await.unwrap(), requester.user_id.as_str());
        assert!(house.use_token(&token).await.is_err());
        assert!(house.identity.by_openid_token(opened.access_token.expose()).await.is_err());
        house.pass(life + 1);
        assert!(house.identity.by_openid_token(token.expose()).await.is_err());
    }
}
