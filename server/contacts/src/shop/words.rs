//! The words for facts, in every language that Kontor speaks.

use super::{Detail, money};
use crate::when::Calendar;
use crate::words::one;
use kontor_model::Language;
use kontor_store::contacts::facts::FactRow;

/// What a kind of fact is called, one of it.
pub fn kind(language: Language, kind: &str) -> &'static str {
    let words = match kind {
        "deal" => ["deal", "szansa", "угода"],
        "payment" => ["payment", "płatność", "оплата"],
        "invoice" => ["invoice", "faktura", "рахунок"],
        "shipment" => ["parcel", "przesyłka", "посилка"],
        _ => ["order", "zamówienie", "замовлення"],
    };
    one(language, words)
}

/// What several facts of a kind are called.
pub fn kinds(language: Language, kind: &str) -> &'static str {
    let words = match kind {
        "deal" => ["Deals", "Szanse sprzedaży", "Угоди"],
        "payment" => ["Payments", "Płatności", "Оплати"],
        "invoice" => ["Invoices", "Faktury", "Рахунки"],
        "shipment" => ["Parcels", "Przesyłki", "Посилки"],
        _ => ["Orders", "Zamówienia", "Замовлення"],
    };
    one(language, words)
}

/// How a fact stands.
pub fn status(language: Language, kind: &str, status: &str) -> &'static str {
    let words = match (kind, status) {
        ("payment", "paid") => ["paid", "zapłacona", "сплачено"],
        ("payment", "partially_paid") => ["part paid", "zapłacona częściowo", "сплачено частково"],
        (_, "paid") => ["paid", "opłacone", "оплачено"],
        (_, "partially_paid") => ["part paid", "opłacone częściowo", "оплачено частково"],
        (_, "on_hold") => ["on hold", "wstrzymane", "призупинено"],
        (_, "processing") => ["in progress", "w realizacji", "опрацьовується"],
        (_, "completed") => ["completed", "zrealizowane", "виконано"],
        (_, "failed") => ["failed", "nieudane", "не вдалося"],
        (_, "refunded") => ["refunded", "zwrócone", "повернуто"],
        (_, "partially_refunded") => ["refunded in part", "zwrócone częściowo", "повернуто частково"],
        (_, "cancelled") => ["cancelled", "anulowane", "скасовано"],
        (_, "shipped") => ["sent", "wysłane", "надіслано"],
        (_, "delivered") => ["delivered", "doręczone", "доставлено"],
        (_, "won") => ["won", "wygrana", "виграно"],
        (_, "lost") => ["lost", "przegrana", "програно"],
        _ => ["new", "nowe", "нове"],
    };
    one(language, words)
}

/// The further words of a fact.
pub fn detail(fact: &FactRow) -> Detail {
    serde_json::from_str(&fact.detail).unwrap_or_default()
}

/// The amount of a fact.
pub fn amount(fact: &FactRow, language: Language) -> Option<String> {
    Some(money::shown(fact.amount?, fact.currency.as_deref()?, language))
}

/// What is said backstage when something happened: what, how much, of which order, how, and who says so.
pub fn news(fact: &FactRow, source: &str, language: Language, calendar: &Calendar) -> String {
    let words = match (fact.kind.as_str(), fact.status.as_str()) {
        ("payment", "paid") => ["Payment received", "Wpłynęła płatność", "Надійшла оплата"],
        ("payment", "partially_paid") => {
            ["Part payment received", "Wpłynęła część płatności", "Надійшла часткова оплата"]
        }
        ("payment", "failed") => ["Payment failed", "Płatność nie powiodła się", "Оплата не вдалася"],
        ("payment", "refunded") => ["Payment refunded", "Płatność zwrócona", "Оплату повернуто"],
        ("payment", "partially_refunded") => {
            ["Part of the payment refunded", "Zwrócono część płatności", "Частину оплати повернуто"]
        }
        _ => ["Order cancelled", "Zamówienie anulowane", "Замовлення скасовано"],
    };
    let what = match amount(fact, language).filter(|_| fact.kind == "payment") {
        Some(amount) => format!("{}: {amount}", one(language, words)),
        None => one(language, words).to_owned(),
    };
    let order =
        Some(format!("{} {}", kind(language, "order"), fact.number)).filter(|_| !fact.number.is_empty());
    let back = (fact.refunded > 0).then(|| given_back(fact, language)).flatten();
    let moment = format!("{source}, {}", calendar.shown(fact.happened_ts));
    let parts = [Some(what), back, order, detail(fact).method, Some(moment)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

fn given_back(fact: &FactRow, language: Language) -> Option<String> {
    let amount = money::shown(fact.refunded, fact.currency.as_deref()?, language);
    Some(format!("{} {amount}", one(language, ["returned", "zwrot", "повернено"])))
}

/// A fact on one line: number, amount, how it stands, and its further words.
pub fn line(fact: &FactRow, language: Language) -> String {
    let detail = detail(fact);
    let number = Some(fact.number.clone()).filter(|number| !number.is_empty());
    let back = (fact.refunded > 0).then(|| given_back(fact, language)).flatten();
    let items: Vec<String> =
        detail.items.iter().take(3).map(|item| format!("{}× {}", item.qty, item.name)).collect();
    let items = Some(items.join(", ")).filter(|items| !items.is_empty());
    let parts = [
        number,
        amount(fact, language),
        Some(status(language, &fact.kind, &fact.status).to_owned()),
        back,
        detail.method,
        detail.carrier,
        detail.tracking,
        items,
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}
