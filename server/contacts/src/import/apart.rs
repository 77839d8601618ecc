//! Which rows of a file can be taken at the same time: those that have nothing in common. Each is written in a transaction
//! of its own; taken together they share the time that a disk needs to say that it has them.

use super::Row;
use crate::arrival::REGION;
use crate::keys::{emails, phones};
use std::collections::BTreeSet;

/// Rows that are taken together at most.
const TOGETHER: usize = 64;

/// Rows in their order, in groups whose rows share no number, no address, no id and no name. A row that has nothing but a
/// name is alone: it is told from others by their names only.
pub fn apart(rows: &[Row]) -> Vec<&[Row]> {
    let (mut groups, mut rest) = (Vec::new(), rows);
    while !rest.is_empty() {
        let mut seen: BTreeSet<String> = BTreeSet::new();
        let mut count = 0;
        for row in rest.iter().take(TOGETHER) {
            let keys = keys(row);
            let is_bare = keys.len() < 2 && row.contact_id.is_none() && row.external_id.is_none();
            if count > 0 && (is_bare || keys.iter().any(|key| seen.contains(key))) {
                break;
            }
            count += 1;
            seen.extend(keys);
            if is_bare {
                break;
            }
        }
        let (group, others) = rest.split_at(count);
        groups.push(group);
        rest = others;
    }
    groups
}

/// By what a row could be another one's.
fn keys(row: &Row) -> Vec<String> {
    let name = row.fields.display_name.as_deref().unwrap_or_default().trim().to_lowercase();
    let numbers = row.fields.phones.iter().flat_map(|value| phones(value, REGION));
    let addresses = row.fields.emails.iter().flat_map(|value| emails(value));
    let mut keys = vec![format!("name {name}")];
    keys.extend(numbers.chain(addresses).map(|key| key.text));
    keys.extend(row.contact_id.as_ref().map(|id| format!("contact {id}")));
    keys.extend(row.external_id.as_ref().map(|id| format!("id {id}")));
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(json: serde_json::Value) -> Vec<Row> {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn rows_that_share_something_are_taken_one_after_another() {
        let rows = rows(serde_json::json!([
            { "row": 1, "display_name": "Jan", "phones": ["512 342 152"] },
            { "row": 2, "display_name": "Ewa", "emails": ["ewa@firma.pl"] },
            { "row": 3, "display_name": "Adam", "phones": ["+48 512342152"] },
            { "row": 4, "display_name": "ADAM", "phones": ["601 234 567"] },
            { "row": 5, "display_name": "Ola" },
            { "row": 6, "display_name": "Iga", "external_id": "7" },
            { "row": 7, "external_id": "7", "phones": ["601 234 568"] },
        ]));
        let found: Vec<Vec<i64>> =
            apart(&rows).iter().map(|group| group.iter().map(|row| row.row).collect()).collect();
        assert_eq!(found, [vec![1, 2], vec![3], vec![4], vec![5], vec![6], vec![7]]);
    }

    #[test]
    fn no_group_is_too_large_and_none_is_empty() {
        let many: Vec<serde_json::Value> =
            (0..200).map(|n| serde_json::json!({ "row": n, "display_name": format!("A{n}"), "external_id": n.to_string() })).collect();
        let sizes: Vec<usize> = apart(&rows(many.into())).iter().map(|group| group.len()).collect();
        assert_eq!(sizes, [64, 64, 64, 8]);
        assert!(apart(&[]).is_empty());
    }
}
