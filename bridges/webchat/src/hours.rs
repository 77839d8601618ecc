//! When somebody is there to answer: hours of the week in a European time zone, with summer time.

use kontor_model::Ms;
use serde::Deserialize;

const MINUTE: Ms = 60_000;
const DAY: i64 = 86_400_000;

/// Opening hours.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// The time zone, such as `Europe/Warsaw`.
    pub zone: String,
    /// Monday.
    #[serde(default)]
    pub mon: Vec<String>,
    /// Tuesday.
    #[serde(default)]
    pub tue: Vec<String>,
    /// Wednesday.
    #[serde(default)]
    pub wed: Vec<String>,
    /// Thursday.
    #[serde(default)]
    pub thu: Vec<String>,
    /// Friday.
    #[serde(default)]
    pub fri: Vec<String>,
    /// Saturday.
    #[serde(default)]
    pub sat: Vec<String>,
    /// Sunday.
    #[serde(default)]
    pub sun: Vec<String>,
    /// Days on which nobody is there, as `2026-12-24`.
    #[serde(default)]
    pub closed_on: Vec<String>,
}

/// Zones by name: minutes east of Greenwich in winter, and whether there is summer time.
const ZONES: [(&str, i64, bool); 12] = [
    ("UTC", 0, false),
    ("Europe/London", 0, true),
    ("Europe/Warsaw", 60, true),
    ("Europe/Berlin", 60, true),
    ("Europe/Prague", 60, true),
    ("Europe/Vienna", 60, true),
    ("Europe/Bratislava", 60, true),
    ("Europe/Paris", 60, true),
    ("Europe/Kyiv", 120, true),
    ("Europe/Vilnius", 120, true),
    ("Europe/Riga", 120, true),
    ("Europe/Bucharest", 120, true),
];

/// Year, month and day of a day counted from 1970-01-01 (the civil calendar; H. Hinnant's algorithm).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let moved = (5 * of_year + 2) / 153;
    let day = of_year - (153 * moved + 2) / 5 + 1;
    let month = if moved < 10 { moved + 3 } else { moved - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// Days from 1970-01-01 to a date.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let moved = (month + 9) % 12;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * moved + 2) / 5 + day - 1 - 719_468
}

/// Day of the week of a day counted from 1970-01-01; 0 is Monday.
fn weekday(day: i64) -> i64 {
    (day + 3).rem_euclid(7)
}

/// 01:00 UTC on the last Sunday of a month of 31 days.
fn last_sunday(year: i64, month: i64) -> Ms {
    let last = days(year, month, 31);
    (last - (weekday(last) + 1) % 7) * DAY + 60 * MINUTE
}

/// Whether there is summer time in Europe.
fn is_summer(at: Ms) -> bool {
    let (year, ..) = civil(at.div_euclid(DAY));
    (last_sunday(year, 3)..last_sunday(year, 10)).contains(&at)
}

/// Minutes of the day of `08:30-16:00`.
fn span(text: &str) -> Option<(i64, i64)> {
    let (from, to) = text.split_once('-')?;
    let (from, to) = (minutes(from.trim())?, minutes(to.trim())?);
    (from < to).then_some((from, to))
}

fn minutes(text: &str) -> Option<i64> {
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute): (i64, i64) = (hour.parse().ok()?, minute.parse().ok()?);
    ((0..=24).contains(&hour) && (0..60).contains(&minute) && hour * 60 + minute <= 1440)
        .then_some(hour * 60 + minute)
}

impl Hours {
    fn week(&self) -> [&Vec<String>; 7] {
        [&self.mon, &self.tue, &self.wed, &self.thu, &self.fri, &self.sat, &self.sun]
    }

    /// Says what is wrong.
    ///
    /// # Errors
    /// A sentence that names the key.
    pub fn check(&self) -> Result<(), String> {
        if !ZONES.iter().any(|(name, ..)| *name == self.zone) {
            let known = ZONES.map(|(name, ..)| name).join(", ");
            return Err(format!("hours.zone {:?} is not one of {known}", self.zone));
        }
        match self.week().into_iter().flatten().find(|text| span(text).is_none()) {
            Some(text) => Err(format!("hours: {text:?} is not like 08:30-16:00")),
            None => Ok(()),
        }
    }

    fn offset(&self, at: Ms) -> Ms {
        let zone = ZONES.iter().find(|(name, ..)| *name == self.zone);
        let (minutes, summer) = zone.map_or((0, false), |(_, minutes, summer)| (*minutes, *summer));
        (minutes + if summer && is_summer(at) { 60 } else { 0 }) * MINUTE
    }

