//! Amounts: texts of systems as whole numbers of the smallest unit, and for people. Never through floating point.

use kontor_model::Language;

/// Largest amount that is taken, either way.
pub const LARGEST: i64 = 1_000_000_000_000_000;

/// Digits behind the mark of a currency (ISO 4217).
pub fn digits(currency: &str) -> usize {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "VND"
        | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        _ => 2,
    }
}

/// A code of a currency: three capital letters.
pub fn currency(code: &str) -> Option<String> {
    let code = code.trim().to_uppercase();
    (code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase())).then_some(code)
}

/// An amount as systems write it (`129.00`) in smallest units of a currency; none if it is no amount, or finer than
/// the currency.
pub fn minor(text: &str, currency: &str) -> Option<i64> {
    let text = text.trim();
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let figures = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 15 || part.len() > 18 || !figures(whole) || !figures(part) {
        return None;
    }
    let digits = digits(currency);
    let (kept, rest) = part.split_at_checked(digits.min(part.len()))?;
    if rest.bytes().any(|byte| byte != b'0') {
        return None;
    }
    let units: i64 = format!("{whole}{kept:0<digits$}").parse().ok()?;
    (units <= LARGEST).then_some(if negative { -units } else { units })
}

/// An amount for people.
pub fn shown(amount: i64, currency: &str, language: Language) -> String {
    let digits = digits(currency);
    let plain = format!("{:0>width$}", amount.unsigned_abs(), width = digits + 1);
    let (whole, part) = plain.split_at_checked(plain.len() - digits).unwrap_or((&plain, ""));
    let (mark, gap) = if language == Language::English { ('.', ',') } else { (',', '\u{a0}') };
    let mut grouped = String::new();
    for (n, figure) in whole.chars().enumerate() {
        if n > 0 && (whole.len() - n).is_multiple_of(3) {
            grouped.push(gap);
        }
        grouped.push(figure);
    }
    let sign = if amount < 0 { "-" } else { "" };
    let part = if part.is_empty() { String::new() } else { format!("{mark}{part}") };
    format!("{sign}{grouped}{part} {currency}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_whole_numbers_of_the_smallest_unit() {
        for (text, code, units) in [
            ("129.00", "PLN", Some(12_900)),
            ("129", "PLN", Some(12_900)),
            ("0.1", "EUR", Some(10)),
            ("-10.005", "EUR", None),
            ("-10.00", "EUR", Some(-1_000)),
            ("1500", "JPY", Some(1_500)),
            ("1.234", "KWD", Some(1_234)),
            ("1.5000", "PLN", Some(150)),
            ("", "PLN", None),
            ("1e3", "PLN", None),
            ("1,5", "PLN", None),
            ("+1", "PLN", None),
            ("99999999999999999999", "PLN", None),
        ] {
            assert_eq!(minor(text, code), units, "{text} {code}");
        }
        assert_eq!((currency("pln"), currency("zł"), currency("P1N")), (Some("PLN".to_owned()), None, None));
    }

    #[test]
    fn amounts_are_written_as_people_write_them() {
        assert_eq!(shown(123_456_789, "PLN", Language::Polish), "1\u{a0}234\u{a0}567,89 PLN");
        assert_eq!(shown(123_456_789, "PLN", Language::English), "1,234,567.89 PLN");
        assert_eq!(shown(-5, "EUR", Language::Ukrainian), "-0,05 EUR");
        assert_eq!(shown(1_500, "JPY", Language::English), "1,500 JPY");
    }
}
