//! When the window ends that a debit was counted in: what an answer tells, and how exactly.

use crate::global::wire::Reset;
use crate::units::{Instant, Nanos, Now, UnixTime};

/// How far the clocks of a proxy and the limiter may be apart. What is leased is not spent in the last
/// moments of its window by as much.
pub const GUARD: Nanos = Nanos(10 * Nanos::MILLISECOND.0);

/// Where an engine's windows begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Windows {
    /// At multiples of their length in Unix time.
    Aligned,
    /// With the first hit after the window before.
    FirstHit,
}

impl Windows {
    /// Whether an answer could not tell in which window its debit was counted: a reset in whole seconds says
    /// nothing of windows of one.
    #[must_use]
    pub fn are_turning(self, now: Now, period: Nanos) -> bool {
        let elapsed = now.unix.0.checked_rem(period.0).unwrap_or(0);
        self == Self::Aligned && period <= Nanos::SECOND && elapsed < GUARD.0
    }
}

/// A debit that was answered: it happened between the two times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flight {
    /// When it was sent.
    pub sent: Instant,
    /// When its answer came, on both clocks.
    pub received: Now,
}

impl Flight {
    /// The Unix time of a point on the monotonic clock, in nanoseconds; saturates.
    fn unix(&self, instant: Instant) -> u64 {
        shifted(self.received.unix.0, self.received.monotonic.0, instant.0)
    }

    /// The point on the monotonic clock of a Unix time in nanoseconds; saturates.
    fn monotonic(&self, unix: u64) -> Instant {
        Instant(shifted(
            self.received.monotonic.0,
            self.received.unix.0,
            unix,
        ))
    }
}

/// A window ends no earlier than the one time and no later than the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Until here, less the [`GUARD`], what was debited may be spent.
    pub earliest: Instant,
    /// From here on, surely, the next window counts.
    pub latest: Instant,
}

impl Ends {
    /// What an answer tells of a window of `period`. That is never further away than a whole one, whatever the
    /// limiter or its clock say: a hostile reset must not lock anybody out.
    #[must_use]
    pub fn told(flight: Flight, reset: Option<Reset>, period: Nanos) -> Self {
        let told = match reset {
            Some(Reset::RoundedUp(reset)) => Self::aligned(flight, reset, period),
            Some(Reset::RoundedDown(reset)) => Self::rounded_down(flight, reset, period),
            Some(Reset::At(end)) => Self::at(flight, end),
            Some(Reset::Aligned) => Self::next_multiple(flight, period),
            None => Self::rounded_down(flight, Nanos(0), period),
        };
        let furthest = flight.received.monotonic.plus(period);
        Self {
            earliest: told.earliest.min(furthest),
            latest: told.latest.min(furthest),
        }
    }

    /// From a reset in whole seconds, rounded up, of windows of `period` aligned to Unix time.
    ///
    /// The reset alone is a second vague; which multiple of `period` it means is exact as long as the clocks
    /// agree within the [`GUARD`]. Where none fits they are a second or more apart: then the reset alone counts.
    fn aligned(flight: Flight, reset: Nanos, period: Nanos) -> Self {
        let sent = flight.sent.plus(reset);
        let vague = Self {
            earliest: before(sent, Nanos::SECOND),
            latest: flight.received.monotonic.plus(reset),
        };
        // By the limiter's clock the window ends after the one and not after the other.
        let after = flight.unix(before(vague.earliest, GUARD));
        let until = flight.unix(vague.latest.plus(GUARD));
        let multiples = after.checked_div(period.0).zip(until.checked_div(period.0));
        match multiples {
            Some((passed, last)) if passed < last => Self {
                earliest: flight.monotonic((passed + 1) * period.0),
                latest: flight.monotonic(last * period.0),
            },
            _ => vague,
        }
    }

    /// Of windows of `period` aligned to Unix time, when nothing is told: the one that the debit fell into.
    fn next_multiple(flight: Flight, period: Nanos) -> Self {
        let end_after = |unix: u64| {
            let elapsed = unix.checked_rem(period.0).unwrap_or(0);
            flight.monotonic(unix.saturating_add(period.0.saturating_sub(elapsed)))
        };
        Self {
            earliest: end_after(flight.unix(before(flight.sent, GUARD))),
            latest: end_after(flight.unix(flight.received.monotonic.plus(GUARD))),
        }
    }

