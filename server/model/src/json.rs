//! JSON that may become part of an event.
//!
//! Events must have one canonical form, so their content may hold neither floats nor integers
//! beyond 2^53 (specification, "Canonical JSON"); what cannot be signed is refused at the door.

use crate::{Code, Error, Result};
use ruma::CanonicalJsonObject;
use serde_json::value::RawValue;

/// Largest event in its canonical form, bytes (client-server API, "Size limits").
pub const MAX_EVENT_BYTES: usize = 65_536;

/// Parses event content. Nesting is bounded by the JSON parser (128 levels).
///
/// # Errors
/// `NotJson`-free by construction (`RawValue` is JSON already); `BadJson` for floats, integers
/// beyond 2^53, anything but an object and too deep nesting; `TooLarge` above 64 KiB.
pub fn event_content(raw: &RawValue) -> Result<CanonicalJsonObject> {
    if raw.get().len() > MAX_EVENT_BYTES * 2 {
        return Err(too_large());
    }
    serde_json::from_str(raw.get()).map_err(|cause| {
        Error::new(
            Code::BadJson,
            "Event content must be a JSON object without fractions and without integers beyond 2^53.",
        )
        .because(cause)
    })
}

/// The error for events above the size limit.
pub fn too_large() -> Error {
    Error::new(Code::TooLarge, "The event is larger than 64 KiB. Send a file instead.")
}

/// Serialises a canonical object. Cannot fail for values that were parsed as canonical JSON.
///
/// # Errors
/// `Internal` when the serialiser refuses, which would be a defect.
pub fn to_canonical(object: &CanonicalJsonObject) -> Result<String> {
    serde_json::to_string(object).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<CanonicalJsonObject> {
        event_content(&RawValue::from_string(text.to_owned()).unwrap())
    }

    #[test]
    fn content_without_a_canonical_form_is_refused() {
        for bad in [
            r#"{"a":1.5}"#,
            r#"{"a":9007199254740993}"#,
            r#"{"a":-9007199254740993}"#,
            "[]",
            "1",
            r#"{"a":1e400}"#,
        ] {
            let refused = RawValue::from_string(bad.to_owned()).map(|raw| event_content(&raw).is_err());
            assert!(refused.unwrap_or(true), "{bad}");
        }
        assert!(parse(r#"{"a":9007199254740991,"b":[{"c":null}]}"#).is_ok());
    }

    #[test]
    fn nesting_without_end_is_refused_and_does_not_overflow_the_stack() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(RawValue::from_string(deep.clone()).map_or(true, |raw| event_content(&raw).is_err()));
    }

    #[test]
    fn canonical_form_sorts_keys_and_drops_spaces() {
        let object = parse(r#"{ "b" : 1, "a" : "ż" }"#).unwrap();
        assert_eq!(to_canonical(&object).unwrap(), r#"{"a":"ż","b":1}"#);
    }
}
