//! Registration by a shared secret, compatible with the tools that Synapse has for it.

use crate::accounts::{Wish, shown_name};
use crate::tokens::same;
use crate::{DeviceWish, Identity, Opened};
use hmac::{Hmac, KeyInit, Mac};
use kontor_model::random::opaque;
use kontor_model::{Error, Ms, Result, Secret};
use kontor_store::Change;
use kontor_store::audit::Actor;
use sha1::Sha1;
use sha2::Sha256;
use std::fmt::Write as _;

/// How long a nonce is good.
const NONCE_LIFE: Ms = 5 * 60 * 1000;

/// A request to make an account by shared secret.
#[derive(Debug)]
pub struct SharedSecretRequest {
    /// From [`Identity::shared_secret_nonce`].
    pub nonce: String,
    /// The localpart.
    pub username: String,
    /// The password.
    pub password: Secret<String>,
    /// Whether it administers the server.
    pub admin: bool,
    /// What it is, if not a person: `bot`, `support`.
    pub user_type: Option<String>,
    /// The name that others see.
    pub display_name: Option<String>,
    /// HMAC-SHA1 in hexadecimal over nonce, user name, password, `admin` or `notadmin`, and the
    /// user type if there is one, with NUL between them.
    pub mac: String,
    /// The device to log in with; `None` = do not log in.
    pub device: Option<DeviceWish>,
}

impl Identity {
    fn shared_secret(&self) -> Result<&Secret<String>> {
        let secret = self.options.registration.shared_secret.as_ref();
        secret
            .ok_or_else(|| Error::invalid_param("Shared-secret registration is switched off on this server."))
    }

    /// A nonce for one registration. It is not kept: its time and a signature are in it, so that any
    /// process of the server can check it. A repeated request fails because the name is taken.
    ///
    /// # Errors
    /// `InvalidParam` when there is no shared secret.
    pub fn shared_secret_nonce(&self) -> Result<String> {
        let secret = self.shared_secret()?;
        let body = format!("{:x}-{}", self.now(), opaque(&*self.random, 22));
        let signature = sign_nonce(secret, &body)?;
        Ok(format!("{body}-{signature}"))
    }

    fn check_nonce(&self, secret: &Secret<String>, nonce: &str) -> Result<()> {
        let refused = || Error::invalid_param("The nonce is not known or too old. Ask for a new one.");
        let (body, signature) = nonce.rsplit_once('-').ok_or_else(refused)?;
        let made = body.split('-').next().and_then(|hex| Ms::from_str_radix(hex, 16).ok());
        let age = self.now().checked_sub(made.ok_or_else(refused)?).ok_or_else(refused)?;
        if !same(sign_nonce(secret, body)?.as_bytes(), signature.as_bytes())
            || !(0..=NONCE_LIFE).contains(&age)
        {
            return Err(refused());
        }
        Ok(())
    }

    /// Checks the request and plans the account. Submitting ends in `Conflict` when the name is taken
    /// at the same moment.
    ///
    /// # Errors
    /// `InvalidParam` for a bad nonce, `Forbidden` for a wrong MAC; as [`Identity::free_name`].
    pub async fn register_by_shared_secret(
        &self,
        request: SharedSecretRequest,
        actor: Actor,
    ) -> Result<(Change, ruma::OwnedUserId, Option<Opened>)> {
        let secret = self.shared_secret()?;
        self.check_nonce(secret, &request.nonce)?;
        check_mac(secret, &request)?;
        if let Some(device) = &request.device {
            device.check()?;
        }
        if let Some(user_type) = &request.user_type
            && !["bot", "support"].contains(&user_type.as_str())
        {
            return Err(Error::invalid_param("The user type must be \"bot\" or \"support\"."));
        }
        request.display_name.as_deref().map_or(Ok(()), shown_name)?;
        let user_id = self.free_name(&request.username).await?;
        self.passwords.acceptable(&request.password)?;
        let wish = Wish {
            user_id: user_id.clone(),
            password: Some(request.password),
            admin: request.admin,
            guest: false,
            user_type: request.user_type,
            display_name: request.display_name,
            kind: "shared_secret",
        };
        let (change, opened) = self.new_account(wish, request.device, actor).await?;
        Ok((change, user_id, opened))
    }
}

fn check_mac(secret: &Secret<String>, request: &SharedSecretRequest) -> Result<()> {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.expose().as_bytes()).map_err(Error::internal)?;
    let role = if request.admin { "admin" } else { "notadmin" };
    let mut parts = vec![request.nonce.as_str(), &request.username, request.password.expose(), role];
    parts.extend(request.user_type.as_deref());
    mac.update(parts.join("\0").as_bytes());
    let expected = hex(&mac.finalize().into_bytes());
    if !same(expected.as_bytes(), request.mac.to_ascii_lowercase().as_bytes()) {
        return Err(Error::forbidden(
            "The HMAC is wrong. Check the shared secret and the order of the fields.",
        ));
    }
    Ok(())
}

fn sign_nonce(secret: &Secret<String>, body: &str) -> Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).map_err(Error::internal)?;
    mac.update(b"nonce");
    mac.update(body.as_bytes());
    Ok(hex(mac.finalize().into_bytes().get(..16).unwrap_or_default()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
