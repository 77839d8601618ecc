//! Rows of files that were taken.

use crate::Change;
use crate::db::Source;
use crate::table::Table;
use crate::value::{id_set, text_set};
use kontor_model::{Ms, Result};
use std::collections::BTreeMap;

/// Of some rows of an import those that were taken, each with the contact that it is by now.
///
/// # Errors
/// See [`Source::all`].
pub async fn taken<S: Source>(source: &mut S, import: &str, rows: &[i64]) -> Result<BTreeMap<i64, String>> {
    let sql = "SELECT r.number, coalesce(t.redirect_to, t.contact_id) FROM contact_import_row r \
               JOIN contact t ON t.contact_id = r.contact_id WHERE r.import_id = $1 AND r.number IN ID_SET($2)";
    let rows = source.all(sql, vec![import.into(), id_set(rows.iter().copied())]).await?;
    rows.iter().map(|row| Ok((row.int(0)?, row.text(1)?))).collect()
}

/// Which of some ids are contacts, each with the contact that it is by now.
///
/// # Errors
/// See [`Source::all`].
pub async fn known<S: Source>(source: &mut S, ids: &[&str]) -> Result<BTreeMap<String, String>> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let sql =
        "SELECT contact_id, coalesce(redirect_to, contact_id) FROM contact WHERE contact_id IN TEXT_SET($1)";
    let rows = source.all(sql, vec![text_set(ids)]).await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?))).collect()
}

impl Change {
    /// Notes that a row of a file was taken. One that was taken before refuses the change with `Conflict`.
    pub fn take_import_row(&mut self, import: &str, number: i64, contact: &str, now: Ms) {
        let values = vec![import.into(), number.into(), contact.into(), now.into()];
        self.insert(Table::ContactImportRow, values);
    }

    /// Forgets rows of files that were taken before a moment.
    pub fn forget_import_rows(&mut self, before: Ms) {
        self.run("DELETE FROM contact_import_row WHERE ts < $1", vec![before.into()]);
    }
}
