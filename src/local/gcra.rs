//! Token bucket as GCRA (generic cell rate algorithm) in exact integers.
//!
//! A bucket that holds C and refills L per P is kept as the instant at which it will be full again (the
//! *theoretical arrival time*): each unit of cost moves it by P/L, and a request fits while it is at most
//! C·P/L ahead of now. P/L is seldom a whole number of nanoseconds, so the instant carries a remainder in
//! units of 1/L ns: nothing is rounded, so nothing drifts.

use std::num::NonZeroU32;

use crate::units::{Instant, Nanos, Wait};

/// The most time that filling an empty bucket may take: 2^62 ns, about 146 years.
///
/// With it every sum below fits 64 bits, whatever the monotonic clock says in this century.
pub const MAX_FILL: Nanos = Nanos(1 << 62);

/// A token bucket's parameters, prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    requests: NonZeroU32,
    period: Nanos,
    capacity: NonZeroU32,
    /// P / L in whole nanoseconds, and the rest in 1/L ns.
    step: u64,
    step_rest: u32,
    /// C·P / L likewise.
    fill: u64,
    fill_rest: u32,
}

/// A bucket's state: the instant at which it is full, exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FullAt {
    /// Whole nanoseconds on the monotonic clock.
    pub instant: Instant,
    /// And this many 1/L ns, below L.
    pub rest: u32,
}

impl Bucket {
    /// A bucket that refills `requests` per `period` and holds `capacity`.
    ///
    /// `None` when filling it from empty would take longer than [`MAX_FILL`].
    #[must_use]
    pub fn new(requests: NonZeroU32, period: Nanos, capacity: NonZeroU32) -> Option<Self> {
        let (step, step_rest) = steps(requests, period, 1);
        let (fill, fill_rest) = steps(requests, period, capacity.get());
        let fill = u64::try_from(fill)
            .ok()
            .filter(|fill| *fill <= MAX_FILL.0)?;
        let step = u64::try_from(step).ok()?;
        Some(Self {
            requests,
            period,
            capacity,
            step,
            step_rest,
            fill,
            fill_rest,
        })
    }

    /// L: what is refilled per [`Self::period`].
    #[must_use]
    pub const fn requests(&self) -> NonZeroU32 {
        self.requests
    }

    /// P.
    #[must_use]
    pub const fn period(&self) -> Nanos {
        self.period
    }

    /// C: what a full bucket holds.
    #[must_use]
    pub const fn capacity(&self) -> NonZeroU32 {
        self.capacity
    }

    /// Time from empty to full, rounded up.
    #[must_use]
    pub const fn fill_time(&self) -> Nanos {
        Nanos(self.fill + (self.fill_rest > 0) as u64)
    }

    /// The state after a charge of `cost` at `now`, or how long until one would fit.
    ///
    /// # Errors
    /// [`Wait`] when it does not fit; the state is then unchanged.
    pub fn charge(&self, state: FullAt, now: Instant, cost: u32) -> Result<FullAt, Wait> {
        if cost > self.capacity.get() {
            return Err(Wait::Never);
        }
        let after = self.later(at(state, now), cost);
        let horizon = self.empty(now);
        if after <= horizon {
            return Ok(after);
        }
        // The first `now` whose horizon reaches `after`.
        let short = after.instant.since(horizon.instant).0;
        let rounded = u64::from(after.rest > horizon.rest);
        Err(Wait::After(Nanos(short.saturating_add(rounded))))
    }

    /// The state after a charge of `cost` is taken back, when up to `elapsed` has passed since.
    ///
    /// Time that passed has refilled what the charge took; giving it back whole would mint.
    #[must_use]
    pub fn give_back(&self, state: FullAt, cost: u32, elapsed: Nanos) -> FullAt {
        let FullAt {
            instant: taken,
            rest,
        } = self.later(FullAt::default(), cost);
        if taken.0 < elapsed.0 {
            return state;
        }
        // Exact in 1/L ns: (state) − (taken, rest) + elapsed, with one borrow.
        let borrow = state.rest < rest;
        let instant = state.instant.0.saturating_sub(taken.0 - elapsed.0);
        let rest = if borrow {
            self.requests.get() - rest + state.rest
        } else {
            state.rest - rest
        };
        FullAt {
            instant: Instant(instant.saturating_sub(u64::from(borrow))),
            rest,
        }
    }

