//! Looking up people and places of other networks (application service API, "Third-party networks"):
//! every service that speaks for a network is asked, and what they know is put together.

use super::link::{Method, Reply};
use super::ways::encoded;
use crate::Flows;
use futures_util::future::join_all;
use kontor_model::appservice::Service;
use kontor_model::{Error, Result};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Time for one answer.
const TIME: Duration = Duration::from_secs(5);
/// Results of one look-up that are told.
const MOST: usize = 1_000;

/// What is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// People.
    User,
    /// Rooms, channels and the like.
    Location,
}

impl Kind {
    /// The segment of the path.
    fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Location => "location",
        }
    }

    /// The field that names somebody or something in Matrix.
    fn key(self) -> &'static str {
        match self {
            Self::User => "userid",
            Self::Location => "alias",
        }
    }

    /// Whether a result has the form that it must have.
    fn fits(self, result: &Value) -> bool {
        let text = |key: &str| result.get(key).is_some_and(Value::is_string);
        text(self.key()) && text("protocol") && result.get("fields").is_some_and(Value::is_object)
    }
}

/// A look-up.
#[derive(Clone, Copy, Debug)]
pub struct LookUp<'a> {
    /// What is looked up.
    pub kind: Kind,
    /// By which network; `None` looks up what something of Matrix is elsewhere.
    pub protocol: Option<&'a str>,
    /// What it is looked up by, as names and values.
    pub fields: &'a [(String, String)],
}

impl Flows {
    /// What is known of a network.
    ///
    /// # Errors
    /// `NotFound` when no service that can be reached speaks for it.
    pub async fn third_party_protocol(&self, protocol: &str) -> Result<Value> {
        let path = format!("/thirdparty/protocol/{}", encoded(protocol));
        let answers = self.look_up_each(Some(protocol), &path).await;
        together(answers).ok_or_else(unknown)
    }

    /// What is known of all networks, by their names.
    pub async fn third_party_protocols(&self) -> Map<String, Value> {
        let known = self.identity.services().now();
        let names: BTreeSet<&String> = known.list().iter().flat_map(|service| &service.protocols).collect();
        let found = names
            .into_iter()
            .map(async |name| Some((name.clone(), self.third_party_protocol(name).await.ok()?)));
        join_all(found).await.into_iter().flatten().collect()
    }

    /// What services know of somebody or something.
    ///
    /// # Errors
    /// `NotFound` for a network that no service speaks for.
    pub async fn third_party(&self, look: LookUp<'_>) -> Result<Vec<Value>> {
        let known = self.identity.services().now();
        if look.protocol.is_some_and(|name| !known.list().iter().any(|service| speaks(service, name))) {
            return Err(unknown());
        }
        let mut path = format!("/thirdparty/{}", look.kind.word());
        if let Some(protocol) = look.protocol {
            path.push('/');
            path.push_str(&encoded(protocol));
        }
        let fields: Vec<_> =
            look.fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        if !fields.is_empty() {
            path.push('?');
            path.push_str(&fields.join("&"));
        }
        let answers = self.look_up_each(look.protocol, &path).await;
        let results = answers.iter().filter_map(|(_, answer)| answer.as_array()).flatten();
        Ok(results.filter(|result| look.kind.fits(result)).take(MOST).cloned().collect())
    }

    async fn look_up_each(&self, protocol: Option<&str>, path: &str) -> Vec<(Arc<str>, Arc<Value>)> {
        let known = self.identity.services().now();
        let of = |service: &&Arc<Service>| {
            service.url.is_some()
                && protocol.is_none_or(|name| speaks(service, name))
                && !service.protocols.is_empty()
        };
        let asked = known
            .list()
            .iter()
            .filter(of)
            .map(async |service| Some((Arc::clone(&service.id), self.look_up(service, path).await?)));
        join_all(asked).await.into_iter().flatten().collect()
    }

    /// What one service answers; what it said a moment ago is remembered.
    async fn look_up(&self, service: &Service, path: &str) -> Option<Arc<Value>> {
        let key = (Arc::clone(&service.id), path.to_owned());
        let ask = async {
            let _turn = self.services.questions.acquire().await;
            match self.services.call(service, Method::Get, path, None, TIME).await {
                Reply::Answer { status: 200..=299, body } => serde_json::from_slice(&body).ok().map(Arc::new),
                _ => None,
            }
        };
        self.services.look_ups.optionally_get_with(key, ask).await
    }
}

fn unknown() -> Error {
    Error::not_found("No bridge of this server speaks this protocol.")
}

fn speaks(service: &Service, protocol: &str) -> bool {
    service.protocols.iter().any(|name| name == protocol)
}

/// The first answer with the instances of all.
fn together(answers: Vec<(Arc<str>, Arc<Value>)>) -> Option<Value> {
    let mut protocol: Option<Map<String, Value>> = None;
    let mut instances = Vec::new();
    for (service, answer) in answers {
        let Some(fields) = answer.as_object().filter(|fields| is_protocol(fields)) else { continue };
        for instance in fields.get("instances").and_then(Value::as_array).into_iter().flatten() {
            let Some(mut instance) = instance.as_object().cloned() else { continue };
            let network = instance.get("network_id").and_then(Value::as_str).unwrap_or_default().to_owned();
            instance.entry("instance_id").or_insert_with(|| format!("{service}|{network}").into());
            instances.push(Value::from(instance));
        }
        protocol.get_or_insert_with(|| fields.clone());
    }
    let mut protocol = protocol?;
    instances.truncate(MOST);
    protocol.insert("instances".to_owned(), instances.into());
    Some(protocol.into())
}

/// Whether an answer has the fields that clients rely on.
fn is_protocol(fields: &Map<String, Value>) -> bool {
    let list = |key: &str| fields.get(key).is_some_and(Value::is_array);
    list("user_fields") && list("location_fields") && fields.get("field_types").is_some_and(Value::is_object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn networks_of_several_services_are_one_protocol_with_all_instances() {
        let answer = |network: &str| {
            let instance = json!({ "network_id": network, "desc": "d", "fields": {} });
            json!({ "user_fields": ["nick"], "location_fields": [], "icon": "mxc://a/b", "field_types": {},
                "instances": [instance, "nonsense"] })
        };
        let answers =
            [("a", answer("x")), ("b", answer("y")), ("c", json!({ "instances": [] })), ("d", json!(7))];
        let answers = answers.map(|(id, answer)| (Arc::from(id), Arc::new(answer))).to_vec();
        let all = together(answers).unwrap();
        let ids: Vec<_> =
            all["instances"].as_array().unwrap().iter().map(|i| i["instance_id"].clone()).collect();
        assert_eq!(ids, [json!("a|x"), json!("b|y")]);
        assert_eq!(together(Vec::new()), None);
    }

    #[test]
    fn results_without_the_fields_that_clients_need_are_left_out() {
        assert!(Kind::User.fits(&json!({ "userid": "@a:x", "protocol": "irc", "fields": {} })));
        for wrong in [
            json!({ "userid": "@a:x", "protocol": "irc" }),
            json!([]),
            json!({ "alias": "#a:x", "protocol": "irc", "fields": {} }),
        ] {
            assert!(!Kind::User.fits(&wrong), "{wrong}");
        }
    }
}