    fn spans(&self, day: i64) -> Vec<(i64, i64)> {
        let (year, month, date) = civil(day);
        if self.closed_on.contains(&format!("{year:04}-{month:02}-{date:02}")) {
            return Vec::new();
        }
        let index = usize::try_from(weekday(day)).unwrap_or(0);
        let texts = self.week().get(index).copied();
        texts.into_iter().flatten().filter_map(|text| span(text)).collect()
    }

    /// Whether somebody is there.
    pub fn is_open(&self, now: Ms) -> bool {
        let local = now + self.offset(now);
        let minute = local.rem_euclid(DAY) / MINUTE;
        self.spans(local.div_euclid(DAY)).iter().any(|(from, to)| (*from..*to).contains(&minute))
    }

    /// When somebody will be there next, milliseconds; `None` when that is more than two weeks away.
    pub fn opens_at(&self, now: Ms) -> Option<Ms> {
        let today = (now + self.offset(now)).div_euclid(DAY);
        for day in today..today + 15 {
            let mut spans = self.spans(day);
            spans.sort_unstable();
            for (from, _) in spans {
                let local = day * DAY + from * MINUTE;
                // Summer time begins and ends at night, when nobody opens.
                let at = local - self.offset(local);
                if at > now {
                    return Some(at);
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours() -> Hours {
        let work = vec!["08:00-12:00".to_owned(), "13:00-16:00".to_owned()];
        Hours {
            zone: "Europe/Warsaw".to_owned(),
            mon: work.clone(),
            tue: work.clone(),
            wed: work.clone(),
            thu: work.clone(),
            fri: work,
            sat: Vec::new(),
            sun: Vec::new(),
            closed_on: vec!["2026-11-11".to_owned()],
        }
    }

    fn utc(year: i64, month: i64, day: i64, hour: i64, minute: i64) -> Ms {
        days(year, month, day) * DAY + (hour * 60 + minute) * MINUTE
    }

    #[test]
    fn dates_and_days_of_the_week_are_right() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(days(2024, 2, 29)), (2024, 2, 29));
        assert_eq!(weekday(days(2026, 11, 22)), 6);
        assert_eq!(last_sunday(2026, 3), utc(2026, 3, 29, 1, 0));
        assert_eq!(last_sunday(2026, 10), utc(2026, 10, 25, 1, 0));
    }

    #[test]
    fn doors_open_by_the_clock_of_the_place_in_winter_and_in_summer() {
        let hours = hours();
        // Monday in winter: 08:00 in Warsaw is 07:00 UTC; in summer it is 06:00 UTC.
        assert!(!hours.is_open(utc(2026, 11, 23, 6, 59)));
        assert!(hours.is_open(utc(2026, 11, 23, 7, 0)));
        assert!(!hours.is_open(utc(2026, 11, 23, 11, 30)));
        assert!(!hours.is_open(utc(2026, 11, 23, 15, 0)));
        assert!(hours.is_open(utc(2026, 7, 6, 6, 0)));
        assert!(!hours.is_open(utc(2026, 7, 5, 9, 0)));
        assert!(!hours.is_open(utc(2026, 11, 11, 9, 0)), "a holiday");
    }

    #[test]
    fn the_next_opening_is_found() {
        let hours = hours();
        assert_eq!(hours.opens_at(utc(2026, 11, 20, 15, 30)), Some(utc(2026, 11, 23, 7, 0)));
        assert_eq!(hours.opens_at(utc(2026, 11, 23, 11, 30)), Some(utc(2026, 11, 23, 12, 0)));
        assert_eq!(hours.opens_at(utc(2026, 11, 10, 20, 0)), Some(utc(2026, 11, 12, 7, 0)));
        let never = Hours { mon: vec![], tue: vec![], wed: vec![], thu: vec![], fri: vec![], ..hours };
        assert_eq!(never.opens_at(utc(2026, 11, 10, 20, 0)), None);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["8-16", "16:00-08:00", "08:00-25:00", "", "08:61-09:00"] {
            let bad = Hours { mon: vec![text.to_owned()], ..hours() };
            assert!(bad.check().is_err(), "{text}");
        }
        assert!(Hours { zone: "Mars/Olympus".to_owned(), ..hours() }.check().is_err());
        assert!(hours().check().is_ok());
    }
}
