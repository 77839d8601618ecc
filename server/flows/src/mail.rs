//! Mail on its way: letters that departments laid out in the outbox are handed to the mail server,
//! at least once, by one process for all.
//!
//! A refusal for now is tried again later, less and less often; a refusal for good and a letter that
//! is of no use any more are dropped. How a mail server is spoken to is the mailer's business.

use crate::Flows;
use futures_util::future::BoxFuture;
use futures_util::{StreamExt, TryStreamExt, stream};
use kontor_identity::letter::{KIND, Letter};
use kontor_model::{Ms, Result, random};
use kontor_store::Change;
use kontor_store::outbox::{self, OutboxRow};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;

/// How often the outbox is looked at when nobody says that there is something new.
const LOOK: Duration = Duration::from_secs(3);
/// Letters of one round.
const ROUND: i64 = 20;
/// Letters that are handed over at a time.
const AT_ONCE: usize = 4;
/// Time for handing one letter over.
const PATIENCE: Duration = Duration::from_secs(60);
/// Wait after the first refusal; it doubles with each further one.
const FIRST_WAIT: Ms = 5_000;
/// Longest wait.
const LONGEST_WAIT: Ms = 60 * 60 * 1000;

/// A letter in the form in which it leaves.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// The address that it goes to.
    pub to: String,
    /// Its subject.
    pub subject: String,
    /// Its plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
    /// The same for every try.
    pub id: String,
}

/// Why a letter was not handed over. The words never name an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undelivered {
    /// It never will be.
    Never(String),
    /// It may be later.
    NotNow(String),
}

/// Whoever hands letters to a mail server.
pub trait Mailer: Send + Sync {
    /// Hands a letter over; done when the mail server has taken it.
    fn send(&self, envelope: Envelope) -> BoxFuture<'_, Result<(), Undelivered>>;
}

/// The way out for letters.
#[derive(Default)]
pub struct Mail {
    /// Who hands them over; nobody on servers that send no mail.
    pub mailer: Option<Arc<dyn Mailer>>,
    /// Tells that a letter was laid out.
    pub laid_out: Notify,
}

/// What became of a letter.
enum Outcome {
    Gone,
    Later(Ms),
}

impl Flows {
    /// Delivers letters until the server stops; returns at once on servers that send no mail.
    pub async fn keep_mailing(&self) {
        let Some(mailer) = self.mail.mailer.clone() else { return };
        loop {
            tokio::select! {
                () = self.mail.laid_out.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
                () = self.stopping() => return,
            }
            tokio::select! {
                round = self.mail_round(&*mailer) => if let Err(error) = round {
                    tracing::warn!(error.cause = ?error, "letters were not delivered; trying again later");
                },
                // What was under way is delivered again after the next start, under the same id.
                () = self.stopping() => return,
            }
        }
    }

    /// Tries every letter whose time has come, if this process has the turn.
    async fn mail_round(&self, mailer: &dyn Mailer) -> Result<()> {
        loop {
            let now = self.clock.now();
            let rows = outbox::due(&mut self.store.reader(), KIND, now, ROUND).await?;
            if rows.is_empty() {
                return Ok(());
            }
            let tries =
                rows.into_iter().map(|row| async move { (row.outbox, self.try_letter(mailer, &row).await) });
            let round = stream::iter(tries).buffer_unordered(AT_ONCE).map(Ok).try_collect::<Vec<_>>();
            let Some(outcomes) = self.in_turn("mail", round).await? else { return Ok(()) };
            let mut change = Change::default();
            for (row, outcome) in outcomes {
                match outcome {
                    Outcome::Gone => change.drop_outbox(row),
                    Outcome::Later(next_ts) => change.delay_outbox(row, next_ts),
                }
            }
            self.store.submit(change).await?;
        }
    }

