//! What systems of the company tell of orders: the first line chooses the format and names its topic, the rest is the
//! body. What is kept of it is short, text, and links lead to the web only.

use kontor_contacts::shop::{Fact, Read, Told, generic, money, shopify, woocommerce};
use kontor_model::Language;

/// When a body is read.
const NOW: i64 = 1_795_280_000_000;
/// Longest text that is kept, bytes.
const LONGEST: usize = 2_000;

pub(crate) fn run(data: &[u8]) {
    let (first, body) = match data.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (data, &[][..]),
    };
    let Ok(first) = std::str::from_utf8(first) else { return };
    let (format, topic) = first.split_once(' ').unwrap_or((first, ""));
    let _ = woocommerce::is_greeting(body);
    let read = match format {
        "woocommerce" => woocommerce::read(topic, body, NOW),
        "shopify" => shopify::read(topic, body),
        _ => generic::read(body),
    };
    if let Ok(Read::Told(told)) = read {
        check(&told);
    }
}

fn check(told: &Told) {
    plain(&told.case);
    assert!(!told.case.trim().is_empty() && told.as_of > 0);
    let customer = &told.customer;
    for text in [&customer.name, &customer.email, &customer.phone, &customer.external_id] {
        kept(text.as_deref());
    }
    for fact in &told.facts {
        check_fact(fact);
    }
}

fn check_fact(fact: &Fact) {
    plain(&fact.external_id);
    plain(&fact.number);
    assert!(!fact.external_id.is_empty() && fact.happened > 0, "{fact:?}");
    assert!(fact.detail.items.len() <= 100, "{fact:?}");
    let detail = &fact.detail;
    for text in [&detail.method, &detail.txn, &detail.carrier, &detail.tracking, &detail.url] {
        kept(text.as_deref());
    }
    for item in &detail.items {
        kept(Some(&item.name));
    }
    if let Some(url) = &detail.url {
        assert!(url.to_ascii_lowercase().starts_with("http"), "{url}");
    }
    if let Some(currency) = &fact.currency {
        assert!(currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase()), "{fact:?}");
        for amount in [fact.amount, fact.cost, Some(fact.refunded)].into_iter().flatten() {
            for language in [Language::English, Language::Polish, Language::Ukrainian] {
                assert!(money::shown(amount, currency, language).len() < 60, "{fact:?}");
            }
        }
    }
}

/// A text that is kept says something.
fn kept(text: Option<&str>) {
    let Some(text) = text else { return };
    plain(text);
    assert!(!text.is_empty() && text.trim() == text, "{text:?}");
}

fn plain(text: &str) {
    assert!(text.len() <= LONGEST && !text.chars().any(char::is_control), "{text:?}");
}
