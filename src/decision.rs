//! What was decided about one request: one value that feeds headers, body, metrics and log.

use std::num::NonZeroU32;

use crate::units::{Nanos, Numbers, Wait};

/// The decision about one request. Made once, read by reply, metrics and log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Decision {
    /// What the limits that were asked say, in the order of the plan. Admitted, it is empty where nobody is told.
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
    /// What the limiter counts by, where that is not what the plan says.
    pub counted: Option<Counted>,
}

/// What a limiter counts by, as a client is told: a worker remembers thousands of quotas, so it is small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Requests per period; [`Numbers::UNLIMITED`] is no bound.
    pub requests: u32,
    /// Length of the period in seconds, rounded up; saturates.
    pub seconds: NonZeroU32,
}

impl From<Numbers> for Counted {
    fn from(numbers: Numbers) -> Self {
        let seconds = u32::try_from(numbers.per.seconds_up()).unwrap_or(u32::MAX);
        Self {
            requests: numbers.requests,
            seconds: NonZeroU32::new(seconds).unwrap_or(NonZeroU32::MIN),
        }
    }
}

impl Decision {
    /// What each rule's counters count of this decision.
    pub fn counts(&self) -> impl Iterator<Item = (usize, Count)> {
        let admitted = self.refusal.is_none();
        self.rules.iter().flat_map(move |outcome| {
            let counts = match outcome.effect {
                Effect::Charged => [Some(Count::Allowed), None],
                Effect::Refused => [Some(Count::Limited), None],
                Effect::Uncharged if admitted => [Some(Count::Errors), Some(Count::Uncharged)],
                Effect::Uncharged | Effect::Denied => [Some(Count::Errors), None],
                Effect::Passed => [None, None],
            };
            counts
                .into_iter()
                .flatten()
                .map(|count| (outcome.rule, count))
        })
    }

    /// How long its limits refuse: until the last of them would admit the request. `None` when none refuses,
    /// or one does for ever.
    #[must_use]
    pub fn refused_for(&self) -> Option<Nanos> {
        match self.longest_wait()?.1 {
            Wait::After(wait) => Some(wait),
            Wait::Never => None,
        }
    }

    /// How long it says the same in whole seconds, which is all that a client is told.
    #[must_use]
    pub fn steady_for(&self) -> Nanos {
        let told = self.quotas.iter().filter_map(|quota| match quota.violated {
            Some(Wait::After(wait)) => Some(wait),
            Some(Wait::Never) => None,
            None => Some(quota.reset),
        });
        let turns = told.filter(|span| *span > Nanos(0)).map(|span| {
            // Rounded up, a span says one second less as soon as its fraction has passed.
            let fraction = span.0 % Nanos::SECOND.0;
            Nanos(if fraction == 0 {
                Nanos::SECOND.0
            } else {
                fraction
            })
        });
        turns.min().unwrap_or(Nanos(u64::MAX))
    }

    /// A refusal by limits as it is when `elapsed` has passed and nothing was charged: what was due is nearer,
    /// and a limit whose own wait is over refuses no more. [`Self::refused_for`] is still to come.
    pub fn later_by(&self, elapsed: Nanos) -> Self {
        let quotas: Vec<Quota> = self
            .quotas
            .iter()
            .map(|quota| quota.later_by(elapsed))
            .collect();
        let rules = self.rules.iter().map(|outcome| {
            let refuses = |quota: &Quota| quota.rule == outcome.rule && quota.violated.is_some();
            let effect = match outcome.effect {
                Effect::Refused if !quotas.iter().any(refuses) => Effect::Passed,
                effect => effect,
            };
            RuleOutcome { effect, ..*outcome }
        });
        let mut later = Self {
            rules: rules.collect(),
            quotas,
            refusal: self.refusal,
        };
        later.refusal = later.by_longest_wait().or(self.refusal);
        later
    }

    /// The refusal by the limit that refuses for longest.
    #[must_use]
    pub fn by_longest_wait(&self) -> Option<Refusal> {
        let (quota, wait) = self.longest_wait()?;
        let limit = quota.limit;
        Some(Refusal {
            rule: quota.rule,
            reason: Reason::Limited { limit, wait },
        })
    }

    fn longest_wait(&self) -> Option<(&Quota, Wait)> {
        let waits = self
            .quotas
            .iter()
            .filter_map(|quota| Some((quota, quota.violated?)));
        waits.max_by_key(|(_, wait)| *wait)
    }
}

impl Quota {
    /// Whether it is of an entry at the limiter that admits anything: there is nothing to say of it.
    #[must_use]
    pub fn is_unlimited(&self) -> bool {
        let counted = self.counted;
        counted.is_some_and(|counted| counted.requests == Numbers::UNLIMITED)
    }

    fn later_by(&self, elapsed: Nanos) -> Self {
        let nearer = |span: Nanos| Nanos(span.0.saturating_sub(elapsed.0));
        let violated = match self.violated {
            Some(Wait::After(wait)) => {
                let left = nearer(wait);
                (left > Nanos(0)).then_some(Wait::After(left))
            }
            violated => violated,
        };
        Self {
            reset: nearer(self.reset),
            violated,
            ..*self
        }
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
    /// Requests it would have counted, had they had a key.
    Skipped,
}

impl Count {
    /// All of them, each at its [`Self::index`].
    pub const ALL: [Self; 5] = [
        Self::Allowed,
        Self::Limited,
        Self::Errors,
        Self::Uncharged,
        Self::Skipped,
    ];

    /// Its place in [`Self::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Allowed => 0,
            Self::Limited => 1,
            Self::Errors => 2,
            Self::Uncharged => 3,
            Self::Skipped => 4,
        }
    }
}

/// What one rule did with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleOutcome {
    /// Index of the rule in the plan.
    pub rule: usize,
    /// The keyed fingerprint of what is counted; `None` where there is no key.
    pub fingerprint: Option<u64>,
    /// What it did.
    pub effect: Effect,
}

/// What a rule that applied did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Charged the request, and let it pass.
    Charged,
    /// Did not refuse it, and did not charge it either: another rule refused it.
    Passed,
    /// Refused it.
    Refused,
    /// Could not judge it, and refused it for that.
    Denied,
    /// Could not judge it, and let it pass without a charge.
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
    /// The request or the counters cannot be read, and the rule's `on_fault` is `deny`.
    Unavailable,
}
