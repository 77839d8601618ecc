//! Files of contacts, as `kontorctl contacts import` reads them: vCards where one begins, else a table. What is written
//! of what was read is read as the same again.

use crate::contacts::{sheet, vcard};
use crate::csv;
use serde_json::Value;

pub(crate) fn run(data: &[u8]) {
    let text = sheet::text(data, None);
    for card in vcard::read(&text) {
        let Ok(row) = &card.row else { continue };
        let again = vcard::read(&vcard::write(row));
        assert_eq!(again.len(), 1, "{row}");
        let back = again[0].row.as_ref().expect("what is written is a card");
        // Written are the fields of an export: an id of another system is none of them.
        for field in ["display_name", "phones", "emails", "vat", "customer_no", "owner", "contact_id"] {
            assert_eq!(said(back, field), said(row, field), "{field} of {row}");
        }
    }
    let table = sheet::read(&text, None);
    for (number, cells) in &table.lines {
        assert!(*number > 0);
        let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
        let line = csv::line_with(&cells, table.delimiter);
        assert_eq!(csv::records(&line, table.delimiter), std::slice::from_ref(&cells), "{line:?}");
        for cell in cells {
            let safe = csv::harmless(cell);
            assert!(!safe.starts_with(['=', '+', '-', '@', '\t', '\r']), "{safe:?}");
            assert_eq!(
                csv::meant(&safe),
                cell.strip_prefix('\'').filter(|_| safe == *cell).map_or(cell, |_| csv::meant(cell))
            );
        }
    }
    let mut consents = crate::contacts::consents::Consents::default();
    consents.cell(&text);
    for (number, _) in csv::rows(&text).iter().zip(0..100) {
        for (name, cell) in number {
            consents.column(name, cell);
        }
    }
    let told = consents.told();
    let mut again = crate::contacts::consents::Consents::default();
    for consent in &told {
        again.cell(&crate::contacts::consents::text(consent));
    }
    let _ = again.told();
}

/// A field of a row; what is empty is not said.
fn said(row: &Value, field: &str) -> Option<Value> {
    let value = row.get(field)?;
    let is_empty = value.as_str().is_some_and(|text| text.trim().is_empty())
        || value.as_array().is_some_and(Vec::is_empty);
    (!is_empty).then(|| value.clone())
}
