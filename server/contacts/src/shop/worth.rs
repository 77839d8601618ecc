//! What facts come to: what a customer is worth, which words are old, and telling both.

use super::{money, words};
use crate::told::Told;
use crate::view::{CardView, Telling};
use crate::words::one;
use kontor_model::{Language, Ms};
use kontor_store::contacts::facts::{FactRow, SumRow};
use kontor_store::contacts::sources::SourceRow;
use std::collections::BTreeMap;

/// Kinds in the order in which they are told.
pub const ORDER: [&str; 5] = ["order", "payment", "shipment", "invoice", "deal"];
/// Facts of one kind that an answer tells.
const TOLD: usize = 3;

/// Amounts by currency.
pub type Amounts = BTreeMap<String, i64>;

/// What was paid in all, less what was given back, by currency.
pub fn lifetime(sums: &[SumRow]) -> Amounts {
    let paid = ["paid", "partially_paid", "partially_refunded", "refunded"];
    let is_paid = |sum: &&SumRow| sum.kind == "payment" && paid.contains(&sum.status.as_str());
    added(sums.iter().filter(is_paid))
}

/// What deals come to that are neither made nor given up, by currency.
pub fn deals(sums: &[SumRow]) -> Amounts {
    let is_open = |sum: &&SumRow| {
        sum.kind == "deal" && !matches!(sum.status.as_str(), "won" | "lost" | "cancelled" | "paid")
    };
    added(sums.iter().filter(is_open))
}

fn added<'a>(sums: impl Iterator<Item = &'a SumRow>) -> Amounts {
    let mut amounts = Amounts::new();
    for sum in sums {
        let amount = amounts.entry(sum.currency.clone()).or_default();
        *amount = amount.saturating_add(sum.amount).saturating_sub(sum.refunded);
    }
    amounts
}

/// Amounts for people.
pub fn shown(amounts: &Amounts, language: Language) -> Option<String> {
    let parts: Vec<String> =
        amounts.iter().map(|(currency, amount)| money::shown(*amount, currency, language)).collect();
    (!parts.is_empty()).then(|| parts.join(" + "))
}

/// What the sum of what was paid is called.
pub fn lifetime_word(language: Language) -> &'static str {
    one(language, ["Paid in all", "Wpłacono łącznie", "Сплачено всього"])
}

/// What the sum of open deals is called.
pub fn deals_word(language: Language) -> &'static str {
    one(language, ["Open deals", "Otwarte szanse", "Відкриті угоди"])
}

/// What tags are called.
pub fn tags_word(language: Language) -> &'static str {
    one(language, ["Tags", "Tagi", "Теги"])
}

/// What companies are called.
pub fn companies_word(language: Language) -> &'static str {
    one(language, ["Company", "Firma", "Компанія"])
}

/// What costs are called.
pub fn cost_word(language: Language) -> &'static str {
    one(language, ["cost", "koszt", "собівартість"])
}

/// What is left of an amount after what it costs.
pub fn margin_word(language: Language) -> &'static str {
    one(language, ["margin", "marża", "маржа"])
}

/// Since when a system is silent, if that is for longer than it may be.
pub fn silent_since(source: &SourceRow, now: Ms) -> Option<Ms> {
    let heard = source.heard_ts.unwrap_or(source.created_ts);
    // The moment is kept to the minute.
    (now - heard > source.quiet + 60_000).then_some(heard)
}

/// What a fact costs and leaves, for those who may know.
pub fn cost(fact: &FactRow, language: Language) -> Option<String> {
    let (cost, currency) = (fact.cost?, fact.currency.as_deref()?);
    let mut said = format!("{} {}", cost_word(language), money::shown(cost, currency, language));
    if let Some(amount) = fact.amount {
        let left = money::shown(amount - cost, currency, language);
        said.push_str(&format!(", {} {left}", margin_word(language)));
    }
    Some(said)
}

impl CardView {
    /// What a system is called.
    pub fn source<'a>(&'a self, id: &'a str) -> &'a str {
        self.sources.iter().find(|source| source.id == id).map_or(id, |source| source.name.as_str())
    }

    /// Systems that told something of this contact and are silent for too long, with since when.
    pub fn silent(&self, now: Ms) -> Vec<(&SourceRow, Ms)> {
        let told = |source: &&SourceRow| self.facts.iter().any(|fact| fact.source == source.id);
        let silent = |source| silent_since(source, now).map(|since| (source, since));
        self.sources.iter().filter(told).filter_map(silent).collect()
    }

