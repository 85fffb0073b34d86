//! Requests of one worker that wait for the rate limit service.
//!
//! Whoever drives it begins a look at them when something may have changed ([`Parking::look`], [`Parking::grant`],
//! [`Parking::release`]), settles a [`Batch`] of them in each callback, first come, first served, and wakes itself as
//! long as the look [goes on](Parking::is_looking).

use std::collections::VecDeque;

use super::caller::Caller;
use crate::engine::Met;
use crate::plan::MaxWait;
use crate::units::Instant;

mod parked;
mod question;
mod round;

pub use parked::{Parked, Ready};
pub use question::{Question, Reply, quota};
pub use round::{Batch, Grant, MOST_SETTLED};

use round::Round;

/// The requests that wait, in the order in which they came.
#[derive(Debug)]
pub struct Parking {
    /// By their tickets.
    parked: VecDeque<Parked>,
    caller: Caller,
    /// The ticket of the next request.
    tickets: u64,
    /// Requests with an earlier ticket wait no longer.
    released: u64,
    /// The look under way.
    round: Option<Round>,
    /// What was granted that nobody took, and was not reported yet.
    lapsed: u32,
}

impl Parking {
    /// Where nobody waits yet.
    #[must_use]
    pub const fn new(caller: Caller) -> Self {
        Self {
            parked: VecDeque::new(),
            caller,
            tickets: 0,
            released: 0,
            round: None,
            lapsed: 0,
        }
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
            ticket: self.tickets,
            caller: self.caller,
        });
        self.tickets += 1;
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

    /// Looks at all who wait, from the first one on. A look that is under way begins again.
    pub fn look(&mut self) {
        let end = self.tickets;
        self.round.get_or_insert_default().restart(end);
    }

    /// Looks at all who wait, and gives some of them this.
    pub fn grant(&mut self, grant: Grant) {
        self.look();
        let round = self.round.get_or_insert_default();
        self.lapsed = self.lapsed.saturating_add(round.grant(grant));
    }

    /// Lets nobody who waits now go on waiting.
    pub fn release(&mut self) {
        self.released = self.tickets;
        self.look();
    }

    /// Whether a look goes on: there may be more to settle than the callback under way could.
    #[must_use]
    pub const fn is_looking(&self) -> bool {
        self.round.is_some()
    }

    /// Takes out the next request about which something can be decided at `now`, if the batch has a place for it.
    /// Without one to decide about the look ends.
    pub fn next_ready(
        &mut self,
        batch: &mut Batch,
        now: Instant,
        max_wait: MaxWait,
    ) -> Option<Ready> {
        let mut round = self.round.take()?;
        let Some(at) = self.find_ready(&mut round, now, max_wait) else {
            self.lapsed = self.lapsed.saturating_add(round.lapsed());
            return None;
        };
        let ready = batch.take().then(|| self.parked.remove(at)).flatten();
        let ready = ready.map(|parked| Ready {
            is_overdue: Self::is_overdue(&parked, now, max_wait),
            may_wait: !self.gives_up(&parked, now, max_wait) && !parked.has_failed(),
            told: parked.told(),
            direct: [round.claim(&parked), parked.direct()].concat(),
            parked,
        });
        self.round = Some(round);
        ready
    }

    /// Lets a request wait on that was taken out, since there is too little for it.
    pub fn wait_on(&mut self, batch: &mut Batch, ready: Ready) {
        self.refund(&ready);
        batch.put_back();
        let Ready { parked, .. } = ready;
        if let Some(round) = &mut self.round {
            // Of one that waits for several nobody knows which has too little.
            let mut pots = parked.pots();
            if let (Some(pot), None) = (pots.next(), pots.next()) {
                round.dry.push(pot);
            }
            round.next = parked.ticket + 1;
        }
        let at = self.first_from(parked.ticket);
        self.parked.insert(at, parked);
    }

    /// Takes back what a request did not use that was granted to it.
    pub fn refund(&mut self, ready: &Ready) {
        if let Some(round) = &mut self.round {
            round.refund(ready);
        }
    }

    /// What was granted that nobody took, since this was last asked.
    pub fn take_lapsed(&mut self) -> u32 {
        std::mem::take(&mut self.lapsed)
    }

    /// Whether it waits for anything that no answer is going to tell: nobody has asked it, or it could not be asked.
    #[must_use]
    pub fn is_unasked(&self, stream: u32) -> bool {
        let parked = self.place(stream).and_then(|at| self.parked.get(at));
        let mut questions = parked.iter().flat_map(|parked| &parked.questions);
        questions.any(|(_, reply)| !matches!(reply, Reply::Asked | Reply::Told(_)))
    }

    /// The place of the next request of a round about which something can be decided.
    fn find_ready(&self, round: &mut Round, now: Instant, max_wait: MaxWait) -> Option<usize> {
        let first = self.first_from(round.next);
        for (at, parked) in self.parked.iter().enumerate().skip(first) {
            if parked.ticket >= round.end {
                break;
            }
            round.next = parked.ticket;
            if self.gives_up(parked, now, max_wait) || !parked.waits_on(&round.dry) {
                return Some(at);
            }
        }
        None
    }

    /// Whether it waits no longer, whatever is told of it.
    fn gives_up(&self, parked: &Parked, now: Instant, max_wait: MaxWait) -> bool {
        let is_over = parked.ticket < self.released || Self::is_overdue(parked, now, max_wait);
        // The answer to its own call comes, if only to say that none came.
        is_over && parked.caller == Caller::Root
    }

    /// Whether it has waited for as long as a request may.
    fn is_overdue(parked: &Parked, now: Instant, max_wait: MaxWait) -> bool {
        now.since(parked.since) >= max_wait.of(parked.asks_by_itself())
    }

    /// The place of the first request with this ticket or a later one.
    fn first_from(&self, ticket: u64) -> usize {
        self.parked.partition_point(|parked| parked.ticket < ticket)
    }

    fn place(&self, stream: u32) -> Option<usize> {
        self.parked
            .iter()
            .position(|parked| parked.stream == stream)
    }
}

#[cfg(test)]
mod tests;
