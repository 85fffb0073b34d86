//! `retry_jitter`: a refusal names a later time than the true one, by a share of the range that the key decides.
//!
//! Only what the client is told changes. Whole seconds are added, so that an answer stays right for as long as it would
//! without them (see [`Decision::steady_for`]).

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

use crate::decision::{Decision, Reason, Refusal};
use crate::local::limit::Algorithm;
use crate::plan::Plan;
use crate::units::{Nanos, Now, Wait};

/// The decision as the client is told it; `None` where that is `decision` itself.
///
/// Every limit that refused says a later time, by the same span: `Retry-After` stays the longest of their waits.
pub(super) fn told(plan: &Plan, decision: &Decision, now: Now) -> Option<Decision> {
    let Refusal { rule, reason } = decision.refusal?;
    let Reason::Limited { limit, wait } = reason else {
        return None;
    };
    let range = plan
        .response
        .retry_jitter
        .checked_add(1)
        .filter(|range| *range > 1)?;
    let fingerprint = decision
        .rules
        .iter()
        .find(|outcome| outcome.rule == rule)?
        .fingerprint?;
    let window = match &plan.rules.get(rule)?.limits.get(limit)?.algorithm {
        Algorithm::Window(window) => window.span.position(now.unix).index,
        Algorithm::TokenBucket(_) | Algorithm::Closed => 0,
    };
    let seconds = hash(fingerprint, window) % range;
    let later = |wait: Wait| match wait {
        Wait::After(span) => Wait::After(Nanos(
            span.0
                .saturating_add(seconds.saturating_mul(Nanos::SECOND.0)),
        )),
        Wait::Never => Wait::Never,
    };
    let mut told = decision.clone();
    for quota in &mut told.quotas {
        quota.violated = quota.violated.map(later);
    }
    let reason = Reason::Limited {
        limit,
        wait: later(wait),
    };
    told.refusal = Some(Refusal { rule, reason });
    Some(told)
}

/// One way: a client that collects what it is told learns nothing of the fingerprint, and so nothing of which keys share
/// a set of the table.
fn hash(fingerprint: u64, window: u64) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write_u64(fingerprint);
    hasher.write_u64(window);
    hasher.finish()
}
