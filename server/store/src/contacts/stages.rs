//! How near a contact is, as it follows from what happens: it rises by itself and never sinks.
//!
//! A contact that is one with others rises as it would alone, and those that it was merged into with it, so that undoing
//! the merge leaves each as near as it would be without. One statement, written with what happened, and no reading.

use crate::Change;
use kontor_model::Ms;

/// Raises the contacts of `base (id, ts)` and those that they were merged into, unless a person said after `ts` how near
/// they are. `lower` are the stages that it rises from.
macro_rules! raise {
    ($base:literal, $lower:literal, $to:literal, $own:literal) => {
        concat!(
            "WITH RECURSIVE base(id, ts) AS (",
            $base,
            "), up(id, ts) AS (SELECT id, ts FROM base UNION SELECT coalesce(g.into_id, t.redirect_to), up.ts FROM up \
             JOIN contact t ON t.contact_id = up.id AND (t.staged_ts IS NULL OR t.staged_ts < up.ts) \
             LEFT JOIN contact_merge g ON g.from_id = t.contact_id AND g.undone_ts IS NULL \
             WHERE coalesce(g.into_id, t.redirect_to) IS NOT NULL) \
             UPDATE contact SET own = CASE WHEN contact_id IN (SELECT id FROM base) THEN ",
            $own,
            " ELSE own END, stage = CASE WHEN stage IN (",
            $lower,
            ") THEN '",
            $to,
            "' ELSE stage END, version = version + 1, updated_ts = $2 \
             WHERE contact_id IN (SELECT id FROM up) AND (staged_ts IS NULL OR staged_ts < (SELECT max(ts) FROM base)) \
             AND (stage IN (",
            $lower,
            ") OR (contact_id IN (SELECT id FROM base) AND own <> ",
            $own,
            "))"
        )
    };
}

impl Change {
    /// Somebody left a number or an address, or writes from an account of their own: a visitor is a lead from now on,
    /// unless a person ever said how near they are.
    pub fn raise_to_lead(&mut self, contact: &str, now: Ms) {
        let sql = raise!(
            "SELECT CAST($1 AS TEXT), CAST(0 AS BIGINT)",
            "'visitor'",
            "lead",
            r#"replace(own, '"stage":"visitor"', '"stage":"lead"')"#
        );
        self.run(sql, vec![contact.into(), now.into()]);
    }

    /// A contact is a customer from now on, if one of its purchases is paid; a payment from before a person said how
    /// near they are says nothing against that.
    pub fn raise_to_customer(&mut self, contact: &str, now: Ms) {
        let sql = raise!(
            "SELECT c.contact_id, max(f.happened_ts) FROM fact_case c JOIN fact f ON f.case_nid = c.case_nid \
             WHERE c.contact_id = $1 AND f.kind IN ('payment', 'order') AND f.status IN ('paid', 'partially_paid') \
             GROUP BY c.contact_id",
            "'visitor', 'lead'",
            "customer",
            r#"replace(replace(own, '"stage":"visitor"', '"stage":"customer"'), '"stage":"lead"', '"stage":"customer"')"#
        );
        self.run(sql, vec![contact.into(), now.into()]);
    }

