//! When one worker asks its rate limit service, and who may wait for it.
//!
//! It says what is to be sent, and is told whether that was begun and what came back; whoever drives it only carries
//! messages. A [`Turn`] is one time of asking.

mod notices;

use notices::Notices;

use super::breaker::{Change, Event, Permit, SharedBreaker};
use super::caller::Caller;
use super::exchange::{Asking, Books, Exchange, Heard};
use super::parking::Question;
use super::wire::{Fault, Told};
use crate::local::allowance::Allowance;
use crate::local::store::{Dialect, SharedData};
use crate::plan::{Plan, Service};
use crate::units::{Instant, Nanos};

/// How long after a lease has run out a worker looks for others that do.
const LINGERS: Nanos = Nanos::SECOND;

/// How long after the last request that might have waited a worker goes on to probe: the next one does it at once, and
/// another configuration may have taken this one's place.
const PROBES: Nanos = Nanos(60 * Nanos::SECOND.0);

/// What one worker has with its service.
#[derive(Debug)]
pub struct Client {
    /// What is asked, and for whom.
    pub exchange: Exchange,
    breaker: SharedBreaker,
    notices: Notices,
    /// Whether the breaker was not closed when it was last looked at.
    is_broken: bool,
    /// How many first calls for keys there may be.
    cold_keys: Allowance,
    /// Until then leases are likely to run out again.
    lingers_until: Instant,
    /// When a request last asked whether it may wait, or found a lease that runs out.
    used: Option<Instant>,
}

/// Whether a request may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Parks {
    /// It may.
    Yes,
    /// It may not: too many do, or the service is left alone.
    No,
    /// It may not, but it is time to see whether the service is back, by what the request would have asked.
    Probes,
}

/// One time of asking.
#[derive(Debug, Default)]
pub struct Turn {
    /// Whether it is a stream's, which was allowed to wait and asks for nothing but itself.
    is_of_stream: bool,
    /// Whether it asks for a rule that asks for each request.
    asks_by_itself: bool,
    permit: Option<Permit>,
    /// Whether some who wait can be served as it is, or cannot be served at all.
    is_servable: bool,
    is_over: bool,
}

impl Client {
    /// A client that nobody waits for yet.
    #[must_use]
    pub fn new(service: &Service, dialect: Dialect, caller: Caller) -> Self {
        Self {
            exchange: Exchange::new(caller),
            breaker: SharedBreaker::new(&service.cluster, &service.authority, dialect),
            notices: Notices { dialect },
            is_broken: false,
            cold_keys: Allowance::new(service.cold_keys_per_second),
            lingers_until: Instant::default(),
            used: None,
        }
    }

    /// Whether anything is to be asked, or found out.
    #[must_use]
    pub fn is_asking(&self, now: Instant) -> bool {
        self.is_broken && self.is_in_use(now) || self.exchange.is_wanting(now)
    }

    /// Whether requests came lately that need the service.
    #[must_use]
    pub fn is_in_use(&self, now: Instant) -> bool {
        self.used.is_some_and(|used| now.since(used) < PROBES)
    }

    /// Whether the service is left alone.
    #[must_use]
    pub fn is_open(&self, data: &mut impl SharedData) -> bool {
        self.breaker.read(data).is_open()
    }

    /// Whether nothing is to be looked after, nor will be soon.
    #[must_use]
    pub fn is_idle(&self, now: Instant) -> bool {
        !self.is_asking(now) && self.lingers_until <= now
    }

    /// Remembers a pot whose lease runs out.
    pub fn want(&mut self, question: Question, plan: &Plan, now: Instant) {
        self.exchange.want(question, plan, now);
        self.used = Some(now);
        self.lingers_until = now.plus(LINGERS);
    }

    /// Whether a request may wait; `cold` is whether it is the first of a key.
    pub fn parks(
        &mut self,
        service: &Service,
        cold: bool,
        now: Instant,
        data: &mut impl SharedData,
    ) -> Parks {
        self.used = Some(now);
        if self.exchange.parking.len() >= service.max_parked {
            return Parks::No;
        }
        match self.permit(service, now, data) {
            Permit::Call if cold && !self.cold_keys.admit(now) => Parks::No,
            Permit::Call => Parks::Yes,
            Permit::Probe => Parks::Probes,
            Permit::Wait(_) => Parks::No,
        }
    }

