//! Systems that may tell of facts: what an administrator writes down about one.

use crate::{Contacts, one_of, text};
use kontor_model::random::{TOKEN_LENGTH, opaque};
use kontor_model::{Error, Ms, Result};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::contacts::sources::{self, SourceRow};
use serde::Deserialize;

/// Kinds of systems.
pub const KINDS: [&str; 3] = ["kontor", "woocommerce", "shopify"];
/// Systems that there may be.
const MOST: usize = 100;
/// How long the secret before is taken, too.
pub const OVERLAP: Ms = 24 * HOUR;
/// Silence after which what a system told is shown as old, unless something else was said, hours.
const QUIET: i64 = 24;
/// Longest silence that can be said, hours: a year.
const LONGEST_QUIET: i64 = 24 * 366;
const HOUR: Ms = 3_600_000;

/// A system to be made known.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// As it stands in the address: small letters, figures, - and _.
    pub id: String,
    /// kontor, woocommerce, shopify.
    pub kind: String,
    /// What people call it; its id when absent.
    pub name: Option<String>,
    /// The secret that the system has already; one is made when absent.
    pub secret: Option<String>,
    /// Hours of silence after which what it told is shown as old; 24 when absent.
    pub quiet_hours: Option<i64>,
}

/// Another secret.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewSecret {
    /// The secret that the system has already; one is made when absent.
    pub secret: Option<String>,
}

/// Whether a word can name a system.
pub fn is_id(word: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    (1..=40).contains(&word.len()) && word.bytes().all(plain)
}

/// The refusal of what names no system.
pub fn unknown() -> Error {
    Error::not_found("There is no such shop.")
}

impl Contacts {
    fn secret(&self, given: Option<&str>) -> Result<String> {
        match given {
            None => Ok(opaque(&*self.random, TOKEN_LENGTH)),
            Some(secret) if secret.len() < 16 => {
                Err(Error::invalid_param("secret must have 16 letters and figures or more."))
            }
            Some(secret) => text(secret, "secret", 200),
        }
    }

    /// Plans a system; its secret is shown once. Submitting ends in `Conflict` when its id is taken.
    ///
    /// # Errors
    /// `InvalidParam` for what no system can be, or too many.
    pub async fn new_source(&self, wish: &Wish, actor: Actor) -> Result<(Change, SourceRow)> {
        if !is_id(&wish.id) {
            return Err(Error::invalid_param("id has 1 to 40 small letters, figures, - or _."));
        }
        let hours = wish.quiet_hours.unwrap_or(QUIET);
        if !(1..=LONGEST_QUIET).contains(&hours) {
            return Err(Error::invalid_param(format!("quiet_hours must be 1 to {LONGEST_QUIET}.")));
        }
        if sources::all(&mut self.store.reader()).await?.len() >= MOST {
            return Err(Error::invalid_param(format!("There may be {MOST} shops. Remove one first.")));
        }
        let row = SourceRow {
            id: wish.id.clone(),
            kind: one_of(&wish.kind, "kind", &KINDS)?.to_owned(),
            name: text(wish.name.as_deref().unwrap_or(&wish.id), "name", 120)?,
            secret: self.secret(wish.secret.as_deref())?,
            old: None,
            quiet: hours * HOUR,
            created_ts: self.now(),
            heard_ts: None,
        };
        let mut change = Change::default();
        change.add_source(&row);
        self.audit_source(&mut change, Action::FactSourceCreate, &row.id, actor).await?;
        Ok((change, row))
    }

    /// Plans another secret, which is shown once; the one before is taken for a day, too. Submitting ends in `Conflict`
    /// when there is no such system.
    ///
    /// # Errors
    /// `NotFound`, `InvalidParam`.
    pub async fn rotate_source(
        &self,
        id: &str,
        new: &NewSecret,
        actor: Actor,
    ) -> Result<(Change, SourceRow)> {
        let mut row = self.source(id).await?;
        let secret = self.secret(new.secret.as_deref())?;
        let mut change = Change::default();
        change.rotate_source(id, &secret, self.now() + OVERLAP);
        self.audit_source(&mut change, Action::FactSourceUpdate, id, actor).await?;
        row.secret = secret;
        Ok((change, row))
    }

    /// Plans that a system is forgotten with everything that it told. Submitting ends in `Conflict` when it is not there.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn remove_source(&self, id: &str, actor: Actor) -> Result<Change> {
        self.source(id).await?;
        let mut change = Change::default();
        change.remove_source(id);
        self.audit_source(&mut change, Action::FactSourceRemove, id, actor).await?;
        Ok(change)
    }

    /// A system.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn source(&self, id: &str) -> Result<SourceRow> {
        let found = match is_id(id) {
            true => sources::by_id(&mut self.store.reader(), id).await?,
            false => None,
        };
        found.ok_or_else(unknown)
    }

    async fn audit_source(&self, change: &mut Change, action: Action, id: &str, actor: Actor) -> Result<()> {
        change.audit(self.store.nid().await?, Audit::done(action, actor, self.now()).on("fact_source", id));
        Ok(())
    }
}