    async fn try_letter(&self, mailer: &dyn Mailer, row: &OutboxRow) -> Outcome {
        let now = self.clock.now();
        let letter = match serde_json::from_str::<Letter>(&row.payload) {
            Ok(letter) if row.expires_ts > now => letter,
            Ok(_) => {
                tracing::warn!(
                    outbox.id = row.outbox,
                    "a letter was not delivered in time and is of no use any more"
                );
                return Outcome::Gone;
            }
            Err(error) => {
                tracing::error!(outbox.id = row.outbox, error.cause = %error, "a letter cannot be read");
                return Outcome::Gone;
            }
        };
        let words = letter.words(self.settings.server_name.as_str());
        let id = format!("kontor-{}-{}", row.created_ts, row.outbox);
        let envelope =
            Envelope { to: letter.to, subject: words.subject, text: words.text, html: words.html, id };
        let sent = timeout(PATIENCE, mailer.send(envelope)).await;
        match sent.unwrap_or_else(|_| Err(Undelivered::NotNow("no answer in time".to_owned()))) {
            Ok(()) => {
                tracing::info!(outbox.id = row.outbox, "a letter was handed to the mail server");
                Outcome::Gone
            }
            Err(Undelivered::Never(cause)) => {
                tracing::warn!(outbox.id = row.outbox, error.cause = cause, "a letter was refused for good");
                Outcome::Gone
            }
            Err(Undelivered::NotNow(cause)) => {
                let wait = self.wait_after(row.attempt);
                tracing::warn!(
                    outbox.id = row.outbox,
                    outbox.attempt = row.attempt + 1,
                    error.cause = cause,
                    duration_ms = wait,
                    "the mail server did not take a letter; trying again later"
                );
                Outcome::Later(now + wait)
            }
        }
    }

    /// How long to wait after so many refusals, and a little by chance.
    fn wait_after(&self, attempt: i64) -> Ms {
        let doubled = FIRST_WAIT << attempt.clamp(0, 20);
        let wait = doubled.min(LONGEST_WAIT);
        let mut byte = [0_u8; 1];
        random::Random::fill(&*self.random, &mut byte);
        wait + wait / 4 * i64::from(byte[0]) / 256
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Town;
    use kontor_identity::letter::Cause;
    use kontor_model::Language;
    use std::sync::Mutex;

    /// Refuses as it was told, in order, then takes everything.
    #[derive(Default)]
    struct Told {
        refusals: Mutex<Vec<Undelivered>>,
        taken: Mutex<Vec<Envelope>>,
    }

    impl Mailer for Told {
        fn send(&self, envelope: Envelope) -> BoxFuture<'_, Result<(), Undelivered>> {
            let refusal = self.refusals.lock().unwrap().pop();
            if refusal.is_none() {
                self.taken.lock().unwrap().push(envelope);
            }
            Box::pin(async move { refusal.map_or(Ok(()), Err) })
        }
    }

    async fn lay_out(flows: &Flows, expires_ts: Ms) {
        let letter =
            Letter { to: "a@b.example".into(), cause: Cause::Reset, language: Language::English, link: None };
        let mut change = Change::default();
        let nid = flows.store.nid().await.unwrap();
        change.put_outbox(nid, KIND, &serde_json::to_string(&letter).unwrap(), 1_000, expires_ts);
        flows.store.submit(change).await.unwrap();
    }

    async fn left(flows: &Flows) -> Vec<OutboxRow> {
        outbox::due(&mut flows.store.reader(), KIND, Ms::MAX, 100).await.unwrap()
    }

    #[tokio::test]
    async fn letters_are_handed_over_once_and_tried_again_after_a_refusal_for_now() {
        let town = Town::of(1).await;
        let flows = &town.processes[0];
        let mailer = Told::default();
        lay_out(flows, 10_000).await;
        flows.mail_round(&mailer).await.unwrap();
        flows.mail_round(&mailer).await.unwrap();
        let still = left(flows).await.len();
        assert_eq!((mailer.taken.lock().unwrap().len(), still), (1, 0));
        mailer.refusals.lock().unwrap().push(Undelivered::NotNow("busy".into()));
        lay_out(flows, 10_000).await;
        flows.mail_round(&mailer).await.unwrap();
        let waiting = left(flows).await;
        assert_eq!((waiting.len(), waiting[0].attempt), (1, 1));
        assert_eq!(mailer.taken.lock().unwrap().len(), 1, "not before its time");
    }

    #[tokio::test]
    async fn refusals_for_good_and_letters_of_no_use_are_dropped() {
        let town = Town::of(1).await;
        let flows = &town.processes[0];
        let mailer = Told::default();
        mailer.refusals.lock().unwrap().push(Undelivered::Never("nobody".into()));
        lay_out(flows, 10_000).await;
        flows.mail_round(&mailer).await.unwrap();
        lay_out(flows, 999).await;
        flows.mail_round(&mailer).await.unwrap();
        let still = left(flows).await.len();
        assert_eq!((mailer.taken.lock().unwrap().len(), still), (0, 0));
    }
}
