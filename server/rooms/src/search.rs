//! What of a room can be found by its words, and what a question asks for (client-server API,
//! "Server Side Search"). Pure rules; the index is the archive's, and who may see a place is decided
//! by [`crate::Visibility`].

use kontor_model::{Nid, fold};
use kontor_store::search::MAX_WEIGHT;
use kontor_store::search::feed::FeedEvent;
use kontor_store::search::read::Term;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};

/// Bytes of a text that are indexed.
const MAX_TEXT: usize = 32_768;
/// Different words of a text that are indexed.
const MAX_WORDS: usize = 1_000;
/// Words of a question that count.
const MAX_TERMS: usize = 12;
/// Words of so many letters also mean longer ones: with inflected words the beginning is what people
/// remember.
const PREFIX_FROM: usize = 3;
/// Words to highlight in one answer at most.
const MAX_HIGHLIGHTS: usize = 200;

/// Marks names of rooms.
pub const NAME: &str = "#n";
/// Marks topics of rooms.
pub const TOPIC: &str = "#t";
/// Marks messages whose content has a `url`.
pub const URL: &str = "#u";

/// Marks what somebody sent.
pub fn sender_mark(sender: Nid) -> String {
    format!("#s{sender}")
}

/// What of an event is found by its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Searchable {
    /// The text.
    pub text: String,
    /// What it is, for filters.
    pub marks: Vec<String>,
}

fn text_at(content: &Value, key: &str) -> Option<String> {
    content.get(key).and_then(Value::as_str).map(str::to_owned)
}

/// The topic, with the plain text of its newer form if that is another one.
fn topic(content: &Value) -> Option<String> {
    let forms = content.get("m.topic").and_then(|topic| topic.get("m.text")).and_then(Value::as_array);
    let plain = |form: &&Value| {
        form.get("mimetype").is_none_or(|mimetype| mimetype.as_str().is_some_and(|kind| kind == "text/plain"))
    };
    let newer = forms.and_then(|forms| forms.iter().find(plain)).and_then(|form| text_at(form, "body"));
    match (text_at(content, "topic"), newer) {
        (Some(topic), Some(newer)) if newer != topic => Some(format!("{topic}\n{newer}")),
        (topic, newer) => topic.or(newer),
    }
}

/// What can be found of an event: messages, names and topics. Nothing of edits, which stand for
/// another message ([`edited`]), of redacted events and of encrypted ones.
pub fn searchable(event: &FeedEvent) -> Option<Searchable> {
    if event.redacted || replaces(event).is_some() {
        return None;
    }
    let content: Value = serde_json::from_str(&event.content).ok()?;
    let (text, mark) = match (event.kind.as_str(), event.state_key.as_deref()) {
        ("m.room.message", None) => (text_at(&content, "body")?, None),
        ("m.room.name", Some("")) => (text_at(&content, "name")?, Some(NAME)),
        ("m.room.topic", Some("")) => (topic(&content)?, Some(TOPIC)),
        _ => return None,
    };
    let mut marks = vec![sender_mark(event.sender)];
    marks.extend(mark.map(str::to_owned));
    if mark.is_none() && content.get("url").is_some_and(Value::is_string) {
        marks.push(URL.to_owned());
    }
    Some(Searchable { text, marks })
}

/// The id of the message that an event is an edit of.
pub fn replaces(event: &FeedEvent) -> Option<&str> {
    let (target, _) = event.relates_to.as_ref().filter(|(_, how)| how == "m.replace")?;
    (event.kind == "m.room.message" && event.state_key.is_none()).then_some(target)
}

/// The text that an edit gives a message, if it may (client-server API, "Validity of replacement
/// events").
pub fn edited(edit: &FeedEvent, root: &FeedEvent) -> Option<Searchable> {
    let valid = !edit.redacted
        && !root.redacted
        && edit.sender == root.sender
        && edit.room == root.room
        && root.kind == edit.kind
        && root.state_key.is_none()
        && root.ord < edit.ord
        && replaces(root).is_none();
    if !valid {
        return None;
    }
    let content: Value = serde_json::from_str(&edit.content).ok()?;
    let new = content.get("m.new_content").filter(|new| new.is_object())?;
    let mut marks = vec![sender_mark(edit.sender)];
    if new.get("url").is_some_and(Value::is_string) {
        marks.push(URL.to_owned());
    }
    Some(Searchable { text: text_at(new, "body").unwrap_or_default(), marks })
}

