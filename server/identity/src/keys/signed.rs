//! Signed JSON: objects with a canonical form, and signatures made with ed25519 (specification
//! appendix, "Signing JSON").

use kontor_model::json::to_canonical;
use kontor_model::{Code, Error, Result};
use ruma::serde::Base64;
use ruma::signatures::{to_canonical_json_string_for_signing, verify_canonical_json_bytes};
use ruma::{CanonicalJsonObject, CanonicalJsonValue, SigningKeyAlgorithm};
use serde_json::value::RawValue;

/// Bytes of a public ed25519 or curve25519 key.
const KEY_BYTES: usize = 32;

/// A JSON object that can be signed.
#[derive(Clone, Debug)]
pub struct Signed {
    object: CanonicalJsonObject,
    /// What signatures cover.
    covered: String,
}

impl Signed {
    /// Reads an object of at most `most` bytes. What signatures do not cover besides themselves
    /// (`unsigned`) is dropped.
    ///
    /// # Errors
    /// `TooLarge`; `BadJson` for what has no canonical form or is no object.
    pub fn parse(raw: &RawValue, most: usize) -> Result<Self> {
        if raw.get().len() > most {
            return Err(Error::new(Code::TooLarge, format!("A key may have {most} bytes of JSON.")));
        }
        let object = serde_json::from_str(raw.get()).map_err(|cause| {
            Error::bad_json("A key must be a JSON object without fractions.").because(cause)
        })?;
        Self::of(object)
    }

    /// Reads what the archive holds.
    ///
    /// # Errors
    /// `Internal` when it is no object, which would be a defect.
    pub fn stored(text: &str) -> Result<Self> {
        Self::of(serde_json::from_str(text).map_err(Error::internal)?)
    }

    fn of(mut object: CanonicalJsonObject) -> Result<Self> {
        object.remove("unsigned");
        let covered = to_canonical_json_string_for_signing(&object).map_err(Error::internal)?;
        Ok(Self { object, covered })
    }

    /// The canonical form, with signatures.
    ///
    /// # Errors
    /// `Internal` when the serialiser refuses, which would be a defect.
    pub fn to_canonical(&self) -> Result<String> {
        to_canonical(&self.object)
    }

    /// Whether two objects say the same, whoever signed them.
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.covered == other.covered
    }

    /// A text field.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.object.get(field).and_then(CanonicalJsonValue::as_str)
    }

    /// A field that is a list of texts; `None` when it is anything else.
    pub fn texts(&self, field: &str) -> Option<Vec<&str>> {
        let CanonicalJsonValue::Array(list) = self.object.get(field)? else { return None };
        list.iter().map(CanonicalJsonValue::as_str).collect()
    }

    /// The public keys of the object by name; `None` unless `keys` is a map of texts.
    pub fn keys(&self) -> Option<Vec<(&str, &str)>> {
        texts_of(self.object.get("keys")?)
    }

    /// The public key of this name.
    pub fn key(&self, name: &str) -> Option<&str> {
        self.keys()?.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// A user's signatures by the name of the signing key.
    pub fn signatures(&self, user_id: &str) -> Vec<(&str, &str)> {
        let Some(CanonicalJsonValue::Object(users)) = self.object.get("signatures") else {
            return Vec::new();
        };
        users.get(user_id).and_then(texts_of).unwrap_or_default()
    }

    /// A user's signature by one key.
    pub fn signature(&self, user_id: &str, signer_key: &str) -> Option<&str> {
        self.signatures(user_id).into_iter().find(|(key, _)| *key == signer_key).map(|(_, text)| text)
    }

    /// Whether a signature was made over this object with a key, both in base64.
    pub fn is_signed(&self, public_key: &str, signature: &str) -> bool {
        let (Some(key), Ok(signature)) =
            (public(public_key), Base64::<ruma::serde::base64::Standard>::parse(signature))
        else {
            return false;
        };
        let covered = self.covered.as_bytes();
        verify_canonical_json_bytes(&SigningKeyAlgorithm::Ed25519, &key, signature.as_bytes(), covered)
            .is_ok()
    }

    /// Whether a user's key of this name signed the object.
    pub fn is_signed_by(&self, user_id: &str, signer_key: &str, public_key: &str) -> bool {
        self.signature(user_id, signer_key).is_some_and(|signature| self.is_signed(public_key, signature))
    }

    /// Leaves only those signatures of one user that pass; those of others go.
    pub fn keep_signatures(&mut self, user_id: &str, mut keep: impl FnMut(&str, &str) -> bool) {
        let kept: CanonicalJsonObject = self
            .signatures(user_id)
            .into_iter()
            .filter(|(key, signature)| keep(key, signature))
            .map(|(key, signature)| (key.to_owned(), CanonicalJsonValue::String(signature.to_owned())))
            .collect();
        self.object.remove("signatures");
        if !kept.is_empty() {
            let users = CanonicalJsonObject::from([(user_id.to_owned(), CanonicalJsonValue::Object(kept))]);
            self.object.insert("signatures".to_owned(), CanonicalJsonValue::Object(users));
        }
    }
}

