//! Facts: what systems of the company told of deals, orders, payments, invoices and shipments, by the cases that they
//! belong to. What a fact costs is read out for those alone who may know it.

use super::cards::members;
use super::queue::Reader;
use crate::Change;
use crate::db::Source;
use crate::table::Table;
use crate::value::{Row, Value, id_set, text_set};
use kontor_model::{Ms, Nid, Result};

/// A fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactRow {
    /// Numeric id.
    pub nid: Nid,
    /// The system that told it.
    pub source: String,
    /// deal, order, payment, invoice, shipment.
    pub kind: String,
    /// The system's id of it.
    pub external_id: String,
    /// The system's id of the case.
    pub case: String,
    /// What people call it.
    pub number: String,
    /// How it stands; empty = nothing was said of that.
    pub status: String,
    /// Smallest units of the currency.
    pub amount: Option<i64>,
    /// What of it was given back.
    pub refunded: i64,
    /// ISO 4217.
    pub currency: Option<String>,
    /// What it costs the company, for those who may know.
    pub cost: Option<i64>,
    /// When it happened.
    pub happened_ts: Ms,
    /// Of which moment this is, by the system's clock.
    pub as_of: Ms,
    /// Decides between words of the same moment.
    pub step: i64,
    /// When it was told.
    pub received_ts: Ms,
    /// Further words for people, JSON.
    pub detail: String,
    /// Whether those backstage are to be told.
    pub untold: bool,
}

/// What of facts is read; what they cost for administrators (`$2`) and for those of `$3` who may know.
macro_rules! columns {
    () => {
        "f.fact_nid, f.source_id, f.kind, f.external_id, c.case_key, f.number, f.status, f.amount, f.refunded, f.currency, \
         CASE WHEN $2 = 1 OR EXISTS (SELECT 1 FROM staff_role r WHERE r.user_nid = $3 AND r.role = 'costs') \
         THEN f.cost END AS shown_cost, f.happened_ts, f.as_of, f.step, f.received_ts, f.detail, f.untold"
    };
}

fn read(row: &Row) -> Result<FactRow> {
    Ok(FactRow {
        nid: row.int(0)?,
        source: row.text(1)?,
        kind: row.text(2)?,
        external_id: row.text(3)?,
        case: row.text(4)?,
        number: row.text(5)?,
        status: row.text(6)?,
        amount: row.int_opt(7)?,
        refunded: row.int(8)?,
        currency: row.text_opt(9)?,
        cost: row.int_opt(10)?,
        happened_ts: row.int(11)?,
        as_of: row.int(12)?,
        step: row.int(13)?,
        received_ts: row.int(14)?,
        detail: row.text(15)?,
        untold: row.bool(16)?,
    })
}

fn asked(contacts: &[&str], reader: Reader) -> Vec<Value> {
    vec![text_set(contacts), reader.admin.into(), reader.user.into()]
}

/// Facts of contacts and of those merged into them: of each kind the newest `limit`, newest first.
///
/// # Errors
/// See [`Source::all`].
pub async fn of_contacts<S: Source>(
    source: &mut S,
    reader: Reader,
    contacts: &[&str],
    limit: i64,
) -> Result<Vec<FactRow>> {
    let sql = concat!(
        members!(),
        "SELECT * FROM (SELECT ",
        columns!(),
        ", row_number() OVER (PARTITION BY f.kind ORDER BY f.happened_ts DESC, f.fact_nid DESC) AS place \
         FROM m JOIN fact_case c ON c.contact_id = m.contact_id JOIN fact f ON f.case_nid = c.case_nid) f \
         WHERE f.place <= $4 ORDER BY f.happened_ts DESC, f.fact_nid DESC"
    );
    let mut values = asked(contacts, reader);
    values.push(limit.into());
    source.all(sql, values).await?.iter().map(read).collect()
}

/// Facts of those cases of a contact whose order has a number, or whose id it is.
///
/// # Errors
/// See [`Source::all`].
pub async fn of_order<S: Source>(
    source: &mut S,
    reader: Reader,
    contact: &str,
    number: &str,
) -> Result<Vec<FactRow>> {
    let sql = concat!(
        members!(),
        "SELECT ",
        columns!(),
        " FROM m JOIN fact_case c ON c.contact_id = m.contact_id JOIN fact o ON o.case_nid = c.case_nid \
         AND o.kind = 'order' AND (o.number IN ($4, '#' || $4) OR o.external_id = $4) \
         JOIN fact f ON f.case_nid = c.case_nid ORDER BY f.happened_ts, f.fact_nid LIMIT 100"
    );
    let mut values = asked(&[contact], reader);
    values.push(number.into());
    source.all(sql, values).await?.iter().map(read).collect()
}

