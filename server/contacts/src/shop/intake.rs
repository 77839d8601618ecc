//! Taking in what a system tells: proven, read, and written once.

use super::whose::{case_keys, customer_of};
use super::{Customer, Fact, Read, Told, generic, is_news, shopify, woocommerce};
use crate::Contacts;
use crate::signature::{self, refused};
use kontor_model::{Error, Ms, Nid, Result};
use kontor_store::Change;
use kontor_store::contacts::facts::{self, CaseRow, FactRow};
use kontor_store::contacts::sources::{self, SourceRow};

/// How long names of what was told are kept; after that, older words change nothing anyway.
const KEPT: Ms = 14 * 86_400_000;
/// News that are older than this are not told in conversations any more.
const FRESH: Ms = 3 * 86_400_000;

/// A call as it came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Call<'a> {
    /// The field that proves who calls.
    pub signature: &'a str,
    /// The system's name for what it tells, if it has one.
    pub delivery: Option<&'a str>,
    /// What it is about, of systems that say so beside the body.
    pub topic: &'a str,
    /// The body.
    pub body: &'a [u8],
}

/// The field by which a kind of system proves itself, the one that names what it tells, and the one that says what it
/// is about.
pub fn fields(kind: &str) -> [&'static str; 3] {
    match kind {
        "woocommerce" => ["x-wc-webhook-signature", "x-wc-webhook-delivery-id", "x-wc-webhook-topic"],
        "shopify" => ["x-shopify-hmac-sha256", "x-shopify-webhook-id", "x-shopify-topic"],
        _ => ["kontor-signature", "kontor-delivery", "kontor-topic"],
    }
}

/// A call that tells something new.
#[derive(Clone, Debug)]
pub struct Taken {
    /// What is written.
    pub change: Change,
    /// The system's id of the case.
    pub case: String,
}

impl Contacts {
    /// The system of this id, for whoever calls in its name.
    ///
    /// # Errors
    /// [`refused`] when it is not there: strangers are not told which are.
    pub async fn caller(&self, id: &str) -> Result<SourceRow> {
        let found = match super::sources::is_id(id) {
            true => sources::by_id(&mut self.store.reader(), id).await?,
            false => None,
        };
        found.ok_or_else(refused)
    }

    /// Proves and reads a call, and plans what it changes; `None` when it tells nothing, or nothing new. Submitting ends
    /// in `Conflict` when the same was told at the same moment.
    ///
    /// # Errors
    /// [`refused`]; `BadJson` and `InvalidParam` for what is not what such a system tells.
    pub async fn take_in(&self, row: &SourceRow, call: Call<'_>) -> Result<Option<Taken>> {
        let now = self.now();
        let greeting = row.kind == "woocommerce" && woocommerce::is_greeting(call.body);
        if greeting {
            return Ok(None);
        }
        prove(row, call, now)?;
        let read = match row.kind.as_str() {
            "woocommerce" => woocommerce::read(call.topic, call.body, now)?,
            "shopify" => shopify::read(call.topic, call.body)?,
            _ => generic::read(call.body)?,
        };
        let Read::Told(told) = read else { return Ok(None) };
        let mut change = Change::default();
        // WooCommerce names each try anew: that says nothing.
        if let Some(delivery) = call.delivery.filter(|_| row.kind != "woocommerce") {
            let delivery = crate::text(delivery, "The name of the delivery", 200)?;
            if sources::was_told(&mut self.store.reader(), &row.id, &delivery).await? {
                return Ok(None);
            }
            change.add_told(&row.id, &delivery, now);
        }
        change.hear_source(&row.id, now);
        self.plan_told(&mut change, &row.id, &told).await?;
        Ok(Some(Taken { change, case: told.case }))
    }

    /// Looks once more whose a case is that is nobody's, after it was written: a contact may have got its address in
    /// the moment between.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn look_again(&self, system: &str, case: &str) -> Result<Option<Change>> {
        let row = facts::case(&mut self.store.reader(), system, case).await?;
        let Some(row) = row.filter(|row| row.rule.is_empty()) else { return Ok(None) };
        let owner = self.whose_case(system, case, &customer_of(&row)).await?;
        Ok(owner.map(|owner| {
            let mut change = Change::default();
            change.give_case(&row, &owner.contact, owner.rule);
            change
        }))
    }

    async fn plan_told(&self, change: &mut Change, system: &str, told: &Told) -> Result<()> {
        let now = self.now();
        let known = facts::case(&mut self.store.reader(), system, &told.case).await?;
        let customer = match &known {
            // Words without a customer, such as those of a parcel, take none away.
            Some(row) if told.customer == Customer::default() => customer_of(row),
            _ => told.customer.clone(),
        };
        let decided = known.as_ref().is_some_and(|row| !row.rule.is_empty());
        let owner = match decided {
            true => None,
            false => self.whose_case(system, &told.case, &customer).await?,
        };
        let nid = match &known {
            Some(row) => row.nid,
            None => self.store.nid().await?,
        };
        change.note_case(&CaseRow {
            nid,
            source: system.to_owned(),
            key: told.case.clone(),
            contact: owner.as_ref().map(|owner| owner.contact.clone()),
            rule: owner.as_ref().map_or("", |owner| owner.rule).to_owned(),
            customer: serde_json::to_string(&told.customer).map_err(Error::internal)?,
            customer_id: told.customer.external_id.clone(),
            as_of: told.as_of,
        });
        match owner {
            Some(_) => change.drop_case_keys(system, &told.case),
            None if !decided => {
                for (kind, key) in case_keys(system, &told.case, &customer) {
                    change.add_case_key(system, &told.case, kind, &key);
                }
            }
            None => {}
        }
        for fact in &told.facts {
            let nid = self.store.nid().await?;
            change.note_fact(&row(nid, system, told, fact, now)?);
        }
        Ok(())
    }

    /// Plans that names of what was told long ago, and news that nobody heard, are forgotten.
    pub fn forget_old_told(&self) -> Change {
        let mut change = Change::default();
        change.forget_told(self.now() - KEPT);
        change.forget_untold(self.now() - FRESH);
        change
    }
}

fn prove(row: &SourceRow, call: Call<'_>, now: Ms) -> Result<()> {
    let mut secrets = vec![row.secret.as_str()];
    secrets.extend(row.old.as_ref().filter(|(_, until)| *until > now).map(|(secret, _)| secret.as_str()));
    match row.kind.as_str() {
        "woocommerce" | "shopify" => signature::base64(&secrets, call.signature, call.body),
        _ => signature::ours(&secrets, call.signature, call.body, now),
    }
}

fn row(nid: Nid, system: &str, told: &Told, fact: &Fact, now: Ms) -> Result<FactRow> {
    let recent = now - told.as_of < FRESH;
    Ok(FactRow {
        nid,
        source: system.to_owned(),
        kind: fact.kind.word().to_owned(),
        external_id: fact.external_id.clone(),
        case: told.case.clone(),
        number: fact.number.clone(),
        status: fact.status.to_owned(),
        amount: fact.amount,
        refunded: fact.refunded,
        currency: fact.currency.clone(),
        cost: fact.cost,
        happened_ts: fact.happened,
        as_of: told.as_of,
        step: fact.step,
        received_ts: now,
        detail: serde_json::to_string(&fact.detail).map_err(Error::internal)?,
        untold: recent && is_news(fact.kind, fact.status),
    })
}
