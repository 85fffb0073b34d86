//! A request that waits for the rate limit service, and what is known about it.

use super::{Question, Reply};
use crate::decision::Quota;
use crate::engine::{Asked, Direct, Met};
use crate::global::caller::Caller;
use crate::units::Instant;

/// A request that waits.
#[derive(Debug)]
pub struct Parked {
    /// The host's number of its stream.
    pub stream: u32,
    /// The rules that it meets.
    pub met: Vec<Met>,
    /// When it was parked.
    pub since: Instant,
    /// Its place among all that were ever parked here: who came first has the lower one.
    pub(super) ticket: u64,
    /// Who asks for it.
    pub(super) caller: Caller,
    /// What it waits for: one for each limit of each of the service's rules.
    pub(super) questions: Vec<(Question, Reply)>,
}

/// A request about which something can be decided.
#[derive(Debug)]
pub struct Ready {
    /// The request.
    pub parked: Parked,
    pub(super) told: Option<Vec<Quota>>,
    pub(super) direct: Vec<Direct>,
    /// Whether it may go on waiting.
    pub(super) may_wait: bool,
    /// Whether it has waited for as long as a request may.
    pub is_overdue: bool,
}

impl Ready {
    /// What is known for deciding.
    #[must_use]
    pub fn asked(&self) -> Asked<'_> {
        Asked {
            told: self.told.as_deref(),
            direct: &self.direct,
            may_wait: self.may_wait,
        }
    }
}

impl Parked {
    /// Whether a rule asks for each request.
    pub(super) fn asks_by_itself(&self) -> bool {
        let mut questions = self.questions.iter();
        questions.any(|(question, _)| question.pot.is_none())
    }

    /// The pots that are to serve it.
    pub(super) fn pots(&self) -> impl Iterator<Item = u64> {
        self.served_by_pots().map(|(pot, _)| pot)
    }

    pub(super) fn served_by_pots(&self) -> impl Iterator<Item = (u64, &Question)> {
        let questions = self.questions.iter().map(|(question, _)| question);
        let of_pots = questions.filter(|question| !question.is_alone(self.caller));
        of_pots.filter_map(|question| Some((question.pot?, question)))
    }

    /// What it was told in place of a pot.
    pub(super) fn direct(&self) -> Vec<Direct> {
        let own = self.questions.iter();
        let own = own.filter(|(question, _)| question.is_alone(self.caller));
        own.filter_map(|(question, reply)| match (question.pot, *reply) {
            (Some(pot), Reply::Told(quota)) => Some(Direct { pot, quota }),
            _ => None,
        })
        .collect()
    }

    pub(super) fn has_failed(&self) -> bool {
        self.questions
            .iter()
            .any(|(_, reply)| *reply == Reply::Failed)
    }

    /// Whether nothing can be decided yet, when these pots have too little.
    pub(super) fn waits_on(&self, dry: &[u64]) -> bool {
        let open = |(question, reply): &(Question, Reply)| match question.pot {
            Some(pot) if !question.is_alone(self.caller) => dry.contains(&pot),
            _ => matches!(reply, Reply::Unasked | Reply::Asked),
        };
        !self.has_failed() && !self.is_refused() && self.questions.iter().any(open)
    }

    /// Whether one of its own questions is answered with a refusal: whatever the others say.
    fn is_refused(&self) -> bool {
        let refuses = |(_, reply): &(Question, Reply)| match reply {
            Reply::Told(Some(quota)) => quota.violated.is_some(),
            _ => false,
        };
        self.questions.iter().any(refuses)
    }

    /// What was told of the questions that were asked for it alone; `None` unless there are any, and all were or one
    /// was refused.
    pub(super) fn told(&self) -> Option<Vec<Quota>> {
        let own = self.questions.iter();
        let own = own.filter(|(question, _)| question.pot.is_none());
        let mut replies = own.clone().map(|(_, reply)| reply);
        let is_whole =
            replies.clone().count() > 0 && replies.all(|reply| matches!(reply, Reply::Told(_)));
        let told = own.filter_map(|(_, reply)| match reply {
            Reply::Told(quota) => *quota,
            Reply::Unasked | Reply::Asked | Reply::Failed => None,
        });
        (is_whole || self.is_refused()).then(|| told.collect())
    }
}
