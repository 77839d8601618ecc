//! Moments as people type them and as they are shown to them, in the company's time zone.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use kontor_model::fold::fold;
use kontor_model::{Language, Ms};

/// Hour of the morning at which something sleeps until that names only a day.
const MORNING: i8 = 9;
/// Words for days, folded, with how many days ahead they are.
const DAYS: &[(&str, i64)] = &[
    ("dzis", 0),
    ("dzisiaj", 0),
    ("today", 0),
    ("сьогодні", 0),
    ("jutro", 1),
    ("tomorrow", 1),
    ("завтра", 1),
    ("pojutrze", 2),
    ("післязавтра", 2),
];
/// Words for spans, folded, in minutes.
const SPANS: &[(&str, i64)] = &[
    ("min", 1),
    ("m", 1),
    ("хв", 1),
    ("h", 60),
    ("g", 60),
    ("godz", 60),
    ("год", 60),
    ("d", 1_440),
    ("dni", 1_440),
    ("dzien", 1_440),
    ("days", 1_440),
    ("day", 1_440),
    ("д", 1_440),
    ("дн", 1_440),
    ("дні", 1_440),
    ("днів", 1_440),
    ("w", 10_080),
    ("tyg", 10_080),
    ("тиж", 10_080),
];

/// What a day is when it was only named by its number and month.
enum Day {
    Exact(Date),
    /// Day and month, of this year or the next one.
    Coming(i8, i8),
    Ahead(i64),
}

fn day(word: &str) -> Option<Day> {
    let plain = fold(word);
    if let Some((_, ahead)) = DAYS.iter().find(|(known, _)| fold(known) == plain) {
        return Some(Day::Ahead(*ahead));
    }
    let number = |part: &str| (part.len() <= 4).then(|| part.parse::<i16>().ok()).flatten();
    let small = |part: &str| number(part).and_then(|number| i8::try_from(number).ok());
    let by_dash: Vec<&str> = plain.split('-').collect();
    if let [year, month, of_month] = by_dash.as_slice()
        && year.len() == 4
    {
        return Date::new(number(year)?, small(month)?, small(of_month)?).ok().map(Day::Exact);
    }
    let by_dot: Vec<&str> = plain.trim_end_matches('.').split('.').collect();
    match by_dot.as_slice() {
        [of_month, month, year] if year.len() == 4 => {
            Date::new(number(year)?, small(month)?, small(of_month)?).ok().map(Day::Exact)
        }
        // Two digits of the month: 3.5 is a number, 03.05 is a day.
        [of_month, month] if month.len() == 2 => {
            let (of_month, month) = (small(of_month)?, small(month)?);
            // A leap year, so that every day of the year is one.
            Date::new(2024, month, of_month).ok().map(|_| Day::Coming(of_month, month))
        }
        _ => None,
    }
}

fn time(word: &str) -> Option<Time> {
    let (hour, minute) = word.split_once(':')?;
    let digits = |part: &str| part.len() <= 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(hour) || minute.len() != 2 || !digits(minute) {
        return None;
    }
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

/// Whether words name a day, with or without a time.
pub fn is_date(words: &[&str]) -> bool {
    match words {
        [word] => day(word).is_some(),
        [word, of_day] => day(word).is_some() && time(of_day).is_some(),
        _ => false,
    }
}

fn span(words: &[&str]) -> Option<i64> {
    let text = fold(&words.concat());
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (count, unit) = text.split_at_checked(end)?;
    let unit = unit.trim_end_matches('.');
    let minutes = SPANS.iter().find(|(known, _)| fold(known) == unit).map(|(_, minutes)| *minutes)?;
    count.parse::<i64>().ok()?.checked_mul(minutes)?.checked_mul(60_000)
}

/// The company's clock.
#[derive(Clone, Debug)]
pub struct Calendar(TimeZone);

impl Default for Calendar {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl Calendar {
    /// The clock of a time zone, such as `Europe/Warsaw`; `None` when there is no such zone.
    pub fn of(zone: &str) -> Option<Self> {
        TimeZone::get(zone).ok().map(Self)
    }

    /// The month of a moment, such as `2026-11`, when it began, and when the one before it did.
    pub fn month(&self, ts: Ms) -> Option<(String, Ms, Ms)> {
        let first = self.civil(ts)?.date().first_of_month();
        let before = first.yesterday().ok()?.first_of_month();
        let begins = |date: Date| self.at(date.to_datetime(Time::midnight()));
        Some((format!("{:04}-{:02}", first.year(), first.month()), begins(first)?, begins(before)?))
    }

    fn civil(&self, ts: Ms) -> Option<DateTime> {
        Some(self.0.to_datetime(Timestamp::from_millisecond(ts).ok()?))
    }

    fn at(&self, moment: DateTime) -> Option<Ms> {
        Some(self.0.to_timestamp(moment).ok()?.as_millisecond())
    }

    fn on(&self, day: &Day, now: DateTime) -> Option<Date> {
        match day {
            Day::Exact(date) => Some(*date),
            Day::Ahead(days) => now.date().checked_add(days.days()).ok(),
            Day::Coming(of_month, month) => {
                let of_year = |year: i16| Date::new(year, *month, *of_month).ok();
                let this = of_year(now.year()).filter(|date| *date >= now.date());
                this.or_else(|| (1..=8).find_map(|years| of_year(now.year() + years)))
            }
        }
    }

    /// The moment that a text names: a span from now (`2h`, `3 dni`), a time of day, or a day with or without
    /// a time, by itself a morning. Moments of the past are none.
    pub fn moment(&self, text: &str, now: Ms) -> Option<Ms> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let civil = self.civil(now)?;
        let found = match words.as_slice() {
            [word] if time(word).is_some() => {
                let today = self.at(civil.date().to_datetime(time(word)?));
                let tomorrow = civil.date().tomorrow().ok()?;
                today.filter(|ts| *ts > now).or_else(|| self.at(tomorrow.to_datetime(time(word)?)))
            }
            words if is_date(words) => {
                let date = self.on(&day(words.first()?)?, civil)?;
                let morning = Time::new(MORNING, 0, 0, 0).ok()?;
                let of_day = words.get(1).copied().and_then(time).unwrap_or(morning);
                self.at(date.to_datetime(of_day))
            }
            words => span(words).and_then(|span| now.checked_add(span)),
        };
        found.filter(|ts| *ts > now)
    }

    /// The moment of the past that a text names: a day with or without a time, by itself its beginning, or a moment of
    /// RFC 3339.
    pub fn past(&self, text: &str, now: Ms) -> Option<Ms> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let found = match words.as_slice() {
            words if is_date(words) => match day(words.first()?)? {
                Day::Exact(date) => {
                    let of_day = words.get(1).copied().and_then(time).unwrap_or(Time::midnight());
                    self.at(date.to_datetime(of_day))
                }
                _ => None,
            },
            _ => text.trim().parse::<Timestamp>().ok().map(Timestamp::as_millisecond),
        };
        found.filter(|ts| (1..=now).contains(ts))
    }

    /// Until when something is to be done: a day means its end. Days of the past are none.
    pub fn due(&self, text: &str, now: Ms) -> Option<Ms> {
        let words: Vec<&str> = text.split_whitespace().collect();
        if words.len() == 1 && is_date(&words) {
            let date = self.on(&day(words.first()?)?, self.civil(now)?)?;
            let end = Time::new(23, 59, 0, 0).ok()?;
            return self.at(date.to_datetime(end)).filter(|ts| *ts > now);
        }
        self.moment(text, now)
    }

    /// A moment as people read it, the same in every language: `2026-10-05 14:30`.
    pub fn shown(&self, ts: Ms) -> String {
        self.civil(ts).map_or_else(String::new, |civil| civil.strftime("%Y-%m-%d %H:%M").to_string())
    }

    /// The same for machines, in UTC.
    pub fn exact(ts: Ms) -> String {
        Timestamp::from_millisecond(ts).map_or_else(|_| String::new(), |moment| moment.to_string())
    }
}

