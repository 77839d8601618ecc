//! Results: named figures by scenario, as a table for people and as JSON. Units are part of a figure's name.

use std::fmt::Write;

use serde_json::{Map, Value, json};

/// Named numbers in the order in which a reader wants them.
#[derive(Debug, Default)]
pub struct Figures(Vec<(String, f64)>);

/// Everything that one run found out.
#[derive(Debug, Default)]
pub struct Report {
    scenarios: Vec<(String, Figures)>,
    failures: Vec<(String, String)>,
}

impl Figures {
    /// Adds a number.
    pub fn add(&mut self, name: &str, value: f64) -> &mut Self {
        self.0.push((name.to_owned(), value));
        self
    }

    /// Adds a number that can be unknown, for example CPU without `--pid`.
    pub fn add_some(&mut self, name: &str, value: Option<f64>) -> &mut Self {
        if let Some(value) = value {
            self.add(name, value);
        }
        self
    }

    /// Adds p50, p95 and p99 of durations given in seconds, as `PREFIX_p50_ms` and so on.
    pub fn add_percentiles(&mut self, prefix: &str, mut seconds: Vec<f64>) -> &mut Self {
        seconds.sort_by(f64::total_cmp);
        for percent in [50, 95, 99] {
            let value = percentile(&seconds, percent).map(|s| s * 1000.0);
            self.add_some(&format!("{prefix}_p{percent}_ms"), value);
        }
        self
    }

    /// Appends all figures of another set.
    pub fn append(&mut self, other: Figures) -> &mut Self {
        self.0.extend(other.0);
        self
    }
}

impl Report {
    /// Adds the figures of a scenario.
    pub fn add(&mut self, scenario: &str, figures: Figures) {
        self.scenarios.push((scenario.to_owned(), figures));
    }

    /// Notes that a scenario could not be measured, and why.
    pub fn fail(&mut self, scenario: &str, reason: &str) {
        self.failures.push((scenario.to_owned(), reason.to_owned()));
    }

    /// Scenarios that could not be measured, with the reason.
    pub fn failures(&self) -> &[(String, String)] {
        &self.failures
    }

    /// `{"scenarios": {SCENARIO: {FIGURE: number}}, "failures": {SCENARIO: reason}}`
    pub fn to_json(&self) -> Value {
        let object =
            |figures: &Figures| figures.0.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let scenarios: Map<String, Value> = self
            .scenarios
            .iter()
            .map(|(name, figures)| (name.clone(), Value::Object(object(figures))))
            .collect();
        let failures: Map<String, Value> =
            self.failures.iter().map(|(name, reason)| (name.clone(), json!(reason))).collect();
        json!({ "scenarios": scenarios, "failures": failures })
    }

    /// The same for people.
    pub fn to_table(&self) -> String {
        let mut text = String::new();
        for (scenario, figures) in &self.scenarios {
            let _ = writeln!(text, "{scenario}");
            for (name, value) in &figures.0 {
                let _ = writeln!(text, "    {name:<34} {value:>12.3}");
            }
        }
        for (scenario, reason) in &self.failures {
            let _ = writeln!(text, "{scenario}: FAILED: {reason}");
        }
        text
    }
}

/// The 99th percentile of durations.
pub fn p99(seconds: &[f64]) -> Option<f64> {
    let mut sorted = seconds.to_vec();
    sorted.sort_by(f64::total_cmp);
    percentile(&sorted, 99)
}

/// The smallest value that at least `percent` % of the (sorted) values do not exceed.
fn percentile(sorted: &[f64], percent: usize) -> Option<f64> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_by_nearest_rank() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!(percentile(&values, 50), Some(100.0));
        assert_eq!(percentile(&values, 99), Some(198.0));
        assert_eq!(percentile(&[7.0], 99), Some(7.0));
        assert_eq!(percentile(&[], 99), None);
    }

    #[test]
    fn json_keeps_scenarios_apart_and_names_failures() {
        let mut report = Report::default();
        let mut figures = Figures::default();
        figures.add("a", 1.5).add_some("b", None);
        report.add("one", figures);
        report.fail("two", "no such endpoint");
        let expected = json!({"scenarios": {"one": {"a": 1.5}}, "failures": {"two": "no such endpoint"}});
        assert_eq!(report.to_json(), expected);
    }
}
