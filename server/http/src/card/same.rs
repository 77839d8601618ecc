//! Who is perhaps the same person as the one whose card it is, which contacts were merged into it, and what the forms
//! about that do.

use super::texts::Texts;
use super::visit::{Guest, Visit};
use kontor_contacts::names::nameless;
use kontor_contacts::proposal::{Found, Reason};
use kontor_contacts::view::CardView;
use kontor_contacts::words;
use kontor_flows::conversation::{Decided, reader};
use kontor_model::{Language, Ms, Result, ids};
use kontor_store::contacts::merges::MergeRow;

/// Contacts that are shown at a time, as in a room.
const SHOWN: usize = 5;
/// Numbers and addresses of one of them.
const KEYS: usize = 6;
/// Merges that are shown.
const MERGES: usize = 20;
/// Bits from which something speaks strongly.
const STRONG: f64 = 5.0;

/// A contact that is perhaps the same person.
pub(super) struct Other {
    pub id: String,
    pub name: String,
    pub stage: &'static str,
    pub owner: Option<String>,
    pub keys: Vec<String>,
    pub reasons: Vec<Why>,
}

/// A reason, in words.
pub(super) struct Why {
    pub what: String,
    pub weight: &'static str,
    pub against: bool,
}

/// A merge, as the journal has it.
pub(super) struct Joined {
    pub id: String,
    pub name: String,
    pub by: Option<String>,
    pub ts: Ms,
    pub undone: Option<Ms>,
}

/// What has to be said before two contacts become one.
pub(super) struct Question {
    pub other: String,
    /// Who owns them, if two do; else somebody said that they are different people.
    pub owners: Vec<String>,
}

/// Everything about being the same person.
#[derive(Default)]
pub(super) struct Same {
    pub others: Vec<Other>,
    pub joined: Vec<Joined>,
}

/// Reads what the page shows, as far as the guest may see it.
///
/// # Errors
/// `Unavailable` when the database is gone.
pub(super) async fn same(visit: &Visit, guest: &Guest, view: &CardView) -> Result<Same> {
    let (who, contact) = (reader(&guest.requester)?, view.card.contact.id.as_str());
    let contacts = &visit.app.contacts;
    let found = contacts.suggested(who, contact).await?;
    let mut merges = contacts.merges_of(who, contact).await?;
    merges.truncate(MERGES);
    let ids: Vec<&str> = merges.iter().map(|row| row.from.as_str()).collect();
    let names = match ids.is_empty() {
        true => Default::default(),
        false => contacts.own_names(&ids, visit.language).await?,
    };
    let joined = |row: MergeRow| Joined {
        id: row.nid.to_string(),
        name: names.get(&row.from).cloned().unwrap_or_else(|| nameless(visit.language, &row.from)),
        by: row.actor,
        ts: row.ts,
        undone: row.undone,
    };
    Ok(Same {
        others: found.into_iter().take(SHOWN).map(|found| other(found, visit.language)).collect(),
        joined: merges.into_iter().map(joined).collect(),
    })
}

fn other((found, reasons): Found, language: Language) -> Other {
    let card = &found.card;
    Other {
        name: card.display_name().map_or_else(|| nameless(language, &card.contact.id), str::to_owned),
        stage: words::stage(language, &card.contact.stage),
        owner: card.contact.owner_id.clone(),
        keys: found.keys.into_iter().take(KEYS).map(|(_, value)| value).collect(),
        reasons: whys(&reasons, language),
        id: card.contact.id.clone(),
    }
}

/// How much reasons say, in words: bits are for machines. What is there several times, such as words of the name, is
/// told once.
fn whys(reasons: &[Reason], language: Language) -> Vec<Why> {
    let texts = Texts::of(language);
    let mut told: Vec<(&str, f64, usize)> = Vec::new();
    for reason in reasons {
        let what = words::reason(language, &reason.what);
        match told.iter_mut().find(|(known, ..)| *known == what) {
            Some(known) => *known = (what, known.1 + reason.bits, known.2 + 1),
            None => told.push((what, reason.bits, 1)),
        }
    }
    let why = |(what, bits, times): (&str, f64, usize)| Why {
        what: if times > 1 { format!("{what} ({times}×)") } else { what.to_owned() },
        weight: match bits {
            bits if bits >= STRONG => texts.strongly_for,
            bits if bits >= 0.0 => texts.speaks_for,
            bits if bits > -STRONG => texts.speaks_against,
            _ => texts.strongly_against,
        },
        against: bits < 0.0,
    };
    told.into_iter().map(why).collect()
}

/// Makes the contact and another one, unless something has to be said before.
///
/// # Errors
/// `NotFound` for what the guest may not see; `Conflict` when one of them changed meanwhile.
pub(super) async fn join(
    visit: &Visit,
    guest: &Guest,
    pair: (&str, &str),
    owner: &str,
    despite: bool,
) -> Result<Option<Question>> {
    let owner = Some(owner).filter(|owner| !owner.is_empty()).map(ids::user_id).transpose()?;
    let by = guest.caller(visit);
    let owners = match visit.app.flows.join_contacts(&by, pair, owner.as_deref(), despite).await? {
        Decided::One => return Ok(None),
        Decided::TwoOwners(owners) => owners.to_vec(),
        Decided::Apart => Vec::new(),
    };
    Ok(Some(Question { other: pair.1.to_owned(), owners }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_speaks_for_and_against_is_told_once_in_words() {
        let reason = |what: &str, bits| Reason { what: what.to_owned(), bits };
        let reasons = [
            reason("key_same", 12.0),
            reason("name_same", 3.0),
            reason("name_same", 2.5),
            reason("name_differs", -2.0),
            reason("second_id", -6.0),
        ];
        let told = whys(&reasons, Language::Polish);
        let told: Vec<String> = told.iter().map(|why| format!("{} {}", why.weight, why.what)).collect();
        assert_eq!(
            told,
            [
                "mocno za ten sam numer lub adres",
                "mocno za to samo słowo w nazwie (2×)",
                "przeciw inne słowo w nazwie",
                "mocno przeciw oba mają konto tam, gdzie ludzie mają jedno",
            ]
        );
    }
}
