//! Systems of the company that tell of facts, and what they told already.

use crate::Change;
use crate::db::Source;
use crate::table::Table;
use crate::value::Row;
use kontor_model::{Ms, Result};

/// A system that tells of facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceRow {
    /// As it stands in the address that it calls.
    pub id: String,
    /// kontor, woocommerce, shopify.
    pub kind: String,
    /// What people call it.
    pub name: String,
    /// Proves who calls.
    pub secret: String,
    /// The secret before, with when it is taken no more.
    pub old: Option<(String, Ms)>,
    /// Longest silence, milliseconds.
    pub quiet: Ms,
    /// When it was made.
    pub created_ts: Ms,
    /// When it last told something, to the minute.
    pub heard_ts: Option<Ms>,
}

macro_rules! sources {
    ($($rest:tt)*) => {
        concat!(
            "SELECT source_id, kind, shown_name, secret, old_secret, old_until_ts, quiet_ms, created_ts, heard_ts \
             FROM fact_source ",
            $($rest)*
        )
    };
}

fn read(row: &Row) -> Result<SourceRow> {
    Ok(SourceRow {
        id: row.text(0)?,
        kind: row.text(1)?,
        name: row.text(2)?,
        secret: row.text(3)?,
        old: row.text_opt(4)?.zip(row.int_opt(5)?),
        quiet: row.int(6)?,
        created_ts: row.int(7)?,
        heard_ts: row.int_opt(8)?,
    })
}

/// All systems, by their ids.
///
/// # Errors
/// See [`Source::all`].
pub async fn all<S: Source>(source: &mut S) -> Result<Vec<SourceRow>> {
    source.all(sources!("ORDER BY source_id"), Vec::new()).await?.iter().map(read).collect()
}

/// A system.
///
/// # Errors
/// See [`Source::all`].
pub async fn by_id<S: Source>(source: &mut S, id: &str) -> Result<Option<SourceRow>> {
    let sql = sources!("WHERE source_id = $1");
    source.first(sql, vec![id.into()]).await?.as_ref().map(read).transpose()
}

/// Whether a system told this already, by its own name for it.
///
/// # Errors
/// See [`Source::all`].
pub async fn was_told<S: Source>(source: &mut S, id: &str, delivery: &str) -> Result<bool> {
    let sql = "SELECT 1 FROM fact_delivery WHERE source_id = $1 AND delivery_id = $2";
    Ok(source.first(sql, vec![id.into(), delivery.into()]).await?.is_some())
}

impl Change {
    /// Makes a system known. One of the same id refuses the change with `Conflict`.
    pub fn add_source(&mut self, row: &SourceRow) {
        self.insert(
            Table::FactSource,
            vec![
                row.id.as_str().into(),
                row.kind.as_str().into(),
                row.name.as_str().into(),
                row.secret.as_str().into(),
                row.quiet.into(),
                row.created_ts.into(),
            ],
        );
    }

    /// Gives a system a new secret; the one that it has is taken until a moment. Refused with `Conflict` when the
    /// system is not there.
    pub fn rotate_source(&mut self, id: &str, secret: &str, old_until: Ms) {
        let sql =
            "UPDATE fact_source SET old_secret = secret, old_until_ts = $3, secret = $2 WHERE source_id = $1";
        self.guard(sql, vec![id.into(), secret.into(), old_until.into()]);
    }

    /// Forgets a system, and with it what it told. Refused with `Conflict` when it is not there.
    pub fn remove_source(&mut self, id: &str) {
        self.guard("DELETE FROM fact_source WHERE source_id = $1", vec![id.into()]);
        for sql in [
            "DELETE FROM fact_key WHERE case_nid IN (SELECT case_nid FROM fact_case WHERE source_id = $1)",
            "DELETE FROM fact WHERE source_id = $1",
            "DELETE FROM fact_case WHERE source_id = $1",
            "DELETE FROM fact_customer WHERE source_id = $1",
            "DELETE FROM fact_delivery WHERE source_id = $1",
        ] {
            self.run(sql, vec![id.into()]);
        }
    }

    /// A system told something.
    pub fn hear_source(&mut self, id: &str, now: Ms) {
        let sql = "UPDATE fact_source SET heard_ts = $2 WHERE source_id = $1 \
                   AND (heard_ts IS NULL OR heard_ts < $2 - 60000)";
        self.run(sql, vec![id.into(), now.into()]);
    }

    /// Notes what a system told by its own name for it. Told twice, the change is refused with `Conflict`.
    pub fn add_told(&mut self, id: &str, delivery: &str, now: Ms) {
        self.insert(Table::FactDelivery, vec![id.into(), delivery.into(), now.into()]);
    }

    /// Forgets names of what was told before a moment.
    pub fn forget_told(&mut self, before: Ms) {
        self.run("DELETE FROM fact_delivery WHERE ts < $1", vec![before.into()]);
    }
}
