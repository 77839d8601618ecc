//! The test vectors of the specification's appendices (canonical JSON, signing of JSON and events),
//! and canonical JSON as a property.

use crate::world::{key, object};
use proptest::prelude::*;
use ruma::serde::Base64;
use ruma::signatures::{Ed25519KeyPair, Verified, hash_and_sign_event, sign_json, verify_event, verify_json};
use ruma::{CanonicalJsonObject, CanonicalJsonValue, RoomVersionId};
use serde_json::json;

const SEED: &str = "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1";

fn signer() -> Ed25519KeyPair {
    let seed: Base64 = Base64::parse(SEED).unwrap();
    key(seed.as_bytes().try_into().unwrap())
}

fn canonical(text: &str) -> String {
    let value: CanonicalJsonValue = serde_json::from_str(text).unwrap();
    serde_json::to_string(&value).unwrap()
}

#[test]
fn canonical_json_is_as_in_the_appendix() {
    let cases = [
        ("{}", "{}"),
        ("{\n  \"one\": 1,\n  \"two\": \"Two\"\n}", r#"{"one":1,"two":"Two"}"#),
        (r#"{ "b": "2", "a": "1" }"#, r#"{"a":"1","b":"2"}"#),
        (r#"{"b":"2","a":"1"}"#, r#"{"a":"1","b":"2"}"#),
        (
            r#"{"auth": {"success": true, "mxid": "@john.doe:example.com", "profile": {"display_name":
               "John Doe", "three_pids": [{"medium": "email", "address": "john.doe@example.org"},
               {"medium": "msisdn", "address": "123456789"}]}}}"#,
            "{\"auth\":{\"mxid\":\"@john.doe:example.com\",\"profile\":{\"display_name\":\"John Doe\",\
             \"three_pids\":[{\"address\":\"john.doe@example.org\",\"medium\":\"email\"},\
             {\"address\":\"123456789\",\"medium\":\"msisdn\"}]},\"success\":true}}",
        ),
        (r#"{"a": "日本語"}"#, r#"{"a":"日本語"}"#),
        (r#"{"本": 2, "日": 1}"#, r#"{"日":1,"本":2}"#),
        (r#"{"a": "\u65E5"}"#, r#"{"a":"日"}"#),
        (r#"{"a": null}"#, r#"{"a":null}"#),
        // Escapes of the grammar: the short ones where there are any, else lower-case hexadecimal.
        ("\"\\u0008\\u0009\\u000a\\u000c\\u000d\\u0022\\u005c\"", r#""\b\t\n\f\r\"\\""#),
        ("\"\\u0000\\u001F\\u007f\\/\"", "\"\\u0000\\u001f\u{7f}/\""),
    ];
    for (given, expected) in cases {
        assert_eq!(canonical(given), expected, "{given}");
    }
}

/// The appendix also turns `-0` and `1e10` into integers. They cannot be in an event since version
/// 6, and what this server is sent in that form it refuses instead of guessing.
#[test]
fn numbers_that_are_not_canonical_are_refused_or_read_as_integers() {
    for text in ["1.5", "1e400", "9007199254740993", "-9007199254740993"] {
        assert!(serde_json::from_str::<CanonicalJsonValue>(text).is_err(), "{text}");
    }
    assert_eq!(canonical("[9007199254740991,-9007199254740991]"), "[9007199254740991,-9007199254740991]");
    for (text, integer) in [("-0", "0"), ("1e10", "10000000000")] {
        let read = serde_json::from_str::<CanonicalJsonValue>(text);
        let read = read.map(|value| serde_json::to_string(&value).unwrap());
        assert!(read.is_err() || read.is_ok_and(|read| read == integer), "{text}");
    }
}

#[test]
fn json_is_signed_as_in_the_appendix() {
    let cases = [
        (json!({}), "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ"),
        (
            json!({"one": 1, "two": "Two"}),
            "KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw",
        ),
    ];
    for (given, signature) in cases {
        let mut signed = object(given.clone());
        sign_json("domain", &signer(), &mut signed).unwrap();
        let mut expected = given;
        expected["signatures"] = json!({"domain": {"ed25519:1": signature}});
        assert_eq!(serde_json::to_value(&signed).unwrap(), expected);
        assert!(verify_json(&keys(), &signed).is_ok());
        signed.insert("one".to_owned(), serde_json::from_value(json!(2)).unwrap());
        assert!(verify_json(&keys(), &signed).is_err());
    }
}

fn keys() -> ruma::signatures::PublicKeyMap {
    let public = Base64::new(signer().public_key().to_vec());
    [("domain".to_owned(), [("ed25519:1".to_owned(), public)].into())].into()
}

#[test]
fn events_are_hashed_and_signed_as_in_the_appendix() {
    let rules = RoomVersionId::V1.rules().unwrap();
    let minimal = json!({
        "room_id": "!x:domain", "sender": "@a:domain", "origin": "domain", "origin_server_ts": 1_000_000,
        "signatures": {}, "hashes": {}, "type": "X", "content": {}, "prev_events": [], "auth_events": [],
        "depth": 3, "unsigned": {"age_ts": 1_000_000},
    });
    let redactable = json!({
        "content": {"body": "Here is the message content"}, "event_id": "$0:domain", "origin": "domain",
        "origin_server_ts": 1_000_000, "type": "m.room.message", "room_id": "!r:domain",
        "sender": "@u:domain", "signatures": {}, "unsigned": {"age_ts": 1_000_000},
    });
    let cases = [
        (
            minimal,
            "5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos",
            "KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg",
        ),
        (
            redactable,
            "onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g",
            "Wm+VzmOUOz08Ds+0NTWb1d4CZrVsJSikkeRxh6aCcUwu6pNC78FunoD7KNWzqFn241eYHYMGCA5McEiVPdhzBA",
        ),
    ];
    for (given, hash, signature) in cases {
        let mut event = object(given.clone());
        hash_and_sign_event("domain", &signer(), &mut event, &rules.redaction).unwrap();
        let mut expected = given;
        expected["hashes"] = json!({"sha256": hash});
        expected["signatures"] = json!({"domain": {"ed25519:1": signature}});
        assert_eq!(serde_json::to_value(&event).unwrap(), expected);
        let rules = RoomVersionId::V3.rules().unwrap();
        assert_eq!(verify_event(&keys(), &event, &rules).unwrap(), Verified::All);
        event.insert("content".to_owned(), serde_json::from_value(json!({"x": 1})).unwrap());
        assert_eq!(verify_event(&keys(), &event, &rules).unwrap(), Verified::Signatures, "as if redacted");
        event.insert("depth".to_owned(), serde_json::from_value(json!(4)).unwrap());
        assert!(verify_event(&keys(), &event, &rules).is_err(), "redaction keeps depth");
    }
}

fn value() -> impl Strategy<Value = CanonicalJsonValue> {
    let integer = (-9_007_199_254_740_991i64..=9_007_199_254_740_991)
        .prop_map(|number| CanonicalJsonValue::Integer(ruma::Int::new(number).unwrap()));
    let leaf = prop_oneof![
        Just(CanonicalJsonValue::Null),
        any::<bool>().prop_map(CanonicalJsonValue::Bool),
        integer,
        any::<String>().prop_map(CanonicalJsonValue::String),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(CanonicalJsonValue::Array),
            prop::collection::btree_map(any::<String>(), inner, 0..8).prop_map(CanonicalJsonValue::Object),
        ]
    })
}

proptest! {
    #[test]
    fn canonical_json_survives_the_round_trip_and_has_one_form(value in value()) {
        let text = serde_json::to_string(&value).unwrap();
        let again: CanonicalJsonValue = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&again, &value);
        // Through the ordinary JSON tree, with other spaces, and back: the same bytes.
        let tree: serde_json::Value = serde_json::from_str(&text).unwrap();
        let spaced = serde_json::to_string_pretty(&tree).unwrap();
        prop_assert_eq!(canonical(&spaced), text.clone());
        prop_assert!(!text.contains('\n'), "the archive splits bodies at line feeds");
    }

    #[test]
    fn keys_are_sorted_by_code_point(keys in prop::collection::btree_set(any::<String>(), 0..12)) {
        let object: CanonicalJsonObject =
            keys.iter().map(|key| (key.clone(), CanonicalJsonValue::Null)).collect();
        let text = serde_json::to_string(&object).unwrap();
        let mut last = 0;
        let mut sorted: Vec<_> = keys.into_iter().collect();
        sorted.sort_by_key(|key| key.chars().collect::<Vec<_>>());
        for key in sorted {
            let quoted = format!("{}:null", serde_json::to_string(&key).unwrap());
            let place = text.get(last..).and_then(|rest| rest.find(&quoted));
            prop_assert!(place.is_some());
            last += place.unwrap_or(0) + quoted.len();
        }
    }
}
