//! How often something may happen in a worker: so many times a second, exactly.

use std::num::NonZeroU32;

use super::gcra::{Bucket, FullAt};
use crate::units::{Instant, Nanos};

/// Lets so many a second pass: after a pause all of them at once, so that twice as many pass in one second at the most.
#[derive(Debug)]
pub struct Allowance {
    /// `None` lets nothing pass.
    bucket: Option<Bucket>,
    state: FullAt,
}

impl Allowance {
    /// At most `per_second`; nothing ever if it is 0.
    #[must_use]
    pub fn new(per_second: u32) -> Self {
        let most = NonZeroU32::new(per_second);
        Self {
            bucket: most.and_then(|most| Bucket::new(most, Nanos::SECOND, most)),
            state: FullAt::default(),
        }
    }

    /// Whether one more may pass now, which then has.
    #[must_use]
    pub fn admit(&mut self, now: Instant) -> bool {
        let Some(bucket) = &self.bucket else {
            return false;
        };
        match bucket.charge(self.state, now, 1) {
            Ok(state) => {
                self.state = state;
                true
            }
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const START: Instant = Instant(3_600 * Nanos::SECOND.0);

    /// How many pass when all may that come at `now`.
    fn passing(allowance: &mut Allowance, now: Instant) -> usize {
        std::iter::from_fn(|| allowance.admit(now).then_some(())).count()
    }

    #[test]
    fn so_many_pass_at_once_and_then_each_at_its_nanosecond() {
        let mut allowance = Allowance::new(3);
        assert_eq!(passing(&mut allowance, START), 3);
        for (late, passed) in [
            (333_333_333, 0),
            (333_333_334, 1),
            (666_666_666, 0),
            (666_666_667, 1),
            (999_999_999, 0),
            (1_000_000_000, 1),
            (10_000_000_000, 3),
        ] {
            let now = START.plus(Nanos(late));
            assert_eq!(passing(&mut allowance, now), passed, "{late} ns");
        }
    }

    #[test]
    fn in_any_time_no_more_pass_than_its_seconds_allow() {
        for per_second in [1, 7, 1_000, 1_000_000] {
            let mut allowance = Allowance::new(per_second);
            let mut now = START;
            let mut passed = 0;
            for step in 0..20_000_u64 {
                passed += u64::from(allowance.admit(now));
                now = now.plus(Nanos(step * 7_919 % 1_000_003));
            }
            let took = now.since(START).0;
            let most = u64::from(per_second) * (Nanos::SECOND.0 + took) / Nanos::SECOND.0;
            assert!(
                passed <= most,
                "{per_second} a second: {passed}, not {most}"
            );
        }
    }

    #[test]
    fn a_clock_that_runs_backwards_gives_nothing() {
        let mut allowance = Allowance::new(2);
        assert_eq!(passing(&mut allowance, START), 2);
        assert_eq!(passing(&mut allowance, Instant(0)), 0);
        assert_eq!(passing(&mut allowance, START), 0);
    }

    #[test]
    fn nothing_a_second_is_nothing_ever() {
        let mut allowance = Allowance::new(0);
        assert_eq!(passing(&mut allowance, START), 0);
        assert_eq!(passing(&mut allowance, Instant(u64::MAX)), 0);
    }
}
