//! Until when the network takes answers, shown to those backstage before they write: when a conversation begins,
//! when little time is left, and when none is.

use crate::Flows;
use kontor_contacts::health;
use kontor_model::{Code, Language, Ms, Result};
use kontor_store::Change;
use kontor_store::contacts::channel_state::Affected;
use kontor_store::contacts::conversations;
use kontor_store::contacts::windows::{self, WindowRow};
use serde_json::json;

/// State of backstage rooms that says until when answers are taken.
pub const WINDOW: &str = "dev.kontor.window";
/// Conversations of one step, and steps of one round.
const STEP: i64 = 100;
const STEPS: usize = 10;
/// Before a room that could not be told is tried again.
const AGAIN: Ms = 60_000;

impl Flows {
    /// Tells what is to be told of windows.
    ///
    /// # Errors
    /// `Unavailable` when the archive is gone.
    pub async fn tend_windows(&self) -> Result<()> {
        self.in_turn("windows", self.window_round()).await.map(drop)
    }

    async fn window_round(&self) -> Result<()> {
        for _ in 0..STEPS {
            let now = self.clock.now();
            let due = windows::due(&mut self.store.reader(), now, STEP).await?;
            if due.is_empty() {
                return Ok(());
            }
            for row in &due {
                self.tell_window(row, now).await?;
            }
        }
        Ok(())
    }

    async fn tell_window(&self, row: &WindowRow, now: Ms) -> Result<()> {
        let (stage, mut next) = health::stage(row.window, row.until(), now);
        if stage != row.told
            && let Err(error) = self.show_window(row, stage).await
        {
            if error.code == Code::Unavailable {
                return Err(error);
            }
            tracing::warn!(conversation.id = %row.conversation, error.cause = ?error, "A room was not told until when answers are taken.");
            next = Some(now + AGAIN);
        }
        let mut change = Change::default();
        change.told_window(row, stage, next);
        match self.store.submit(change).await {
            // The customer wrote meanwhile, or another process told it: it is looked at again.
            Err(error) if error.is_conflict() => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    async fn show_window(&self, row: &WindowRow, stage: i64) -> Result<()> {
        let Some(talk) = conversations::by_id(&mut self.store.reader(), &row.conversation).await? else {
            return Ok(());
        };
        let language = talk.language.as_deref().and_then(Language::of).unwrap_or_default();
        let until = self.contacts.calendar.shown(row.until());
        let state = match stage {
            1 => "open",
            2 => "closing",
            _ => "closed",
        };
        let room = Affected {
            conversation: talk.id,
            account: String::new(),
            room_id: talk.backstage_id,
            language: talk.language,
        };
        let text = health::window_sentence(language, stage, &until);
        let content = json!({ "state": state, "until_ts": row.until() });
        self.show_state(&room, WINDOW, content, (false, &text)).await
    }
}
