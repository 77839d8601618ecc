//! What an operator or an administrator writes down about an application service: the registration
//! format of the specification, with the names that bridges used before it had them.

use super::namespace::Pattern;
use super::{LONGEST_ID, LONGEST_TOKEN, MOST_PROTOCOLS};
use crate::Secret;
use serde::{Deserialize, Deserializer};

/// A registration as written. Fields that are not known are passed over: files serve several kinds of
/// homeservers.
#[derive(Clone, Debug, Deserialize)]
pub struct Definition {
    /// Unique name that never changes.
    pub id: String,
    /// Where it listens; `null`, but not absent, if it wants to hear nothing.
    #[serde(deserialize_with = "present")]
    pub url: Option<String>,
    /// With which it proves itself to the server.
    pub as_token: Secret<String>,
    /// With which the server proves itself to it.
    pub hs_token: Secret<String>,
    /// The user that it is when it names no other.
    pub sender_localpart: String,
    /// Its names.
    pub namespaces: Namespaces,
    /// Whether its users are held to request budgets.
    pub rate_limited: Option<bool>,
    /// Whether it is told of what is not kept.
    #[serde(alias = "de.sorunome.msc2409.push_ephemeral")]
    pub receive_ephemeral: Option<bool>,
    /// Whether it is told of device lists and key counts.
    #[serde(rename = "org.matrix.msc3202")]
    pub device_lists: Option<bool>,
    /// Networks that it answers look-ups for.
    #[serde(default, deserialize_with = "or_default")]
    pub protocols: Vec<String>,
}

/// Names by kind.
#[derive(Clone, Debug, Default, Deserialize, serde::Serialize)]
pub struct Namespaces {
    /// Of users.
    #[serde(default, deserialize_with = "or_default")]
    pub users: Vec<Pattern>,
    /// Of room aliases.
    #[serde(default, deserialize_with = "or_default")]
    pub aliases: Vec<Pattern>,
    /// Of room ids.
    #[serde(default, deserialize_with = "or_default")]
    pub rooms: Vec<Pattern>,
}

/// A field that must be there, but may be `null`.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::deserialize(deserializer)
}

/// A list that may be `null`.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Definition {
    /// What is wrong with its plain fields, a sentence each.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let id = &self.id;
        if id.is_empty() || id.len() > LONGEST_ID || id.chars().any(char::is_control) {
            wrong.push(format!("id: it must have 1 to {LONGEST_ID} bytes, without control characters."));
        }
        for (name, token) in [("as_token", &self.as_token), ("hs_token", &self.hs_token)] {
            let token = token.expose();
            if token.is_empty() || token.len() > LONGEST_TOKEN || !token.bytes().all(|b| b.is_ascii_graphic())
            {
                wrong.push(format!(
                    "{name}: it must have 1 to {LONGEST_TOKEN} characters that can be printed, without spaces."
                ));
            }
        }
        if let Some(url) = &self.url
            && !(url.starts_with("http://") || url.starts_with("https://"))
        {
            wrong.push("url: it must begin with http:// or https://, or be null.".to_owned());
        }
        if self.protocols.len() > MOST_PROTOCOLS {
            wrong.push(format!("protocols: there may be {MOST_PROTOCOLS}."));
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_names_are_read_unknown_ones_passed_over_and_missing_ones_told() {
        let read = |text: &str| serde_json::from_str::<Definition>(text);
        let whole = r#"{"id":"a","url":null,"as_token":"a","hs_token":"h","sender_localpart":"b",
            "de.sorunome.msc2409.push_ephemeral":true,"org.matrix.msc3202":true,"io.element.msc4190":true,
            "namespaces":{"users":null,"rooms":[]},"protocols":null,"something":[1]}"#;
        let definition = read(whole).unwrap();
        assert_eq!((definition.receive_ephemeral, definition.device_lists), (Some(true), Some(true)));
        assert!(definition.url.is_none() && definition.faults().is_empty());
        for (field, name) in [("\"url\":null,", "url"), ("\"hs_token\":\"h\",", "hs_token")] {
            let error = read(&whole.replace(field, "")).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
