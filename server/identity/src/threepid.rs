//! E-mail addresses of people: proving that one is theirs, adding it to an account, taking it away.
//!
//! A proof is a session: the client asks for a mail, the person opens its link, and the client
//! shows the session's id together with the secret that it began with. Whether an address belongs to
//! an account is told by mail only, to the address itself.

use crate::Identity;
use crate::letter::{Cause, KIND, Letter};
use crate::tokens::hash;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kontor_model::random::{TOKEN_LENGTH, opaque};
use kontor_model::{Code, Error, Language, Ms, Nid, Requester, Result, Secret};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
pub use kontor_store::identity::threepid::{ThreepidRow, ValidationRow};
use kontor_store::identity::{accounts, threepid};
use sha2::{Digest, Sha256};

/// The one kind of address that there is.
pub const EMAIL: &str = "email";
/// How long a proof may take, and how long it is good afterwards: both count from its beginning.
pub(crate) const VALIDATION_LIFE: Ms = 24 * 60 * 60 * 1000;
/// Longest address (RFC 5321).
const LONGEST_ADDRESS: usize = 254;
/// Longest address that a person can be sent to afterwards, bytes.
const LONGEST_LINK: usize = 2_000;
/// Addresses of one account, at most.
const MOST: usize = 20;

/// What a proof is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Adding the address to an account.
    Add,
    /// Making an account.
    Register,
    /// Setting another password.
    Reset,
}

impl Purpose {
    /// The word in the archive.
    pub fn word(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Register => "register",
            Self::Reset => "reset",
        }
    }
}

/// A client's wish for a mail.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    /// What the proof is to be good for.
    pub purpose: Purpose,
    /// The address, as it was typed.
    pub email: String,
    /// The client's secret.
    pub client_secret: String,
    /// Grows when another mail is wanted.
    pub send_attempt: i64,
    /// Where the person goes on afterwards.
    pub next_link: Option<String>,
    /// The language of the mail.
    pub language: Language,
}

impl Identity {
    /// Plans a mail by which somebody can prove an address; nothing when the request is a repeated
    /// one. Returns the session's id. Submitting may end in `Conflict` when the same request is
    /// served at the same moment: ask again.
    ///
    /// # Errors
    /// `ThreepidMediumNotSupported` when the server sends no mail; `InvalidParam` for a bad address,
    /// secret or link.
    pub async fn request_email_token(&self, request: &TokenRequest) -> Result<(String, Option<Change>)> {
        let mail = self.options.mail.as_ref().ok_or_else(no_mail)?;
        let address = canonical_email(&request.email)?;
        check_secret(&request.client_secret)?;
        let next_link = request.next_link.as_deref().map(check_link).transpose()?;
        let sid = sid(request.purpose, &address, &request.client_secret);
        let now = self.now();
        let mut reader = self.store.reader();
        let known = threepid::validation_by_sid(&mut reader, &sid, now - VALIDATION_LIFE).await?;
        if known.as_ref().is_some_and(|known| known.attempt >= request.send_attempt) {
            return Ok((sid, None));
        }
        let owner = threepid::owner(&mut reader, EMAIL, &address).await?;
        let mut change = Change::default();
        match known {
            Some(_) => change.repeat_validation(&sid, request.send_attempt, next_link),
            None => change.begin_validation(
                &ValidationRow {
                    sid: sid.clone(),
                    purpose: request.purpose.word().to_owned(),
                    medium: EMAIL.to_owned(),
                    address: address.clone(),
                    attempt: request.send_attempt,
                    next_link: next_link.map(str::to_owned),
                    created_ts: now,
                    validated_ts: None,
                },
                now - VALIDATION_LIFE,
            ),
        }
        // Only the reader of the mail learns whether the address belongs to an account.
        let cause = match (request.purpose, owner.is_some()) {
            (Purpose::Add, false) => Cause::Add,
            (Purpose::Register, false) => Cause::Register,
            (Purpose::Reset, true) => Cause::Reset,
            (Purpose::Add | Purpose::Register, true) => Cause::Taken,
            (Purpose::Reset, false) => Cause::Unknown,
        };
        let mut link = None;
        if cause.proves() {
            let token = opaque(&*self.random, TOKEN_LENGTH);
            change.add_validation_token(&hash(&token), &sid, now);
            let language = request.language.code();
            link = Some(format!("{}{CONFIRM}?token={token}&lang={language}", mail.base_url));
        }
        let letter = Letter { to: address, cause, language: request.language, link };
        self.lay_out(&mut change, &letter, now).await?;
        Ok((sid, Some(change)))
    }