    /// A fact on one line, with who says it and how old that is. What it costs is never in it: everybody in the room
    /// reads an answer, and finds it again.
    pub fn fact_line(&self, fact: &FactRow, by: Telling<'_>) -> String {
        let (line, source) = (words::line(fact, by.language), self.source(&fact.source));
        format!("{line} · {source}, {}", by.since(fact.as_of))
    }

    /// That a system is silent, in words.
    pub fn silence(&self, source: &SourceRow, since: Ms, by: Telling<'_>) -> String {
        let words = [
            "{source} has told nothing since {since}: this may be out of date.",
            "{source} milczy od {since}: te dane mogą być nieaktualne.",
            "{source} мовчить від {since}: ці дані можуть бути застарілими.",
        ];
        one(by.language, words).replace("{source}", &source.name).replace("{since}", &by.since(since))
    }

    /// What the contact is worth, in words.
    pub fn told_worth(&self, by: Telling<'_>) -> Told {
        let language = by.language;
        let tags = Some(self.tags.join(", ")).filter(|tags| !tags.is_empty());
        let companies: Vec<String> = self.companies.iter().map(|company| company.shown()).collect();
        let companies = Some(companies.join(", ")).filter(|companies| !companies.is_empty());
        Told::default()
            .name_some(companies_word(language), companies)
            .name_some(tags_word(language), tags)
            .name_some(lifetime_word(language), shown(&lifetime(&self.sums), language))
            .name_some(deals_word(language), shown(&deals(&self.sums), language))
    }

    /// The newest facts of each kind, in words.
    pub fn told_facts(&self, by: Telling<'_>) -> Told {
        let mut told = Told::default();
        for kind in ORDER {
            let mut facts = self.facts.iter().filter(|fact| fact.kind == kind).take(TOLD).peekable();
            if facts.peek().is_none() {
                continue;
            }
            told = told.title(words::kinds(by.language, kind));
            told = facts.fold(told, |told, fact| told.item(self.fact_line(fact, by)));
        }
        for (source, since) in self.silent(by.now) {
            told = told.say(self.silence(source, since, by));
        }
        told
    }

    /// The contact's orders, in words; nothing when there are none.
    pub fn told_orders(&self, by: Telling<'_>) -> Option<Told> {
        let mut orders = self.facts.iter().filter(|fact| fact.kind == "order").peekable();
        orders.peek()?;
        let told = Told::default().title(words::kinds(by.language, "order"));
        Some(orders.fold(told, |told, fact| told.item(self.fact_line(fact, by))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(kind: &str, status: &str, currency: &str, amount: i64, refunded: i64) -> SumRow {
        let text = str::to_owned;
        SumRow {
            kind: text(kind),
            status: text(status),
            currency: text(currency),
            amount,
            refunded,
            count: 1,
        }
    }

    #[test]
    fn worth_is_what_was_paid_less_what_was_given_back() {
        let sums = [
            sum("order", "paid", "PLN", 99_999, 0),
            sum("payment", "paid", "PLN", 12_900, 0),
            sum("payment", "partially_refunded", "PLN", 5_000, 1_000),
            sum("payment", "refunded", "EUR", 700, 700),
            sum("payment", "failed", "PLN", 300, 0),
            sum("deal", "new", "PLN", 50_000, 0),
            sum("deal", "lost", "PLN", 60_000, 0),
        ];
        assert_eq!(lifetime(&sums), Amounts::from([("EUR".to_owned(), 0), ("PLN".to_owned(), 16_900)]));
        assert_eq!(shown(&deals(&sums), Language::Polish).as_deref(), Some("500,00 PLN"));
        assert_eq!(shown(&Amounts::new(), Language::Polish), None);
    }

    #[test]
    fn a_system_is_silent_after_its_limit() {
        let mut source = SourceRow {
            id: "s".into(),
            kind: "kontor".into(),
            name: "S".into(),
            secret: String::new(),
            old: None,
            quiet: 3_600_000,
            created_ts: 1_000,
            heard_ts: None,
        };
        assert_eq!(silent_since(&source, 3_600_000), None);
        assert_eq!(silent_since(&source, 3_700_000), Some(1_000));
        source.heard_ts = Some(200_000);
        assert_eq!(silent_since(&source, 3_700_000), None);
    }
}
