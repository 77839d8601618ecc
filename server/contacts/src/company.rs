//! Companies: their numbers and mail domains, and who is what in them.

use crate::keys::lists;
use crate::ulid::is_ulid;
use crate::{Contacts, text};
use jiff::civil::Date;
use kontor_model::{Error, Nid, Result};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::contacts::companies::{self, CompanyRow, PersonRow};
use kontor_store::contacts::facts::{self, FactRow, SumRow};
use kontor_store::contacts::queue::Reader;
use serde::{Deserialize, Deserializer};

/// Mail domains of one company.
const MOST_DOMAINS: usize = 20;
/// People of a company that are shown.
const SHOWN: i64 = 200;
/// Facts of a company that are shown, of each kind.
const FACTS: i64 = 20;

/// What is said of a company. An absent field stays; `null` takes a value away.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// What it is called.
    pub name: Option<String>,
    /// VAT number, with or without its country; without, it is a Polish NIP.
    #[serde(default, deserialize_with = "present")]
    pub vat: Option<Option<String>>,
    /// Whether somebody made sure that the number is this company's.
    pub vat_verified: Option<bool>,
    /// Its mail domains.
    pub domains: Option<Vec<String>>,
    /// Whose it is, a user id.
    #[serde(default, deserialize_with = "present")]
    pub owner: Option<Option<String>>,
}

/// What somebody is in a company.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonWish {
    /// Such as owner, accountant, buyer.
    #[serde(default)]
    pub role: String,
    /// First day, YYYY-MM-DD.
    pub since: Option<String>,
    /// Last day, YYYY-MM-DD.
    pub until: Option<String>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A company with what belongs to it, as far as a reader may see it.
#[derive(Clone, Debug)]
pub struct CompanyView {
    /// The company.
    pub company: CompanyRow,
    /// Its mail domains.
    pub domains: Vec<String>,
    /// Its people.
    pub people: Vec<PersonRow>,
    /// Conversations of its people: all, and those that are not closed.
    pub conversations: (i64, i64),
    /// Facts of its people, of each kind the newest.
    pub facts: Vec<FactRow>,
    /// All facts of its people, added up.
    pub sums: Vec<SumRow>,
}

fn unknown() -> Error {
    Error::not_found("There is no such company.")
}

/// A VAT number in the form in which it is compared: country and number. A Polish one must be right by its checksum.
///
/// # Errors
/// `InvalidParam` for what is no number.
pub fn vat(value: &str) -> Result<String> {
    let plain: String = value.chars().filter(|c| !c.is_whitespace() && !"-./".contains(*c)).collect();
    let plain = plain.to_uppercase();
    let wrong = || {
        Error::invalid_param(
            "vat is a VAT number with its country, such as PL5260300291; a Polish NIP must have the right check digit.",
        )
    };
    let figures = plain.bytes().all(|byte| byte.is_ascii_digit());
    let full = if figures { format!("PL{plain}") } else { plain };
    let (country, number) = full.split_at_checked(2).ok_or_else(wrong)?;
    let named = country.bytes().all(|byte| byte.is_ascii_uppercase());
    let usable = (2..=14).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !named || !usable || (country == "PL" && !is_nip(number)) {
        return Err(wrong());
    }
    Ok(full)
}

/// Whether ten figures are a NIP: the last one follows from the others.
fn is_nip(number: &str) -> bool {
    let figures: Vec<u32> = number.chars().filter_map(|c| c.to_digit(10)).collect();
    let [first @ .., last] = figures.as_slice() else { return false };
    if figures.len() != 10 || number.len() != 10 || figures.iter().all(|figure| *figure == 0) {
        return false;
    }
    let sum: u32 =
        first.iter().zip([6, 5, 7, 2, 3, 4, 5, 6, 7]).map(|(figure, weight)| figure * weight).sum();
    sum % 11 == *last
}

/// A mail domain of a company; never one where anybody has a mailbox.
///
/// # Errors
/// `InvalidParam`.
pub fn domain(value: &str) -> Result<String> {
    let value = text(value.trim().trim_start_matches('@'), "domains", 253)?;
    let plain = idna::domain_to_ascii_strict(&value).unwrap_or_default();
    if !plain.contains('.') || plain.starts_with('.') || plain.ends_with('.') || plain.contains("..") {
        return Err(Error::invalid_param("domains are names such as firma.example."));
    }
    if lists::PUBLIC_DOMAINS.contains(&plain.as_str()) {
        let message = format!("Anybody may have a mailbox at {plain}: it says nothing of a company.");
        return Err(Error::invalid_param(message));
    }
    Ok(plain)
}

