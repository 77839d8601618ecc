//! What the shop's own systems sign: who a visitor is, and forms that its server passes on.
//!
//! Identity: `base64url(JSON) + "." + hex(HMAC-SHA256(secret, the base64url text))`. Forms:
//! `Kontor-Signature: t=SECONDS,v1=hex(HMAC-SHA256(secret, t + "." + body))`.

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use kontor_bridge_kit::proof::{from_hex, is_hmac_sha256};
use kontor_model::{Code, Error, Ms, Result, Secret};
use serde::Deserialize;

/// How long an identity may be good for, seconds.
const LONGEST_LIFE: i64 = 15 * 60;
/// How far clocks may differ, seconds.
const SKEW: i64 = 60;
/// How old or new a signed form may be, seconds.
const FORM_SKEW: i64 = 5 * 60;

/// Who a visitor is, as the shop says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Identity {
    /// The shop's own id of its customer; never changes.
    pub sub: String,
    /// E-mail address, if the shop has checked it.
    #[serde(default)]
    pub email: Option<String>,
    /// Phone number, if the shop has checked it.
    #[serde(default)]
    pub phone: Option<String>,
    /// Name.
    #[serde(default)]
    pub name: Option<String>,
    /// The widget that it is for.
    pub wid: String,
    /// When it was signed, seconds.
    pub iat: i64,
    /// Until when it is good, seconds; at most 15 minutes later.
    pub exp: i64,
}

fn refused(why: &'static str) -> Error {
    Error::new(Code::Unauthorized, why)
}

fn is_signed(secrets: &[Secret<String>], message: &[u8], tag: &[u8]) -> bool {
    // All are tried, so that the time does not tell which one fits.
    let fits = secrets.iter().filter(|secret| is_hmac_sha256(secret.expose().as_bytes(), message, tag));
    fits.count() > 0
}

/// Reads an identity that the shop signed for this widget.
///
/// # Errors
/// `Unauthorized` when it was not signed with one of the secrets, is for another widget, is over, not yet
/// good, or good for longer than 15 minutes.
pub fn identity(token: &str, widget: &str, secrets: &[Secret<String>], now: Ms) -> Result<Identity> {
    let forged = || refused("The identity token is not signed by this shop.");
    let (claims, tag) = token.split_once('.').ok_or_else(forged)?;
    let tag = from_hex(tag).ok_or_else(forged)?;
    if !is_signed(secrets, claims.as_bytes(), &tag) {
        return Err(forged());
    }
    let json = URL_SAFE_NO_PAD.decode(claims).or_else(|_| URL_SAFE.decode(claims)).map_err(|_| forged())?;
    let claims: Identity = serde_json::from_slice(&json)
        .map_err(|error| refused("The identity token lacks sub, wid, iat or exp.").because(error))?;
    let now = now / 1000;
    if claims.wid != widget {
        return Err(refused("The identity token is for another widget."));
    }
    if claims.sub.is_empty() || claims.sub.len() > 255 {
        return Err(refused("The identity token's sub is empty or too long."));
    }
    if claims.exp <= claims.iat || claims.exp - claims.iat > LONGEST_LIFE {
        return Err(refused("The identity token must be good for at most 15 minutes."));
    }
    if claims.iat > now + SKEW {
        return Err(refused("The identity token is from the future. Is the shop's clock right?"));
    }
    if claims.exp <= now {
        return Err(refused("The identity token is over. Ask the shop for a new one."));
    }
    Ok(claims)
}

/// Checks the signature of a form that a server sent, on its raw body.
///
/// # Errors
/// `Unauthorized` when it was not signed with one of the secrets, or more than 5 minutes ago.
pub fn form(header: &str, body: &[u8], secrets: &[Secret<String>], now: Ms) -> Result<()> {
    let forged = || refused("Kontor-Signature does not fit this body.");
    let field = |name: &str| header.split(',').find_map(|part| part.trim().strip_prefix(name));
    let time = field("t=").ok_or_else(forged)?;
    let seconds: i64 = time.parse().map_err(|_| forged())?;
    let tag = field("v1=").and_then(from_hex).ok_or_else(forged)?;
    let message = [time.as_bytes(), b".", body].concat();
    if !is_signed(secrets, &message, &tag) {
        return Err(forged());
    }
    if (now / 1000).abs_diff(seconds) > FORM_SKEW.unsigned_abs() {
        return Err(refused("Kontor-Signature is too old. Is the shop's clock right?"));
    }
    Ok(())
}

