//! Consents that a file tells of: checked, and weighed against what is known. The most restrictive word wins: who took a
//! consent back here, or in the file, did so until the person consents anew.

use super::{Import, LeftOut, Reason, Row, Told};
use crate::consent::{NO_ACTS, agreed};
use crate::when::Calendar;
use crate::{Contacts, one_of, text};
use kontor_model::{Error, Ms, Result};
use kontor_store::Change;
use kontor_store::audit::{Action, Audit};
use kontor_store::contacts::identities::{Act, ConsentRow};
use serde::{Deserialize, Serialize};

/// Consents of one row.
const MOST: usize = 20;
/// Where a consent comes from, and what the person did, as far as a file does not say.
const IMPORT: &str = "import";
/// Where consents come from.
const SOURCES: [&str; 6] = ["customer", "network", "form", "shop", "employee", IMPORT];

/// A consent of a row, or of an exported contact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// What for, such as `marketing_email`.
    pub purpose: String,
    /// `given` or `withdrawn`.
    pub state: String,
    /// When: a day (`2026-05-01`, `1.5.2026`), with or without a time of day, or a moment of RFC 3339. Of what was
    /// withdrawn it may be absent: then from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// The version of the text that was shown; of what was withdrawn it may be absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_version: Option<String>,
    /// customer, network, form, shop, employee, import; import when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What the person did, such as `ticked`; `import` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub act: Option<String>,
}

impl Consent {
    fn row(&self, calendar: &Calendar, now: Ms) -> Result<ConsentRow> {
        let said = |value: &Option<String>, field: &str| {
            let value = value.as_deref().filter(|value| !value.trim().is_empty());
            value.map(|value| text(value, field, 100)).transpose()
        };
        let state = one_of(self.state.trim(), "consents.state", &["given", "withdrawn"])?;
        let date = said(&self.date, "consents.date")?;
        let version = said(&self.text_version, "consents.text_version")?;
        let given_ts = match &date {
            None => None,
            Some(date) => Some(calendar.past(date, now).ok_or_else(|| {
                Error::invalid_param(
                    "consents.date must be a day or a moment of the past, such as 2026-05-01.",
                )
            })?),
        };
        if state == "given" && (given_ts.is_none() || version.is_none()) {
            return Err(Error::invalid_param(
                "A consent that was given needs its date and the version of the text that was shown.",
            ));
        }
        let source = said(&self.source, "consents.source")?;
        let act = said(&self.act, "consents.act")?.unwrap_or_else(|| IMPORT.to_owned());
        if NO_ACTS.contains(&act.as_str()) {
            return Err(Error::invalid_param(
                "A consent needs an act of the person; what was ticked already is none.",
            ));
        }
        Ok(ConsentRow {
            purpose: text(&self.purpose, "consents.purpose", 100)?,
            state: state.to_owned(),
            text_version: version.unwrap_or_default(),
            text_sha256: None,
            act,
            source: one_of(source.as_deref().unwrap_or(IMPORT), "consents.source", &SOURCES)?.to_owned(),
            event_id: None,
            given_ts: given_ts.unwrap_or(now),
        })
    }

    fn of(row: &ConsentRow) -> Self {
        Self {
            purpose: row.purpose.clone(),
            state: row.state.clone(),
            date: Some(Calendar::exact(row.given_ts)),
            text_version: Some(row.text_version.clone()).filter(|version| !version.is_empty()),
            source: Some(row.source.clone()),
            act: Some(row.act.clone()),
        }
    }
}

/// What a contact agrees to now and what it took back, each with the act that decides.
pub(super) fn standing(acts: &[Act]) -> Vec<Consent> {
    let decides = |(purpose, state): (&String, &String)| {
        let act =
            acts.iter().rev().find(|act| act.consent.purpose == *purpose && act.consent.state == *state)?;
        Some(Consent::of(&act.consent))
    };
    agreed(acts).iter().filter_map(decides).collect()
}

/// Of what a row says what is new, and what is left out since it was withdrawn here.
fn weighed(acts: &[Act], mut said: Vec<ConsentRow>, now: Ms) -> (Vec<ConsentRow>, Vec<LeftOut>) {
    let known = agreed(acts);
    // What is withdrawn counts first: a row can say both.
    said.sort_by(|one, other| other.state.cmp(&one.state));
    let (mut new, mut left_out): (Vec<ConsentRow>, Vec<LeftOut>) = (Vec::new(), Vec::new());
    for mut consent in said {
        let of_purpose = || acts.iter().map(|act| &act.consent).filter(|own| own.purpose == consent.purpose);
        let same = |own: &ConsentRow| {
            (&own.state, &own.text_version, own.given_ts)
                == (&consent.state, &consent.text_version, consent.given_ts)
        };
        let withdrawn = known.get(&consent.purpose).is_some_and(|state| state != "given")
            || new.iter().any(|own| own.purpose == consent.purpose && own.state != "given");
        match (consent.state.as_str(), withdrawn) {
            _ if of_purpose().any(same) => {}
            ("given", true) => {
                left_out.push(LeftOut { field: "consent".to_owned(), value: consent.purpose.clone() });
            }
            ("given", false) => new.push(consent),
            (_, true) => {}
            (_, false) => {
                // What was given here later would hide it: then it counts from now, when it is learnt.
                if of_purpose().any(|own| own.given_ts >= consent.given_ts) {
                    consent.given_ts = now;
                }
                new.push(consent);
            }
        }
    }
    (new, left_out)
}