fn day(value: Option<&str>, field: &str) -> Result<Option<String>> {
    let Some(value) = value else { return Ok(None) };
    let day: Option<Date> = value.parse().ok();
    let day = day.filter(|_| value.len() == 10);
    day.map(|day| Some(day.to_string()))
        .ok_or_else(|| Error::invalid_param(format!("{field} is a day, YYYY-MM-DD.")))
}

fn domains(wish: &Wish) -> Result<Option<Vec<String>>> {
    let Some(given) = &wish.domains else { return Ok(None) };
    if given.len() > MOST_DOMAINS {
        return Err(Error::invalid_param(format!("A company may have {MOST_DOMAINS} domains.")));
    }
    given.iter().map(|value| domain(value)).collect::<Result<_>>().map(Some)
}

impl Contacts {
    /// Plans a company. `owner` is the numeric id of the wish's. Submitting ends in `Conflict` when another company has
    /// the number that somebody made sure of.
    ///
    /// # Errors
    /// `InvalidParam` for what no company can be.
    pub async fn new_company(
        &self,
        wish: &Wish,
        owner: Option<Nid>,
        actor: Actor,
    ) -> Result<(Change, String)> {
        let now = self.now();
        let mut row = CompanyRow {
            id: self.new_id(),
            name: text(wish.name.as_deref().unwrap_or_default(), "name", 200)?,
            vat: None,
            vat_verified_ts: None,
            owner,
            owner_id: None,
            version: 1,
            created_ts: now,
            updated_ts: now,
        };
        self.say_vat(&mut row, wish)?;
        let mut change = Change::default();
        change.add_company(&row);
        if let Some(domains) = domains(wish)? {
            change.set_domains(&row.id, &domains);
        }
        self.audit_company(&mut change, Action::CompanyCreate, &row.id, actor).await?;
        Ok((change, row.id))
    }

    /// Plans a change of a company that is still at a version. Submitting ends in `Conflict` when somebody was quicker,
    /// or another company has the number that somebody made sure of.
    ///
    /// # Errors
    /// `NotFound`, `Conflict`, `InvalidParam`.
    pub async fn change_company(
        &self,
        id: &str,
        version: i64,
        wish: &Wish,
        owner: Option<Nid>,
        actor: Actor,
    ) -> Result<Change> {
        let mut row = self.company(id).await?;
        if row.version != version {
            return Err(crate::card::moved());
        }
        if let Some(name) = &wish.name {
            row.name = text(name, "name", 200)?;
        }
        if wish.owner.is_some() {
            row.owner = owner;
        }
        self.say_vat(&mut row, wish)?;
        let mut change = Change::default();
        change.change_company(&row, self.now());
        if let Some(domains) = domains(wish)? {
            change.set_domains(id, &domains);
        }
        self.audit_company(&mut change, Action::CompanyUpdate, id, actor).await?;
        Ok(change)
    }

    fn say_vat(&self, row: &mut CompanyRow, wish: &Wish) -> Result<()> {
        if let Some(value) = &wish.vat {
            let value = value.as_deref().map(vat).transpose()?;
            if value != row.vat {
                row.vat_verified_ts = None;
            }
            row.vat = value;
        }
        match wish.vat_verified {
            Some(true) if row.vat.is_none() => {
                return Err(Error::invalid_param("vat_verified needs a VAT number."));
            }
            Some(true) => row.vat_verified_ts = row.vat_verified_ts.or(Some(self.now())),
            Some(false) => row.vat_verified_ts = None,
            None => {}
        }
        Ok(())
    }

