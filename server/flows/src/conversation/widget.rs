//! The card beside a conversation: the state by which Element and its relatives show a page in a room
//! (MSC1236 and MSC2764; the layout is Element's own).

use kontor_model::json::event_content;
use kontor_model::{Error, Language, Result};
use kontor_rooms::create::InitialState;
use ruma::UserId;
use serde_json::{Value, json};

/// Name of the widget.
const WIDGET: &str = "dev.kontor.card";
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