    /// Lays a letter out for delivery, in the change of its cause.
    async fn lay_out(&self, change: &mut Change, letter: &Letter, now: Ms) -> Result<()> {
        let payload = serde_json::to_string(letter).map_err(Error::internal)?;
        change.put_outbox(self.store.nid().await?, KIND, &payload, now, now + VALIDATION_LIFE);
        Ok(())
    }

    /// The proof under way for which a mail held this token.
    ///
    /// # Errors
    /// `NotFound` for tokens that are not known or too old.
    pub async fn validation_of(&self, token: &str) -> Result<ValidationRow> {
        let since = self.now() - VALIDATION_LIFE;
        let found = threepid::validation_by_token(&mut self.store.reader(), &hash(token), since).await?;
        found.ok_or_else(|| Error::not_found("This link was used already or is too old. Ask for a new mail."))
    }

    /// Plans that an address is proven by the token of a mail.
    ///
    /// # Errors
    /// As [`Identity::validation_of`].
    pub async fn validate(&self, token: &str) -> Result<(Change, ValidationRow)> {
        let row = self.validation_of(token).await?;
        let mut change = Change::default();
        change.validate(&row.sid, self.now());
        Ok((change, row))
    }

    /// The proof that a client shows, if it is complete.
    ///
    /// # Errors
    /// `ThreepidAuthFailed` when it is not, or is another's or for something else.
    pub async fn proven(&self, purpose: Purpose, sid: &str, client_secret: &str) -> Result<ValidationRow> {
        let row = self.proof(sid).await?;
        // The id is a digest of the secret: whoever can make it, knows it.
        let right = |row: &ValidationRow| sid == self::sid(purpose, &row.address, client_secret);
        row.filter(right).ok_or_else(unproven)
    }

    /// A complete proof by its id, if there is one.
    pub(crate) async fn proof(&self, sid: &str) -> Result<Option<ValidationRow>> {
        if !is_opaque(sid) {
            return Ok(None);
        }
        let since = self.now() - VALIDATION_LIFE;
        let row = threepid::validation_by_sid(&mut self.store.reader(), sid, since).await?;
        Ok(row.filter(|row| row.validated_ts.is_some()))
    }

    /// The addresses of the requester.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn addresses(&self, requester: &Requester) -> Result<Vec<ThreepidRow>> {
        threepid::of_user(&mut self.store.reader(), requester.user).await
    }

    /// Plans that a proven address belongs to the requester. Submitting ends in `Conflict` when the
    /// proof was used or the address given away meanwhile.
    ///
    /// # Errors
    /// `ThreepidInUse`; as [`Identity::proven`].
    pub async fn add_address(
        &self,
        requester: &Requester,
        sid: &str,
        client_secret: &str,
        actor: Actor,
    ) -> Result<Change> {
        let row = self.proven(Purpose::Add, sid, client_secret).await?;
        if threepid::owner(&mut self.store.reader(), &row.medium, &row.address).await?.is_some() {
            return Err(in_use());
        }
        if self.addresses(requester).await?.len() >= MOST {
            return Err(Error::invalid_param(format!(
                "An account may have {MOST} addresses. Remove one first."
            )));
        }
        let mut change = Change::default();
        self.give_address(&mut change, requester.user, &row);
        let audit = Audit::done(Action::UserUpdate, actor, self.now());
        change.audit(self.store.nid().await?, told(audit, requester.user_id.as_str(), "added"));
        Ok(change)
    }

    /// Gives a proven address to an account and uses the proof up.
    pub(crate) fn give_address(&self, change: &mut Change, user: Nid, row: &ValidationRow) {
        change.use_validation(&row.sid);
        let added_ts = self.now();
        let validated_ts = row.validated_ts.unwrap_or(added_ts);
        let (medium, address) = (row.medium.clone(), row.address.clone());
        change.add_threepid(user, &ThreepidRow { medium, address, validated_ts, added_ts });
    }

    /// Plans that an address belongs to the requester no longer.
    ///
    /// # Errors
    /// `ThreepidNotFound` when it does not anyway.
    pub async fn remove_address(
        &self,
        requester: &Requester,
        medium: &str,
        address: &str,
        actor: Actor,
    ) -> Result<Change> {
        let mine = self.addresses(requester).await?;
        let typed = address.trim().to_lowercase();
        let mine = mine.iter().find(|mine| mine.medium == medium && mine.address == typed);
        let mine = mine.ok_or_else(|| {
            Error::new(Code::ThreepidNotFound, "This address does not belong to your account.")
        })?;
        let mut change = Change::default();
        change.remove_threepid(requester.user, &mine.medium, &mine.address);
        let audit = Audit::done(Action::UserUpdate, actor, self.now());
        change.audit(self.store.nid().await?, told(audit, requester.user_id.as_str(), "removed"));
        Ok(change)
    }

    /// Plans another password for the account that a proven address belongs to, and returns which
    /// that is. With `logout_devices` all its sessions end.
    ///
    /// # Errors
    /// `ThreepidNotFound` when it belongs to none that can log in; for a bad password.
    pub async fn reset_password(
        &self,
        proof: &ValidationRow,
        password: &Secret<String>,
        logout_devices: bool,
        actor: Actor,
    ) -> Result<(Change, Nid)> {
        let mut reader = self.store.reader();
        let owner = threepid::owner(&mut reader, &proof.medium, &proof.address).await?;
        let account = match owner {
            Some(user) => accounts::by_nid(&mut reader, user).await?,
            None => None,
        };
        let account = account
            .filter(|account| account.state != "deactivated")
            .ok_or_else(|| Error::new(Code::ThreepidNotFound, "This address belongs to no account."))?;
        self.passwords.acceptable(password)?;
        let hash = self.passwords.hash(password, &*self.random).await?;
        let now = self.now();
        let mut change = Change::default();
        change.set_password(account.user, &hash);
        if logout_devices {
            change.end_sessions(account.user, None, now, "password_changed");
            change.remove_all_devices(account.user, None);
        }
        let actor = Actor { user: Some(account.user), ..actor };
        let mut audit = Audit::done(Action::UserPasswordReset, actor, now).on("user", account.user_id);
        audit.detail = Some(format!("{{\"by\":\"email\",\"logout_devices\":{logout_devices}}}"));
        change.audit(self.store.nid().await?, audit);
        Ok((change, account.user))
    }

    /// Whether the server can send mail, and so prove addresses.
    pub fn sends_mail(&self) -> bool {
        self.options.mail.is_some()
    }
}

