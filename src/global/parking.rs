//! Requests of one worker that wait for the rate limit service.

use std::collections::VecDeque;

use super::caller::Caller;
use crate::decision::Quota;
use crate::engine::{Asked, Direct, Met};
use crate::units::{Instant, Nanos};

mod question;

pub use question::{Question, Reply, quota};

/// A request that waits.
#[derive(Debug)]
pub struct Parked {
    /// The host's number of its stream.
    pub stream: u32,
    /// The rules that it meets.
    pub met: Vec<Met>,
    /// When it was parked.
    pub since: Instant,
    /// Who asks for it.
    caller: Caller,
    /// What it waits for: one for each limit of each of the service's rules.
    questions: Vec<(Question, Reply)>,
}

/// A request about which something can be decided.
#[derive(Debug)]
pub struct Ready {
    /// The request.
    pub parked: Parked,
    told: Option<Vec<Quota>>,
    direct: Vec<Direct>,
    /// Whether it may go on waiting.
    may_wait: bool,
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

/// The requests that wait, in the order in which they came.
#[derive(Debug)]
pub struct Parking {
    parked: VecDeque<Parked>,
    caller: Caller,
}

/// One look at all who wait.
#[derive(Debug, Default)]
pub struct Round {
    /// Whether nobody is to wait any longer.
    is_last: bool,
    /// What is granted to those who wait, beside their pots.
    pub grants: Vec<Grant>,
    /// How many have been looked at and wait on.
    at: usize,
    /// Pots that were found to have too little.
    dry: Vec<u64>,
}

/// A grant to so many of those who wait for a pot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// What each gets.
    pub direct: Direct,
    /// To how many.
    pub left: u32,
}

impl Parking {
    /// Where nobody waits yet.
    #[must_use]
    pub fn new(caller: Caller) -> Self {
        let parked = VecDeque::new();
        Self { parked, caller }
    }

    /// Who asks for those who wait.
    #[must_use]
    pub const fn caller(&self) -> Caller {
        self.caller
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parked.len()
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parked.is_empty()
    }

    /// Lets a request wait.
    pub fn park(&mut self, stream: u32, met: Vec<Met>, questions: Vec<Question>, since: Instant) {
        let unasked = |question| (question, Reply::Unasked);
        self.parked.push_back(Parked {
            stream,
            met,
            questions: questions.into_iter().map(unasked).collect(),
            since,
            caller: self.caller,
        });
    }

    /// Forgets a request whose client has gone.
    pub fn leave(&mut self, stream: u32) {
        // Every stream that ends comes here, and hardly one of them waits.
        if let Some(at) = self.place(stream) {
            self.parked.remove(at);
        }
    }

    /// The questions that a call is to ask for one request each, with the stream and the place there.
    pub fn unasked(&mut self) -> impl Iterator<Item = (u32, usize, &Question, &mut Reply)> {
        self.parked.iter_mut().flat_map(|parked| {
            let (stream, caller) = (parked.stream, parked.caller);
            let questions = parked.questions.iter_mut().enumerate();
            questions.filter_map(move |(at, (question, reply))| {
                let is_unasked = question.is_alone(caller) && *reply == Reply::Unasked;
                is_unasked.then_some((stream, at, &*question, reply))
            })
        })
    }

    /// The questions that pots are to serve.
    pub fn served_by_pots(&self) -> impl Iterator<Item = (u64, &Question)> {
        self.parked.iter().flat_map(Parked::served_by_pots)
    }

    /// Notes what became of the question at `at` of a stream, if it still waits.
    pub fn reply(&mut self, stream: u32, at: usize, reply: Reply) {
        let parked = self.place(stream).and_then(|at| self.parked.get_mut(at));
        if let Some((_, place)) = parked.and_then(|parked| parked.questions.get_mut(at)) {
            *place = reply;
        }
    }

    /// Notes that a pot could not be filled.
    pub fn fail(&mut self, pot: u64) {
        let waiting = self.parked.iter_mut();
        let waiting = waiting.filter(|parked| parked.caller == Caller::Root);
        for (question, reply) in waiting.flat_map(|parked| &mut parked.questions) {
            if question.pot == Some(pot) {
                *reply = Reply::Failed;
            }
        }
    }

