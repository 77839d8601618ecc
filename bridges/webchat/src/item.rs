//! What the channel puts into the inbox, and what that says. Pure: the same item says the same again.

use crate::words;
use kontor_bridge_kit::{Body, Consent, File, Item, Message, Part, Party, Profile, Receipt, Rung, Standing};
use kontor_model::{Error, Language, Ms, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// One thing that a visitor did.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Raw {
    /// Wrote.
    Message {
        /// Id of the message.
        remote: String,
        /// What.
        text: String,
        /// Who.
        from: Profile,
        /// Whether what is known of them changed.
        news: bool,
        /// What they ticked.
        consents: Vec<Consent>,
    },
    /// Sent a file.
    File {
        /// Id of the message.
        remote: String,
        /// Which.
        file: File,
        /// Who.
        from: Profile,
    },
    /// Got or saw a message of ours.
    Receipt {
        /// Its id.
        remote: String,
        /// Whether they saw it.
        read: bool,
    },
    /// Said, or the shop said, who they are.
    Profile {
        /// Who.
        from: Profile,
    },
    /// Filled in a form.
    Lead {
        /// Id of the message in it.
        remote: String,
        /// Which form.
        form: String,
        /// The message.
        text: String,
        /// Who.
        from: Profile,
        /// What they ticked.
        consents: Vec<Consent>,
        /// Page, campaign and submission, for machines.
        facts: Map<String, Value>,
    },
    /// Said how they liked it.
    Rating {
        /// From 1 to 5.
        score: u8,
        /// In words.
        comment: String,
    },
    /// Ended the conversation.
    Ended,
    /// Asked that everything about them be erased.
    Erasure {
        /// Who.
        from: Profile,
    },
}

impl Raw {
    /// As an item of a conversation.
    ///
    /// # Errors
    /// `Internal` only.
    pub fn item(&self, key: String, lane: &str, at: Ms) -> Result<Item> {
        let raw = serde_json::to_vec(self).map_err(Error::internal)?;
        Ok(Item { key, lane: lane.to_owned(), at, raw })
    }
}

/// What an item says, in the words of all networks; notices in `language`.
///
/// # Errors
/// `BadJson` when it is none of ours.
pub fn parse(item: &Item, language: Language) -> Result<Vec<Part>> {
    let raw: Raw = serde_json::from_slice(&item.raw)
        .map_err(|error| Error::bad_json("This is no item of the website channel.").because(error))?;
    Ok(match raw {
        Raw::Message { remote, text, from, news, consents } => {
            let mut parts = if news { vec![Part::Profile(from.clone())] } else { Vec::new() };
            parts.push(written(remote, Body::text(text), from));
            parts.extend(agreed(consents));
            parts
        }
        Raw::File { remote, file, from } => vec![written(remote, Body::File(file), from)],
        Raw::Receipt { remote, read } => {
            let rung = if read { Rung::Read } else { Rung::Delivered };
            vec![Part::Receipt(Receipt {
                ours: None,
                remote: Some(remote),
                standing: Standing::at(rung),
                up_to: true,
            })]
        }
        Raw::Profile { from } => vec![Part::Profile(from)],
        Raw::Lead { remote, form, text, from, consents, facts } => {
            let notice = words::lead(language, &form, &from, &consents);
            let facts = Map::from_iter([("dev.kontor.lead".to_owned(), Value::Object(facts))]);
            let mut parts = vec![Part::Profile(from.clone())];
            parts.push(Part::Notice { text: notice, facts, from: Some(from.clone()) });
            if !text.is_empty() {
                parts.push(written(remote, Body::text(text), from));
            }
            parts.extend(agreed(consents));
            parts
        }
        Raw::Rating { score, comment } => {
            let rating = json!({ "score": score, "of": 5, "comment": comment });
            told(words::rating(language, score, &comment), "dev.kontor.rating", rating, None)
        }
        Raw::Ended => told(words::ended(language), "dev.kontor.ended", json!({ "by": "customer" }), None),
        Raw::Erasure { from } => {
            let request = json!({ "at": item.at });
            told(words::erasure(language), "dev.kontor.erasure_request", request, Some(from))
        }
    })
}

fn written(remote: String, body: Body, from: Profile) -> Part {
    Part::Message(Message { remote, party: Party::Customer, body, reply_to: None, quote: None, from })
}

fn agreed(consents: Vec<Consent>) -> Option<Part> {
    (!consents.is_empty()).then_some(Part::Consents(consents))
}

fn told(text: String, name: &str, fact: Value, from: Option<Profile>) -> Vec<Part> {
    let facts = Map::from_iter([(name.to_owned(), fact)]);
    vec![Part::Notice { text, facts, from }]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(raw: &Raw) -> Vec<Part> {
        let item = raw.item("k".to_owned(), "lane", 5).unwrap();
        assert_eq!(parse(&item, Language::Polish).unwrap(), parse(&item, Language::Polish).unwrap());
        parse(&item, Language::Polish).unwrap()
    }

    #[test]
    fn what_was_put_in_comes_out() {
        let from = Profile { external_id: "v".to_owned(), ..Profile::default() };
        let message = Raw::Message {
            remote: "c.1".to_owned(),
            text: "Dzień dobry <b>".to_owned(),
            from: from.clone(),
            news: false,
            consents: Vec::new(),
        };
        let [Part::Message(said)] = &parts(&message)[..] else { panic!() };
        assert_eq!(said.body, Body::text("Dzień dobry <b>"));
        assert_eq!(said.from, from);
        let [Part::Notice { text, facts, .. }] =
            &parts(&Raw::Rating { score: 4, comment: "ok".to_owned() })[..]
        else {
            panic!()
        };
        assert!(text.contains('4') && text.contains("ok") && facts["dev.kontor.rating"]["score"] == 4);
    }

    #[test]
    fn a_form_is_a_profile_a_notice_a_message_and_what_was_ticked() {
        let from = Profile { external_id: "f".to_owned(), ..Profile::default() };
        let lead = Raw::Lead {
            remote: "c.1".to_owned(),
            form: "contact".to_owned(),
            text: "Proszę o kontakt".to_owned(),
            from,
            consents: Vec::new(),
            facts: Map::new(),
        };
        assert!(matches!(&parts(&lead)[..], [Part::Profile(_), Part::Notice { .. }, Part::Message(_)]));
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        for raw in [&b"{}"[..], b"", b"{\"kind\":\"x\"}", b"\xff"] {
            let item = Item { key: "k".to_owned(), lane: "l".to_owned(), at: 0, raw: raw.to_vec() };
            assert!(parse(&item, Language::English).is_err());
        }
    }
}
