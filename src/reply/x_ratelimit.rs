//! `X-RateLimit-Limit`, `-Remaining` and `-Reset`: one number each, so they speak of one limit.

use std::cmp::Reverse;

use super::reset;
use crate::decision::{Decision, Quota, Reason, Refusal};
use crate::plan::{Plan, Reset};
use crate::units::Now;

/// Name of the field that tells whether an upstream's values are the stricter ones.
pub(super) const REMAINING: &str = "x-ratelimit-remaining";

/// Values of the three fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct XRateLimit {
    limit: u32,
    remaining: u32,
    /// In the unit that the plan asks for; `None` is never.
    reset: Option<u64>,
}

impl XRateLimit {
    /// What there is to say; nothing where the plan wants no such headers or no limit applied.
    pub(super) fn new(plan: &Plan, decision: &Decision, now: Now) -> Option<Self> {
        if !plan.response.x_ratelimit {
            return None;
        }
        let quota = spoken_of(decision)?;
        let limit = plan.rules.get(quota.rule)?.limits.get(quota.limit)?;
        let reset = reset(quota).map(|reset| match plan.response.reset {
            Reset::Seconds => reset.seconds_up(),
            Reset::Epoch => now.unix.plus(reset).seconds_up(),
        });
        Some(Self {
            limit: quota
                .counted
                .map_or(limit.capacity(), |counted| counted.requests),
            remaining: quota.remaining,
            reset,
        })
    }

    /// Name and value of each field; a reset that is never is left out.
    pub(super) fn fields(self) -> [Option<(&'static str, u64)>; 3] {
        [
            Some(("x-ratelimit-limit", u64::from(self.limit))),
            Some((REMAINING, u64::from(self.remaining))),
            self.reset.map(|reset| ("x-ratelimit-reset", reset)),
        ]
    }

    /// Whether an upstream's value of [`REMAINING`] promises more than ours. What is no integer promises
    /// nothing that could be compared, and is not for us to judge.
    pub(super) fn is_stricter_than(self, upstream: &[u8]) -> bool {
        let digits = upstream.trim_ascii();
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return false;
        }
        let theirs = std::str::from_utf8(digits).ok().map(str::parse::<u64>);
        // More digits than 64 bits hold are more than any 32.
        !matches!(theirs, Some(Ok(theirs)) if theirs <= u64::from(self.remaining))
    }
}

/// The limit that made the refusal, or the one with the least remaining.
fn spoken_of(decision: &Decision) -> Option<&Quota> {
    let mut quotas = decision.quotas.iter();
    match decision.refusal {
        Some(Refusal {
            rule,
            reason: Reason::Limited { limit, .. },
        }) => quotas.find(|quota| quota.rule == rule && quota.limit == limit),
        _ => quotas.min_by_key(|quota| (quota.remaining, Reverse(quota.reset))),
    }
}