    /// What fits now, and the time until the bucket is full.
    #[must_use]
    pub fn quota(&self, state: FullAt, now: Instant) -> (u32, Nanos) {
        let state = at(state, now);
        let missing_time = state.instant.since(now);
        let missing =
            u128::from(missing_time.0) * u128::from(self.requests.get()) + u128::from(state.rest);
        let whole = u128::from(self.capacity.get()) * u128::from(self.period.0);
        let left = whole.saturating_sub(missing) / u128::from(self.period.0.max(1));
        let left = u32::try_from(left)
            .unwrap_or(u32::MAX)
            .min(self.capacity.get());
        let rounded = u64::from(state.rest > 0);
        (left, Nanos(missing_time.0.saturating_add(rounded)))
    }

    /// A state that was written under another `requests` or capacity, as it counts here from `now` on.
    ///
    /// In this bucket's units never less is missing, but none is emptier than empty: a limit that is raised
    /// would else keep its clients out for as long as the old one took. What was cut off so must be stored,
    /// or the next request would be as far from it as this one.
    #[must_use]
    pub fn adopt(&self, state: FullAt, requests: u32, now: Instant) -> FullAt {
        let rest = u64::from(state.rest) * u64::from(self.requests.get());
        let rest = rest.div_ceil(u64::from(requests.max(1)));
        let state = match u32::try_from(rest) {
            Ok(rest) if rest < self.requests.get() => FullAt { rest, ..state },
            _ => FullAt {
                instant: state.instant.plus(Nanos(1)),
                rest: 0,
            },
        };
        state.min(self.empty(now))
    }

    /// The state of a bucket that is empty at `now`.
    const fn empty(&self, now: Instant) -> FullAt {
        FullAt {
            instant: now.plus(Nanos(self.fill)),
            rest: self.fill_rest,
        }
    }

    /// `state` moved by `cost` steps of P/L. `cost` is at most the capacity, so nothing overflows.
    fn later(&self, state: FullAt, cost: u32) -> FullAt {
        let rests = u64::from(cost) * u64::from(self.step_rest) + u64::from(state.rest);
        let requests = u64::from(self.requests.get());
        let moved = u64::from(cost)
            .saturating_mul(self.step)
            .saturating_add(rests / requests);
        let rest = u32::try_from(rests % requests).unwrap_or(0);
        FullAt {
            instant: state.instant.plus(Nanos(moved)),
            rest,
        }
    }
}

/// The state as it counts at `now`: a bucket that was full before is full now.
fn at(state: FullAt, now: Instant) -> FullAt {
    let full = FullAt {
        instant: now,
        rest: 0,
    };
    state.max(full)
}