    /// A person said how near a contact is: numbers and addresses do not change that any more, and payments only if they
    /// come later.
    pub fn stage_by_hand(&mut self, contact: &str, now: Ms) {
        let sql = "UPDATE contact SET staged_ts = $2 WHERE contact_id = $1";
        self.run(sql, vec![contact.into(), now.into()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;
    use crate::db::Source as _;
    use crate::testing::stores;

    /// How contacts stand: stage, and how they would alone.
    async fn stand(store: &Store) -> Vec<String> {
        let sql =
            "SELECT contact_id || ' ' || stage || ' ' || coalesce(own, '-') FROM contact ORDER BY contact_id";
        let rows = store.reader().all(sql, Vec::new()).await.unwrap();
        rows.iter().map(|row| row.text(0).unwrap()).collect()
    }

    async fn run(store: &Store, act: impl FnOnce(&mut Change)) {
        let mut change = Change::default();
        act(&mut change);
        store.submit(change).await.unwrap();
    }

    /// Contacts that were merged: a into b, b into c; d stands alone.
    async fn merged(store: &Store) {
        run(store, |change| {
            for (id, root, own) in [
                ("a", Some("c"), None),
                ("b", Some("c"), Some(r#"{"kind":"person","stage":"visitor"}"#)),
                ("c", None, Some(r#"{"kind":"person","stage":"visitor"}"#)),
                ("d", None, None),
            ] {
                let sql = "INSERT INTO contact (contact_id, redirect_to, kind, stage, visibility, version, created_ts, \
                           updated_ts, own) VALUES ($1, $2, 'person', 'visitor', 'all', 1, 1, 1, $3)";
                change.run(sql, vec![id.into(), root.into(), own.into()]);
            }
            for (nid, from, into) in [(1, "a", "b"), (2, "b", "c")] {
                let sql = "INSERT INTO contact_merge (merge_nid, from_id, into_id, rule, batch, ts) \
                           VALUES ($1, $2, $3, 'person', '', 1)";
                change.run(sql, vec![nid.into(), from.into(), into.into()]);
            }
        })
        .await;
    }

    async fn pay(store: &Store, contact: &str, happened: Ms) {
        run(store, |change| {
            let sql = "INSERT INTO fact_case (case_nid, source_id, case_key, contact_id, rule, customer, as_of) \
                       VALUES ($1, 's', $2, $3, 'key', '{}', 1)";
            let key = format!("k{happened}");
            change.run(sql, vec![happened.into(), key.as_str().into(), contact.into()]);
            let sql = "INSERT INTO fact (fact_nid, source_id, kind, external_id, case_nid, number, status, refunded, \
                       happened_ts, as_of, step, received_ts, detail, untold) \
                       VALUES ($1, 's', 'payment', $2, $1, '', 'paid', 0, $1, 1, 1, 1, '{}', 0)";
            change.run(sql, vec![happened.into(), key.as_str().into()]);
            change.raise_to_customer(contact, 9);
        })
        .await;
    }

    #[tokio::test]
    async fn who_is_merged_rises_with_those_it_was_merged_into_as_it_would_alone() {
        for store in stores().await {
            merged(&store).await;
            run(&store, |change| change.raise_to_lead("b", 5)).await;
            let lead = r#"{"kind":"person","stage":"lead"}"#;
            let visitor = r#"{"kind":"person","stage":"visitor"}"#;
            let expected = [
                "a visitor -".to_owned(),
                format!("b lead {lead}"),
                format!("c lead {visitor}"),
                "d visitor -".into(),
            ];
            assert_eq!(stand(&store).await, expected);
            // Nothing is paid: nobody is a customer.
            run(&store, |change| change.raise_to_customer("a", 6)).await;
            assert_eq!(stand(&store).await, expected);
            pay(&store, "a", 100).await;
            run(&store, |change| change.raise_to_lead("a", 7)).await;
            let expected = [
                "a customer -".to_owned(),
                format!("b customer {lead}"),
                format!("c customer {visitor}"),
                "d visitor -".into(),
            ];
            assert_eq!(stand(&store).await, expected);
            store.close().await;
        }
    }

    #[tokio::test]
    async fn what_a_person_said_stays_until_a_later_payment() {
        for store in stores().await {
            merged(&store).await;
            run(&store, |change| {
                change.stage_by_hand("b", 200);
                change.stage_by_hand("d", 200);
                change.raise_to_lead("a", 5);
                change.raise_to_lead("d", 5);
            })
            .await;
            pay(&store, "d", 199).await;
            let stages = async || {
                let all = stand(&store).await;
                all.iter().map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect::<Vec<_>>()
            };
            assert_eq!(stages().await, ["lead", "visitor", "visitor", "visitor"]);
            pay(&store, "d", 201).await;
            pay(&store, "a", 202).await;
            assert_eq!(stages().await, ["customer", "customer", "customer", "customer"]);
            store.close().await;
        }
    }
}