/// The id of the event that a redaction redacts.
pub fn redacts(event: &FeedEvent) -> Option<String> {
    if event.kind != "m.room.redaction" {
        return None;
    }
    let read =
        |text: &str| serde_json::from_str::<Value>(text).ok().and_then(|value| text_at(&value, "redacts"));
    read(&event.content).or_else(|| event.extra.as_deref().and_then(read))
}

impl Searchable {
    /// The words of the text with their weights, and its marks. A word weighs more the more often it
    /// is said, and the shorter the text.
    pub fn words(&self) -> Vec<(String, u8)> {
        let mut end = self.text.len().min(MAX_TEXT);
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let mut counts: HashMap<String, u32> = HashMap::new();
        let mut length = 0_u32;
        for word in fold::words(self.text.get(..end).unwrap_or_default()) {
            length += 1;
            if counts.len() < MAX_WORDS || counts.contains_key(&word.folded) {
                *counts.entry(word.folded).or_default() += 1;
            }
        }
        let mut words: Vec<(String, u8)> =
            counts.into_iter().map(|(word, count)| (word, weight(count, length))).collect();
        words.sort_unstable();
        words.extend(self.marks.iter().map(|mark| (mark.clone(), 0)));
        words
    }
}

/// As BM25 has it, for texts that are 12 words long on the average.
fn weight(count: u32, length: u32) -> u8 {
    let (count, length) = (f64::from(count), f64::from(length));
    let share = count / (count + 1.2 * (0.25 + 0.75 * length / 12.0));
    let weight = (share * f64::from(MAX_WEIGHT)).round().clamp(1.0, f64::from(MAX_WEIGHT));
    // Between 1 and 63.
    weight as u8
}

/// What somebody looks for: texts that hold all of these words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// The words, those first that probably stand in the fewest texts.
    pub terms: Vec<Term>,
}

impl Query {
    /// Reads what a person typed; any text is a question. One without a word asks for nothing.
    pub fn parse(text: &str) -> Self {
        let mut terms: Vec<Term> = Vec::new();
        for word in fold::words(text).take(MAX_TERMS * 4) {
            let prefix = word.folded.chars().count() >= PREFIX_FROM;
            let term = Term { word: word.folded, prefix };
            if terms.len() < MAX_TERMS && !terms.contains(&term) {
                terms.push(term);
            }
        }
        terms.sort_by_key(|term| std::cmp::Reverse(term.word.len()));
        Self { terms }
    }

