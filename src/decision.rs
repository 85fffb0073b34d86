//! What was decided about one request: one value that feeds headers, body, metrics and log.

use crate::units::{Nanos, Wait};

/// The decision about one request. Made once, read by reply, metrics and log.
#[derive(Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Decision {
    /// What each limit of each rule that applied says now, in the order of the plan.
    pub quotas: Vec<Quota>,
    /// What each rule that applied did, in the order of the plan.
    pub rules: Vec<RuleOutcome>,
    /// Why the request is refused; `None` admits it.
    pub refusal: Option<Refusal>,
}

/// The state of one limit for one client, after this request was charged or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Index of the rule in the plan.
    pub rule: usize,
    /// Index of the limit in the rule.
    pub limit: usize,
    /// Cost that would still be admitted now; never above the limit.
    pub remaining: u32,
    /// Time until the quota is whole again; zero when it is.
    pub reset: Nanos,
    /// `Some` when this limit refused the request.
    pub violated: Option<Wait>,
}

impl Decision {
    /// What each rule's counters count of this decision.
    pub fn counts(&self) -> impl Iterator<Item = (usize, Count)> {
        self.rules.iter().flat_map(|outcome| {
            let by_store = self.refusal.is_some_and(|refusal| {
                refusal.rule == outcome.rule
                    && matches!(refusal.reason, Reason::Contended | Reason::Unavailable)
            });
            let counts = match outcome.effect {
                Effect::Charged => [Some(Count::Allowed), None],
                Effect::Refused if by_store => [Some(Count::Errors), None],
                Effect::Refused => [Some(Count::Limited), None],
                Effect::Uncharged if self.refusal.is_none() => {
                    [Some(Count::Errors), Some(Count::Uncharged)]
                }
                Effect::Uncharged => [Some(Count::Errors), None],
                Effect::Passed => [None, None],
            };
            counts
                .into_iter()
                .flatten()
                .map(|count| (outcome.rule, count))
        })
    }
}

/// What a rule counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Requests it charged and let pass.
    Allowed,
    /// Requests it refused.
    Limited,
    /// Requests it could not judge.
    Errors,
    /// Of those, the ones that passed without a charge.
    Uncharged,
}

/// What one rule did with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleOutcome {
    /// Index of the rule in the plan.
    pub rule: usize,
    /// The keyed fingerprint of what was counted.
    pub fingerprint: u64,
    /// What it did.
    pub effect: Effect,
}

/// What a rule that applied did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Charged the request, and let it pass.
    Charged,
    /// Would have let it pass; another rule refused it, so nothing was charged.
    Passed,
    /// Refused it.
    Refused,
    /// Could not be judged; it passed without a charge.
    Uncharged,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Index of the rule in the plan.
    pub rule: usize,
    /// The reason.
    pub reason: Reason,
}

/// Reasons to refuse, apart because clients must act differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Over a limit: of those violated the one with the longest wait.
    Limited {
        /// Index of the limit in the rule.
        limit: usize,
        /// When to come back.
        wait: Wait,
    },
    /// Too many workers wrote this key's slot at once; nothing was charged. Come back in a second.
    Contended,
    /// A part of the key is missing and the rule denies such requests.
    MissingKey,
    /// The counters cannot be used and the rule's `on_fault` is `deny`.
    Unavailable,
}
