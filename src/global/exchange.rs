//! What one worker asks the rate limit service for, and what it makes of the answers.

mod asks;
mod books;
mod reports;

pub use books::Books;

use reports::Reports;

use super::breaker::Event;
use super::caller::Caller;
use super::lease::debit::{Debit, Failure};
use super::parking::{Grant, Parking, Question, Reply, quota};
use super::wire::{Counter, Fault, Told};
use crate::engine::Direct;
use crate::local::store::SharedData;
use crate::plan::Plan;
use crate::units::{Instant, Nanos};

/// The most asks in one call, and the most pots that are looked at for one: to 256 a real service took 8 to 18 ms to
/// answer, of the 20 that a request waits by default.
const MOST_ASKS: usize = 64;

/// The most pots that are remembered for being low. Who is forgotten says so again, as long as requests come.
const MOST_WANTED: usize = 256;

/// How long a call takes as long as none has been answered.
const FIRST_RTT: Nanos = Nanos(Nanos::MILLISECOND.0);

/// What one worker has with the service.
#[derive(Debug)]
pub struct Exchange {
    /// Who waits.
    pub parking: Parking,
    /// Pots whose leases run out, though nobody waits.
    wanted: Vec<Wanted>,
    /// Under way.
    calls: Vec<Call>,
    /// How long calls take, smoothed.
    rtt: Nanos,
    /// What was last answered with a limit.
    known: Option<Question>,
    reports: Reports,
}

/// A pot whose lease runs out.
#[derive(Debug)]
struct Wanted {
    question: Question,
    /// When it is asked for at the latest, unless nobody asks for anything.
    due: Instant,
}

/// A call under way.
#[derive(Debug)]
struct Call {
    number: u32,
    sent: Instant,
    asks: Vec<Asking>,
}

/// One ask of a call.
#[derive(Clone, Debug)]
pub struct Asking {
    /// What is asked about.
    pub question: Question,
    /// How much is to be debited.
    pub hits: u32,
    purpose: Purpose,
}

#[derive(Clone, Copy, Debug)]
enum Purpose {
    /// For one request: its stream, and the place of its question.
    Request(u32, usize),
    /// For a pot.
    Lease(u64, Debit),
    /// To see whether the service is there.
    Probe,
}

/// What an answer told besides what it granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Why nothing could be learnt from it.
    pub fault: Option<Fault>,
    /// Of each rule the first descriptor that the limiter has no entry for.
    pub unmatched: Vec<Question>,
    /// Of each rule without a key that it counts by the plan's numbers, the first that it counts by others, and these.
    pub disagrees: Vec<(Question, Counter)>,
    /// Whether it was the answer to a probe.
    is_probe: bool,
    /// How long the call took.
    pub took: Nanos,
}

impl Heard {
    /// What it is to the breaker.
    ///
    /// One that says that it failed at an ask is there: of its cluster, a part may be gone that keeps this key, and
    /// whoever asks for others is answered.
    #[must_use]
    pub fn event(&self) -> Event {
        match (self.is_probe, self.fault) {
            (false, None | Some(Fault::Item)) => Event::Answered,
            (false, Some(_)) => Event::Failed,
            (true, None | Some(Fault::Item)) => Event::ProbeAnswered,
            (true, Some(_)) => Event::ProbeFailed,
        }
    }
}

impl Exchange {
    /// Where nothing was asked yet.
    #[must_use]
    pub fn new(caller: Caller) -> Self {
        Self {
            parking: Parking::new(caller),
            wanted: Vec::new(),
            calls: Vec::new(),
            rtt: FIRST_RTT,
            known: None,
            reports: Reports::default(),
        }
    }

    /// Whether anybody waits, or a lease has run out for so long that it should not wait for others any more.
    #[must_use]
    pub fn is_wanting(&self, now: Instant) -> bool {
        let is_due = |wanted: &Wanted| wanted.due <= now;
        !self.parking.is_empty() || self.wanted.iter().any(is_due)
    }

    /// Keeps something to probe the service with, unless there is.
    pub fn know(&mut self, question: Question) {
        self.known.get_or_insert(question);
    }

    /// Whether any of these pots is low, and neither remembered for it nor asked for. Until it is, each request that
    /// spends there says so.
    #[must_use]
    pub fn is_news(&self, low: &[u64]) -> bool {
        let is_known = |pot: u64| {
            let mut wanted = self.wanted.iter();
            wanted.any(|wanted| wanted.question.pot == Some(pot)) || self.asked_for(pot) > 0
        };
        low.iter().any(|pot| !is_known(*pot))
    }

    /// Remembers a pot whose lease runs out. It is asked for with whatever is asked next, or else after a small part
    /// of the time that a lease lasts: so one call refills all pots that run out meanwhile.
    pub fn want(&mut self, question: Question, plan: &Plan, now: Instant) {
        let mut wanted = self.wanted.iter();
        let is_known = wanted.any(|wanted| wanted.question.pot == question.pot);
        if is_known || self.wanted.len() >= MOST_WANTED {
            return;
        }
        if let Some(leased) = plan.leased(question.rule, question.limit) {
            let due = now.plus(Nanos(leased.share.horizon(self.rtt).0 / 32));
            self.wanted.push(Wanted { question, due });
        }
    }

