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
        let taken = self.later(FullAt::default(), cost).instant;
        if taken.0 < elapsed.0 {
            return state;
        }
        let given = self.earlier(state, cost);
        FullAt {
            instant: given.instant.plus(elapsed),
            ..given
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

    /// What a bucket of the same period left behind, which refilled `requests` and held `capacity`, as it
    /// counts here from `from` on: this bucket's state, and how many requests are missing beyond it.
    ///
    /// What is missing stays missing, in requests: time to fill times L is a whole number of 1/P requests,
    /// so it is exact. A larger bucket thus begins with the difference more. A smaller one begins with what
    /// is left, as far as it holds that; what it cannot be short of is *beyond* it, rounded up. That must be
    /// kept with the state: else two configurations that use one bucket by turns, as they do while
    /// connections drain, would refill it at every turn.
    #[must_use]
    pub fn adopt(
        &self,
        state: FullAt,
        requests: u32,
        capacity: u32,
        from: Instant,
    ) -> (FullAt, u32) {
        let (own_requests, period) = (
            u128::from(self.requests.get()),
            u128::from(self.period.0.max(1)),
        );
        let held = u128::from(capacity) * period;
        let state = at(state, from);
        let missing = u128::from(state.instant.since(from).0) * u128::from(requests);
        let missing = (missing + u128::from(state.rest)).min(held);
        let own = u128::from(self.capacity.get()) * period;
        let lacking = missing.min(own.saturating_sub(held - missing));
        let instant = u64::try_from(lacking / own_requests).unwrap_or(MAX_FILL.0);
        let adopted = FullAt {
            instant: from.plus(Nanos(instant)),
            rest: u32::try_from(lacking % own_requests).unwrap_or(0),
        };
        let beyond = (missing - lacking).div_ceil(period);
        // What would take longer than any bucket may is not kept, or instants would overflow.
        let room = (u128::from(MAX_FILL.0) * own_requests).saturating_sub(own) / period;
        (adopted, u32::try_from(beyond.min(room)).unwrap_or(u32::MAX))
    }

    /// Time in which so much is back, rounded up.
    #[must_use]
    pub fn refills(&self, cost: u32) -> Nanos {
        let back = self.later(FullAt::default(), cost);
        Nanos(back.instant.0.saturating_add(u64::from(back.rest > 0)))
    }

    /// `state` when `cost` more is missing: moved by as many steps of P/L, at most [`MAX_FILL`] in all.
    #[must_use]
    pub fn later(&self, state: FullAt, cost: u32) -> FullAt {
        if cost == 0 {
            return state;
        }
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

    /// `state` when `cost` less is missing: what [`Self::later`] undoes.
    #[must_use]
    pub fn earlier(&self, state: FullAt, cost: u32) -> FullAt {
        if cost == 0 {
            return state;
        }
        let taken = self.later(FullAt::default(), cost);
        let (rest, borrow) = match state.rest.checked_sub(taken.rest) {
            Some(rest) => (rest, 0),
            None => (self.requests.get() - taken.rest + state.rest, 1),
        };
        let instant = state.instant.0.saturating_sub(taken.instant.0);
        FullAt {
            instant: Instant(instant.saturating_sub(borrow)),
            rest,
        }
    }

    /// The state of a bucket that is empty at `now`.
    const fn empty(&self, now: Instant) -> FullAt {
        FullAt {
            instant: now.plus(Nanos(self.fill)),
            rest: self.fill_rest,
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

    const MINUTE: Nanos = Nanos(60 * Nanos::SECOND.0);

    #[test]
    fn a_change_of_rate_keeps_what_is_missing() {
        let slow = bucket(1, MINUTE, 60);
        let fast = bucket(60, MINUTE, 60);
        let now = Instant(1_000);
        for (old, requests, new, step) in [(slow, 1, fast, Nanos::SECOND), (fast, 60, slow, MINUTE)]
        {
            let mut state = FullAt::default();
            drain(&old, &mut state, now);
            let (kept, beyond) = new.adopt(state, requests, 60, now);
            assert_eq!(new.charge(kept, now, 1), Err(Wait::After(step)));
            assert_eq!(beyond, 0);
        }
    }

    #[test]
    fn a_larger_bucket_has_the_difference_more() {
        let (small, large) = (bucket(10, MINUTE, 10), bucket(60, MINUTE, 60));
        let now = Instant(1_000);
        let mut state = FullAt::default();
        drain(&small, &mut state, now);
        let (mut kept, beyond) = large.adopt(state, 10, 10, now);
        assert_eq!((drain(&large, &mut kept, now).0, beyond), (50, 0));
    }

    #[test]
    fn a_smaller_bucket_has_what_is_left_and_keeps_what_is_beyond_it() {
        let (small, large) = (bucket(10, MINUTE, 10), bucket(60, MINUTE, 60));
        let now = Instant(1_000);
        for (cost, left, missing) in [(60, 0, 50), (55, 5, 50), (50, 10, 50), (30, 10, 30)] {
            let state = large.charge(FullAt::default(), now, cost).unwrap();
            let (kept, beyond) = small.adopt(state, 60, 60, now);
            assert_eq!((small.quota(kept, now).0, beyond), (left, missing));
            // Back in the large one everything is missing that was.
            let (back, beyond) = large.adopt(small.later(kept, beyond), 10, 10 + beyond, now);
            assert_eq!((large.quota(back, now).0, beyond), (60 - cost, 0));
        }
    }

    #[test]
    fn what_would_fill_too_slowly_is_no_bucket() {
        let one = NonZeroU32::MIN;
        let year = Nanos(366 * Nanos::DAY.0);
        assert!(Bucket::new(one, year, NonZeroU32::new(1_000_000_000).unwrap()).is_none());
        assert!(Bucket::new(one, year, NonZeroU32::new(145).unwrap()).is_some());
    }
}