    /// What is to be sent next in this turn, of which [`Self::begun`] or [`Self::not_begun`] must be told.
    pub fn next_call(
        &mut self,
        turn: &mut Turn,
        service: &Service,
        books: &mut Books<'_, impl SharedData>,
    ) -> Option<Vec<Asking>> {
        if turn.is_over {
            return None;
        }
        let now = books.now.monotonic;
        if turn.is_of_stream {
            let asks = self.exchange.prepare_for_stream(service, now);
            let is_by_itself = |asking: &Asking| asking.question.pot.is_none();
            turn.asks_by_itself = asks.iter().any(is_by_itself);
            return Some(asks).filter(|asks| !asks.is_empty());
        }
        let permit = turn
            .permit
            .unwrap_or_else(|| self.permit(service, now, books.data));
        turn.permit = Some(permit);
        let asks = match permit {
            Permit::Wait(_) => Vec::new(),
            Permit::Probe => {
                turn.is_over = true;
                // Who has nothing to ask leaves it to a worker that has, or to the next request.
                let probe = self.exchange.probe();
                let (breaker, terms) = (&self.breaker, &service.breaker);
                let probe = probe.filter(|_| breaker.begin_probe(books.data, now, terms));
                probe.into_iter().collect()
            }
            Permit::Call => {
                let (asks, is_servable) = self.exchange.prepare(service, books);
                turn.is_servable |= is_servable;
                asks
            }
        };
        turn.is_over |= asks.is_empty();
        Some(asks).filter(|asks| !asks.is_empty())
    }

    /// Notes that what was to be sent was begun.
    pub fn begun(&mut self, number: u32, asks: Vec<Asking>, sent: Instant) {
        self.exchange.begun(number, asks, sent);
    }

    /// Notes that what was to be sent could not be, which ends the turn; tells what that did to the breaker.
    pub fn not_begun(
        &mut self,
        turn: &mut Turn,
        asks: Vec<Asking>,
        service: &Service,
        books: &mut Books<'_, impl SharedData>,
    ) -> Option<Change> {
        turn.is_over = true;
        turn.is_servable = true;
        let event = match turn.permit {
            Some(Permit::Probe) => Event::ProbeFailed,
            _ => Event::Failed,
        };
        self.exchange.not_begun(asks, books);
        self.tell(service, event, books)
    }

    /// Takes in the answer to a call, and tells what it did to the breaker.
    pub fn answered(
        &mut self,
        number: u32,
        told: Result<Vec<Result<Told, Fault>>, Fault>,
        service: &Service,
        books: &mut Books<'_, impl SharedData>,
    ) -> (Heard, Option<Change>) {
        let mut heard = self.exchange.answered(number, told, books);
        let is_first = |question: &Question| {
            let rule = question.rule;
            self.notices.is_first(books.data, books.plan, rule)
        };
        heard.unmatched.retain(is_first);
        let change = self.tell(service, heard.event(), books);
        (heard, change)
    }

    /// Ends a turn: looks at those who wait where some can be served as it is, and releases them all where the service is
    /// left alone.
    pub fn conclude(&mut self, turn: &Turn) {
        let parking = &mut self.exchange.parking;
        match turn.permit {
            Some(Permit::Wait(_) | Permit::Probe) => parking.release(),
            Some(Permit::Call) if turn.is_servable => parking.look(),
            Some(Permit::Call) | None => {}
        }
    }

    fn permit(&mut self, service: &Service, now: Instant, data: &mut impl SharedData) -> Permit {
        let permit = self.breaker.read(data).permit(now, &service.breaker);
        self.is_broken = permit != Permit::Call;
        permit
    }

    fn tell(
        &mut self,
        service: &Service,
        event: Event,
        books: &mut Books<'_, impl SharedData>,
    ) -> Option<Change> {
        let (data, now) = (&mut *books.data, books.now.monotonic);
        let change = self.breaker.tell(data, event, now, &service.breaker)?;
        self.is_broken = change.opens();
        Some(change)
    }
}

impl Turn {
    /// That of a stream that has just been parked.
    #[must_use]
    pub fn of_stream() -> Self {
        Self {
            is_of_stream: true,
            ..Self::default()
        }
    }

    /// How long its calls may take. That of a stream is all that ends its waiting.
    #[must_use]
    pub fn timeout(&self, service: &Service) -> Nanos {
        match self.is_of_stream {
            true => service
                .timeout
                .min(service.max_wait.of(self.asks_by_itself)),
            false => service.timeout,
        }
    }
}

#[cfg(test)]
mod tests;
