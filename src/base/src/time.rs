//! Time, in microseconds, always handed in by the caller.

use core::fmt;
use core::ops::{Add, Sub};

/// A length of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(u64);

impl Duration {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// So many microseconds.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// So many milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// So many seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// The whole in microseconds.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The whole in milliseconds, rounded down.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000
    }

    /// The whole in seconds, rounded down.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000
    }

    /// `factor` times as long.
    pub const fn times(self, factor: u64) -> Self {
        Self(self.0.saturating_mul(factor))
    }
}

impl Add for Duration {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Duration {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// A point in time: microseconds since the machine's clock was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The clock's zero.
    pub const ZERO: Self = Self(0);

    /// So many microseconds after the clock's zero.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the clock's zero.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The time from `earlier` until now; zero if that lies in the future.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;
    fn add(self, length: Duration) -> Self {
        Self(self.0.saturating_add(length.0))
    }
}

/// The earlier of the two, as far as there are any.
#[inline(never)]
pub fn earliest(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        _ => one.or(other),
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:01} s", self.as_secs(), (self.0 / 100_000) % 10)
    }
}

/// Seconds since 1970, of second, minute, hour, day, month and year, which is counted from 2000 and below 100. What no
/// calendar has gives some number.
pub fn unix_time([second, minute, hour, day, month, year]: [u32; 6]) -> u32 {
    // Years begin in March here, so that the day that few have is the last one.
    const MARCH_1996: u32 = 9_556;
    let (years, months) = if month < 3 { (year + 3, month + 9) } else { (year + 4, month - 3) };
    let days = MARCH_1996 + years * 365 + years / 4 + (153 * months + 2) / 5 + day;
    days.wrapping_sub(1)
        .wrapping_mul(24)
        .wrapping_add(hour)
        .wrapping_mul(3600)
        .wrapping_add(minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_is_found_among_those_that_are() {
        let [one, two] = [1, 2].map(|micros| Some(Instant::from_micros(micros)));
        assert_eq!((earliest(one, two), earliest(two, one)), (one, one));
        assert_eq!((earliest(None, two), earliest(two, None), earliest(None, None)), (two, two, None));
    }

    #[test]
    fn days_are_counted_as_calendars_do() {
        // date --utc --date '...' +%s
        for (time, seconds) in [
            ([0, 0, 0, 1, 3, 0], 951_868_800),
            ([59, 59, 23, 29, 2, 24], 1_709_251_199),
            ([0, 0, 0, 1, 3, 24], 1_709_251_200),
            ([7, 8, 9, 31, 12, 26], 1_798_708_087),
            ([0, 0, 0, 1, 1, 38], 2_145_916_800),
        ] {
            assert_eq!(unix_time(time), seconds, "{time:?}");
        }
        unix_time([165; 6]);
        unix_time([0; 6]);
    }
}