    /// From a reset in whole seconds, rounded down, of windows of `period` from their first hit.
    ///
    /// Zero tells nothing: Limitador also says it of a window that has just begun.
    fn rounded_down(flight: Flight, reset: Nanos, period: Nanos) -> Self {
        let vague = if reset.0 == 0 { period } else { Nanos::SECOND };
        Self {
            earliest: flight.sent.plus(reset),
            latest: flight.received.monotonic.plus(reset).plus(vague),
        }
    }

    /// From the limiter's own time of the end.
    fn at(flight: Flight, end: UnixTime) -> Self {
        let end = flight.monotonic(end.0);
        Self {
            earliest: end,
            latest: end,
        }
    }

    /// Of the window that a proxy without a limiter counts in, from `now` on.
    #[must_use]
    pub fn own(now: Now, windows: Windows, period: Nanos) -> Self {
        let elapsed = match windows {
            Windows::Aligned => now.unix.0.checked_rem(period.0).unwrap_or(0),
            Windows::FirstHit => 0,
        };
        let end = now.monotonic.plus(Nanos(period.0 - elapsed));
        Self {
            earliest: end,
            latest: end,
        }
    }

    /// Whether what is leased under it may be spent.
    #[must_use]
    pub const fn is_open(&self, now: Instant) -> bool {
        now.plus(GUARD).0 < self.earliest.0
    }

    /// Whether it is of a window before the one that `other` speaks of: ends that are at most so near are of one.
    #[must_use]
    pub fn is_before(&self, other: &Self, near: Nanos) -> bool {
        let near = near.max(GUARD);
        self.latest.plus(near).0 < other.earliest.0
    }

    /// What both tell, of one window.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let latest = self.latest.min(other.latest);
        Self {
            // Clocks that slew make exact ends cross by a little.
            earliest: self.earliest.max(other.earliest).min(latest),
            latest,
        }
    }
}

/// The time of `there` for what `here` is the time of `from`.
fn shifted(here: u64, from: u64, there: u64) -> u64 {
    let time = i128::from(here) - i128::from(from) + i128::from(there);
    u64::try_from(time.max(0)).unwrap_or(u64::MAX)
}

