//! Putting event content together.

use kontor_model::{Error, Result};
use ruma::CanonicalJsonObject;

/// Content out of a JSON object that is written down in the code.
///
/// # Errors
/// `BadJson` when it has no canonical form, such as a number beyond 2^53 from a client.
pub(crate) fn object(value: serde_json::Value) -> Result<CanonicalJsonObject> {
    serde_json::from_value(value)
        .map_err(|cause| Error::bad_json("A value cannot be part of an event.").because(cause))
}