/// Facts of one kind and status, added up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SumRow {
    /// deal, order, payment, invoice, shipment.
    pub kind: String,
    /// How they stand.
    pub status: String,
    /// ISO 4217.
    pub currency: String,
    /// Smallest units of the currency.
    pub amount: i64,
    /// What of it was given back.
    pub refunded: i64,
    /// How many.
    pub count: i64,
}

/// All facts of contacts and of those merged into them, added up by kind, status and currency.
///
/// # Errors
/// See [`Source::all`].
pub async fn sums<S: Source>(source: &mut S, contacts: &[&str]) -> Result<Vec<SumRow>> {
    let sql = concat!(
        members!(),
        "SELECT f.kind, f.status, f.currency, CAST(sum(f.amount) AS BIGINT), CAST(sum(f.refunded) AS BIGINT), count(*) \
         FROM m JOIN fact_case c ON c.contact_id = m.contact_id JOIN fact f ON f.case_nid = c.case_nid \
         WHERE f.currency IS NOT NULL AND f.amount IS NOT NULL GROUP BY f.kind, f.status, f.currency \
         ORDER BY f.kind, f.status, f.currency"
    );
    let read = |row: &Row| {
        Ok(SumRow {
            kind: row.text(0)?,
            status: row.text(1)?,
            currency: row.text(2)?,
            amount: row.int(3)?,
            refunded: row.int(4)?,
            count: row.int(5)?,
        })
    };
    source.all(sql, vec![text_set(contacts)]).await?.iter().map(read).collect()
}

/// A case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseRow {
    /// Numeric id.
    pub nid: Nid,
    /// The system that told it.
    pub source: String,
    /// The system's id of it.
    pub key: String,
    /// Whose it is.
    pub contact: Option<String>,
    /// By which rule: customer, key, person; empty = nobody's.
    pub rule: String,
    /// What the system says about its customer, JSON.
    pub customer: String,
    /// The system's number of its customer.
    pub customer_id: Option<String>,
    /// Of which moment that is.
    pub as_of: Ms,
}

macro_rules! cases {
    ($($rest:tt)*) => {
        concat!(
            "SELECT c.case_nid, c.source_id, c.case_key, c.contact_id, c.rule, c.customer, c.customer_id, c.as_of ",
            $($rest)*
        )
    };
}

fn read_case(row: &Row) -> Result<CaseRow> {
    Ok(CaseRow {
        nid: row.int(0)?,
        source: row.text(1)?,
        key: row.text(2)?,
        contact: row.text_opt(3)?,
        rule: row.text(4)?,
        customer: row.text(5)?,
        customer_id: row.text_opt(6)?,
        as_of: row.int(7)?,
    })
}

/// A case.
///
/// # Errors
/// See [`Source::all`].
pub async fn case<S: Source>(source: &mut S, system: &str, key: &str) -> Result<Option<CaseRow>> {
    let sql = cases!("FROM fact_case c WHERE c.source_id = $1 AND c.case_key = $2");
    source.first(sql, vec![system.into(), key.into()]).await?.as_ref().map(read_case).transpose()
}

/// Whose a case is, after all merges.
///
/// # Errors
/// See [`Source::all`].
pub async fn payer<S: Source>(source: &mut S, system: &str, key: &str) -> Result<Option<String>> {
    let sql = "SELECT coalesce(t.redirect_to, t.contact_id) FROM fact_case c JOIN contact t ON t.contact_id = c.contact_id \
               WHERE c.source_id = $1 AND c.case_key = $2";
    source.first(sql, vec![system.into(), key.into()]).await?.map(|row| row.text(0)).transpose()
}

/// Cases that are nobody's, after a number, oldest first.
///
/// # Errors
/// See [`Source::all`].
pub async fn open_cases<S: Source>(source: &mut S, after: Nid, limit: i64) -> Result<Vec<CaseRow>> {
    let sql = cases!(
        "FROM fact_case c WHERE c.contact_id IS NULL AND c.case_nid > $1 ORDER BY c.case_nid LIMIT $2"
    );
    source.all(sql, vec![after.into(), limit.into()]).await?.iter().map(read_case).collect()
}