impl Contacts {
    /// The consents of a row, checked.
    pub(super) fn consents_of(&self, row: &Row) -> Result<Vec<ConsentRow>, Box<Told>> {
        let bad = |error: Error| Box::new(Told::rejected(row.row, Reason::Consent, error.message));
        if row.consents.len() > MOST {
            return Err(bad(Error::invalid_param(format!("A row may have {MOST} consents."))));
        }
        let now = self.now();
        row.consents
            .iter()
            .map(|consent| consent.row(&self.calendar, now))
            .collect::<Result<_>>()
            .map_err(bad)
    }

    /// Adds what a row says of consents that is new to a contact, of which these acts are known; tells it.
    pub(super) async fn add_consents(
        &self,
        change: &mut Change,
        import: &Import,
        contact: &str,
        (acts, said): (&[Act], &[ConsentRow]),
        told: &mut Told,
    ) -> Result<()> {
        let now = self.now();
        let (new, left_out) = weighed(acts, said.to_vec(), now);
        told.left_out.extend(left_out);
        if new.is_empty() {
            return Ok(());
        }
        for consent in &new {
            let nid = self.store.nid().await?;
            change.add_consent(nid, contact, "", consent, now);
        }
        told.consents_given = new.iter().filter(|consent| consent.state == "given").count();
        told.consents_withdrawn = new.len() - told.consents_given;
        let mut audit = Audit::done(Action::ConsentRecord, import.actor.clone(), now).on("contact", contact);
        audit.detail = Some(serde_json::json!({ "import": import.id, "row": told.row }).to_string());
        change.audit(self.store.nid().await?, audit);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Ms = 1_795_280_000_000;

    fn consent(state: &str, date: Option<&str>) -> Consent {
        Consent {
            purpose: "news".into(),
            state: state.into(),
            date: date.map(str::to_owned),
            text_version: (state == "given").then(|| "3".to_owned()),
            ..Consent::default()
        }
    }

    fn row(state: &str, date: Option<&str>) -> ConsentRow {
        consent(state, date).row(&Calendar::default(), NOW).unwrap()
    }

    fn act(state: &str, date: &str) -> Act {
        Act { consent: row(state, Some(date)), contact: "A".into(), merged_ts: None }
    }

    #[test]
    fn a_consent_of_a_file_needs_its_day_and_its_text() {
        assert_eq!(row("given", Some("2026-05-01")).given_ts, 1_777_593_600_000);
        assert_eq!(row("given", Some("1.05.2026 14:30")).given_ts, 1_777_645_800_000);
        assert_eq!(row("given", Some("2026-05-01T00:00:00Z")).given_ts, 1_777_593_600_000);
        assert_eq!(row("withdrawn", None).given_ts, NOW);
        for bad in [
            consent("given", None),
            consent("given", Some("2036-05-01")),
            consent("given", Some("yesterday-ish")),
            consent("perhaps", Some("2026-05-01")),
            Consent { text_version: None, ..consent("given", Some("2026-05-01")) },
            Consent { act: Some("preticked".into()), ..consent("given", Some("2026-05-01")) },
            Consent { source: Some("nowhere".into()), ..consent("given", Some("2026-05-01")) },
            Consent { purpose: " ".into(), ..consent("withdrawn", None) },
        ] {
            assert!(bad.row(&Calendar::default(), NOW).is_err(), "{bad:?}");
        }
        let exact = Consent::of(&row("given", Some("2026-05-01")));
        assert_eq!(exact.row(&Calendar::default(), NOW).unwrap().given_ts, 1_777_593_600_000);
    }

    #[test]
    fn the_most_restrictive_word_wins() {
        let added = |acts: &[Act], said: Vec<ConsentRow>| {
            let (new, left_out) = weighed(acts, said, NOW);
            let states: Vec<(String, Ms)> = new.into_iter().map(|one| (one.state, one.given_ts)).collect();
            (states, left_out.len())
        };
        let given = || row("given", Some("2026-05-01"));
        let (given_ts, none) = (given().given_ts, Vec::new());
        assert_eq!(added(&[], vec![given()]), (vec![("given".to_owned(), given_ts)], 0));
        assert_eq!(added(&[act("given", "2026-05-01")], vec![given()]), (none.clone(), 0), "known");
        assert_eq!(added(&[act("withdrawn", "2026-01-01")], vec![given()]), (none.clone(), 1));
        assert_eq!(added(&[act("withdrawn", "2026-01-01")], vec![row("withdrawn", None)]), (none, 0));
        // Withdrawn elsewhere before it was given here: it holds from now on.
        let withdrawn = (vec![("withdrawn".to_owned(), NOW)], 0);
        assert_eq!(
            added(&[act("given", "2026-05-01")], vec![row("withdrawn", Some("2026-01-01"))]),
            withdrawn
        );
        let both = vec![given(), row("withdrawn", Some("2026-06-01"))];
        assert_eq!(added(&[], both).0.len(), 1);
    }
}
