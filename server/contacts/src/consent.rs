//! Consents: only what somebody did by an explicit act, with the version of the text that was shown.

use crate::claim::Source;
use crate::{Contacts, one_of, text};
use kontor_model::{Error, Ms, Result};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::contacts::conversations::ConversationRow;
use kontor_store::contacts::identities::{Act, ConsentRow};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The state of what is agreed to.
const GIVEN: &str = "given";
/// What is no act of a person.
pub(crate) const NO_ACTS: [&str; 4] = ["preticked", "implied", "default", "none"];
/// Consents of one request.
const MOST: usize = 20;
/// How far a clock may be ahead of ours, milliseconds.
const AHEAD: Ms = 5 * 60 * 1000;

/// Something that a customer agreed to, or took back.
#[derive(Clone, Debug, Deserialize)]
pub struct Consent {
    /// What for, such as `marketing_email`.
    pub purpose: String,
    /// `given` or `withdrawn`.
    pub state: String,
    /// Version of the text that was shown.
    pub text_version: String,
    /// Hash of the text, 64 hexadecimal digits.
    pub text_sha256: Option<String>,
    /// What the person did, such as `ticked`. Silence and ticks that were there are no acts.
    pub act: String,
    /// Where it comes from.
    pub source: Source,
    /// The event that shows it.
    pub event_id: Option<String>,
    /// When the person did it, milliseconds.
    pub given_at: Ms,
}

impl Consent {
    fn row(&self, now: Ms) -> Result<ConsentRow> {
        let sha = self.text_sha256.as_deref().map(str::to_ascii_lowercase);
        if sha.as_ref().is_some_and(|sha| sha.len() != 64 || !sha.bytes().all(|b| b.is_ascii_hexdigit())) {
            return Err(Error::invalid_param("consents.text_sha256 must be 64 hexadecimal digits."));
        }
        if self.given_at <= 0 || self.given_at > now + AHEAD {
            return Err(Error::invalid_param(
                "consents.given_at must be a moment of the past, in milliseconds.",
            ));
        }
        let act = text(&self.act, "consents.act", 100)?;
        if NO_ACTS.contains(&act.as_str()) {
            return Err(Error::invalid_param(
                "A consent needs an act of the person; what was ticked already is none.",
            ));
        }
        Ok(ConsentRow {
            purpose: text(&self.purpose, "consents.purpose", 100)?,
            state: one_of(&self.state, "consents.state", &["given", "withdrawn"])?.to_owned(),
            text_version: text(&self.text_version, "consents.text_version", 100)?,
            text_sha256: sha,
            act,
            source: self.source.word().to_owned(),
            event_id: self.event_id.as_deref().map(|id| text(id, "consents.event_id", 255)).transpose()?,
            given_ts: self.given_at,
        })
    }
}

impl Contacts {
    /// Plans to record consents of the customer of a conversation.
    ///
    /// # Errors
    /// `InvalidParam` for what is no consent.
    pub async fn record_consents(
        &self,
        conversation: &ConversationRow,
        consents: &[Consent],
        actor: Actor,
    ) -> Result<Change> {
        if consents.is_empty() || consents.len() > MOST {
            return Err(Error::invalid_param(format!("There must be 1 to {MOST} consents.")));
        }
        let now = self.now();
        let mut change = Change::default();
        for consent in consents {
            let row = consent.row(now)?;
            let nid = self.store.nid().await?;
            change.add_consent(nid, &conversation.contact, &conversation.id, &row, now);
        }
        let audit =
            Audit::done(Action::ConsentRecord, actor, now).on("contact", conversation.contact.as_str());
        change.audit(self.store.nid().await?, audit);
        Ok(change)
    }
}

/// What is agreed to by now, by purpose. Of contacts that were merged the one that took a consent back
/// decides, until a consent is given after the merge.
pub fn agreed(acts: &[Act]) -> BTreeMap<String, String> {
    let mut last: BTreeMap<(&str, &str), &Act> = BTreeMap::new();
    for act in acts {
        last.insert((act.consent.purpose.as_str(), act.contact.as_str()), act);
    }
    let mut agreed: BTreeMap<String, String> = BTreeMap::new();
    for ((purpose, _), act) in &last {
        let anew = |later: &&Act| {
            later.consent.purpose == *purpose
                && later.consent.state == GIVEN
                && later.consent.given_ts > act.consent.given_ts.max(act.merged_ts.unwrap_or(Ms::MAX - 1))
        };
        let outdated = act.consent.state != GIVEN && acts.iter().any(|later| anew(&later));
        let known = agreed.entry((*purpose).to_owned()).or_insert_with(|| GIVEN.to_owned());
        if act.consent.state != GIVEN && !outdated {
            known.clone_from(&act.consent.state);
        }
    }
    agreed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_merged_contacts_the_stricter_consent_counts_until_a_new_one() {
        let act = |contact: &str, state: &str, ts, merged_ts| Act {
            consent: Consent { state: state.into(), given_at: ts, ..consent() }.row(9_000).unwrap(),
            contact: contact.into(),
            merged_ts,
        };
        let told = |acts: &[Act]| agreed(acts).remove("contact").unwrap();
        let (given, taken) = (act("A", "given", 1, None), act("B", "withdrawn", 2, Some(5)));
        assert_eq!(told(std::slice::from_ref(&given)), "given");
        assert_eq!(told(&[given.clone(), taken.clone()]), "withdrawn");
        assert_eq!(told(&[given.clone(), taken.clone(), act("A", "given", 4, None)]), "withdrawn");
        assert_eq!(told(&[given, taken, act("A", "given", 6, None)]), "given");
        assert_eq!(told(&[act("A", "given", 1, None), act("A", "withdrawn", 2, None)]), "withdrawn");
    }

    fn consent() -> Consent {
        Consent {
            purpose: "contact".into(),
            state: "given".into(),
            text_version: "2026-05".into(),
            text_sha256: Some("A".repeat(64)),
            act: "ticked".into(),
            source: Source::Form,
            event_id: None,
            given_at: 1_000,
        }
    }

    #[test]
    fn a_consent_needs_an_act_and_a_text() {
        assert_eq!(consent().row(2_000).unwrap().text_sha256, Some("a".repeat(64)));
        for bad in [
            Consent { act: "preticked".into(), ..consent() },
            Consent { act: String::new(), ..consent() },
            Consent { text_version: String::new(), ..consent() },
            Consent { state: "maybe".into(), ..consent() },
            Consent { text_sha256: Some("x".repeat(64)), ..consent() },
            Consent { given_at: 2_000_000_000, ..consent() },
        ] {
            assert!(bad.row(2_000).is_err(), "{bad:?}");
        }
    }
}
