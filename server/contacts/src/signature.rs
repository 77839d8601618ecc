//! Who calls, a shop or a CRM: proven by a signature over the body as it came, compared in constant time.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use kontor_model::{Code, Error, Ms, Result};
use sha2::Sha256;

/// How far the moment of a signature may be from ours.
pub const WINDOW: Ms = 300_000;

/// The refusal of somebody who proved nothing; the same whatever was wrong, and for systems that are not there.
pub fn refused() -> Error {
    let message =
        "The signature is not right. Check the secret, the clock, and that the body is signed as it is sent.";
    Error::new(Code::UnknownToken { soft_logout: false }, message)
}

/// Whether a code is the HMAC-SHA-256 of some parts.
pub fn matches(secret: &str, parts: &[&[u8]], code: &[u8]) -> bool {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return false };
    parts.iter().for_each(|part| mac.update(part));
    mac.verify_slice(code).is_ok()
}

/// Checks `Kontor-Signature`: `t=<seconds>,v1=<hexadecimal HMAC-SHA-256 of t, a dot and the body>`; of several `v1`
/// one must be right.
///
/// # Errors
/// [`refused`].
pub fn ours(secrets: &[&str], header: &str, body: &[u8], now: Ms) -> Result<()> {
    let fields = || header.split(',').filter_map(|field| field.trim().split_once('='));
    let stamp = fields().find(|(name, _)| *name == "t").map(|(_, value)| value).ok_or_else(refused)?;
    let plain = !stamp.is_empty() && stamp.len() <= 12 && stamp.bytes().all(|byte| byte.is_ascii_digit());
    let seconds: i64 = stamp.parse().ok().filter(|_| plain).ok_or_else(refused)?;
    if (now - seconds.saturating_mul(1000)).abs() > WINDOW {
        return Err(refused());
    }
    let codes = fields().filter(|(name, _)| *name == "v1").take(4).filter_map(|(_, code)| unhex(code));
    let parts: [&[u8]; 3] = [stamp.as_bytes(), b".", body];
    let mut right = false;
    for code in codes {
        for secret in secrets {
            right |= matches(secret, &parts, &code);
        }
    }
    if right { Ok(()) } else { Err(refused()) }
}

/// Checks a signature of shop systems: base64 of the HMAC-SHA-256 of the body.
///
/// # Errors
/// [`refused`].
pub fn base64(secrets: &[&str], header: &str, body: &[u8]) -> Result<()> {
    let code = STANDARD.decode(header.trim()).map_err(|_| refused())?;
    let mut right = false;
    for secret in secrets {
        right |= matches(secret, &[body], &code);
    }
    if right { Ok(()) } else { Err(refused()) }
}

/// The bytes of 64 hexadecimal digits.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let pairs = (0..64).step_by(2).map(|at| text.get(at..at + 2));
    pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As another implementation computes it (recorded).
    const BODY: &str = "{\"id\":\"evt_1\",\"type\":\"payment.received\"}";
    const HEADER: &str = "t=1795280000,v1=05e7336530fee297dae37d8b79dfe2463045298dd88c7926c435c3d4dca6f36d";
    const NOW: Ms = 1_795_280_000_000;

    #[test]
    fn our_signature_holds_for_the_body_the_secret_and_five_minutes() {
        let check = |secrets: &[&str], header: &str, body: &str, now: Ms| {
            ours(secrets, header, body.as_bytes(), now).is_ok()
        };
        assert!(check(&["k"], HEADER, BODY, NOW));
        assert!(check(&["new", "k"], HEADER, BODY, NOW + WINDOW));
        assert!(check(&["k"], &format!("{HEADER},v1={}", "0".repeat(64)), BODY, NOW - WINDOW));
        assert!(!check(&["k"], HEADER, BODY, NOW + WINDOW + 1));
        assert!(!check(&["k"], HEADER, BODY, NOW - WINDOW - 1));
        assert!(!check(&["l"], HEADER, BODY, NOW));
        assert!(!check(&["k"], HEADER, &BODY.replace("evt_1", "evt_2"), NOW));
        assert!(!check(&["k"], &HEADER.replace("t=1795280000", "t=1795280001"), BODY, NOW));
        for bad in [
            "",
            "t=1795280000",
            "v1=00",
            "t=x,v1=00",
            "t=1795280000,v1=05e7",
            "t=-1,v1=",
            "t=1795280000,v1=żź",
        ] {
            assert!(!check(&["k"], bad, BODY, NOW), "{bad}");
        }
    }

    #[test]
    fn signatures_of_shop_systems_are_those_that_were_recorded() {
        let body = br#"{"id":5512,"financial_status":"paid","total_price":"129.00"}"#;
        assert!(base64(&["hush"], "Iv42zdDp2Kqk6YWCyZbm/v99d41dLROuNsF5KsQl8IE=", body).is_ok());
        assert!(base64(&["woo"], "dR9DZNw1uK+jPVIt8WGYhREhLX+QTLkE990isEEE9HM=", body).is_ok());
        assert!(base64(&["woo"], "Iv42zdDp2Kqk6YWCyZbm/v99d41dLROuNsF5KsQl8IE=", body).is_err());
        let tampered = br#"{"id":5512,"financial_status":"paid","total_price":"1.00"}"#;
        assert!(base64(&["hush"], "Iv42zdDp2Kqk6YWCyZbm/v99d41dLROuNsF5KsQl8IE=", tampered).is_err());
        for bad in ["", "%", "aGk="] {
            assert!(base64(&["hush"], bad, body).is_err());
        }
    }
}
