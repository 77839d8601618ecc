//! What a CRM sends by itself: whether it is really the CRM that sends it. Nothing that it says is believed: it only makes
//! us look.

use crate::signature;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kontor_model::Ms;
use kontor_store::contacts::crm::ConnectorRow;

/// Whether a signature is the CRM's. Of `http` it is made as ours are (`t=…,v1=…`, see [`crate::webhook::signature`]); of
/// EspoCRM it is the id of the webhook, a colon and the hexadecimal HMAC-SHA-256 of the body, in base64.
pub fn is_theirs(connector: &ConnectorRow, signature: &str, body: &[u8], now: Ms) -> bool {
    let Some(secret) = &connector.hook_secret else { return false };
    if connector.kind != "espocrm" {
        return signature::ours(&[secret], signature, body, now).is_ok();
    }
    let decoded = STANDARD.decode(signature).ok().and_then(|decoded| String::from_utf8(decoded).ok());
    let Some((id, code)) = decoded.as_deref().and_then(|decoded| decoded.split_once(':')) else {
        return false;
    };
    let code = signature::unhex(code).filter(|_| connector.hook_id.as_deref() == Some(id));
    code.is_some_and(|code| signature::matches(secret, &[body], &code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hmac::{Hmac, KeyInit, Mac};
    use sha2::Sha256;

    fn connector(kind: &str) -> ConnectorRow {
        ConnectorRow {
            system: "crm".into(),
            kind: kind.into(),
            url: String::new(),
            api_key: String::new(),
            api_secret: None,
            hook_id: Some("hook1".into()),
            hook_secret: Some("secret".into()),
            mapping: String::new(),
            cursor: (0, String::new()),
            failures: 0,
            compared: None,
            compared_day: 0,
            next_ts: 0,
            waiting: 0,
            tasks: 0,
        }
    }

    #[test]
    fn only_what_the_crm_signed_is_its() {
        let now = 1_795_280_000_123;
        let signed = crate::webhook::signature("secret", now, "[]").unwrap();
        let generic = connector("http");
        assert!(is_theirs(&generic, &signed, b"[]", now + 60_000));
        assert!(!is_theirs(&generic, &signed, b"[1]", now));
        assert!(!is_theirs(&generic, &signed, b"[]", now + 600_000), "said again later");
        let espo = connector("espocrm");
        let code = "00".repeat(32);
        let mut mac = Hmac::<Sha256>::new_from_slice(b"secret").unwrap();
        mac.update(br#"[{"id":"1"}]"#);
        let own: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let signed = |id: &str, code: &str| STANDARD.encode(format!("{id}:{code}"));
        assert!(is_theirs(&espo, &signed("hook1", &own), br#"[{"id":"1"}]"#, now));
        assert!(!is_theirs(&espo, &signed("hook2", &own), br#"[{"id":"1"}]"#, now));
        assert!(!is_theirs(&espo, &signed("hook1", &code), br#"[{"id":"1"}]"#, now));
        for nonsense in ["", "t=1,v1=", "żółw", "aG9vazE6", "t=1795280000,v1=zz"] {
            assert!(!is_theirs(&espo, nonsense, b"", now) && !is_theirs(&generic, nonsense, b"", now));
        }
        assert!(!is_theirs(
            &ConnectorRow { hook_secret: None, ..connector("http") },
            &signed("", ""),
            b"",
            now
        ));
    }
}
