//! Entries of a conversation's journal: what both ends see, in order, numbered without gaps.

use kontor_bridge_kit::{Context, Entry, JournalEntry, OutFile};
use kontor_model::{Error, Result};
use serde_json::{Value, json};

/// How far back the newest message of an employee is looked for.
const LOOK_BACK: i64 = 100;

/// An entry with this key.
pub fn entry(lane: &str, key: String, body: &Value) -> Entry {
    Entry { lane: lane.to_owned(), key, body: body.to_string() }
}

/// Id of a visitor's message: what the visitor's page chose.
pub fn visitor_id(client_id: &str) -> String {
    format!("c.{client_id}")
}

/// A text of the visitor.
pub fn visitor_text(client_id: &str, text: &str) -> Value {
    json!({ "kind": "message", "id": visitor_id(client_id), "from": "visitor", "text": text })
}

/// A file of the visitor.
pub fn visitor_file(client_id: &str, name: &str, media_type: &str, size: usize) -> Value {
    let file = json!({ "name": name, "type": media_type, "size": size });
    json!({ "kind": "message", "id": visitor_id(client_id), "from": "visitor", "text": "", "file": file })
}

/// A file of an employee; the page finds it by the entry's number.
pub fn agent_file(id: &str, name: Option<&str>, file: &OutFile) -> Value {
    json!({
        "kind": "message", "id": id, "from": "agent", "name": name,
        "text": file.caption.as_deref().unwrap_or_default(),
        "file": { "name": file.name, "type": file.media_type, "size": file.size, "get": true },
        "mxc": file.mxc,
    })
}

/// An entry as pages may see it. `None` when it cannot be read; it is left out then.
pub fn shown(entry: &JournalEntry, deleted: &[String]) -> Option<Value> {
    let mut body: Value = serde_json::from_str(&entry.body).ok()?;
    let gone = field(&body, "id").is_some_and(|id| deleted.iter().any(|deleted| deleted == id));
    let fields = body.as_object_mut()?;
    fields.remove("mxc");
    if gone && fields.get("kind").is_some_and(|kind| kind == "message" || kind == "edit") {
        for name in ["text", "rich", "file"] {
            fields.remove(name);
        }
        fields.insert("gone".to_owned(), json!(true));
    }
    fields.retain(|_, value| !value.is_null());
    fields.insert("seq".to_owned(), json!(entry.seq));
    fields.insert("at".to_owned(), json!(entry.at));
    Some(body)
}

/// The newest message of an employee up to a number: its number and id.
///
/// # Errors
/// `Unavailable` when the memory is gone.
pub async fn newest_of_agent(context: &Context, lane: &str, up_to: i64) -> Result<Option<(i64, String)>> {
    let entries = context.since(lane, (up_to - LOOK_BACK).max(0), 100).await?;
    let known = entries.into_iter().rev().filter(|entry| entry.seq <= up_to);
    Ok(known.into_iter().find_map(|entry| of_agent(&entry)))
}

/// Number and id of an entry that is an employee's message.
pub fn of_agent(entry: &JournalEntry) -> Option<(i64, String)> {
    let body: Value = serde_json::from_str(&entry.body).ok()?;
    let message = field(&body, "kind") == Some("message") && field(&body, "from") == Some("agent");
    let id = field(&body, "id").filter(|_| message)?;
    Some((entry.seq, id.to_owned()))
}

/// Where an employee's file is, with its name and media type, by the number of its entry.
///
/// # Errors
/// `NotFound` when that entry has no file of an employee, or it was taken back.
pub async fn file_of(context: &Context, lane: &str, seq: i64) -> Result<(String, String, String)> {
    let none = || Error::not_found("There is no such file in this conversation.");
    if seq < 1 {
        return Err(none());
    }
    let entries = context.since(lane, seq - 1, 1).await?;
    let entry = entries.first().filter(|entry| entry.seq == seq).ok_or_else(none)?;
    let body: Value = serde_json::from_str(&entry.body).map_err(Error::internal)?;
    let id = field(&body, "id").unwrap_or_default();
    if deleted(context, lane).await?.iter().any(|gone| gone == id) {
        return Err(none());
    }
    let mxc = field(&body, "mxc").ok_or_else(none)?;
    let file = body.get("file").unwrap_or(&Value::Null);
    let text = |name: &str| field(file, name).unwrap_or_default().to_owned();
    Ok((mxc.to_owned(), text("name"), text("type")))
}

/// A text in an object.
fn field<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

/// Name under which a conversation's deleted messages are remembered.
fn deleted_name(lane: &str) -> String {
    format!("x:{lane}")
}

/// Ids of the messages that employees took back.
///
/// # Errors
/// `Unavailable` when the memory is gone.
pub async fn deleted(context: &Context, lane: &str) -> Result<Vec<String>> {
    let value = context.kept(&deleted_name(lane)).await?;
    value.map_or(Ok(Vec::new()), |value| serde_json::from_str(&value).map_err(Error::internal))
}

/// Remembers that a message was taken back: its text is told to no page any more.
///
/// # Errors
/// `Unavailable` when the memory is gone.
pub async fn delete(context: &Context, lane: &str, id: &str) -> Result<()> {
    const MOST: usize = 1000;
    let mut all = deleted(context, lane).await?;
    if all.iter().any(|gone| gone == id) {
        return Ok(());
    }
    all.push(id.to_owned());
    let first = all.len().saturating_sub(MOST);
    let value = serde_json::to_string(all.get(first..).unwrap_or_default()).map_err(Error::internal)?;
    let until = Some(context.now() + 2 * crate::visitor::REMEMBERED);
    let name = deleted_name(lane);
    context.keep(kontor_bridge_kit::Keep { name, value: Some(value), until, secret: false }).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(body: &Value) -> JournalEntry {
        JournalEntry { seq: 7, key: "k".to_owned(), at: 9, body: body.to_string() }
    }

    #[test]
    fn pages_see_neither_addresses_nor_what_was_taken_back() {
        let file = OutFile {
            mxc: "mxc://a/b".to_owned(),
            name: "oferta.pdf".to_owned(),
            media_type: "application/pdf".to_owned(),
            size: Some(3),
            kind: kontor_bridge_kit::FileKind::File,
            caption: None,
        };
        let entry = written(&agent_file("a1", Some("Anna"), &file));
        let seen = shown(&entry, &[]).unwrap();
        assert_eq!((&seen["seq"], &seen["file"]["name"]), (&json!(7), &json!("oferta.pdf")));
        assert!(!seen.to_string().contains("mxc"));
        let gone = shown(&entry, &["a1".to_owned()]).unwrap();
        assert!(gone["gone"] == true && !gone.to_string().contains("oferta"));
        assert_eq!(of_agent(&entry), Some((7, "a1".to_owned())));
        assert_eq!(of_agent(&written(&visitor_text("1", "x"))), None);
        assert_eq!(shown(&written(&json!("broken")), &[]), None);
    }
}
