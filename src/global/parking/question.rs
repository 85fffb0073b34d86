//! What the service is asked for a request, and what it says.

use crate::decision::{Counted, Quota};
use crate::global::caller::Caller;
use crate::global::wire::{Descriptor, Told};
use crate::local::limit::{Algorithm, Limit};
use crate::units::{Nanos, UnixTime, Wait};

/// One limit that the service is asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// Index of the rule in the plan.
    pub rule: usize,
    /// Index of the limit in the rule.
    pub limit: usize,
    /// What the request is counted by.
    pub descriptor: Descriptor,
    /// The pot from which it is served, by its fingerprint; `None` when it is asked for by itself.
    pub pot: Option<u64>,
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Nobody has asked it for this request. Those that a root asks of pots stay so until their pot can serve it.
    Unasked,
    /// A call asks it.
    Asked,
    /// What the limit says; `None` where the service has none, and would admit anything.
    Told(Option<Quota>),
    /// The service did not say.
    Failed,
}

impl Question {
    /// Whether it is asked for each request by itself, in place of a pot's.
    pub(super) const fn is_alone(&self, caller: Caller) -> bool {
        self.pot.is_none() || matches!(caller, Caller::Stream)
    }
}

/// What one limit says, by what the service told at `now`; `None` where it has no such limit, and would admit anything.
#[must_use]
pub fn quota(question: &Question, limit: &Limit, told: &Told, now: UnixTime) -> Option<Quota> {
    let counter = told.counter?;
    let numbers = counter.numbers(limit.per);
    let counted = (numbers != limit.numbers()).then(|| Counted::from(numbers));
    let end = counter.reset.map(|reset| reset.latest(now, numbers.per));
    let end = end.map_or(numbers.per, |end| Nanos(end.0.saturating_sub(now.0)));
    let (reset, wait) = match (&limit.algorithm, counter.remaining) {
        // Gubernator tells when `requests` would be there, and the bucket holds `burst`. Who is refused one lacks less
        // than one.
        (Algorithm::TokenBucket(bucket), Some(left)) => {
            let missing = bucket.capacity().get().saturating_sub(left);
            (bucket.refills(missing), bucket.refills(1))
        }
        _ => (end, end),
    };
    let wait = Wait::After(wait.max(Nanos(1)));
    let remaining = counter.remaining.filter(|_| told.granted);
    Some(Quota {
        rule: question.rule,
        limit: question.limit,
        remaining: remaining
            .unwrap_or(0)
            .min(counted.map_or(limit.capacity(), |counted| counted.requests)),
        reset,
        violated: (!told.granted).then_some(wait),
        counted,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::global::wire::{Counter, Reset};
    use crate::local::gcra::Bucket;
    use crate::units::Numbers;
    use std::num::NonZeroU32;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_bucket_refuses_until_one_is_back_and_not_until_it_is_full() {
        let limit = |algorithm| Limit {
            name: "a".into(),
            policy: "a".into(),
            requests: 10,
            per: Nanos(10 * Nanos::SECOND.0),
            algorithm,
        };
        let number = |number| NonZeroU32::new(number).unwrap();
        let bucket = Bucket::new(number(10), Nanos(10 * Nanos::SECOND.0), number(40)).unwrap();
        let now = UnixTime(Nanos::DAY.0);
        let told = Told {
            granted: false,
            counter: Some(Counter {
                limit: 10,
                per: None,
                remaining: Some(0),
                reset: Some(Reset::At(now.plus(Nanos(10 * Nanos::SECOND.0)))),
            }),
        };
        let question = Question {
            rule: 0,
            limit: 0,
            descriptor: Descriptor::default(),
            pot: None,
        };
        let limit = limit(Algorithm::TokenBucket(bucket));
        let quota = quota(&question, &limit, &told, now).unwrap();
        assert_eq!(quota.violated, Some(Wait::After(Nanos::SECOND)));
        assert_eq!(quota.reset, Nanos(40 * Nanos::SECOND.0));
        assert_eq!(quota.counted, None);
        let mut granted = told;
        granted.granted = true;
        granted.counter = granted.counter.map(|counter| Counter {
            remaining: Some(37),
            reset: Some(Reset::At(UnixTime(0))),
            ..counter
        });
        let quota = super::quota(&question, &limit, &granted, now).unwrap();
        assert_eq!(
            (quota.remaining, quota.reset),
            (37, Nanos(3 * Nanos::SECOND.0))
        );
    }

    #[test]
    fn a_limit_of_the_limiter_is_told_with_its_own_numbers() {
        let limit = Limit {
            name: "a".into(),
            policy: "a".into(),
            requests: 10,
            per: Nanos::DAY,
            algorithm: Algorithm::Closed,
        };
        let month = Nanos(30 * Nanos::DAY.0);
        let told = |granted, reset| Told {
            granted,
            counter: Some(Counter {
                limit: 5_000,
                per: Some(month),
                remaining: Some(4_999),
                reset: Some(reset),
            }),
        };
        let now = UnixTime(31 * Nanos::DAY.0);
        let question = Question::default();
        let days = Nanos(20 * Nanos::DAY.0);
        let refused = quota(&question, &limit, &told(false, Reset::RoundedUp(days)), now);
        assert_eq!(refused.unwrap().violated, Some(Wait::After(days)));
        let passed = quota(&question, &limit, &told(true, Reset::Aligned), now).unwrap();
        assert_eq!(
            (passed.remaining, passed.reset),
            (4_999, Nanos(29 * Nanos::DAY.0))
        );
        let gold = Numbers {
            requests: 5_000,
            per: month,
        };
        assert_eq!(passed.counted, Some(gold.into()));
    }
}