    /// A probe of the service: a look at something that it has a limit for, as far as that is known.
    #[must_use]
    pub fn probe(&self) -> Option<Asking> {
        Some(Asking {
            question: self.known.clone()?,
            hits: 0,
            purpose: Purpose::Probe,
        })
    }

    /// Notes that a call was sent.
    pub fn begun(&mut self, number: u32, asks: Vec<Asking>, sent: Instant) {
        match self.calls.iter_mut().find(|call| call.number == number) {
            None => self.calls.push(Call { number, sent, asks }),
            // An answer could be to either, so neither will have as many parts as were asked.
            Some(call) => call.asks.extend(asks),
        }
    }

    /// Takes back a call that could not be sent.
    pub fn not_begun(&mut self, asks: Vec<Asking>, books: &mut Books<'_, impl SharedData>) {
        for asking in asks {
            self.fail(asking, Failure::Uncounted, books);
        }
    }

    /// How many answers call number `number` is to have; `None` when there is no such call.
    #[must_use]
    pub fn asked(&self, number: u32) -> Option<usize> {
        let mut calls = self.calls.iter();
        let call = calls.find(|call| call.number == number)?;
        Some(call.asks.len())
    }

    /// Takes in an answer, and looks at those who wait.
    pub fn answered(
        &mut self,
        number: u32,
        told: Result<Vec<Result<Told, Fault>>, Fault>,
        books: &mut Books<'_, impl SharedData>,
    ) -> Heard {
        let mut heard = Heard::default();
        let Some(at) = self.calls.iter().position(|call| call.number == number) else {
            return heard;
        };
        let Call { sent, asks, .. } = self.calls.remove(at);
        heard.took = books.now.monotonic.since(sent);
        let is_probe = |asking: &Asking| matches!(asking.purpose, Purpose::Probe);
        heard.is_probe = asks.iter().any(is_probe);
        let told = match told {
            Ok(told) if told.len() == asks.len() => told,
            Ok(_) => vec![Err(Fault::Count); asks.len()],
            Err(fault) => vec![Err(fault); asks.len()],
        };
        // One that fails at some of what it is asked is there.
        heard.fault = match told.iter().any(Result::is_ok) {
            true => None,
            false => told.iter().find_map(|told| told.as_ref().err().copied()),
        };
        if heard.fault.is_none() {
            // Each new one counts for an eighth.
            self.rtt = Nanos(self.rtt.0 - self.rtt.0 / 8 + heard.took.0 / 8);
        }
        for (asking, told) in asks.into_iter().zip(told) {
            match told {
                Err(_) => self.fail(asking, Failure::Unknown, books),
                Ok(told) => self.hear(asking, &told, sent, books, &mut heard),
            }
        }
        self.parking.look();
        heard
    }

    fn fail(&mut self, asking: Asking, failure: Failure, books: &mut Books<'_, impl SharedData>) {
        match asking.purpose {
            Purpose::Request(stream, at) => self.parking.reply(stream, at, Reply::Failed),
            Purpose::Lease(pot, debit) => {
                let _ = books.change(pot, |pot| pot.fail(&debit, failure));
                self.parking.fail(pot);
            }
            Purpose::Probe => {}
        }
        self.know(asking.question);
    }

    fn hear(
        &mut self,
        asking: Asking,
        told: &Told,
        sent: Instant,
        books: &mut Books<'_, impl SharedData>,
        heard: &mut Heard,
    ) {
        let Some(limit) = books.limit(&asking.question) else {
            return;
        };
        let rule = asking.question.rule;
        match told.counter {
            None if self.reports.unmatched(rule) => heard.unmatched.push(asking.question.clone()),
            Some(counter) if !counter.is_unlimited() => {
                let differs = counter.numbers(limit.per) != limit.numbers();
                if self.reports.numbers(rule, differs) {
                    heard.disagrees.push((asking.question.clone(), counter));
                }
            }
            _ => {}
        }
        let said = quota(&asking.question, limit, told, books.now.unix);
        match asking.purpose {
            Purpose::Probe => {}
            Purpose::Request(stream, at) => {
                self.parking.reply(stream, at, Reply::Told(said));
                if let Some(pot) = asking.question.pot {
                    books.learn(&asking.question, pot, told, sent);
                    self.want(asking.question.clone(), books.plan, books.now.monotonic);
                }
            }
            Purpose::Lease(pot, debit) => {
                let left = books.fill(&asking.question, pot, &debit, told, sent);
                let direct = Direct { pot, quota: said };
                if left > 0 {
                    self.parking.grant(Grant { direct, left });
                }
            }
        }
        // What is not limited is answered also where the limiter cannot count.
        if told.counter.is_some_and(|counter| !counter.is_unlimited()) {
            self.known = Some(asking.question);
        }
    }
}

#[cfg(test)]
mod tests;
