//! Making reports on the quality of what is known of contacts: on the first of a month by itself, and when somebody asks.

use crate::Flows;
use kontor_contacts::quality::{Impossible, PAGE};
use kontor_model::{Code, Error, Result};
use kontor_store::audit::Actor;
use kontor_store::contacts::quality;

impl Flows {
    /// Makes the report of the month that has begun, if it has none: also later than on its first day, when nobody was
    /// there to make it.
    ///
    /// # Errors
    /// `Unavailable` when the archive is gone.
    pub async fn monthly_quality(&self) -> Result<()> {
        let Some((month, begins, before)) = self.contacts.calendar.month(self.clock.now()) else {
            return Ok(());
        };
        if !quality::is_owed(&mut self.store.reader(), &month, begins).await? {
            return Ok(());
        }
        let made = self.in_turn("quality", self.make_report(Some(&month), before, Actor::default())).await;
        match made {
            // Another process made it.
            Err(error) if error.is_conflict() => Ok(()),
            outcome => outcome.map(|_| ()),
        }
    }

    /// Makes a report now, about the time since the month before began; gives its id.
    ///
    /// # Errors
    /// `Conflict` while another one is made.
    pub async fn make_quality_report(&self, actor: Actor) -> Result<String> {
        let month = self.contacts.calendar.month(self.clock.now());
        let before = month.map_or(0, |(_, _, before)| before);
        let made = self.in_turn("quality", self.make_report(None, before, actor)).await?;
        made.ok_or_else(|| {
            Error::new(Code::Conflict, "A report is being made at this moment. Try again when it is.")
        })
    }

    async fn make_report(&self, month: Option<&str>, since: i64, actor: Actor) -> Result<String> {
        let mut numbers = Impossible::default();
        let mut after = (String::new(), String::new());
        loop {
            let page = quality::numbers(&mut self.store.reader(), (&after.0, &after.1), PAGE).await?;
            let Some(last) = page.last().cloned() else { break };
            after = last;
            // Numbers of many countries take their time: others go on meanwhile.
            let looked = tokio::task::spawn_blocking(move || {
                numbers.look(&page);
                numbers
            });
            numbers = looked.await.map_err(Error::internal)?;
        }
        let figures = self.contacts.quality_figures(since, &numbers).await?;
        let (change, id) = self.contacts.plan_report(month, &figures, actor).await?;
        self.store.submit(change).await?;
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::Town;
    use kontor_store::Change;
    use kontor_store::contacts::cards::ContactRow;
    use kontor_store::contacts::quality;

    #[tokio::test]
    async fn a_month_has_one_report_if_there_was_anything_when_it_began() {
        let town = Town::of(2).await;
        let [one, other] = [&town.processes[0], &town.processes[1]];
        one.monthly_quality().await.unwrap();
        assert!(quality::reports(&mut town.store.reader(), "", 9).await.unwrap().is_empty());
        let mut change = Change::default();
        change.add_contact(&ContactRow {
            id: "01ARZ3NDEKTSV4RRFFQ69G5FAV".into(),
            redirect_to: None,
            kind: "person".into(),
            stage: "lead".into(),
            owner: None,
            owner_id: None,
            team: None,
            visibility: "all".into(),
            language: None,
            version: 1,
            // Before the month of the clock, which stands still at the beginning of 1970.
            created_ts: -1,
            updated_ts: -1,
            own: None,
        });
        town.store.submit(change).await.unwrap();
        let (a, b) = tokio::join!(one.monthly_quality(), other.monthly_quality());
        a.unwrap();
        b.unwrap();
        one.monthly_quality().await.unwrap();
        let reports = quality::reports(&mut town.store.reader(), "", 9).await.unwrap();
        assert_eq!((reports.len(), reports[0].month.as_deref()), (1, Some("1970-01")));
        let figures: serde_json::Value = serde_json::from_str(&reports[0].figures).unwrap();
        assert_eq!((&figures["contacts"], &figures["missing"]["key"]["count"]), (&1.into(), &1.into()));
        one.make_quality_report(kontor_store::audit::Actor::default()).await.unwrap();
        assert_eq!(quality::reports(&mut town.store.reader(), "", 9).await.unwrap().len(), 2);
    }
}
