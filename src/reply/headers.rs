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
    /// each, and come from one side: the upstream's stay where its sentinel promises no more than ours.
    /// Without the sentinel it does not say how many requests remain, and ours take the place of whatever
    /// it sends. Only the sentinel, known to be absent, is added: the host's cheaper half.
    pub fn changes(self, upstream: Option<&[u8]>) -> impl Iterator<Item = Change> {
        let (policy, limits) = match self.draft_11 {
            Some(Draft11 { policy, limits }) => (
                Some(Change::Add(POLICY, policy)),
                Some(Change::Add(LIMITS, limits)),
            ),
            None => (None, None),
        };
        let ours = self
            .x_ratelimit
            .filter(|ours| upstream.is_none_or(|theirs| ours.is_stricter_than(theirs)));
        let [limit, remaining, reset] = ours.map(XRateLimit::fields).unwrap_or_default();
        let replace = |(name, number)| Change::Replace(name, digits::text(number));
        let add = |(name, number)| Change::Add(name, digits::text(number));
        let remaining = match upstream {
            None => remaining.map(add),
            Some(_) => remaining.map(replace),
        };
        let changes = [
            policy,
            limits,
            limit.map(replace),
            remaining,
            reset.map(replace),
        ];
        changes.into_iter().flatten()
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
    let fields = x_ratelimit.map(XRateLimit::fields).unwrap_or_default();
    for (name, number) in fields.into_iter().flatten() {
        pairs.add(name, |value| digits::push(value, number));
    }
}
