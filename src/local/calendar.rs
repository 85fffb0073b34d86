//! Where windows begin and end on the wall clock.
//!
//! Windows are numbered, and a state keeps its window's number: a number that is read a second time after
//! the clock was set back is still the same window.

use std::num::NonZeroU64;

use time::{Date, Month};

use crate::units::{Nanos, UnixTime};

/// A repeating span of the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// Of a fixed length, the first one beginning `offset` before 1970-01-01T00:00:00Z.
    Every {
        /// Length in nanoseconds.
        length: NonZeroU64,
        /// Below `length`.
        offset: Nanos,
    },
    /// A calendar month of a zone that is `utc_offset_minutes` ahead of UTC, without daylight saving.
    Month {
        /// From -1,439 to 1,439.
        utc_offset_minutes: i16,
    },
}

/// A place in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Number of the window.
    pub index: u64,
    /// Time since it began.
    pub elapsed: Nanos,
    /// Time until it ends; never zero.
    pub left: Nanos,
}

impl Span {
    /// Where `unix` falls.
    #[must_use]
    pub fn position(self, unix: UnixTime) -> Position {
        match self {
            Self::Every { length, offset } => {
                let shifted = unix.0.saturating_add(offset.0);
                let elapsed = shifted % length;
                Position {
                    index: shifted / length,
                    elapsed: Nanos(elapsed),
                    left: Nanos(length.get() - elapsed),
                }
            }
            Self::Month { utc_offset_minutes } => month_position(unix, utc_offset_minutes),
        }
    }

    /// How long window `index` is.
    #[must_use]
    pub fn length(self, index: u64) -> Nanos {
        match self {
            Self::Every { length, .. } => Nanos(length.get()),
            Self::Month { .. } => {
                let days = month_start(index + 1) - month_start(index);
                Nanos(u64::try_from(days).unwrap_or(31) * Nanos::DAY.0)
            }
        }
    }
}

const MINUTE: i64 = 60 * 1_000_000_000;

fn month_position(unix: UnixTime, utc_offset_minutes: i16) -> Position {
    let day_length = i128::from(Nanos::DAY.0);
    let local = i128::from(unix.0) + i128::from(i64::from(utc_offset_minutes) * MINUTE);
    let day = i64::try_from(local.div_euclid(day_length)).unwrap_or(0);
    let within_day = u64::try_from(local.rem_euclid(day_length)).unwrap_or(0);
    let index = month_of(day);
    let begun = u64::try_from(day - month_start(index)).unwrap_or(0) * Nanos::DAY.0 + within_day;
    let length = Span::Month { utc_offset_minutes }.length(index).0;
    Position {
        index,
        elapsed: Nanos(begun),
        left: Nanos(length.saturating_sub(begun).max(1)),
    }
}

/// Julian day of 1970-01-01.
const EPOCH: i32 = 2_440_588;

/// Months since the year 0 of the day that is `day` days after 1970-01-01.
fn month_of(day: i64) -> u64 {
    let julian = i32::try_from(day).unwrap_or(i32::MAX).saturating_add(EPOCH);
    let date = Date::from_julian_day(julian).unwrap_or(Date::MAX);
    u64::try_from(date.year()).unwrap_or(0) * 12 + u64::from(u8::from(date.month())) - 1
}

/// The first day of a month, in days after 1970-01-01.
fn month_start(index: u64) -> i64 {
    let year = i32::try_from(index / 12).unwrap_or(i32::MAX);
    let month = u8::try_from(index % 12 + 1)
        .ok()
        .and_then(|month| Month::try_from(month).ok());
    let date = Date::from_calendar_date(year, month.unwrap_or(Month::January), 1);
    i64::from(date.unwrap_or(Date::MAX).to_julian_day() - EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const HOUR: u64 = 3_600 * Nanos::SECOND.0;

    fn seconds(unix: u64) -> UnixTime {
        UnixTime(unix * Nanos::SECOND.0)
    }

    #[test]
    fn an_hour_ends_on_the_hour() {
        let span = Span::Every {
            length: NonZeroU64::new(HOUR).unwrap(),
            offset: Nanos(0),
        };
        let position = span.position(seconds(7 * 3_600 + 1));
        assert_eq!(position.index, 7);
        assert_eq!(position.elapsed, Nanos::SECOND);
        assert_eq!(position.left, Nanos(HOUR - Nanos::SECOND.0));
    }

    #[test]
    fn months_have_their_own_lengths() {
        let span = Span::Month {
            utc_offset_minutes: 0,
        };
        // 2024-02-29T23:59:59Z, one second before March.
        let leap = span.position(seconds(1_709_251_199));
        assert_eq!(leap.left, Nanos::SECOND);
        assert_eq!(span.length(leap.index), Nanos(29 * Nanos::DAY.0));
        let march = span.position(seconds(1_709_251_200));
        assert_eq!((march.index, march.elapsed), (leap.index + 1, Nanos(0)));
        // 2023-12-31 to 2024-01-01.
        assert_eq!(
            span.position(seconds(1_704_067_199)).index + 1,
            span.position(seconds(1_704_067_200)).index
        );
    }

    #[test]
    fn a_zone_ahead_of_utc_changes_month_earlier() {
        let ahead = Span::Month {
            utc_offset_minutes: 120,
        };
        let utc = Span::Month {
            utc_offset_minutes: 0,
        };
        let evening = seconds(1_709_251_200 - 2 * 3_600);
        assert_eq!(
            ahead.position(evening).index,
            utc.position(evening).index + 1
        );
        assert_eq!(ahead.position(evening).elapsed, Nanos(0));
    }

    #[test]
    fn no_time_is_out_of_range() {
        for span in [
            Span::Month {
                utc_offset_minutes: 1_439,
            },
            Span::Month {
                utc_offset_minutes: -1_439,
            },
            Span::Every {
                length: NonZeroU64::MIN,
                offset: Nanos(0),
            },
        ] {
            for unix in [0, 1, u64::MAX / 2, u64::MAX] {
                assert!(span.position(UnixTime(unix)).left > Nanos(0));
            }
        }
    }
}