/// How long something is, in the largest unit that fits.
pub fn length(span: Ms, language: Language) -> String {
    let minutes = span.max(0) / 60_000;
    let (count, unit) = match minutes {
        0..60 => (minutes, 0),
        60..2_880 => (minutes / 60, 1),
        _ => (minutes / 1_440, 2),
    };
    let word = match (language, unit) {
        (Language::English, 0) | (Language::Polish, 0) => "min",
        (Language::English, 1) => "h",
        (Language::English, _) => "days",
        (Language::Polish, 1) => "godz.",
        (Language::Polish, _) => "dni",
        (Language::Ukrainian, 0) => "хв",
        (Language::Ukrainian, 1) => "год",
        (Language::Ukrainian, _) => "дн.",
    };
    format!("{count} {word}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-10-02 12:00 in Warsaw, summer time.
    const NOW: Ms = 1_790_935_200_000;

    #[test]
    fn moments_are_read_in_the_companys_time() {
        let calendar = Calendar::of("Europe/Warsaw").unwrap();
        assert_eq!(calendar.shown(NOW), "2026-10-02 12:00");
        for (said, moment) in [
            ("2h", "2026-10-02 14:00"),
            ("3 dni", "2026-10-05 12:00"),
            ("1 тиж.", "2026-10-09 12:00"),
            ("14:30", "2026-10-02 14:30"),
            ("9:05", "2026-10-03 09:05"),
            ("jutro", "2026-10-03 09:00"),
            ("завтра 8:15", "2026-10-03 08:15"),
            ("2026-11-05", "2026-11-05 09:00"),
            ("05.11.2026 7:00", "2026-11-05 07:00"),
            ("01.03", "2027-03-01 09:00"),
            ("29.02", "2028-02-29 09:00"),
        ] {
            let found = calendar.moment(said, NOW).map(|ts| calendar.shown(ts));
            assert_eq!(found.as_deref(), Some(moment), "{said}");
        }
        for none in ["", "dziś", "2026-10-01", "31.02", "99:00", "soon", "3.50", "h", "99999999999999999999d"]
        {
            assert_eq!(calendar.moment(none, NOW), None, "{none}");
        }
        let due = |text: &str| calendar.due(text, NOW).map(|ts| calendar.shown(ts));
        assert_eq!(due("dziś").as_deref(), Some("2026-10-02 23:59"));
        assert_eq!(due("2026-12-24 16:00").as_deref(), Some("2026-12-24 16:00"));
        assert!(Calendar::of("Europe/Nowhere").is_none());
    }

    #[test]
    fn lengths_are_told_in_the_largest_unit() {
        assert_eq!(length(59_000, Language::English), "0 min");
        assert_eq!(length(3 * 3_600_000, Language::Polish), "3 godz.");
        assert_eq!(length(5 * 86_400_000, Language::Ukrainian), "5 дн.");
    }
}