/// `cost`·P / L and the rest.
fn steps(requests: NonZeroU32, period: Nanos, cost: u32) -> (u128, u32) {
    let total = u128::from(cost) * u128::from(period.0);
    let requests = u128::from(requests.get());
    (
        total / requests,
        u32::try_from(total % requests).unwrap_or(0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn bucket(requests: u32, period: Nanos, capacity: u32) -> Bucket {
        let nonzero = |n| NonZeroU32::new(n).unwrap();
        Bucket::new(nonzero(requests), period, nonzero(capacity)).unwrap()
    }

    /// Charges 1 until refused; how often that went well, and the wait.
    fn drain(bucket: &Bucket, state: &mut FullAt, now: Instant) -> (u32, Wait) {
        let mut admitted = 0;
        loop {
            match bucket.charge(*state, now, 1) {
                Ok(after) => (*state, admitted) = (after, admitted + 1),
                Err(wait) => return (admitted, wait),
            }
        }
    }

    #[test]
    fn a_clock_that_steps_back_refunds_nothing() {
        let bucket = bucket(20, Nanos::SECOND, 40);
        let mut state = FullAt::default();
        let noon = Instant(1_000_000_000_000);
        assert_eq!(drain(&bucket, &mut state, noon).0, 40);
        let hour = Nanos(3_600 * Nanos::SECOND.0);
        let earlier = Instant(noon.0 - hour.0 / 3_600_000);
        assert_eq!(drain(&bucket, &mut state, earlier).0, 0);
        assert_eq!(drain(&bucket, &mut state, noon).0, 0);
        assert_eq!(drain(&bucket, &mut state, noon.plus(hour)).0, 40);
    }

    #[test]
    fn the_promise_is_exact_to_the_nanosecond() {
        // 1e9 / 3 ns is not whole: the remainder decides.
        let bucket = bucket(3, Nanos::SECOND, 2);
        let mut state = FullAt::default();
        let now = Instant(77);
        let (admitted, wait) = drain(&bucket, &mut state, now);
        assert_eq!(admitted, 2);
        let Wait::After(wait) = wait else {
            panic!("a bucket refills")
        };
        assert_eq!(wait, Nanos(333_333_334));
        let just_before = now.plus(Nanos(wait.0 - 1));
        assert_eq!(
            bucket.charge(state, just_before, 1),
            Err(Wait::After(Nanos(1)))
        );
        assert!(bucket.charge(state, now.plus(wait), 1).is_ok());
    }

    #[test]
    fn three_thirds_are_one() {
        let bucket = bucket(3, Nanos::SECOND, 3);
        let mut state = FullAt::default();
        let now = Instant(5);
        assert_eq!(drain(&bucket, &mut state, now).0, 3);
        assert_eq!(
            state,
            FullAt {
                instant: now.plus(Nanos::SECOND),
                rest: 0
            }
        );
        assert_eq!(bucket.quota(state, now), (0, Nanos::SECOND));
    }

    #[test]
    fn more_than_it_holds_is_never() {
        let bucket = bucket(10, Nanos::SECOND, 5);
        assert_eq!(
            bucket.charge(FullAt::default(), Instant(0), 6),
            Err(Wait::Never)
        );
        assert!(bucket.charge(FullAt::default(), Instant(0), 5).is_ok());
    }

    #[test]
    fn giving_back_at_once_restores_and_later_does_not_mint() {
        let bucket = bucket(3, Nanos::SECOND, 3);
        let now = Instant(1_000);
        let state = bucket.charge(FullAt::default(), now, 2).unwrap();
        assert_eq!(
            bucket.give_back(state, 2, Nanos(0)),
            FullAt {
                instant: now,
                rest: 0
            }
        );
        assert_eq!(bucket.give_back(state, 2, Nanos::SECOND), state);
        let half = bucket.give_back(state, 2, Nanos(333_333_333));
        assert_eq!(half.instant, now.plus(Nanos(333_333_333)));
    }

    #[test]
    fn a_raised_limit_applies_at_once() {
        let slow = bucket(1, Nanos(60 * Nanos::SECOND.0), 60);
        let fast = bucket(60, Nanos(60 * Nanos::SECOND.0), 60);
        let now = Instant(1_000);
        let mut state = FullAt::default();
        drain(&slow, &mut state, now);
        let kept = fast.adopt(state, 1, now);
        assert_eq!(fast.charge(kept, now, 1), Err(Wait::After(Nanos::SECOND)));
    }

    #[test]
    fn what_would_fill_too_slowly_is_no_bucket() {
        let one = NonZeroU32::MIN;
        let year = Nanos(366 * Nanos::DAY.0);
        assert!(Bucket::new(one, year, NonZeroU32::new(1_000_000_000).unwrap()).is_none());
        assert!(Bucket::new(one, year, NonZeroU32::new(145).unwrap()).is_some());
    }
}