    /// Plans that a company is forgotten; its people stay. Submitting ends in `Conflict` when it is not there.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn remove_company(&self, id: &str, actor: Actor) -> Result<Change> {
        self.company(id).await?;
        let mut change = Change::default();
        change.remove_company(id);
        self.audit_company(&mut change, Action::CompanyRemove, id, actor).await?;
        Ok(change)
    }

    /// A company.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn company(&self, id: &str) -> Result<CompanyRow> {
        let found = match is_ulid(id) {
            true => companies::by_id(&mut self.store.reader(), id).await?,
            false => None,
        };
        found.ok_or_else(unknown)
    }

    /// Plans that somebody is something in a company, or was.
    ///
    /// # Errors
    /// `NotFound` without such a company, or for a contact that the reader may not see; `InvalidParam`.
    pub async fn say_person(
        &self,
        reader: Reader,
        (company, contact): (&str, &str),
        wish: &PersonWish,
        actor: Actor,
    ) -> Result<Change> {
        let known = self.company(company).await?;
        let contact = self.now_of(reader, contact).await?;
        let (since, until) = (day(wish.since.as_deref(), "since")?, day(wish.until.as_deref(), "until")?);
        if let (Some(since), Some(until)) = (&since, &until)
            && since > until
        {
            return Err(Error::invalid_param("until is not before since."));
        }
        let mut change = Change::default();
        let role = crate::text_or_empty(&wish.role, "role", 60)?;
        // Of two that are one contact by now, one says it.
        change.remove_person(company, &contact, Some(&role));
        change.set_person(&PersonRow {
            company: known.id,
            company_name: known.name,
            contact,
            role,
            since,
            until,
        });
        self.audit_company(&mut change, Action::CompanyUpdate, company, actor).await?;
        Ok(change)
    }

    /// Plans that somebody was never in a company.
    ///
    /// # Errors
    /// As [`Contacts::say_person`].
    pub async fn remove_person(
        &self,
        reader: Reader,
        (company, contact): (&str, &str),
        actor: Actor,
    ) -> Result<Change> {
        self.company(company).await?;
        let contact = self.now_of(reader, contact).await?;
        let mut change = Change::default();
        change.remove_person(company, &contact, None);
        self.audit_company(&mut change, Action::CompanyUpdate, company, actor).await?;
        Ok(change)
    }

    /// A company with its people, their conversations and facts, as far as the reader may see them.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn company_view(&self, reader: Reader, id: &str) -> Result<CompanyView> {
        if !is_ulid(id) {
            return Err(unknown());
        }
        let mut source = self.store.snapshot().await?;
        let company = companies::by_id(&mut source, id).await?.ok_or_else(unknown)?;
        let domains = companies::domains(&mut source, &[id]).await?;
        let people = companies::people(&mut source, reader, id, SHOWN).await?;
        let contacts: Vec<&str> = people.iter().map(|person| person.contact.as_str()).collect();
        Ok(CompanyView {
            company,
            domains: domains.into_iter().map(|(_, domain)| domain).collect(),
            conversations: companies::conversations(&mut source, &contacts).await?,
            facts: facts::of_contacts(&mut source, reader, &contacts, FACTS).await?,
            sums: facts::sums(&mut source, &contacts).await?,
            people,
        })
    }

    async fn audit_company(&self, change: &mut Change, action: Action, id: &str, actor: Actor) -> Result<()> {
        change.audit(self.store.nid().await?, Audit::done(action, actor, self.now()).on("company", id));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nip_is_right_by_its_check_digit() {
        for (written, known) in [
            ("526-030-02-91", "PL5260300291"),
            ("PL 5260300291", "PL5260300291"),
            ("pl5260300291", "PL5260300291"),
            ("DE136695976", "DE136695976"),
            ("ATU12345678", "ATU12345678"),
        ] {
            assert_eq!(vat(written).unwrap(), known);
        }
        for wrong in [
            "5260300292",
            "0000000000",
            "526030029",
            "52603002910",
            "",
            "PL",
            "XX",
            "żółć",
            "12",
            "D€136695976",
        ] {
            assert!(vat(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn domains_where_anybody_has_a_mailbox_are_no_company_s() {
        assert_eq!(domain(" @Firma.Example ").unwrap(), "firma.example");
        for wrong in ["gmail.com", "WP.pl", "ukr.net", "firma", "", "a b.example", ".example", "x..example"] {
            assert!(domain(wrong).is_err(), "{wrong}");
        }
        assert_eq!(day(Some("2026-02-28"), "since").unwrap().as_deref(), Some("2026-02-28"));
        for wrong in ["2026-02-30", "28.02.2026", "20260228", ""] {
            assert!(day(Some(wrong), "since").is_err(), "{wrong}");
        }
    }
}
