//! The headers of a response that was not refused here, and how they join those that the upstream sent.

use super::digits;
use super::draft_11::{LIMITS, POLICY, Policies};
use super::x_ratelimit::{REMAINING, XRateLimit};
use crate::decision::Decision;
use crate::pairs::Pairs;
use crate::plan::Plan;
use crate::units::Now;

/// What a response is to say of the limits that applied.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct ResponseHeaders {
    draft_11: Option<Draft11>,
    x_ratelimit: Option<XRateLimit>,
}

/// What the host does to one header of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Change {
    /// Adds a field beside others of its name.
    Add(&'static str, Vec<u8>),
    /// Sets a field in place of all others of its name.
    Replace(&'static str, Vec<u8>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Draft11 {
    policy: Vec<u8>,
    limits: Vec<u8>,
}

impl ResponseHeaders {
    /// What to say when `decision` was made at `now`; nothing where no limit applied.
    pub fn new(plan: &Plan, policies: &Policies, decision: &Decision, now: Now) -> Self {
        let quotas = &decision.quotas;
        let draft_11 = (plan.response.ietf_draft_11 && !quotas.is_empty()).then(|| {
            let (mut policy, mut limits) = (Vec::new(), Vec::new());
            policies.write_policy(quotas, &mut policy);
            policies.write_limits(quotas, &mut limits);
            Draft11 { policy, limits }
        });
        Self {
            draft_11,
            x_ratelimit: XRateLimit::new(plan, decision, now),
        }
    }

    /// The one header of the upstream's response that [`Self::changes`] must know; often none.
    #[must_use]
    pub fn sentinel(&self) -> Option<&'static str> {
        self.x_ratelimit.map(|_| REMAINING)
    }

    /// What to do to the upstream's response, given its value of [`Self::sentinel`].
    ///
    /// Nothing that it says gets looser (draft 11 §7.2). The fields of draft 11 are lists, and RFC 9651 §3.1
    /// lets a list spread over several fields: ours are added. The three of `X-RateLimit` hold one value
    /// each: the upstream's stay, unless they promise more than ours. An upstream without the sentinel is
    /// taken to send none of the three, since adding is the host's cheaper half.
    pub fn changes(self, upstream: Option<&[u8]>) -> impl Iterator<Item = Change> {
        let draft_11 = self.draft_11.map(|Draft11 { policy, limits }| {
            [Change::Add(POLICY, policy), Change::Add(LIMITS, limits)]
        });
        let (ours, change): (_, fn(_, _) -> _) = match upstream {
            None => (self.x_ratelimit, Change::Add),
            Some(theirs) => {
                let stricter = |ours: &XRateLimit| ours.is_stricter_than(theirs);
                (self.x_ratelimit.filter(stricter), Change::Replace)
            }
        };
        let x_ratelimit = ours.into_iter().flat_map(XRateLimit::fields);
        let x_ratelimit = x_ratelimit.map(move |(name, number)| {
            let mut value = Vec::new();
            digits::push(&mut value, number);
            change(name, value)
        });
        draft_11.into_iter().flatten().chain(x_ratelimit)
    }
}

/// Adds to a refusal what it says of the limits that applied.
pub(super) fn add_to(
    pairs: &mut Pairs,
    plan: &Plan,
    policies: &Policies,
    decision: &Decision,
    now: Now,
) {
    let quotas = &decision.quotas;
    if plan.response.ietf_draft_11 && !quotas.is_empty() {
        pairs.add(POLICY, |value| policies.write_policy(quotas, value));
        pairs.add(LIMITS, |value| policies.write_limits(quotas, value));
    }
    let x_ratelimit = XRateLimit::new(plan, decision, now);
    for (name, number) in x_ratelimit.into_iter().flat_map(XRateLimit::fields) {
        pairs.add(name, |value| digits::push(value, number));
    }
}
