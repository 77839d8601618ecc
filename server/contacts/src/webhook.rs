//! Webhooks: what an administrator writes down about one, and how what it is told is signed.

use crate::ulid::is_ulid;
use crate::{Contacts, text};
use hmac::{Hmac, KeyInit, Mac};
use kontor_model::random::{TOKEN_LENGTH, opaque};
use kontor_model::{Error, Ms, Result};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::contacts::webhooks::{self, WebhookRow};
use serde::Deserialize;
use sha2::Sha256;

/// Webhooks that there may be.
const MOST: usize = 20;

/// A webhook to be made.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// Where it listens.
    pub url: String,
    /// What it is told of; everything when absent.
    pub kinds: Option<Vec<String>>,
}

/// `Kontor-Signature` of a body that is sent at a moment: `t=…,v1=…`, where `t` is in seconds and `v1` is the
/// hexadecimal HMAC-SHA-256 of `t`, a dot and the body.
///
/// # Errors
/// `Internal` if the secret is no key, which would be a defect.
pub fn signature(secret: &str, now: Ms, body: &str) -> Result<String> {
    let seconds = now / 1000;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_err(Error::internal)?;
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body.as_bytes());
    let code: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("t={seconds},v1={code}"))
}

impl Contacts {
    /// Plans a webhook; its secret is shown once.
    ///
    /// # Errors
    /// `InvalidParam` for an address that is none, kinds that are none, or too many webhooks.
    pub async fn new_webhook(&self, wish: &Wish, actor: Actor) -> Result<(Change, WebhookRow)> {
        let url = text(&wish.url, "url", 2_000)?;
        let parsed = url::Url::parse(&url).ok();
        let usable = |url: &url::Url| {
            matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none()
        };
        if !parsed.as_ref().is_some_and(usable) {
            return Err(Error::invalid_param(
                "url must be an address of http or https, without a user name.",
            ));
        }
        let all = crate::news::KINDS;
        let kinds = match &wish.kinds {
            None => all.to_vec(),
            Some(kinds) => {
                kinds.iter().map(|kind| crate::one_of(kind, "kinds", &all)).collect::<Result<_>>()?
            }
        };
        if kinds.is_empty() {
            return Err(Error::invalid_param("kinds must name something that the webhook is told of."));
        }
        if webhooks::all(&mut self.store.reader()).await?.len() >= MOST {
            return Err(Error::invalid_param(format!("There may be {MOST} webhooks. Remove one first.")));
        }
        let row = WebhookRow {
            id: self.new_id(),
            url,
            secret: opaque(&*self.random, TOKEN_LENGTH),
            kinds: serde_json::to_string(&kinds).map_err(Error::internal)?,
            created_ts: self.now(),
            waiting: 0,
        };
        let mut change = Change::default();
        change.add_webhook(&row);
        let audit = Audit::done(Action::WebhookCreate, actor, self.now()).on("webhook", row.id.as_str());
        change.audit(self.store.nid().await?, audit);
        Ok((change, row))
    }

    /// Plans that a webhook is told nothing more. Submitting ends in `Conflict` when it is not there.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn remove_webhook(&self, id: &str, actor: Actor) -> Result<Change> {
        if !is_ulid(id) {
            return Err(Error::not_found("There is no such webhook."));
        }
        let mut change = Change::default();
        change.remove_webhook(id);
        let audit = Audit::done(Action::WebhookRemove, actor, self.now()).on("webhook", id);
        change.audit(self.store.nid().await?, audit);
        Ok(change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_that_receivers_compute() {
        // printf '1795280000.{"a":1}' | openssl dgst -sha256 -hmac secret
        let signed = signature("secret", 1_795_280_000_123, "{\"a\":1}").unwrap();
        let code = "2b6ee2a2bd62a9bd09d12e83e309d4626fcef6bc891db8fc42caa2399c66ff3b";
        assert_eq!(signed, format!("t=1795280000,v1={code}"));
        assert_eq!(signed, signature("secret", 1_795_280_000_999, "{\"a\":1}").unwrap());
        assert_ne!(signed, signature("other", 1_795_280_000_123, "{\"a\":1}").unwrap());
        assert_ne!(signed, signature("secret", 1_795_280_001_123, "{\"a\":1}").unwrap());
    }
}
