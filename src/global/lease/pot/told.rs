//! What the limiter said of its limit, in one number: a pot is read and written for each request.

use crate::units::{Nanos, Numbers};

/// In the lower half the requests; above them the period, in 30 bits of milliseconds or, with [`SECONDS`], of seconds;
/// then the two marks. Zero when nothing was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Told(pub(super) u64);

/// Whether the limiter grants in this window although nothing is left: it only watches the limit.
const SHADOWED: u64 = 1 << 63;

const SECONDS: u64 = 1 << 62;

const PERIOD: u64 = SECONDS - (1 << 32);

impl Told {
    /// These numbers; a period is rounded up to whole seconds from 12 days on, and is at most 34 years.
    pub(super) fn new(numbers: Numbers) -> Self {
        let most = PERIOD >> 32;
        let millis = numbers.per.0.div_ceil(Nanos::MILLISECOND.0);
        let (period, unit) = match millis <= most {
            true => (millis, 0),
            false => (numbers.per.seconds_up().min(most), SECONDS),
        };
        Self(u64::from(numbers.requests) | period << 32 | unit)
    }

    /// The numbers; `None` when nothing was told.
    pub(super) fn numbers(self) -> Option<Numbers> {
        let period = (self.0 & PERIOD) >> 32;
        let unit = match self.0 & SECONDS {
            0 => Nanos::MILLISECOND,
            _ => Nanos::SECOND,
        };
        let numbers = Numbers {
            requests: u32::try_from(self.0 & u64::from(u32::MAX)).unwrap_or(0),
            per: Nanos(period * unit.0),
        };
        (period > 0).then_some(numbers)
    }

    pub(super) const fn is_shadowed(self) -> bool {
        self.0 & SHADOWED != 0
    }

    #[must_use]
    pub(super) const fn shadowed(self, is: bool) -> Self {
        match is {
            true => Self(self.0 | SHADOWED),
            false => Self(self.0 & !SHADOWED),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn numbers_are_read_as_they_were_told() {
        assert_eq!(Told::default().numbers(), None);
        for per in [1, 1_500, 60_000, 86_400_000 * 12, 86_400_000 * 365] {
            let per = Nanos(per * Nanos::MILLISECOND.0);
            for requests in [0, 7, u32::MAX] {
                let numbers = Numbers { requests, per };
                let told = Told::new(numbers);
                assert!(!told.is_shadowed() && told.shadowed(true).is_shadowed());
                for told in [
                    told,
                    told.shadowed(true),
                    told.shadowed(true).shadowed(false),
                ] {
                    assert_eq!(told.numbers(), Some(numbers));
                }
            }
        }
    }

    #[test]
    fn periods_out_of_range_saturate() {
        let per = |nanos| {
            let per = Nanos(nanos);
            let told = Told::new(Numbers { requests: 1, per });
            told.numbers().map(|numbers| numbers.per)
        };
        assert_eq!(per(0), None);
        assert_eq!(per(1), Some(Nanos::MILLISECOND));
        assert_eq!(
            per(u64::MAX),
            Some(Nanos(((1 << 30) - 1) * Nanos::SECOND.0))
        );
    }
}