/// Cases that are nobody's and hold a number or address of one of these contacts.
///
/// # Errors
/// See [`Source::all`].
pub async fn waiting<S: Source>(source: &mut S, contacts: &[&str], limit: i64) -> Result<Vec<CaseRow>> {
    if contacts.is_empty() {
        return Ok(Vec::new());
    }
    let sql = cases!(
        "FROM fact_case c WHERE c.rule = '' AND c.case_nid IN (SELECT q.case_nid FROM claim k JOIN fact_key q \
         ON q.kind = k.kind AND q.key = k.key WHERE k.contact_id IN TEXT_SET($1)) ORDER BY c.case_nid LIMIT $2"
    );
    source.all(sql, vec![text_set(contacts), limit.into()]).await?.iter().map(read_case).collect()
}

/// Facts of cases.
///
/// # Errors
/// See [`Source::all`].
pub async fn of_cases<S: Source>(source: &mut S, reader: Reader, cases: &[Nid]) -> Result<Vec<FactRow>> {
    let sql = concat!(
        "SELECT ",
        columns!(),
        " FROM fact_case c JOIN fact f ON f.case_nid = c.case_nid WHERE c.case_nid IN ID_SET($1) \
         ORDER BY c.case_nid, f.happened_ts, f.fact_nid"
    );
    let values = vec![id_set(cases.iter().copied()), reader.admin.into(), reader.user.into()];
    source.all(sql, values).await?.iter().map(read).collect()
}

/// Facts by their numeric ids.
///
/// # Errors
/// See [`Source::all`].
pub async fn by_nids<S: Source>(source: &mut S, reader: Reader, facts: &[Nid]) -> Result<Vec<FactRow>> {
    let sql = concat!(
        "SELECT ",
        columns!(),
        " FROM fact f JOIN fact_case c ON c.case_nid = f.case_nid WHERE f.fact_nid IN ID_SET($1)"
    );
    let values = vec![id_set(facts.iter().copied()), reader.admin.into(), reader.user.into()];
    source.all(sql, values).await?.iter().map(read).collect()
}

/// Whose a system's customer number is: as people said, else as the contacts hold it that were proven to; each as the
/// contact of a family that it stands with, and the family's.
///
/// # Errors
/// See [`Source::all`].
pub async fn by_customer<S: Source>(
    source: &mut S,
    system: &str,
    customer: &str,
    key: &str,
) -> Result<Vec<(String, String, bool)>> {
    let sql = "SELECT t.contact_id, coalesce(t.redirect_to, t.contact_id), 1 FROM fact_customer q \
               JOIN contact t ON t.contact_id = q.contact_id WHERE q.source_id = $1 AND q.customer_id = $2 \
               UNION ALL SELECT * FROM (SELECT t.contact_id, coalesce(t.redirect_to, t.contact_id), 0 FROM claim k \
               JOIN contact t ON t.contact_id = k.contact_id WHERE k.kind = 'customer_no' AND k.key = $3 AND k.trust >= 2 \
               ORDER BY t.contact_id LIMIT 20) k";
    let rows = source.all(sql, vec![system.into(), customer.into(), key.into()]).await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?, row.bool(2)?))).collect()
}

/// Of a contact and those merged into it the one that holds one of some numbers or addresses, the oldest first.
///
/// # Errors
/// See [`Source::all`].
pub async fn holder<S: Source>(source: &mut S, contact: &str, keys: &[&str]) -> Result<Option<String>> {
    let sql = concat!(
        members!(),
        "SELECT k.contact_id FROM m CROSS JOIN claim k WHERE k.contact_id = m.contact_id AND k.kind IN ('phone', 'email') \
         AND k.key IN TEXT_SET($2) ORDER BY k.contact_id LIMIT 1"
    );
    let row = source.first(sql, vec![text_set([contact]), text_set(keys)]).await?;
    row.map(|row| row.text(0)).transpose()
}

/// A fact that those in a conversation are yet to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UntoldRow {
    /// The fact, without what it costs.
    pub fact: FactRow,
    /// The conversation.
    pub conversation: String,
    /// Its backstage room, Matrix id.
    pub backstage_id: String,
    /// The channel's language.
    pub language: Option<String>,
    /// What people call the system.
    pub source_name: String,
}

