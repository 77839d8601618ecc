//! What employees do reaches the visitor: an entry in the journal, which every page of the visitor reads.

use crate::visitor::{self, Visitor};
use crate::{WebChat, entry, rich, words};
use kontor_bridge_kit::{Act, Context, Outcome, Outgoing, Policy, Rung, SendError, Whom};
use serde_json::{Value, json};

/// Whether there is a window at the other end.
pub fn policy(lane: &Whom) -> Policy {
    if lane.id_type == visitor::ID_TYPE {
        Policy::Open
    } else {
        Policy::Closed(words::no_window(lane.language))
    }
}

/// The entry of an act.
fn body(outgoing: &Outgoing) -> Value {
    let name = outgoing.author.name.as_deref();
    let marks = |html: &Option<String>| html.as_deref().and_then(rich::marks);
    match &outgoing.act {
        Act::Text { text, html, reply_to } => json!({
            "kind": "message", "id": outgoing.ours, "from": "agent", "name": name,
            "text": text, "rich": marks(html), "reply": reply_to,
        }),
        Act::File { file, reply_to } => {
            let mut body = entry::agent_file(&outgoing.ours, name, file);
            if let Some(fields) = body.as_object_mut() {
                fields.insert("reply".to_owned(), json!(reply_to));
            }
            body
        }
        Act::Edit { remote, text, html } => {
            json!({ "kind": "edit", "id": remote, "text": text, "rich": marks(html) })
        }
        Act::Delete { remote } => json!({ "kind": "delete", "id": remote }),
        Act::React { remote, key } => json!({ "kind": "reaction", "id": remote, "key": key }),
    }
}

impl WebChat {
    /// Writes what an employee did into the journal. The key is ours, so it stands there once.
    pub(crate) async fn deliver(&self, context: &Context, outgoing: &Outgoing) -> Result<Outcome, SendError> {
        let lane = &outgoing.to.lane;
        if let Policy::Closed(failure) = policy(&outgoing.to) {
            return Ok(Outcome::Failed(failure));
        }
        let visitor = Visitor::load(context, lane).await.map_err(SendError::unwritten)?;
        if visitor.is_none() {
            return Ok(Outcome::Failed(words::gone(outgoing.to.language)));
        }
        if let Act::Delete { remote } = &outgoing.act {
            entry::delete(context, lane, remote).await.map_err(SendError::unwritten)?;
        }
        let entry = entry::entry(lane, format!("a:{}", outgoing.ours), &body(outgoing));
        context.append(entry).await.map_err(SendError::unknown)?;
        self.presence.typing(lane, false, None, context.now());
        let is_message = matches!(outgoing.act, Act::Text { .. } | Act::File { .. });
        Ok(Outcome::Taken { remote: is_message.then(|| outgoing.ours.clone()), rung: Rung::Sent })
    }
}
