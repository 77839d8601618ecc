//! Room aliases: their form, and what a room may say of its own.

use kontor_model::{Code, Error, Result, ids};
use ruma::{CanonicalJsonObject, CanonicalJsonValue, OwnedRoomAliasId, RoomAliasId, ServerName};

/// Parses an alias from a client.
///
/// # Errors
/// `InvalidParam` when it is none, or could not be stored.
pub fn parse(text: &str) -> Result<OwnedRoomAliasId> {
    let storable = text.len() <= ids::MAX_ID_BYTES && !text.contains('\0');
    RoomAliasId::parse(text)
        .ok()
        .filter(|alias| storable && !alias.alias().is_empty())
        .ok_or_else(|| Error::invalid_param("This is not a room alias. It looks like #name:server."))
}

/// The alias of this server with a local part.
///
/// # Errors
/// `InvalidParam` when the local part does not make an alias.
pub fn local(localpart: &str, server: &ServerName) -> Result<OwnedRoomAliasId> {
    if localpart.contains([':', '\0']) || localpart.starts_with('#') {
        return Err(Error::invalid_param("The local part of an alias may not hold # : or NUL."));
    }
    parse(&format!("#{localpart}:{server}"))
}

/// Fails unless the alias belongs to this server.
///
/// # Errors
/// `InvalidParam` for an alias of another server.
pub fn belongs_to(alias: &RoomAliasId, server: &ServerName) -> Result<()> {
    if alias.server_name() == server {
        return Ok(());
    }
    Err(Error::invalid_param(format!("Only aliases that end in :{server} can be changed here.")))
}

/// The aliases that a canonical-alias event lists.
///
/// # Errors
/// `InvalidParam` when one of them is no alias; `BadJson` when the fields are of the wrong kind.
pub fn listed(content: &CanonicalJsonObject) -> Result<Vec<OwnedRoomAliasId>> {
    let wrong = || Error::bad_json("alias must be a text and alt_aliases a list of texts.");
    let mut texts = Vec::new();
    match content.get("alias") {
        None | Some(CanonicalJsonValue::Null) => {}
        Some(CanonicalJsonValue::String(text)) if text.is_empty() => {}
        Some(CanonicalJsonValue::String(text)) => texts.push(text.as_str()),
        Some(_) => return Err(wrong()),
    }
    match content.get("alt_aliases") {
        None => {}
        Some(CanonicalJsonValue::Array(list)) => {
            for value in list {
                texts.push(value.as_str().ok_or_else(wrong)?);
            }
        }
        Some(_) => return Err(wrong()),
    }
    let mut aliases: Vec<_> = texts.into_iter().map(parse).collect::<Result<_>>()?;
    aliases.sort();
    aliases.dedup();
    Ok(aliases)
}

/// The aliases of an event that its predecessor did not list: only these must be checked.
///
/// # Errors
/// As [`listed`], for the new event.
pub fn added(
    before: Option<&CanonicalJsonObject>,
    after: &CanonicalJsonObject,
) -> Result<Vec<OwnedRoomAliasId>> {
    // What an earlier event said wrongly is no reason to refuse a new one.
    let before = before.map_or_else(|| Ok(Vec::new()), listed).unwrap_or_default();
    let mut after = listed(after)?;
    after.retain(|alias| !before.contains(alias));
    Ok(after)
}

/// The event without an alias that is going away; `None` when it does not list it.
pub fn without(content: &CanonicalJsonObject, alias: &RoomAliasId) -> Option<CanonicalJsonObject> {
    let is = |value: &CanonicalJsonValue| value.as_str() == Some(alias.as_str());
    let mut left = content.clone();
    if left.get("alias").is_some_and(is) {
        left.remove("alias");
    }
    if let Some(CanonicalJsonValue::Array(list)) = left.get_mut("alt_aliases") {
        list.retain(|value| !is(value));
    }
    (left != *content).then_some(left)
}

/// The refusal of an alias that does not point to the room that lists it.
pub fn points_elsewhere(alias: &RoomAliasId) -> Error {
    Error::new(Code::BadAlias, format!("The alias {alias} does not point to this room."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(text: &str) -> CanonicalJsonObject {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn aliases_have_a_form() {
        let server = ServerName::parse("x:1").unwrap();
        assert_eq!(local("żółw", &server).unwrap(), "#żółw:x:1");
        for bad in ["", "a:b", "a\0", "#a", &"x".repeat(300)] {
            assert!(local(bad, &server).is_err(), "{bad}");
        }
        for bad in ["", "#", "a:x", "#ax", "#:x", "!a:x"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(belongs_to(&parse("#a:x:1").unwrap(), &server).is_ok());
        assert!(belongs_to(&parse("#a:y").unwrap(), &server).is_err());
    }

    #[test]
    fn only_new_aliases_are_checked() {
        let before = content(r##"{"alias":"#a:x","alt_aliases":["#b:x"]}"##);
        let after = content(r##"{"alias":"#b:x","alt_aliases":["#a:x","#c:x","#c:x"]}"##);
        assert_eq!(added(Some(&before), &after).unwrap(), ["#c:x"]);
        assert_eq!(added(None, &before).unwrap(), ["#a:x", "#b:x"]);
        assert!(added(None, &content(r#"{"alias":""}"#)).unwrap().is_empty());
        assert!(added(None, &content(r#"{"alias":null}"#)).unwrap().is_empty());
        for bad in
            [r#"{"alias":"nonsense"}"#, r#"{"alias":1}"#, r#"{"alt_aliases":"x"}"#, r#"{"alt_aliases":[1]}"#]
        {
            assert!(added(None, &content(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_alias_that_goes_away_leaves_the_others() {
        let event = content(r##"{"alias":"#a:x","alt_aliases":["#a:x","#b:x"],"other":1}"##);
        let left = without(&event, &parse("#a:x").unwrap()).unwrap();
        assert_eq!(left, content(r##"{"alt_aliases":["#b:x"],"other":1}"##));
        assert!(without(&event, &parse("#c:x").unwrap()).is_none());
    }
}