/// Facts that those in open conversations are yet to be told.
///
/// # Errors
/// See [`Source::all`].
pub async fn untold<S: Source>(source: &mut S, limit: i64) -> Result<Vec<UntoldRow>> {
    let sql = concat!(
        "SELECT ",
        columns!(),
        ", v.conversation_id, b.room_id, h.language, s.shown_name FROM fact f JOIN fact_source s ON s.source_id = f.source_id JOIN fact_case c ON c.case_nid = f.case_nid \
         JOIN contact o ON o.contact_id = c.contact_id JOIN contact w ON w.contact_id = coalesce(o.redirect_to, o.contact_id) \
         OR w.redirect_to = coalesce(o.redirect_to, o.contact_id) JOIN contact_identity i ON i.contact_id = w.contact_id \
         JOIN conversation v ON v.identity_nid = i.identity_nid AND v.status <> 'closed' \
         JOIN room b ON b.room_nid = v.backstage_nid LEFT JOIN channel h ON h.channel_id = v.channel_id \
         WHERE f.untold = 1 ORDER BY f.fact_nid LIMIT $1"
    );
    let values = vec![limit.into(), 0_i64.into(), 0_i64.into()];
    let read = |row: &Row| {
        Ok(UntoldRow {
            fact: read(row)?,
            conversation: row.text(17)?,
            backstage_id: row.text(18)?,
            language: row.text_opt(19)?,
            source_name: row.text(20)?,
        })
    };
    source.all(sql, values).await?.iter().map(read).collect()
}

impl Change {
    /// Notes a case. Whose it is stays as a rule or a person decided before; what is said of the customer is the newest.
    pub fn note_case(&mut self, row: &CaseRow) {
        let sql = "INSERT INTO fact_case (case_nid, source_id, case_key, contact_id, rule, customer, customer_id, as_of) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (source_id, case_key) DO UPDATE SET \
                   contact_id = CASE WHEN fact_case.rule = '' THEN excluded.contact_id ELSE fact_case.contact_id END, \
                   rule = CASE WHEN fact_case.rule = '' THEN excluded.rule ELSE fact_case.rule END, \
                   customer = CASE WHEN excluded.customer <> '{}' AND excluded.as_of >= fact_case.as_of \
                   THEN excluded.customer ELSE fact_case.customer END, \
                   customer_id = coalesce(excluded.customer_id, fact_case.customer_id), \
                   as_of = CASE WHEN excluded.as_of > fact_case.as_of THEN excluded.as_of ELSE fact_case.as_of END";
        self.run(
            sql,
            vec![
                row.nid.into(),
                row.source.as_str().into(),
                row.key.as_str().into(),
                row.contact.as_deref().into(),
                row.rule.as_str().into(),
                row.customer.as_str().into(),
                row.customer_id.as_deref().into(),
                row.as_of.into(),
            ],
        );
    }

    /// Notes by what a case of nobody's is found when somebody has it.
    pub fn add_case_key(&mut self, system: &str, case: &str, kind: &str, key: &str) {
        let sql = "INSERT INTO fact_key (kind, key, case_nid) SELECT $1, $2, case_nid FROM fact_case \
                   WHERE source_id = $3 AND case_key = $4 AND rule = '' ON CONFLICT DO NOTHING";
        self.run(sql, vec![kind.into(), key.into(), system.into(), case.into()]);
    }

    /// A case is somebody's now: it is not looked for any more.
    pub fn drop_case_keys(&mut self, system: &str, case: &str) {
        let sql = "DELETE FROM fact_key WHERE case_nid IN (SELECT case_nid FROM fact_case WHERE source_id = $1 \
                   AND case_key = $2 AND rule <> '')";
        self.run(sql, vec![system.into(), case.into()]);
    }