/// Where the link of a mail leads, below the address of the server.
pub const CONFIRM: &str = "/_kontor/mail/confirm";

/// An audit row about an address, which the log does not name.
fn told(audit: Audit, user_id: &str, what: &str) -> Audit {
    let mut audit = audit.on("user", user_id);
    audit.detail = Some(serde_json::json!({ "address": what, "medium": EMAIL }).to_string());
    audit
}

/// The session's id: whoever repeats a request gets the same one, and nobody else can make it.
fn sid(purpose: Purpose, address: &str, client_secret: &str) -> String {
    let mut digest = Sha256::new();
    for part in [purpose.word(), address, client_secret] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part.as_bytes());
    }
    URL_SAFE_NO_PAD.encode(digest.finalize())
}

/// Whether a text keeps to the grammar of session ids and client secrets.
fn is_opaque(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b".=_-".contains(&byte);
    (1..=255).contains(&text.len()) && text.bytes().all(letter)
}

fn check_secret(secret: &str) -> Result<()> {
    if is_opaque(secret) {
        return Ok(());
    }
    Err(Error::invalid_param("The client_secret may have 1 to 255 of the characters 0-9 a-z A-Z . = _ -"))
}

fn check_link(link: &str) -> Result<&str> {
    let web = link.starts_with("https://") || link.starts_with("http://");
    if web && link.len() <= LONGEST_LINK && !link.chars().any(char::is_control) {
        return Ok(link);
    }
    Err(Error::invalid_param("The next_link must be a web address."))
}

/// An address as it is kept and compared: in small letters (specification, appendix "3PID Types").
///
/// # Errors
/// `InvalidParam` when it cannot be an e-mail address.
pub fn canonical_email(text: &str) -> Result<String> {
    let address = text.trim().to_lowercase();
    let plain = |c: char| !c.is_control() && !c.is_whitespace() && !"<>()[],;:\\\"".contains(c);
    let parts = address.rsplit_once('@').filter(|(local, domain)| {
        let labels = domain.split('.').all(|label| !label.is_empty());
        !local.is_empty() && !local.contains('@') && labels
    });
    if parts.is_none() || address.len() > LONGEST_ADDRESS || !address.chars().all(plain) {
        return Err(Error::invalid_param("This is not an e-mail address. It looks like name@example.org."));
    }
    Ok(address)
}

fn no_mail() -> Error {
    Error::new(Code::ThreepidMediumNotSupported, "This server sends no mail. Ask your administrator.")
}

fn unproven() -> Error {
    Error::new(
        Code::ThreepidAuthFailed,
        "The address is not confirmed yet. Open the link in the mail, then go on here.",
    )
}

/// The refusal of an address that belongs to an account.
pub fn in_use() -> Error {
    Error::new(Code::ThreepidInUse, "This address belongs to an account already.")
}

#[cfg(test)]
mod tests;
