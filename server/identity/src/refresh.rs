//! Refreshing tokens.
//!
//! A refresh token is good for exactly one next pair. A client whose answer was lost asks again and
//! gets the same pair, until it has shown that it has it by using one of the two. Whoever comes with
//! the old token after that is not the client, or has been robbed: the session ends.

use crate::sessions::{refuse_ended, unknown};
use crate::tokens::{SALT_BYTES, hash, next_pair};
use crate::{AccountState, Identity};
use kontor_model::{Ms, Result, Secret};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::identity::sessions::{self, RefreshRow};

/// The next pair of tokens.
#[derive(Clone, Debug)]
pub struct Pair {
    /// For requests.
    pub access_token: Secret<String>,
    /// For the next refresh.
    pub refresh_token: Secret<String>,
    /// How long the access token works.
    pub expires_in_ms: Ms,
}

/// What a refresh comes to.
#[derive(Debug)]
pub enum Refresh {
    /// The pair that was given out before, to be given out again.
    Again(Pair),
    /// A new pair, once the change is written. `Conflict` means that the same token was redeemed at
    /// the same moment: ask again for the pair that it got.
    New(Pair, Change),
    /// The token was used after its successor: the session ends with the change, and the caller
    /// is refused.
    Stolen(Change),
}

impl Identity {
    /// Plans the answer to a refresh token.
    ///
    /// # Errors
    /// `UnknownToken`; `UserLocked`.
    pub async fn refresh(&self, token: &Secret<String>, actor: Actor) -> Result<Refresh> {
        let old = hash(token.expose());
        let row = sessions::by_refresh_token(&mut self.store.reader(), &old).await?;
        // Unknown may mean long ago: nobody wanted the device gone, so it keeps its keys.
        let row = row.ok_or_else(|| unknown(true))?;
        refuse_ended(&row.session)?;
        AccountState::of(&row.session.state).admit().map_err(|error| match error.code {
            kontor_model::Code::UserDeactivated => unknown(false),
            _ => error,
        })?;
        let known = row.session.generation.max(self.upkeep.generation(row.session.session));
        if known > row.generation {
            return Ok(Refresh::Stolen(self.stolen(&row, actor).await?));
        }
        let now = self.now();
        if let Some(salt) = &row.salt {
            let (access, refresh) = next_pair(token.expose(), salt)?;
            let left = row.next_expires_ts.map_or(0, |expires| (expires - now).max(0));
            return Ok(Refresh::Again(pair(access, refresh, left)));
        }
        let mut salt = [0_u8; SALT_BYTES];
        self.random.fill(&mut salt);
        let (access, refresh) = next_pair(token.expose(), &salt)?;
        let (session, next) = (row.session.session, row.generation + 1);
        let life = self.options.access_token_life;
        let mut change = Change::default();
        change.redeem_refresh_token(&old, &salt, session, row.generation, now);
        change.note_generation(session, row.generation);
        change.add_access_token(&hash(&access), session, next, Some(now + life));
        change.add_refresh_token(&hash(&refresh), session, next);
        let actor = Actor { user: Some(row.session.user), session: Some(session), ..actor };
        let audit = Audit::done(Action::AuthTokenRefresh, actor, now).on("device", row.session.device_id);
        change.audit(self.store.nid().await?, audit);
        Ok(Refresh::New(pair(access, refresh, life), change))
    }

    async fn stolen(&self, row: &RefreshRow, actor: Actor) -> Result<Change> {
        let now = self.now();
        let mut change = Change::default();
        change.end_session(row.session.session, row.session.user, now, "reused");
        let mut audit =
            Audit::done(Action::AuthTokenRevoked, actor, now).on("device", row.session.device_id.clone());
        audit.detail = Some(
            serde_json::json!({ "reason": "refresh token reused", "user": row.session.user_id }).to_string(),
        );
        change.audit(self.store.nid().await?, audit);
        Ok(change)
    }
}

fn pair(access: String, refresh: String, expires_in_ms: Ms) -> Pair {
    Pair { access_token: Secret::new(access), refresh_token: Secret::new(refresh), expires_in_ms }
}
