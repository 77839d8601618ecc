//! The department over a real archive: logging in, refreshing, proving, registering.

mod login;
mod proofs;
mod registration;
mod tokens;

use crate::login::Proof;
use crate::refresh::{Pair, Refresh};
use crate::registration::{RegisterRequest, Registering};
use crate::shared_secret::SharedSecretRequest;
use crate::testing::House;
use crate::uia::{Ask, Stage};
use crate::{AccountState, DeviceWish, Identity, Opened, Step};
use kontor_model::{Code, Requester, Result, Secret};
use kontor_store::audit::Actor;
use serde_json::{Value, json};

pub fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

pub fn refreshing() -> DeviceWish {
    DeviceWish { refresh: true, ..DeviceWish::default() }
}

impl House {
    /// An account with the password `secret of NAME`.
    pub async fn person(&self, name: &str) {
        let password = Some(secret(&format!("secret of {name}")));
        let made = self.identity.person_by_administrator(name, password, false, None, Actor::default());
        self.store.submit(made.await.unwrap().0).await.unwrap();
    }

    pub async fn login_as(&self, user: &str, password: &str, wish: DeviceWish) -> Result<Opened> {
        let proof = Proof::Password { user: Some(user.to_owned()), password: secret(password) };
        let (change, opened) = self.identity.login(proof, wish, Actor::default()).await?;
        self.store.submit(change).await?;
        Ok(opened)
    }

    pub async fn login(&self, name: &str, wish: DeviceWish) -> Opened {
        self.login_as(name, &format!("secret of {name}"), wish).await.unwrap()
    }

    /// As the front door does it: what is due is written before the request goes on.
    pub async fn use_token(&self, token: &Secret<String>) -> Result<Requester> {
        let requester = self.identity.authenticate(token.expose()).await?;
        if let Some(due) = self.identity.due().await? {
            self.store.submit(due.change).await?;
        }
        Ok(requester)
    }

    pub async fn refresh(&self, token: &Secret<String>) -> Result<Option<Pair>> {
        loop {
            match self.identity.refresh(token, Actor::default()).await? {
                Refresh::Again(pair) => return Ok(Some(pair)),
                Refresh::Stolen(change) => {
                    self.store.submit(change).await?;
                    return Ok(None);
                }
                Refresh::New(pair, change) => match self.store.submit(change).await {
                    Ok(_) => return Ok(Some(pair)),
                    Err(error) if error.is_conflict() => {}
                    Err(error) => return Err(error),
                },
            }
        }
    }

    pub async fn register(&self, name: &str, auth: Option<Value>) -> Result<Registering> {
        let request = RegisterRequest {
            username: Some(name.to_owned()),
            password: Some(secret("long enough")),
            auth,
            device: None,
            guest_token: None,
        };
        self.identity.register(request, Actor::default()).await
    }
}

pub fn unknown_token<T: std::fmt::Debug>(result: Result<T>) -> Option<bool> {
    match result.unwrap_err().code {
        Code::UnknownToken { soft_logout } => Some(soft_logout),
        _ => None,
    }
}

/// Runs futures together, each making progress while others wait.
pub async fn futures_join<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        let mut pending = false;
        for (future, output) in &mut futures {
            if output.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(value) => *output = Some(value),
                    std::task::Poll::Pending => pending = true,
                }
            }
        }
        if pending { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    futures.into_iter().filter_map(|(_, output)| output).collect()
}
