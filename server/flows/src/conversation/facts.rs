//! News of facts for those who talk with the customer: a short line backstage of each open conversation, once for each
//! payment. What was told stands in the archive, so a crash delays it only.

use crate::Flows;
use kontor_contacts::shop::words::news;
use kontor_model::{Code, Language, Result};
use kontor_store::Change;
use kontor_store::contacts::facts::{self, UntoldRow};
use std::collections::BTreeMap;

/// Lines of one step.
const STEP: i64 = 100;
/// Steps of one round.
const STEPS: usize = 20;

impl Flows {
    /// Tells those in open conversations of payments that they were not told of.
    ///
    /// # Errors
    /// `Unavailable` when the archive is gone.
    pub async fn tell_facts(&self) -> Result<()> {
        for _ in 0..STEPS {
            let rows = facts::untold(&mut self.store.reader(), STEP).await?;
            if rows.is_empty() {
                return Ok(());
            }
            let whole = i64::try_from(rows.len()).is_ok_and(|count| count < STEP);
            let mut change = Change::default();
            let mut told: BTreeMap<i64, &str> = BTreeMap::new();
            for row in &rows {
                self.tell_fact(row).await?;
                told.insert(row.fact.nid, &row.fact.status);
            }
            // The last one may have further conversations.
            if !whole && told.len() > 1 {
                told.pop_last();
            }
            for (fact, status) in told {
                change.fact_told(fact, status);
            }
            self.store.submit(change).await?;
            if whole {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Looks once more whose a case is that was just written, and tells those in its conversations; `paid`: a payment
    /// was told, by which somebody may be a customer now.
    ///
    /// # Errors
    /// `Unavailable` when the archive is gone.
    pub async fn settle_case(&self, source: &str, case: &str, paid: bool) -> Result<()> {
        if let Some(change) = self.contacts.look_again(source, case).await? {
            self.store.submit(change).await?;
        }
        self.tell_facts().await?;
        if paid && let Some(contact) = facts::payer(&mut self.store.reader(), source, case).await? {
            self.relabel(&contact).await;
        }
        Ok(())
    }

    /// Tells one conversation of a fact, once; a room that refuses is passed over.
    async fn tell_fact(&self, row: &UntoldRow) -> Result<()> {
        let language = row.language.as_deref().and_then(Language::of).unwrap_or_default();
        let text = news(&row.fact, &row.source_name, language, &self.contacts.calendar);
        let key = format!("fact {} {}", row.fact.nid, row.fact.status);
        match self.say_backstage(&row.conversation, &row.backstage_id, &text, &key).await {
            Err(error) if error.code == Code::Unavailable => Err(error),
            Err(error) => {
                tracing::warn!(room.id = %row.backstage_id, error.cause = ?error, "Those backstage were not told of a payment.");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }
}