const fn before(instant: Instant, span: Nanos) -> Instant {
    Instant(instant.0.saturating_sub(span.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const SECOND: u64 = Nanos::SECOND.0;
    const MILLI: u64 = Nanos::MILLISECOND.0;
    const MINUTE: Nanos = Nanos(60 * SECOND);
    /// A minute of Unix time, in nanoseconds, and the same moment on the monotonic clock.
    const EDGE: Now = Now {
        monotonic: Instant(5_000 * SECOND),
        unix: UnixTime(30_000_000 * 60 * SECOND),
    };

    /// A call that was sent so many milliseconds after the edge, and took 1 ms.
    fn flight(after: i64) -> Flight {
        let sent = Instant(EDGE.monotonic.0.strict_add_signed(after * 1_000_000));
        let received = sent.plus(Nanos::MILLISECOND);
        let since = i128::from(received.0) - i128::from(EDGE.monotonic.0);
        let unix = i128::from(EDGE.unix.0) + since;
        Flight {
            sent,
            received: Now {
                monotonic: received,
                unix: UnixTime(u64::try_from(unix).unwrap()),
            },
        }
    }

    /// Milliseconds from the edge to an end that is exact.
    fn exact(ends: Ends) -> u64 {
        assert_eq!(ends.earliest, ends.latest);
        ends.earliest.since(EDGE.monotonic).0 / MILLI
    }

    fn aligned(after: i64, seconds: u64, period: Nanos) -> Ends {
        Ends::aligned(flight(after), Nanos(seconds * SECOND), period)
    }

    #[test]
    fn an_aligned_window_ends_exactly() {
        assert_eq!(exact(aligned(18_300, 42, MINUTE)), 60_000);
        assert_eq!(exact(aligned(0, 60, MINUTE)), 60_000);
        assert_eq!(exact(aligned(59_999, 1, MINUTE)), 60_000);
        // Debited after the edge, by the limiter's clock.
        assert_eq!(exact(aligned(59_998, 60, MINUTE)), 120_000);
        assert_eq!(exact(aligned(300, 1, Nanos::SECOND)), 1_000);
    }

    #[test]
    fn near_an_edge_a_second_could_be_either() {
        for after in [-9, -1, 0, 9] {
            let ends = aligned(after, 1, Nanos::SECOND);
            assert_eq!(ends.earliest, EDGE.monotonic, "{after} ms");
            assert_eq!(ends.latest, EDGE.monotonic.plus(Nanos::SECOND));
        }
        assert_eq!(exact(aligned(11, 1, Nanos::SECOND)), 1_000);
        for (after, is_turning) in [(-2, false), (-1, true), (8, true), (9, false)] {
            let now = flight(after).received;
            assert_eq!(Windows::Aligned.are_turning(now, Nanos::SECOND), is_turning);
            assert!(!Windows::Aligned.are_turning(now, MINUTE));
            assert!(!Windows::FirstHit.are_turning(now, Nanos::SECOND));
        }
    }

    #[test]
    fn a_wrong_clock_is_believed_less_than_the_reset() {
        let ends = aligned(18_300, 30, MINUTE);
        let sent = flight(18_300).sent;
        assert_eq!(ends.earliest, sent.plus(Nanos(29 * SECOND)));
        assert_eq!(ends.latest, sent.plus(Nanos(30 * SECOND + MILLI)));
    }

    #[test]
    fn a_reset_rounded_down_is_a_second_vague_and_zero_tells_nothing() {
        let period = Nanos(10 * SECOND);
        let ends = Ends::rounded_down(flight(0), Nanos(3 * SECOND), period);
        assert_eq!(ends.earliest, EDGE.monotonic.plus(Nanos(3 * SECOND)));
        assert_eq!(ends.latest, EDGE.monotonic.plus(Nanos(4 * SECOND + MILLI)));
        let ends = Ends::rounded_down(flight(0), Nanos(0), period);
        assert!(!ends.is_open(EDGE.monotonic));
        assert_eq!(ends.latest, EDGE.monotonic.plus(Nanos(10 * SECOND + MILLI)));
    }

    #[test]
    fn an_aligned_window_that_is_not_told_is_the_one_of_its_debit() {
        let ends = |millis| Ends::told(flight(millis), Some(Reset::Aligned), MINUTE);
        assert_eq!(exact(ends(15_000)), 60_000);
        // On the edge nobody can tell which of the two it is.
        let vague = ends(59_995);
        assert!(!vague.is_open(flight(59_995).sent));
        assert_eq!(
            vague.latest,
            EDGE.monotonic
                .plus(Nanos(120_000 * MILLI))
                .min(flight(59_995).received.monotonic.plus(MINUTE))
        );
    }

    #[test]
    fn answers_of_one_window_narrow_it() {
        let period = Nanos(10 * SECOND);
        let first = Ends::rounded_down(flight(0), Nanos(3 * SECOND), period);
        let second = Ends::rounded_down(flight(500), Nanos(3 * SECOND), period);
        let both = first.and(second);
        assert_eq!(
            both.earliest,
            EDGE.monotonic.plus(Nanos(3 * SECOND + 500 * MILLI))
        );
        assert_eq!(both.latest, first.latest);
        let next = Ends::rounded_down(flight(4_500), Nanos(9 * SECOND), period);
        let is_before = |one: Ends, other: Ends| one.is_before(&other, GUARD);
        assert!(is_before(both, next) && !is_before(next, both) && !is_before(first, second));
        assert!(!both.is_before(&next, period));
    }

    #[test]
    fn a_proxy_alone_counts_as_its_limiter_would() {
        let now = flight(15_000).received;
        assert_eq!(exact(Ends::own(now, Windows::Aligned, MINUTE)), 60_000);
        assert_eq!(exact(Ends::own(now, Windows::FirstHit, MINUTE)), 75_001);
    }

    #[test]
    fn absurd_times_saturate() {
        let first = Flight {
            sent: Instant(0),
            received: Now::default(),
        };
        let last = Flight {
            sent: Instant(u64::MAX),
            received: Now {
                monotonic: Instant(u64::MAX),
                unix: UnixTime(u64::MAX),
            },
        };
        for flight in [first, last] {
            for reset in [0, 1, u64::MAX].map(Nanos) {
                for period in [0, 1, u64::MAX].map(Nanos) {
                    for told in [
                        None,
                        Some(Reset::RoundedUp(reset)),
                        Some(Reset::RoundedDown(reset)),
                        Some(Reset::At(UnixTime(reset.0))),
                        Some(Reset::Aligned),
                    ] {
                        let ends = Ends::told(flight, told, period);
                        assert!(ends.earliest <= ends.latest, "{told:?} {period:?}");
                        assert!(ends.latest <= flight.received.monotonic.plus(period));
                    }
                }
            }
        }
    }
}
