//! The card beside a conversation: the state by which Element and its relatives show a page in a room
//! (MSC1236 and MSC2764; the layout is Element's own).

use crate::Flows;
use crate::caller::Caller;
use crate::state::NewState;
use kontor_model::json::event_content;
use kontor_model::{Code, Error, Language, Result};
use kontor_rooms::create::InitialState;
use kontor_store::Change;
use kontor_store::contacts::widgets::{self, Backstage};
use ruma::{CanonicalJsonObject, OwnedRoomId, UserId};
use serde_json::{Value, json};

/// Name of the widget.
const WIDGET: &str = "dev.kontor.card";
/// Rooms of one step, and steps of one round, after the setting changed.
const STEP: i64 = 100;
const STEPS: usize = 3;
/// What clients put in themselves: language and colours of whoever looks.
const OF_CLIENT: &str =
    "?widget=1&lang=$org.matrix.msc2873.client_language&theme=$org.matrix.msc2873.client_theme";

/// State of a backstage room that shows the card of a conversation.
///
/// # Errors
/// `Internal` for what is no content, which would be a defect.
pub(crate) fn state(
    link: &str,
    conversation: &str,
    company: &UserId,
    language: Language,
) -> Result<Vec<InitialState>> {
    let name = match language {
        Language::English => "Card",
        Language::Polish => "Karta",
        Language::Ukrainian => "Картка",
    };
    let widget = json!({
        "id": WIDGET,
        "type": "m.custom",
        "name": name,
        "url": format!("{link}{OF_CLIENT}"),
        "creatorUserId": company,
        "waitForIframeLoad": true,
        "data": { "conversation_id": conversation },
    });
    let layout = json!({ "widgets": { WIDGET: { "container": "right" } } });
    [("im.vector.modular.widgets", WIDGET, widget), ("io.element.widgets.layout", "", layout)]
        .into_iter()
        .map(|(kind, key, content)| initial(kind, key, &content))
        .collect()
}

fn initial(kind: &str, key: &str, content: &Value) -> Result<InitialState> {
    let content = event_content(&serde_json::value::to_raw_value(content).map_err(Error::internal)?)?;
    Ok(InitialState { kind: kind.to_owned(), state_key: key.to_owned(), content })
}

impl Flows {
    /// Shows the card in rooms that were made before the server was told to, changes it where it is elsewhere now, and
    /// takes it away when it is shown no more: a bounded part each time, through all rooms once for each setting.
    ///
    /// # Errors
    /// `Unavailable` when the archive is gone.
    pub(super) async fn tend_widgets(&self) -> Result<()> {
        let base = if self.settings.card_widget { self.card_link("") } else { String::new() };
        for _ in 0..STEPS {
            let walk = widgets::walk(&mut self.store.reader()).await?.filter(|walk| walk.base == base);
            let at = match walk {
                Some(walk) => match walk.at {
                    None => return Ok(()),
                    Some(at) => at,
                },
                None => {
                    let mut change = Change::default();
                    change.begin_widgets(&base);
                    self.store.submit(change).await?;
                    String::new()
                }
            };
            let ahead = widgets::ahead(&mut self.store.reader(), &at, STEP).await?;
            for room in &ahead {
                self.tend_widget(room).await?;
            }
            let to_the_end = i64::try_from(ahead.len()).is_ok_and(|count| count < STEP);
            let last = ahead.last().filter(|_| !to_the_end).map(|room| room.conversation.as_str());
            let mut change = Change::default();
            change.walk_widgets(&base, &at, last);
            match self.store.submit(change).await {
                // Another process takes the same steps.
                Err(error) if error.is_conflict() => {}
                outcome => drop(outcome?),
            }
        }
        Ok(())
    }

    /// Makes one room show what it should; a room that refuses is passed over.
    async fn tend_widget(&self, room: &Backstage) -> Result<()> {
        match self.set_widget(room).await {
            Err(error) if error.code == Code::Unavailable => Err(error),
            Err(error) => {
                tracing::warn!(room.id = %room.room_id, error.cause = ?error, "A room does not show the card as it should.");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    async fn set_widget(&self, room: &Backstage) -> Result<()> {
        let room_id = OwnedRoomId::try_from(room.room_id.as_str()).map_err(Error::internal)?;
        let company = self.company().await?;
        let language = room.language.as_deref().and_then(Language::of).unwrap_or_default();
        let link = self.card_link(&room.conversation);
        let head = self.rooms.lanes.peek(&room_id).await?;
        for InitialState { kind, state_key, content } in
            state(&link, &room.conversation, &company.user_id, language)?
        {
            let there = head.get(&kind.as_str().into(), &state_key).is_some();
            // What is empty is what clients take for absent.
            let content = if self.settings.card_widget { content } else { CanonicalJsonObject::new() };
            if there || !content.is_empty() {
                let new = NewState { room_id: &room_id, kind: &kind, key: &state_key, content };
                let by = Caller { requester: &company, actor: Default::default(), now: self.clock.now() };
                self.set_state(&by, new).await?;
            }
        }
        Ok(())
    }
}
