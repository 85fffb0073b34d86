//! What the service is asked for a request, and what it says.

use crate::decision::Quota;
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
    let end = counter.reset.map(|reset| reset.latest(now, limit.per));
    let reset = end.map_or(limit.per, |end| Nanos(end.0.saturating_sub(now.0)));
    let wait = match &limit.algorithm {
        // Who is refused one lacks less than one; the service says when the bucket is full.
        Algorithm::TokenBucket(bucket) => reset.min(bucket.refills_one()),
        Algorithm::Closed | Algorithm::Window(_) => reset,
    };
    let wait = Wait::After(wait.max(Nanos(1)));
    let remaining = counter.remaining.filter(|_| told.granted);
    Some(Quota {
        rule: question.rule,
        limit: question.limit,
        remaining: remaining.unwrap_or(0).min(limit.capacity()),
        reset,
        violated: (!told.granted).then_some(wait),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::global::wire::{Counter, Reset};
    use crate::local::gcra::Bucket;
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
        let ten = NonZeroU32::new(10).unwrap();
        let bucket = Bucket::new(ten, Nanos(10 * Nanos::SECOND.0), ten).unwrap();
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
        assert_eq!(quota.reset, Nanos(10 * Nanos::SECOND.0));
    }
}