    /// Notes the newest word of a fact of a case that is there; an older one, or the same, changes nothing.
    pub fn note_fact(&mut self, row: &FactRow) {
        let sql = "INSERT INTO fact (fact_nid, source_id, kind, external_id, case_nid, number, status, amount, refunded, \
                   currency, cost, happened_ts, as_of, step, received_ts, detail, untold) \
                   SELECT $1, $2, $3, $4, c.case_nid, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17 \
                   FROM fact_case c WHERE c.source_id = $2 AND c.case_key = $5 \
                   ON CONFLICT (source_id, kind, external_id) DO UPDATE SET \
                   number = CASE WHEN excluded.number = '' THEN fact.number ELSE excluded.number END, \
                   status = CASE WHEN excluded.status = '' THEN fact.status ELSE excluded.status END, \
                   amount = coalesce(excluded.amount, fact.amount), refunded = excluded.refunded, \
                   currency = coalesce(excluded.currency, fact.currency), cost = coalesce(excluded.cost, fact.cost), \
                   happened_ts = CASE WHEN excluded.happened_ts < fact.happened_ts THEN excluded.happened_ts \
                   ELSE fact.happened_ts END, as_of = excluded.as_of, step = excluded.step, \
                   received_ts = excluded.received_ts, \
                   detail = CASE WHEN excluded.detail = '{}' THEN fact.detail ELSE excluded.detail END, \
                   untold = CASE WHEN excluded.untold = 1 AND excluded.status <> fact.status THEN 1 ELSE fact.untold END \
                   WHERE fact.as_of < excluded.as_of OR (fact.as_of = excluded.as_of AND fact.step < excluded.step)";
        self.run(
            sql,
            vec![
                row.nid.into(),
                row.source.as_str().into(),
                row.kind.as_str().into(),
                row.external_id.as_str().into(),
                row.case.as_str().into(),
                row.number.as_str().into(),
                row.status.as_str().into(),
                row.amount.into(),
                row.refunded.into(),
                row.currency.as_deref().into(),
                row.cost.into(),
                row.happened_ts.into(),
                row.as_of.into(),
                row.step.into(),
                row.received_ts.into(),
                row.detail.as_str().into(),
                row.untold.into(),
            ],
        );
    }

    /// Those backstage were told how a fact stands, unless it stands otherwise by now.
    pub fn fact_told(&mut self, fact: Nid, status: &str) {
        let sql = "UPDATE fact SET untold = 0 WHERE fact_nid = $1 AND status = $2";
        self.run(sql, vec![fact.into(), status.into()]);
    }

    /// Nobody is told of facts any more that were told before a moment.
    pub fn forget_untold(&mut self, before: Ms) {
        self.run("UPDATE fact SET untold = 0 WHERE untold = 1 AND received_ts < $1", vec![before.into()]);
    }

    /// Gives a case that is nobody's to a contact by a rule, unless somebody decided otherwise meanwhile.
    pub fn give_case(&mut self, row: &CaseRow, contact: &str, rule: &str) {
        let sql = "UPDATE fact_case SET contact_id = $2, rule = $3 WHERE case_nid = $1 AND rule = ''";
        self.run(sql, vec![row.nid.into(), contact.into(), rule.into()]);
        self.drop_case_keys(&row.source, &row.key);
    }

    /// A person says whose a case is, or that it is nobody's; refused with `Conflict` when it moved on.
    pub fn link_case(&mut self, row: &CaseRow, contact: Option<&str>) {
        let sql = "UPDATE fact_case SET contact_id = $2, rule = 'person' WHERE case_nid = $1 \
                   AND coalesce(contact_id, '') = coalesce($3, '')";
        self.guard(sql, vec![row.nid.into(), contact.into(), row.contact.as_deref().into()]);
        self.drop_case_keys(&row.source, &row.key);
    }

    /// A person says whose a customer number of a system is: cases of it that are nobody's follow.
    pub fn link_customer(&mut self, system: &str, customer: &str, contact: &str) {
        self.insert(Table::FactCustomer, vec![system.into(), customer.into(), contact.into()]);
        let sql = "DELETE FROM fact_key WHERE case_nid IN (SELECT case_nid FROM fact_case WHERE source_id = $1 \
                   AND customer_id = $2 AND rule = '')";
        self.run(sql, vec![system.into(), customer.into()]);
        let sql = "UPDATE fact_case SET contact_id = $3, rule = 'customer' WHERE source_id = $1 AND customer_id = $2 \
                   AND rule = ''";
        self.run(sql, vec![system.into(), customer.into(), contact.into()]);
    }

    /// It is no longer said whose a customer number of a system is.
    pub fn unlink_customer(&mut self, system: &str, customer: &str) {
        let sql = "DELETE FROM fact_customer WHERE source_id = $1 AND customer_id = $2";
        self.run(sql, vec![system.into(), customer.into()]);
    }
}
