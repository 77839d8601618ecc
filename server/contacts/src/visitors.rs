//! Forgetting visitors of whom nothing is known: what the registry holds of somebody who looked in once and never
//! said who they are. What was said with them stays in its rooms for as long as those are kept.

use crate::Contacts;
use crate::ulid;
use kontor_model::Result;
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::contacts::visitors;
use std::sync::{MutexGuard, PoisonError};

/// Contacts that one step looks at.
const STEP: i64 = 500;

/// A step of the sweep.
#[derive(Debug, Default)]
pub struct Step {
    /// What is written.
    pub change: Change,
    /// Contacts that are forgotten and have rooms: those are named anew.
    pub renamed: Vec<String>,
    /// Whether there are more to be looked at in this round.
    pub more: bool,
}

impl Contacts {
    /// Plans to forget some of the visitors, beginning where the last step ended. Whoever has conversations stays as somebody without a
    /// name, so that what they write later finds its room; of the others nothing remains.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn forget_visitors(&self) -> Result<Step> {
        if self.silence == 0 {
            return Ok(Step::default());
        }
        let before = self.now() - self.silence;
        // Ids begin with the moment at which they were made.
        let until = ulid::first_at(before);
        let mut source = self.store.reader();
        let after = self.swept().clone();
        let looked = visitors::next(&mut source, &after, &until, STEP).await?;
        let ids: Vec<&str> = looked.iter().map(String::as_str).collect();
        let silent = visitors::silent(&mut source, &ids, before).await?;
        let more = i64::try_from(looked.len()).is_ok_and(|count| count == STEP);
        let mut step = Step { more, ..Step::default() };
        // After a restart it begins anew, as it does at the end.
        *self.swept() = looked.last().filter(|_| more).cloned().unwrap_or_default();
        let (named, nobody): (Vec<_>, Vec<_>) = silent.into_iter().partition(|row| row.talks);
        let all: Vec<&str> = named.iter().chain(&nobody).map(|row| row.contact.as_str()).collect();
        if all.is_empty() {
            return Ok(step);
        }
        step.change.forget_visitors(&all, self.now());
        step.change.remove_contacts(&nobody.iter().map(|row| row.contact.as_str()).collect::<Vec<_>>());
        let mut audit = Audit::done(Action::ContactForget, Actor::default(), self.now());
        audit.detail = Some(serde_json::json!({ "contacts": all }).to_string());
        step.change.audit(self.store.nid().await?, audit);
        step.renamed = named.into_iter().map(|row| row.contact).collect();
        Ok(step)
    }

    fn swept(&self) -> MutexGuard<'_, String> {
        self.swept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