    /// Adds the words of a text that were found, as they are written there, for clients that
    /// highlight what they are told.
    pub fn highlight(&self, text: &str, into: &mut BTreeSet<String>) {
        for word in fold::words(text) {
            let means = |term: &Term| match term.prefix {
                true => word.folded.starts_with(&term.word),
                false => word.folded == term.word,
            };
            if into.len() < MAX_HIGHLIGHTS && self.terms.iter().any(means) {
                into.insert(word.written.to_lowercase());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn event(kind: &str, content: Value) -> FeedEvent {
        let relation = content.get("m.relates_to").cloned().unwrap_or_default();
        FeedEvent {
            event_id: "$e".into(),
            room: 1,
            ord: 5,
            kind: kind.into(),
            sender: 9,
            state_key: (kind != "m.room.message").then(String::new),
            redacted: false,
            relates_to: text_at(&relation, "event_id").zip(text_at(&relation, "rel_type")),
            content: content.to_string(),
            extra: None,
        }
    }

    fn edit(text: &str) -> FeedEvent {
        let relation = json!({ "rel_type": "m.replace", "event_id": "$e" });
        let new = json!({ "body": text, "msgtype": "m.text" });
        let content = json!({ "body": "* x", "m.new_content": new, "m.relates_to": relation });
        FeedEvent { ord: 7, ..event("m.room.message", content) }
    }

    #[test]
    fn messages_names_and_topics_are_found() {
        let text = |event: &FeedEvent| searchable(event).map(|found| found.text);
        assert_eq!(text(&event("m.room.message", json!({ "body": "a" }))).unwrap(), "a");
        assert_eq!(text(&event("m.room.name", json!({ "name": "b" }))).unwrap(), "b");
        assert_eq!(text(&event("m.room.topic", json!({ "topic": "c" }))).unwrap(), "c");
        let newer = json!({ "m.text": [{ "mimetype": "text/html", "body": "<b>" }, { "body": "d" }] });
        assert_eq!(text(&event("m.room.topic", json!({ "m.topic": newer }))).unwrap(), "d");
        assert_eq!(text(&event("m.room.topic", json!({ "topic": "c", "m.topic": newer }))).unwrap(), "c\nd");
        for content in [json!({}), json!({ "body": 5 }), json!([]), json!({ "name": ["x"], "topic": {} })] {
            for kind in ["m.room.message", "m.room.name", "m.room.topic", "m.room.encrypted"] {
                assert_eq!(text(&event(kind, content.clone())), None, "{kind} {content}");
            }
        }
        assert_eq!(text(&event("m.room.encrypted", json!({ "body": "a" }))), None);
        let redacted = FeedEvent { redacted: true, ..event("m.room.message", json!({ "body": "a" })) };
        assert_eq!(text(&redacted), None);
        let file = searchable(&event("m.room.message", json!({ "body": "a", "url": "mxc://x/y" }))).unwrap();
        assert_eq!(file.marks, ["#s9", "#u"]);
    }

    #[test]
    fn edits_stand_for_the_message_of_the_same_sender() {
        let root = event("m.room.message", json!({ "body": "old" }));
        let change = edit("new");
        assert_eq!(replaces(&change), Some("$e"));
        assert_eq!(searchable(&change), None);
        assert_eq!(edited(&change, &root).unwrap().text, "new");
        assert_eq!(edited(&change, &FeedEvent { sender: 8, ..root.clone() }), None);
        assert_eq!(edited(&change, &FeedEvent { room: 2, ..root.clone() }), None);
        assert_eq!(edited(&change, &FeedEvent { redacted: true, ..root.clone() }), None);
        assert_eq!(edited(&FeedEvent { redacted: true, ..change.clone() }, &root), None);
        assert_eq!(edited(&edit("newer"), &FeedEvent { ord: 6, ..change }), None, "an edit of an edit");
    }

    #[test]
    fn redactions_name_their_target_in_either_place() {
        let new = event("m.room.redaction", json!({ "redacts": "$a" }));
        assert_eq!(redacts(&new).as_deref(), Some("$a"));
        let old =
            FeedEvent { extra: Some(r#"{"redacts":"$b"}"#.into()), ..event("m.room.redaction", json!({})) };
        assert_eq!(redacts(&old).as_deref(), Some("$b"));
        assert_eq!(redacts(&event("m.room.message", json!({ "redacts": "$a" }))), None);
    }

    #[test]
    fn words_weigh_by_how_much_they_say() {
        let words = |text: &str| Searchable { text: text.into(), marks: vec!["#s1".into()] }.words();
        let of =
            |text: &str, word: &str| words(text).iter().find(|found| found.0 == word).map(|found| found.1);
        assert!(of("Umowa", "umowa") > of("Umowa najmu lokalu na czas", "umowa"));
        assert!(of("umowa umowa jest", "umowa") > of("umowa ta jest", "umowa"));
        assert_eq!(of("umowa", "#s1"), Some(0));
        let many: String = (0..5_000).map(|n| format!("w{n} ")).collect();
        assert_eq!(words(&many).len(), MAX_WORDS + 1);
        assert!(words(&"ż ".repeat(40_000)).len() == 2);
    }

    #[test]
    fn questions_are_words_and_beginnings_of_words() {
        let query = Query::parse("  Żółć i umowy, nr 7! umowy ");
        let terms: Vec<_> = query.terms.iter().map(|term| (term.word.as_str(), term.prefix)).collect();
        assert_eq!(terms, [("umowy", true), ("zolc", true), ("nr", false), ("i", false), ("7", false)]);
        assert_eq!(Query::parse("!? -- \"\"").terms, []);
        let mut words = BTreeSet::new();
        query.highlight("ŻÓŁĆ, żółcią: NR nrs 7 umową umowy?", &mut words);
        assert_eq!(words.into_iter().collect::<Vec<_>>(), ["7", "nr", "umowy", "żółcią", "żółć"]);
    }

    proptest! {
        #[test]
        fn any_text_is_a_question_and_can_be_indexed(text in any::<String>()) {
            let query = Query::parse(&text);
            prop_assert!(query.terms.len() <= MAX_TERMS);
            prop_assert!(query.terms.iter().all(|term| !term.word.is_empty() && !term.word.contains('#')));
            let words = Searchable { text: text.clone(), marks: Vec::new() }.words();
            for term in &query.terms {
                prop_assert!(words.iter().any(|(word, weight)| *word == term.word && (1..=MAX_WEIGHT).contains(weight)));
            }
            let mut highlights = BTreeSet::new();
            query.highlight(&text, &mut highlights);
        }
    }
}
