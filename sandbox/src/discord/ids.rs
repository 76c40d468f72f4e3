//! Snowflakes and timestamps, both taken from the world's clock.

use super::super::clock::Clock;

/// Milliseconds from 1970 to the first second of 2015, Discord's epoch (`reference#snowflakes`).
const DISCORD_EPOCH_MS: i64 = 1_420_070_400_000;

/// Gives out ids: unique, growing, and carrying the time they were made at.
#[derive(Debug)]
pub(super) struct Snowflakes {
    clock: Clock,
    last: u64,
}

impl Snowflakes {
    pub fn new(clock: Clock) -> Self {
        Self { clock, last: 0 }
    }

    pub fn next(&mut self) -> u64 {
        let since_epoch = u64::try_from(self.clock.now_ms() - DISCORD_EPOCH_MS).unwrap_or_default();
        self.last = (since_epoch << 22).max(self.last + 1);
        self.last
    }
}

/// Reads a snowflake out of a path, a query or a JSON string.
pub(super) fn parse(text: &str) -> Option<u64> {
    text.parse().ok().filter(|id| *id != 0)
}

/// When what has this id was made, in milliseconds since 1970.
pub(super) fn made_ms(id: u64) -> i64 {
    (id >> 22).cast_signed() + DISCORD_EPOCH_MS
}

/// A time as Discord writes it: `2026-01-31T12:00:00.123000+00:00`.
pub(super) fn iso8601(at_ms: i64) -> String {
    let (days, in_day) = (at_ms.div_euclid(86_400_000), at_ms.rem_euclid(86_400_000));
    let (year, month, day) = civil(days);
    let (hours, minutes, seconds, ms) = (in_day / 3_600_000, in_day / 60_000 % 60, in_day / 1_000 % 60, in_day % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{ms:03}000+00:00")
}

/// Days since 1970 as year, month and day of the Gregorian calendar (the usual 400-year era arithmetic).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_shifted + 2) / 5 + 1;
    let month = if month_shifted < 10 { month_shifted + 3 } else { month_shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_discord_writes_them() {
        assert_eq!(iso8601(0), "1970-01-01T00:00:00.000000+00:00");
        assert_eq!(iso8601(1_709_210_096_789), "2024-02-29T12:34:56.789000+00:00");
    }

    #[test]
    fn snowflakes_grow_within_one_millisecond() {
        let mut ids = Snowflakes::new(Clock::default());
        let (first, second) = (ids.next(), ids.next());
        assert!(first < second);
    }
}
