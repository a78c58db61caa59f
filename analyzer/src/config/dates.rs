//! Days, as `2026-12-31`.

use std::time::{SystemTime, UNIX_EPOCH};

/// A day: year, month, day. Days compare as they follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(i64, u32, u32);

impl Day {
    /// Today, in UTC.
    #[must_use]
    pub fn today() -> Day {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        Day::since_1970(i64::try_from(seconds / 86_400).unwrap_or(0))
    }

    /// The day so many days after 1970-01-01. After Hinnant, chrono-compatible date algorithms: years begin in March.
    fn since_1970(days: i64) -> Day {
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Day(year, u32::try_from(month).unwrap_or(1), u32::try_from(day).unwrap_or(1))
    }

    /// A day as it is written; nothing if it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Day> {
        let mut parts = text.split('-');
        let year: i64 = parts.next().filter(|year| year.len() == 4)?.parse().ok()?;
        let month: u32 = parts.next().filter(|month| month.len() == 2)?.parse().ok()?;
        let day: u32 = parts.next().filter(|day| day.len() == 2)?.parse().ok()?;
        (parts.next().is_none() && (1..=12).contains(&month) && (1..=31).contains(&day))
            .then_some(Day(year, month, day))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_since_1970_are_the_calendars() {
        for (days, text) in
            [(0, "1970-01-01"), (59, "1970-03-01"), (11_016, "2000-02-29"), (20_818, "2026-12-31")]
        {
            assert_eq!(Some(Day::since_1970(days)), Day::parse(text));
        }
        assert!(Day::parse("2026-12-31") > Day::parse("2026-09-30"));
        assert_eq!(
            (Day::parse("2026-13-01"), Day::parse("26-01-01"), Day::parse("tomorrow")),
            (None, None, None)
        );
    }
}