    /// Takes out the next request of a round about which something can be decided at `now`.
    pub fn next_ready(
        &mut self,
        round: &mut Round,
        now: Instant,
        max_wait: Nanos,
    ) -> Option<Ready> {
        loop {
            let parked = self.parked.get(round.at)?;
            let is_overdue = now.since(parked.since) >= max_wait;
            // The answer to its own call comes, if only to say that none came.
            let gives_up = (round.is_last || is_overdue) && parked.caller == Caller::Root;
            if !gives_up && parked.waits_on(&round.dry) {
                round.at += 1;
                continue;
            }
            let parked = self.parked.remove(round.at)?;
            return Some(Ready {
                may_wait: !gives_up && !parked.has_failed(),
                told: parked.told(),
                direct: [round.grant(&parked), parked.direct()].concat(),
                is_overdue,
                parked,
            });
        }
    }

    /// Lets a request wait on that was taken out, since there is too little for it.
    pub fn wait_on(&mut self, round: &mut Round, ready: Ready) {
        // Of one that waits for several nobody knows which has too little.
        let mut pots = ready.parked.pots();
        if let (Some(pot), None) = (pots.next(), pots.next()) {
            round.dry.push(pot);
        }
        drop(pots);
        round.refund(&ready);
        let at = round.at.min(self.parked.len());
        self.parked.insert(at, ready.parked);
        round.at = at + 1;
    }

    /// Whether it waits for anything that no answer is going to tell: nobody has asked it, or it could not be asked.
    #[must_use]
    pub fn is_unasked(&self, stream: u32) -> bool {
        let parked = self.place(stream).and_then(|at| self.parked.get(at));
        let mut questions = parked.iter().flat_map(|parked| &parked.questions);
        questions.any(|(_, reply)| !matches!(reply, Reply::Asked | Reply::Told(_)))
    }

    fn place(&self, stream: u32) -> Option<usize> {
        self.parked
            .iter()
            .position(|parked| parked.stream == stream)
    }
}

impl Round {
    /// After which nobody waits.
    #[must_use]
    pub fn last() -> Self {
        Self {
            is_last: true,
            ..Self::default()
        }
    }

    /// Takes back what a request did not take that was granted to it.
    pub fn refund(&mut self, ready: &Ready) {
        for direct in &ready.direct {
            let mut own = self.grants.iter_mut();
            if let Some(grant) = own.find(|grant| grant.direct.pot == direct.pot) {
                grant.left = grant.left.saturating_add(1);
            }
        }
    }

    /// What was granted that nobody took.
    #[must_use]
    pub fn lapsed(&self) -> u32 {
        let granted = self
            .grants
            .iter()
            .filter(|grant| grant.direct.quota.is_some());
        granted.map(|grant| grant.left).fold(0, u32::saturating_add)
    }

    fn grant(&mut self, parked: &Parked) -> Vec<Direct> {
        let mut direct = Vec::new();
        for pot in parked.pots() {
            let mut own = self.grants.iter_mut();
            let grant = own.find(|grant| grant.direct.pot == pot && grant.left > 0);
            if let Some(grant) = grant {
                grant.left -= 1;
                direct.push(grant.direct);
            }
        }
        direct
    }
}

impl Parked {
    fn pots(&self) -> impl Iterator<Item = u64> {
        self.served_by_pots().map(|(pot, _)| pot)
    }

    fn served_by_pots(&self) -> impl Iterator<Item = (u64, &Question)> {
        let questions = self.questions.iter().map(|(question, _)| question);
        let of_pots = questions.filter(|question| !question.is_alone(self.caller));
        of_pots.filter_map(|question| Some((question.pot?, question)))
    }

    /// What it was told in place of a pot.
    fn direct(&self) -> Vec<Direct> {
        let own = self.questions.iter();
        let own = own.filter(|(question, _)| question.is_alone(self.caller));
        own.filter_map(|(question, reply)| match (question.pot, *reply) {
            (Some(pot), Reply::Told(quota)) => Some(Direct { pot, quota }),
            _ => None,
        })
        .collect()
    }

    fn has_failed(&self) -> bool {
        self.questions
            .iter()
            .any(|(_, reply)| *reply == Reply::Failed)
    }

    /// Whether nothing can be decided yet, when these pots have too little.
    fn waits_on(&self, dry: &[u64]) -> bool {
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
    fn told(&self) -> Option<Vec<Quota>> {
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

#[cfg(test)]
mod tests;