fn texts_of(value: &CanonicalJsonValue) -> Option<Vec<(&str, &str)>> {
    let CanonicalJsonValue::Object(map) = value else { return None };
    map.iter().map(|(key, value)| Some((key.as_str(), value.as_str()?))).collect()
}

/// The bytes of a public key in unpadded base64.
fn public(text: &str) -> Option<Vec<u8>> {
    let key = Base64::<ruma::serde::base64::Standard>::parse(text).ok()?;
    (key.as_bytes().len() == KEY_BYTES && !text.contains('=')).then(|| key.into_inner())
}

/// Whether a text is a public ed25519 or curve25519 key.
pub fn is_public_key(text: &str) -> bool {
    public(text).is_some()
}

/// The refusal of a wrong signature.
pub fn wrong_signature(message: &'static str) -> Error {
    Error::new(Code::InvalidSignature, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Signed> {
        Signed::parse(&RawValue::from_string(text.to_owned()).unwrap(), 1_000)
    }

    #[test]
    fn what_has_no_canonical_form_is_refused() {
        for bad in ["[]", "1", "null", r#"{"a":1.5}"#, r#"{"a":9007199254740993}"#] {
            assert_eq!(parse(bad).unwrap_err().code, Code::BadJson, "{bad}");
        }
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(2_000));
        assert_eq!(parse(&long).unwrap_err().code, Code::TooLarge);
    }

    #[test]
    fn the_example_of_the_specification_verifies_and_a_changed_one_does_not() {
        // Appendix "Signing JSON", test vector: the key and the object {"one":1,"two":"Two"}.
        let key = "XGX0JRS2Af3be3knz2fBiRbApjm2Dh61gXDJA8kcJNI";
        let signature =
            "KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw";
        let signed =
            |two: &str| parse(&format!(r#"{{"two":"{two}","one":1,"unsigned":{{"x":1}}}}"#)).unwrap();
        assert!(signed("Two").is_signed(key, signature));
        assert!(!signed("Three").is_signed(key, signature));
        assert!(!signed("Two").is_signed("short", signature));
        assert!(!signed("Two").is_signed(key, "!"));
    }

    #[test]
    fn signatures_that_do_not_pass_are_dropped() {
        let mut object =
            parse(r#"{"signatures":{"@a:x":{"ed25519:1":"s","ed25519:2":"t"},"@b:x":{"k":"u"}}}"#).unwrap();
        object.keep_signatures("@a:x", |key, _| key == "ed25519:2");
        assert_eq!(object.to_canonical().unwrap(), r#"{"signatures":{"@a:x":{"ed25519:2":"t"}}}"#);
        object.keep_signatures("@a:x", |_, _| false);
        assert_eq!(object.to_canonical().unwrap(), "{}");
    }
}