/// Signs an identity as the shop does, for tests and the demonstration shop.
pub fn sign_identity(claims: &serde_json::Value, secret: &Secret<String>) -> String {
    let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
    let tag = kontor_bridge_kit::proof::hmac_sha256(secret.expose().as_bytes(), claims.as_bytes());
    let hex: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{claims}.{hex}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: Ms = 1_795_280_100_000;

    fn secrets() -> Vec<Secret<String>> {
        vec![Secret::new("wid_secret".to_owned()), Secret::new("older_secret".to_owned())]
    }

    fn claims() -> serde_json::Value {
        json!({ "sub": "klient-77", "email": "oksana@example.com", "phone": "+48601234567",
            "name": "Oksana", "wid": "w_1", "iat": 1_795_280_000, "exp": 1_795_280_900 })
    }

    #[test]
    fn an_identity_is_read_when_either_secret_signed_it() {
        for secret in secrets() {
            let token = sign_identity(&claims(), &secret);
            let read = identity(&token, "w_1", &secrets(), NOW).unwrap();
            assert_eq!((read.sub.as_str(), read.name.as_deref()), ("klient-77", Some("Oksana")));
        }
    }

    #[test]
    fn forged_stale_early_long_and_foreign_identities_are_refused() {
        let secret = &secrets()[0];
        let good = sign_identity(&claims(), secret);
        let changed = |name: &str, value: serde_json::Value| {
            let mut claims = claims();
            claims[name] = value;
            sign_identity(&claims, secret)
        };
        let (body, tag) = good.split_once('.').unwrap();
        let forged = format!("{}.{tag}", URL_SAFE_NO_PAD.encode(claims().to_string().replace("77", "78")));
        let other = sign_identity(&claims(), &Secret::new("another".to_owned()));
        // Chatwoot's hash of the identifier alone is no token: it would be good for ever.
        let bare = "e62b6831ce8779b3fdf6d2ed872a4eb3c7853a4a89fd8c152e263845a0027831";
        for token in [
            forged,
            other,
            format!("{body}."),
            body.to_owned(),
            bare.to_owned(),
            format!("{}.{bare}", URL_SAFE_NO_PAD.encode("klient-77")),
            String::new(),
            changed("wid", json!("w_2")),
            changed("exp", json!(1_795_280_901)),
            changed("exp", json!(1_795_280_099)),
            changed("exp", json!(1_795_280_100)),
            changed("iat", json!(1_795_280_161)),
            changed("sub", json!("")),
            changed("sub", json!(null)),
            changed("iat", json!(null)),
        ] {
            assert!(identity(&token, "w_1", &secrets(), NOW).is_err(), "{token}");
        }
        assert!(identity(&good, "w_1", &secrets(), NOW + 900_000).is_err(), "replayed later");
        assert!(identity(&good, "w_1", &[], NOW).is_err(), "nobody can sign");
    }

    #[test]
    fn the_vectors_of_the_scheme_fit() {
        let secret = [Secret::new("k".to_owned())];
        let body = br#"{"id":"evt_1","type":"payment.received"}"#;
        let header = "t=1795280000,v1=05e7336530fee297dae37d8b79dfe2463045298dd88c7926c435c3d4dca6f36d";
        let at = 1_795_280_000_000;
        assert!(form(header, body, &secret, at).is_ok());
        assert!(form(header, body, &secret, at + 300_000).is_ok());
        assert!(form(header, body, &secret, at + 301_000).is_err(), "stale");
        assert!(form(header, body, &secret, at - 301_000).is_err(), "from the future");
        assert!(form(header, &body[1..], &secret, at).is_err());
        assert!(form(&header.replace("1795280000", "1795280001"), body, &secret, at).is_err());
        assert!(form("v1=00", body, &secret, at).is_err());
        assert!(form("", body, &secret, at).is_err());
        let tag = kontor_bridge_kit::proof::hmac_sha256(b"wid_secret", b"klient-77");
        let hex: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "e62b6831ce8779b3fdf6d2ed872a4eb3c7853a4a89fd8c152e263845a0027831");
    }
}
